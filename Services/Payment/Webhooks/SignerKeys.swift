import BillingCore
import Synchronization

/// Fetches certificates: over TLS with the system's roots, within a time limit, and without following redirects.
package protocol CertificateTransport: Sendable {
    /// Gets a file.
    /// - Parameter maxBytes: Reading stops beyond it.
    /// - Returns: The body; `nil` for every HTTP status but 200, redirects included, for a body that is longer, and
    ///   when nothing came.
    func get(_ address: String, maxBytes: Int) async -> [UInt8]?
}

/// The provider's keys by the address of their certificates. Only keys that were trusted are kept.
///
/// Anyone can make us ask for a certificate at an address that was never trusted: the answer is to ask rarely, for all
/// such addresses together. One that was trusted goes by a pace of its own, so that strangers cannot keep it from being
/// fetched anew.
package final class SignerKeys: Sendable {
    /// How old a key becomes before its certificate is fetched anew. Until that works it is used on, while it is valid.
    package static let maxAge: Duration = .seconds(86_400)
    /// How long after a fetch the certificate of an address that was trusted is not fetched again.
    package static let pace: Duration = .seconds(60)
    /// How many keys are kept, and how many fetches a minute addresses may cause that were never trusted.
    package static let maxKeys = 16
    package static let maxFetchesPerMinute = 20

    /// A key that was trusted.
    private struct Known {
        let key: TrustedKey
        let fetchedAt: Instant
        /// When it was last attempted to fetch it.
        var triedAt: Instant

        /// Whether a time has passed since an instant; it has when the clock went back.
        static func hasPassed(_ time: Duration, since start: Instant, at now: Instant) -> Bool {
            now < start || now - start >= time
        }
    }

    private struct State {
        var keys: [String: Known] = [:]
        var minute: Int64 = 0
        var fetches = 0
    }

    /// What is done about an address.
    private enum Step {
        case use(TrustedKey)
        /// - Parameter aged: What may be used if nothing newer is to be had.
        case fetch(aged: TrustedKey?)
        case refuse
    }

    private let transport: any CertificateTransport
    private let roots: TrustedRoots
    private let state = Mutex(State())

    package init(transport: any CertificateTransport, roots: TrustedRoots) {
        self.transport = transport
        self.roots = roots
    }

    /// The key behind an address, which has been checked against the list.
    /// - Parameter names: The DNS names of which the certificate must be issued to one.
    func key(_ address: String, names: [String], at now: Instant) async throws(WebhookRefusal) -> TrustedKey {
        switch step(address, at: now) {
        case .use(let key): return key
        case .refuse: throw .certificateUnavailable
        case .fetch(let aged):
            do throws(WebhookRefusal) {
                return try await fetch(address, names: names, at: now)
            } catch {
                guard let aged else { throw error }
                return aged
            }
        }
    }

    private func fetch(
        _ address: String, names: [String], at now: Instant
    ) async throws(WebhookRefusal) -> TrustedKey {
        guard let file = await transport.get(address, maxBytes: CertificateChain.maxBytes) else {
            throw .certificateUnavailable
        }
        let chain = try CertificateChain(pem: String(decoding: file, as: UTF8.self))
        let key = try await chain.trustedKey(roots: roots, names: names, at: now)
        keep(key, address, at: now)
        return key
    }

    private func step(_ address: String, at now: Instant) -> Step {
        state.withLock { state in
            guard let known = state.keys[address] else {
                return Self.mayFetch(&state, at: now) ? Step.fetch(aged: nil) : Step.refuse
            }
            let key: TrustedKey? = known.key.validity.contains(now) ? known.key : nil
            if let key, !Known.hasPassed(Self.maxAge, since: known.fetchedAt, at: now) { return .use(key) }
            if Known.hasPassed(Self.pace, since: known.triedAt, at: now) {
                state.keys[address]?.triedAt = now
                return .fetch(aged: key)
            }
            return key.map { Step.use($0) } ?? Step.refuse
        }
    }

    /// Whether there is a fetch left in this minute for addresses that were never trusted; it is taken.
    private static func mayFetch(_ state: inout State, at now: Instant) -> Bool {
        let minute: Int64 = now.seconds / 60
        if minute != state.minute {
            state.minute = minute
            state.fetches = 0
        }
        state.fetches += 1
        return state.fetches <= maxFetchesPerMinute
    }

    private func keep(_ key: TrustedKey, _ address: String, at now: Instant) {
        state.withLock { state in
            if state.keys[address] == nil, state.keys.count >= Self.maxKeys,
                let oldest = state.keys.min(by: { $0.value.fetchedAt < $1.value.fetchedAt })
            {
                state.keys[oldest.key] = nil
            }
            state.keys[address] = Known(key: key, fetchedAt: now, triedAt: now)
        }
    }
}
