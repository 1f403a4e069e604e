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
package final class CertificateCache: Sendable {
    /// How long a key is kept, how many are, and how many fetches a minute may cause.
    package static let maxAge: Duration = .seconds(86_400)
    package static let maxKeys = 16
    package static let maxFetchesPerMinute = 20

    private struct State {
        var keys: [String: (key: TrustedKey, fetchedAt: Instant)] = [:]
        var minute: Int64 = 0
        var fetches = 0
    }

    private let transport: any CertificateTransport
    private let roots: TrustedRoots
    private let signerName: String
    private let state = Mutex(State())

    /// - Parameter signerName: The DNS name that the certificate must be issued to.
    package init(
        transport: any CertificateTransport, roots: TrustedRoots,
        signerName: String = "messageverificationcerts.paypal.com"
    ) {
        self.transport = transport
        self.roots = roots
        self.signerName = signerName
    }

    /// The key behind an address, which has been checked against the list.
    func key(_ address: String, at now: Instant) async throws(WebhookRefusal) -> TrustedKey {
        if let known = known(address, at: now) { return known }
        // Anyone can make us ask for a certificate: the answer is to ask rarely.
        guard mayFetch(at: now), let file = await transport.get(address, maxBytes: CertificateChain.maxBytes) else {
            throw .certificateUnavailable
        }
        let chain = try CertificateChain(pem: String(decoding: file, as: UTF8.self))
        let key = try await chain.trustedKey(roots: roots, name: signerName, at: now)
        keep(key, address, at: now)
        return key
    }

    private func known(_ address: String, at now: Instant) -> TrustedKey? {
        state.withLock { state in
            guard let (key, fetchedAt) = state.keys[address] else { return nil }
            guard key.validity.contains(now), now - fetchedAt < Self.maxAge, now >= fetchedAt else {
                state.keys[address] = nil
                return nil
            }
            return key
        }
    }

    private func mayFetch(at now: Instant) -> Bool {
        state.withLock { state in
            let minute: Int64 = now.seconds / 60
            if minute != state.minute {
                state.minute = minute
                state.fetches = 0
            }
            state.fetches += 1
            return state.fetches <= Self.maxFetchesPerMinute
        }
    }

    private func keep(_ key: TrustedKey, _ address: String, at now: Instant) {
        state.withLock { state in
            if state.keys.count >= Self.maxKeys,
                let oldest = state.keys.min(by: { $0.value.fetchedAt < $1.value.fetchedAt })
            {
                state.keys[oldest.key] = nil
            }
            state.keys[address] = (key, now)
        }
    }
}
