public import BillingCore

/// Why a detached signature is not accepted.
public enum DetachedSignatureError: Error, Equatable, Sendable {
    /// Larger than ``DetachedSignature/maxBytes``.
    case tooLarge
    /// Not a CMS SignedData of the form that ``DetachedSignature`` reads.
    case malformed
    /// The certificate of the signer is not inside.
    case signerMissing
    /// The content, the signed attributes and the signature do not belong together.
    case wrongSignature
}

/// A detached CMS SignedData (RFC 5652) whose signature is right: whoever holds the signer's key signed the content.
/// Whether to trust the signer is the next question, for ``TrustAnchors``.
///
/// One form is read: SHA-256 with ECDSA or RSA (PKCS #1 v1.5), one signer, named by issuer and serial number, with
/// signed attributes; the outer layers may be BER without lengths.
public struct DetachedSignature: Sendable {
    /// The largest SignedData that is read, in bytes.
    public static let maxBytes = 32_768

    /// The certificate whose key signed.
    public let signer: Certificate
    /// The other certificates that came along.
    public let others: [Certificate]
    /// The signed attribute signing-time (RFC 5652 section 11.3); `nil` where there is none.
    public let signingTime: Instant?

    /// Checks a signature.
    /// - Parameters:
    ///   - encoded: The ContentInfo in BER or DER.
    ///   - content: The bytes that were signed.
    ///   - cache: Reads the certificates that come along.
    /// - Throws: ``DetachedSignatureError``.
    public init(
        _ encoded: [UInt8], over content: [UInt8], cache: CertificateCache
    ) throws(DetachedSignatureError) {
        guard encoded.count <= Self.maxBytes else { throw .tooLarge }
        let data: SignedData
        do {
            data = try SignedData(encoded)
        } catch {
            throw .malformed
        }
        let all: [Certificate] = try Self.certificates(data.certificates, cache)
        let signers: [Certificate] = all.filter { $0.handle.issuerAndSerial == data.signerID }
        guard let signer = signers.first, signers.count == 1 else { throw .signerMissing }
        guard data.messageDigest == OpenSSLMemory.sha256(content),
            signer.verifies(data.signature, over: data.signedAttributes)
        else { throw .wrongSignature }
        self.signer = signer
        others = all.filter { $0 != signer }
        guard let time = data.signingTime else {
            signingTime = nil
            return
        }
        guard let instant = Instant(derTime: time.text, tag: time.tag) else { throw .malformed }
        signingTime = instant
    }

    private static func certificates(
        _ encoded: [[UInt8]], _ cache: CertificateCache
    ) throws(DetachedSignatureError) -> [Certificate] {
        var certificates: [Certificate] = []
        for der in encoded {
            do {
                certificates.append(try cache.certificate(der: der))
            } catch {
                throw .malformed
            }
        }
        return certificates
    }
}

extension Instant {
    /// Reads a UTCTime (tag 17) or GeneralizedTime (tag 18, hexadecimal both) in the form of DER: with seconds, in UTC.
    /// Two digits of a year mean 1950 to 2049 (RFC 5652 section 11.3).
    init?(derTime text: [UInt8], tag: UInt8) {
        let digits: [UInt8] = text.dropLast()
        guard text.last == UInt8(ascii: "Z"), digits.allSatisfy({ (48...57).contains($0) }),
            digits.count == (tag == 0x17 ? 12 : 14)
        else { return nil }
        var parts: [UInt8] = digits
        if tag == 0x17 { parts = Array((digits[0] < 53 ? "20" : "19").utf8) + digits }
        func part(_ range: Range<Int>) -> String { String(decoding: parts[range], as: UTF8.self) }
        let date = "\(part(0..<4))-\(part(4..<6))-\(part(6..<8))"
        self.init(rfc3339: "\(date)T\(part(8..<10)):\(part(10..<12)):\(part(12..<14))Z")
    }
}
