import BillingCore
import CryptoExtras
// Certificates tell their validity as Foundation's Date.
import FoundationEssentials
import SwiftASN1
@_spi(FixedExpiryValidationTime) import X509

/// The certificates that a provider's are issued under.
package struct TrustedRoots: Sendable {
    let store: CertificateStore

    /// Reads root certificates.
    /// - Parameter pem: One or more, in PEM; a system's whole bundle, perhaps.
    /// - Throws: ``WebhookRefusal/certificateMalformed``, also for none at all.
    package init(pem: String) throws(WebhookRefusal) {
        do {
            let roots = try PEMDocument.parseMultiple(pemString: pem).map { try Certificate(pemDocument: $0) }
            guard !roots.isEmpty else { throw WebhookRefusal.certificateMalformed }
            store = CertificateStore(roots)
        } catch {
            throw .certificateMalformed
        }
    }
}

/// Certificates as they came: the signer's first, then those it was issued under.
struct CertificateChain {
    /// The longest file, and the most certificates in it.
    static let maxBytes = 65_536
    static let maxCertificates = 8

    let certificates: [Certificate]

    /// - Throws: ``WebhookRefusal/certificateMalformed``.
    init(pem: String) throws(WebhookRefusal) {
        guard pem.utf8.count <= Self.maxBytes else { throw .certificateMalformed }
        do {
            let documents = try PEMDocument.parseMultiple(pemString: pem)
            guard (1...Self.maxCertificates).contains(documents.count) else {
                throw WebhookRefusal.certificateMalformed
            }
            certificates = try documents.map { try Certificate(pemDocument: $0) }
        } catch {
            throw .certificateMalformed
        }
    }

    /// The signer's key, if the chain leads to a root, holds now, and is in one of the signer's names.
    /// - Throws: ``WebhookRefusal/certificateExpired``, ``WebhookRefusal/certificateName``,
    ///   ``WebhookRefusal/certificateUntrusted``.
    func trustedKey(roots: TrustedRoots, names: [String], at now: Instant) async throws(WebhookRefusal) -> TrustedKey {
        guard let signer = certificates.first else { throw .certificateMalformed }
        guard Self.validity(signer).contains(now) else { throw .certificateExpired }
        guard names.contains(where: { Self.isIssued(signer, to: $0) }) else { throw .certificateName }
        guard Self.maySign(signer), certificates.allSatisfy({ $0.signatureAlgorithm != .sha1WithRSAEncryption }),
            let key = _RSA.Signing.PublicKey(signer.publicKey), key.keySizeInBits >= 2_048
        else { throw .certificateUntrusted }
        let date = Date(timeIntervalSince1970: TimeInterval(now.seconds))
        var verifier = Verifier(rootCertificates: roots.store) {
            RFC5280Policy(fixedExpiryValidationTime: date)
        }
        let intermediates = CertificateStore(certificates.dropFirst())
        switch await verifier.validate(leaf: signer, intermediates: intermediates) {
        case .couldNotValidate: throw .certificateUntrusted
        case .validCertificate(let chain):
            let periods: [Range<Instant>] = chain.map(Self.validity)
            let validity: Range<Instant> = periods.reduce(Self.validity(signer)) { $0.clamped(to: $1) }
            return TrustedKey(key: key, validity: validity)
        }
    }

    /// To the second; the last second is part of it (RFC 5280 section 4.1.2.5).
    private static func validity(_ certificate: Certificate) -> Range<Instant> {
        let first = Int64(certificate.notValidBefore.timeIntervalSince1970)
        let last = Int64(certificate.notValidAfter.timeIntervalSince1970)
        return Instant(seconds: first)..<Instant(seconds: max(first, last + 1))
    }

    /// The alternative names count; the common name only where there are none.
    private static func isIssued(_ certificate: Certificate, to name: String) -> Bool {
        let alternatives: SubjectAlternativeNames?
        do {
            alternatives = try certificate.extensions.subjectAlternativeNames
        } catch {
            return false
        }
        if let alternatives {
            return alternatives.contains { $0 == .dnsName(name) }
        }
        let commonName = ASN1ObjectIdentifier.NameAttributes.commonName
        let names: [String] = certificate.subject.flatMap { attributes in
            attributes.filter { $0.type == commonName }.map { String(describing: $0.value) }
        }
        return names == [name]
    }

    /// An authority's certificate signs certificates, not messages; one with a purpose must have this one.
    private static func maySign(_ certificate: Certificate) -> Bool {
        do {
            if case .isCertificateAuthority = try certificate.extensions.basicConstraints { return false }
            guard let usage = try certificate.extensions.keyUsage else { return true }
            return usage.digitalSignature
        } catch {
            return false
        }
    }
}

/// A key that may be believed for a while.
struct TrustedKey: Sendable {
    let key: _RSA.Signing.PublicKey
    /// While each certificate of the chain is valid.
    let validity: Range<Instant>

    /// RSASSA-PKCS1-v1_5 with SHA-256 (RFC 8017 section 8.2).
    func hasSigned(_ text: String, _ signature: [UInt8]) -> Bool {
        let signature = _RSA.Signing.RSASignature(rawRepresentation: signature)
        return key.isValidSignature(signature, for: Array(text.utf8), padding: .insecurePKCS1v1_5)
    }
}
