package import PaymentContract
import BillingCore

/// Sends requests and repeats them. It knows statuses, not resources.
package struct PayPalExchange: Sendable {
    let retry: ProviderRetryPolicy
    let surroundings: PayPalSurroundings

    package init(retry: ProviderRetryPolicy, surroundings: PayPalSurroundings) {
        self.retry = retry
        self.surroundings = surroundings
    }

    /// The time by the injected clock.
    var now: Instant { surroundings.clock.now }

    /// Sends once.
    /// - Returns: An answer whose status is below 500 and that is neither a plea for patience nor a conflict with a
    ///   twin that is still under way.
    func once(_ request: ProviderHTTPRequest) async throws(ProviderFault) -> ProviderHTTPAnswer {
        let answer: ProviderHTTPAnswer = try await surroundings.transport.send(request)
        switch answer.status {
        case 429: throw .rateLimited(retryAfter: Self.retryAfter(answer))
        // 408 is a front end's word that it gave up waiting; 409 says that the first request of this key still runs.
        case 408, 409, 500...599: throw .unavailable(answer.status)
        default: return answer
        }
    }

    /// Runs a try, and again as the policy says while it fails in a way that a repeat under the same key may cure.
    ///
    /// The fault thrown in the end tells the least that is known: once any try may have reached PayPal, a later "not
    /// sent" or "refused" does not make the outcome certain, so the earlier fault is thrown.
    /// - Returns: The reply, and the fault of an earlier try that may have taken effect.
    func repeated<Reply>(
        _ attempt: () async throws(ProviderFault) -> Reply
    ) async throws(ProviderFault) -> (reply: Reply, doubt: ProviderFault?) {
        var doubt: ProviderFault?
        var number = 0
        while true {
            let fault: ProviderFault
            do throws(ProviderFault) {
                return (try await attempt(), doubt)
            } catch {
                fault = error
            }
            if fault.leavesDoubt { doubt = fault }
            guard await pause(after: fault, number: number) else { throw doubt ?? fault }
            number += 1
        }
    }

    /// Waits before a repeat; `false` when there is none, or it is of no use.
    private func pause(after fault: ProviderFault, number: Int) async -> Bool {
        switch fault {
        case .timedOut, .unavailable, .notSent: await retry.pause(before: number + 1)
        case .rateLimited(let seconds): await retry.pause(before: number + 1, retryAfter: seconds)
        case .unusable, .rejected, .unauthorized: false
        }
    }

    /// RFC 9110, section 10.2.3, in seconds; a date is not read, since PayPal's clock need not be ours.
    private static func retryAfter(_ answer: ProviderHTTPAnswer) -> Int? {
        let value: String? = answer.headers.first { $0.name.lowercased() == "retry-after" }?.value
        guard let value, let seconds = Int(value), (0...86_400).contains(seconds) else { return nil }
        return seconds
    }
}

extension ProviderFault {
    /// Whether the request may have taken effect all the same.
    var leavesDoubt: Bool {
        switch self {
        case .timedOut, .unavailable, .unusable: true
        case .notSent, .rateLimited, .rejected, .unauthorized: false
        }
    }
}
