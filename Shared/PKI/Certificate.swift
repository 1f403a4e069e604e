public import BillingCore
import COpenSSL

/// Bytes that are not the certificate, or certificates, they should be.
public enum CertificateError: Error, Equatable, Sendable {
    /// Not one X.509 certificate in DER and nothing else.
    case malformed
    /// Larger than ``Certificate/maxBytes``.
    case tooLarge
}

/// An X.509 certificate (RFC 5280). Reading one says nothing about whether to trust it: see ``TrustAnchors``.
public struct Certificate: Sendable, Hashable {
    /// The largest certificate that is read, in bytes.
    public static let maxBytes = 16_384

    /// The certificate in DER.
    public let der: [UInt8]
    let handle: CertificateHandle

    /// Reads a certificate.
    /// - Parameter der: The whole certificate in DER (ITU-T X.690).
    /// - Throws: ``CertificateError``.
    public init(der: [UInt8]) throws(CertificateError) {
        guard der.count <= Self.maxBytes else { throw .tooLarge }
        guard let handle = CertificateHandle(der: der) else { throw .malformed }
        self.der = der
        self.handle = handle
    }

    /// Wraps a certificate that OpenSSL holds; `nil` when it cannot be written as DER.
    init?(_ handle: CertificateHandle) {
        guard let der = handle.der, der.count <= Self.maxBytes else { return nil }
        self.der = der
        self.handle = handle
    }

    /// Reads the certificates of a PEM text (RFC 7468), such as a file of roots. Text between them is ignored.
    /// - Throws: ``CertificateError/malformed`` when there is none, or one is damaged.
    public static func reading(pem: String) throws(CertificateError) -> [Certificate] {
        guard let handles = CertificateHandle.reading(pem: pem), !handles.isEmpty else { throw .malformed }
        var certificates: [Certificate] = []
        for handle in handles {
            guard let certificate = Certificate(handle) else { throw .malformed }
            certificates.append(certificate)
        }
        return certificates
    }

    /// The first instant at which it is valid.
    public var notBefore: Instant { handle.notBefore }

    /// The last instant at which it is valid.
    public var notAfter: Instant { handle.notAfter }

    /// The content of an extension: the DER inside its OCTET STRING.
    /// - Parameter identifier: The object identifier in dotted decimals, such as `2.5.29.14`.
    /// - Returns: `nil` when the certificate has no such extension.
    public func extensionValue(_ identifier: String) -> [UInt8]? { handle.extensionValue(identifier) }

    /// Whether a signature over a message was made with this certificate's key: SHA-256 with ECDSA (the signature in
    /// DER) or with RSA by PKCS #1 v1.5, as the key is. Keys of other kinds verify nothing.
    public func verifies(_ signature: [UInt8], over message: [UInt8]) -> Bool {
        handle.verifies(signature, over: message)
    }

    /// The same certificate is the same bytes.
    public static func == (left: Certificate, right: Certificate) -> Bool { left.der == right.der }
    /// Hashes the bytes, all at once.
    public func hash(into hasher: inout Hasher) { der.withUnsafeBytes { hasher.combine(bytes: $0) } }
}
