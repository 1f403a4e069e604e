import BillingCore
package import PaymentContract
package import PaymentDomain
import Synchronization
import Telemetry

/// A provider behind its circuit breaker, its bulkhead and its time limit.
///
/// A call that is not let out throws ``ProviderFault/notSent(_:)``: nobody was asked; a charge that would meet refused
/// credentials, and whose customer is there, throws ``ProviderFault/unauthorized(code:)``, so that nobody waits for them. A
/// call that takes too long throws ``ProviderFault/timedOut``: it may have happened, and nothing but a look at the provider
/// can tell. It keeps its place in the bulkhead until it really ends.
package struct GuardedProvider: PaymentProvider {
    private let provider: any PaymentProvider
    private let health: ProviderHealth
    private let timeout: Duration
    private let refused: Counter

    /// Puts a guard before a provider; one that ``ProviderHealth`` does not know is only timed.
    package init(_ provider: any PaymentProvider, health: ProviderHealth, timeout: Duration) {
        self.provider = provider
        self.health = health
        self.timeout = timeout
        refused = Metrics.shared.counter(
            "provider_calls_not_let_out_total", help: "Calls that a circuit breaker or a bulkhead kept back",
            labels: ["provider": provider.name])
    }

    package var name: String { provider.name }
    package var capabilities: ProviderCapabilities { provider.capabilities }

    package func charge(_ request: ChargeRequest) async throws(ProviderFault) -> ChargeAnswer {
        let provider: any PaymentProvider = provider
        let isCustomerThere: Bool = request.initiation == .customer
        let answer: ChargeAnswer = try await guarded(isFirst: true, isAwaited: isCustomerThere) {
            () throws(ProviderFault) in try await provider.charge(request)
        }
        count(answer, to: request)
        return answer
    }

    package func outcome(of request: ChargeRequest) async throws(ProviderFault) -> ChargeAnswer {
        let provider: any PaymentProvider = provider
        let answer: ChargeAnswer = try await guarded { () throws(ProviderFault) in
            try await provider.outcome(of: request)
        }
        count(answer, to: request)
        return answer
    }

    package func capture(_ request: CaptureRequest) async throws(ProviderFault) -> CaptureAnswer {
        let provider: any PaymentProvider = provider
        return try await guarded { () throws(ProviderFault) in try await provider.capture(request) }
    }

    package func release(_ request: ReleaseRequest) async throws(ProviderFault) -> ReleaseAnswer {
        let provider: any PaymentProvider = provider
        return try await guarded { () throws(ProviderFault) in try await provider.release(request) }
    }

    package func refund(_ request: RefundRequest) async throws(ProviderFault) -> RefundAnswer {
        let provider: any PaymentProvider = provider
        return try await guarded { () throws(ProviderFault) in try await provider.refund(request) }
    }

    package func refund(named reference: String) async throws(ProviderFault) -> ProviderRefund? {
        let provider: any PaymentProvider = provider
        return try await guarded { () throws(ProviderFault) in try await provider.refund(named: reference) }
    }

    package func refunds(of reference: String) async throws(ProviderFault) -> [ProviderRefund] {
        let provider: any PaymentProvider = provider
        return try await guarded { () throws(ProviderFault) in try await provider.refunds(of: reference) }
    }

    package func holds(_ reference: String) async throws(ProviderFault) -> Bool? {
        let provider: any PaymentProvider = provider
        return try await guarded { () throws(ProviderFault) in try await provider.holds(reference) }
    }

    package func takings(of reference: String) async throws(ProviderFault) -> ProviderTakings? {
        let provider: any PaymentProvider = provider
        return try await guarded { () throws(ProviderFault) in try await provider.takings(of: reference) }
    }

    package func lookUp(_ request: ChargeRequest) async throws(ProviderFault) -> ChargeAnswer? {
        let provider: any PaymentProvider = provider
        return try await guarded { () throws(ProviderFault) in try await provider.lookUp(request) }
    }

    package func reading(of decline: ProviderDecline) -> DeclineReading { provider.reading(of: decline) }

    /// Counts for routing by success rate; what is still open counts nothing.
    private func count(_ answer: ChargeAnswer, to request: ChargeRequest) {
        switch answer {
        case .captured, .authorized: health.record(request.idempotencyKey, at: name, succeeded: true)
        case .declined: health.record(request.idempotencyKey, at: name, succeeded: false)
        case .actionRequired, .pending: break
        }
    }

    /// - Parameters:
    ///   - isFirst: It is not asked about something that was asked before, and will be asked again.
    ///   - isAwaited: Somebody is there, who is not to wait until credentials have been seen to.
    private func guarded<Answer: Sendable>(
        isFirst: Bool = false, isAwaited: Bool = false,
        _ call: @escaping @Sendable () async throws(ProviderFault) -> Answer
    ) async throws(ProviderFault) -> Answer {
        guard let watched = health.watched(name) else { return try await TimedCall(call, timeout: timeout).answer() }
        guard watched.bulkhead.enter() else {
            refused.increment()
            throw .notSent("\(name) has as many calls under way as it is trusted with")
        }
        let admission: CircuitBreaker.Admission = await watched.circuit.admit(isCharge: isFirst, at: health.now)
        if case .refused = admission {
            watched.bulkhead.leave()
            refused.increment()
            if isAwaited, let code: String = watched.credentials.refusal { throw .unauthorized(code: code) }
            throw .notSent("the circuit of \(name) is open")
        }
        let bulkhead: Bulkhead = watched.bulkhead
        let timed = TimedCall(
            { () throws(ProviderFault) -> Answer in
                defer { bulkhead.leave() }
                return try await call()
            }, timeout: timeout)
        do {
            let answer: Answer = try await timed.answer()
            if isFirst { watched.credentials.heard(nil) }
            let isProbe: Bool = admission == .probe
            await watched.circuit.record(
                .answered(probe: isProbe), isCharge: isFirst, probe: isProbe, at: health.now)
            return answer
        } catch {
            if isFirst { watched.credentials.heard(error) }
            let isProbe: Bool = admission == .probe
            await watched.circuit.record(
                error.event(isFirst: isFirst, probe: isProbe), isCharge: isFirst, probe: isProbe, at: health.now)
            throw error
        }
    }
}

extension PaymentProviders {
    /// Providers as the service asks them: each with its alarm, and behind its guard.
    /// - Parameters:
    ///   - catalogue: How far each is trusted.
    ///   - isTakenOut: Whether an operator took one out.
    package init(
        guarding bare: [any PaymentProvider], as catalogue: ProviderCatalogue, health: ProviderHealth,
        isTakenOut: @escaping @Sendable (String) -> Bool = { _ in false }
    ) {
        let heard: [any PaymentProvider] = bare.map { $0.alarmed() }
        self.init(
            heard.map { provider in
                let limits: ProviderProfile.Limits = catalogue.named(provider.name)?.limits ?? ProviderProfile.Limits()
                return GuardedProvider(provider, health: health, timeout: limits.timeout)
            }, beneath: heard, isTakenOut: isTakenOut)
    }
}

extension ProviderFault {
    /// What its circuit hears of it; `nil` where the fault says nothing of the provider. A provider that cannot be reached
    /// fails whoever asks. Every other fault counts where a charge is first asked for: the same question about one charge,
    /// again and again, would speak for all others, and a provider may keep an error for one question. Credentials that are
    /// not let in somewhere may be good elsewhere: what counts is whether they may charge. A request that it, or the
    /// connector before it, rejects is at fault itself, and often nobody was asked.
    fileprivate func event(isFirst: Bool, probe: Bool) -> CircuitBreaker.Event? {
        switch self {
        case .notSent: .failed(probe: probe)
        case .timedOut, .unavailable, .rateLimited, .unusable, .unauthorized:
            isFirst ? .chargeFailed(probe: probe) : nil
        case .rejected: nil
        }
    }
}

/// What a provider has last said of our credentials, as this instance has seen it.
final class CredentialsWatch: Sendable {
    private let word = Mutex<String?>(nil)

    /// The provider's code, where it has refused them and nothing else has been heard since.
    var refusal: String? { word.withLock { $0 } }

    /// Takes in how a charge ended that was let out.
    func heard(_ fault: ProviderFault?) {
        switch fault {
        case .unauthorized(let code): word.withLock { $0 = code }
        case .notSent: break
        case nil, .timedOut, .unavailable, .rateLimited, .unusable, .rejected: word.withLock { $0 = nil }
        }
    }
}

/// A call that is waited for only so long; it goes on by itself afterwards, and its answer is dropped.
struct TimedCall<Answer: Sendable>: Sendable {
    private let call: @Sendable () async throws(ProviderFault) -> Answer
    private let timeout: Duration

    init(_ call: @escaping @Sendable () async throws(ProviderFault) -> Answer, timeout: Duration) {
        self.call = call
        self.timeout = timeout
    }

    /// - Throws: What the call throws, or ``ProviderFault/timedOut`` when the time is over or the caller is cancelled.
    func answer() async throws(ProviderFault) -> Answer {
        let decision = Decision<Result<Answer, ProviderFault>>()
        let call: @Sendable () async throws(ProviderFault) -> Answer = call
        let work = Task {
            do throws(ProviderFault) { decision.decide(.success(try await call())) } catch {
                decision.decide(.failure(error))
            }
        }
        let timeout: Duration = timeout
        let timer = Task {
            try await Task.sleep(for: timeout)
            decision.decide(.failure(.timedOut))
            work.cancel()
        }
        let result: Result<Answer, ProviderFault> = await withTaskCancellationHandler {
            await decision.value
        } onCancel: {
            decision.decide(.failure(.timedOut))
            work.cancel()
        }
        timer.cancel()
        return try result.get()
    }
}

/// The first word on something; later ones change nothing.
final class Decision<Value: Sendable>: Sendable {
    private enum State: Sendable {
        case open(CheckedContinuation<Value, Never>?)
        case decided(Value)
    }

    private let state = Mutex<State>(.open(nil))

    func decide(_ value: Value) {
        let waiting: CheckedContinuation<Value, Never>? = state.withLock { state in
            guard case .open(let waiting) = state else { return nil }
            state = .decided(value)
            return waiting
        }
        waiting?.resume(returning: value)
    }

    /// Waits for the word; one waits at a time.
    var value: Value {
        get async {
            await withCheckedContinuation { continuation in
                let known: Value? = state.withLock { state in
                    if case .decided(let value) = state { return value }
                    state = .open(continuation)
                    return nil
                }
                if let known { continuation.resume(returning: known) }
            }
        }
    }
}
