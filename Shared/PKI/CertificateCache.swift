import Synchronization

/// Reads certificates and remembers them, for callers that meet the same few again and again: reading one costs as much
/// as checking a signature with it. Says no more about trust than ``Certificate`` does.
public final class CertificateCache: Sendable {
    /// How many certificates are remembered.
    public static let maxRemembered = 64

    /// Hashes its bytes all at once, which an array does not.
    private struct Key: Hashable {
        let der: [UInt8]

        func hash(into hasher: inout Hasher) { der.withUnsafeBytes { hasher.combine(bytes: $0) } }
    }

    private let remembered: Mutex<[Key: Certificate]> = Mutex([:])

    /// Makes one that remembers nothing yet.
    public init() {}

    /// The certificate, read now or before.
    /// - Throws: ``CertificateError``.
    public func certificate(der: [UInt8]) throws(CertificateError) -> Certificate {
        let key = Key(der: der)
        if let known = remembered.withLock({ $0[key] }) { return known }
        let certificate = try Certificate(der: der)
        remembered.withLock { known in
            if known.count >= Self.maxRemembered { known.removeAll() }
            known[key] = certificate
        }
        return certificate
    }
}
