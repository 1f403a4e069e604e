import BillingCore
import CryptoExtras
import FoundationEssentials
import PaymentWebhooks
import SwiftASN1
import Synchronization
import Testing
import X509

/// An authority that lives as long as the test: root, intermediate, and signers under it.
struct TestAuthority {
    static let host = "messageverificationcerts.paypal.com"
    static let sandboxHost = "messageverificationcerts.sandbox.paypal.com"

    struct Signer {
        let key: _RSA.Signing.PrivateKey
        let pem: String

        func sign(_ text: String) throws -> String {
            let signature = try key.signature(for: Array(text.utf8), padding: .insecurePKCS1v1_5)
            return Base64.standard.encode(Array(signature.rawRepresentation))
        }
    }

    let rootPEM: String
    private let intermediate: Certificate
    private let intermediateKey: Certificate.PrivateKey

    init() throws {
        let rootKey = Certificate.PrivateKey(try _RSA.Signing.PrivateKey(keySize: .bits2048))
        let key = try _RSA.Signing.PrivateKey(keySize: .bits2048)
        let rootName = try Self.name("Test Root")
        let root = try Self.certificate(
            rootKey.publicKey, subject: rootName, issuer: rootName, signedBy: rootKey, isAuthority: true)
        intermediateKey = Certificate.PrivateKey(key)
        intermediate = try Self.certificate(
            intermediateKey.publicKey, subject: try Self.name("Test Intermediate"), issuer: rootName, signedBy: rootKey,
            isAuthority: true)
        rootPEM = try root.serializeAsPEM().pemString
    }

    /// A signer with what is said of it changed.
    func signer(
        host: String? = TestAuthority.host, commonName: String = TestAuthority.host, from first: Int = -86_400,
        to last: Int = 86_400, isAuthority: Bool = false, usage: KeyUsage = KeyUsage(digitalSignature: true),
        withIntermediate: Bool = true, keySize: _RSA.Signing.KeySize = .bits2048,
        algorithm: Certificate.SignatureAlgorithm = .sha256WithRSAEncryption
    ) throws -> Signer {
        let key = try _RSA.Signing.PrivateKey(keySize: keySize)
        let certificate = try Self.certificate(
            Certificate.PrivateKey(key).publicKey, subject: try Self.name(commonName), issuer: intermediate.subject,
            signedBy: intermediateKey, isAuthority: isAuthority, host: host, usage: usage, from: first, to: last,
            algorithm: algorithm)
        let pem: [String] = try [certificate].map { try $0.serializeAsPEM().pemString }
        let rest = withIntermediate ? [try intermediate.serializeAsPEM().pemString] : []
        return Signer(key: key, pem: (pem + rest).joined(separator: "\n"))
    }

    private static func name(_ commonName: String) throws -> DistinguishedName {
        try DistinguishedName { CommonName(commonName) }
    }

    private static func certificate(
        _ key: Certificate.PublicKey, subject: DistinguishedName, issuer: DistinguishedName,
        signedBy issuerKey: Certificate.PrivateKey, isAuthority: Bool, host: String? = nil,
        usage: KeyUsage = KeyUsage(keyCertSign: true), from first: Int = -86_400, to last: Int = 8_640_000,
        algorithm: Certificate.SignatureAlgorithm = .sha256WithRSAEncryption
    ) throws -> Certificate {
        let base = Date(timeIntervalSince1970: TimeInterval(now.seconds))
        return try Certificate(
            version: .v3, serialNumber: Certificate.SerialNumber(), publicKey: key,
            notValidBefore: base + TimeInterval(first), notValidAfter: base + TimeInterval(last), issuer: issuer,
            subject: subject, signatureAlgorithm: algorithm,
            extensions: try Certificate.Extensions {
                Critical(
                    isAuthority ? BasicConstraints.isCertificateAuthority(maxPathLength: nil) : .notCertificateAuthority
                )
                Critical(usage)
                if let host { SubjectAlternativeNames([.dnsName(host)]) }
            }, issuerPrivateKey: issuerKey)
    }
}

/// Hands out files by address and counts how often it was asked.
final class FileTransport: CertificateTransport {
    private let files: Mutex<[String: [UInt8]]>
    private let count = Mutex(0)

    init(_ files: [String: String]) { self.files = Mutex(files.mapValues { Array($0.utf8) }) }

    var requests: Int { count.withLock { $0 } }

    /// Puts a file in its place; `nil` takes it away.
    func put(_ file: String?, at address: String) {
        files.withLock { $0[address] = file.map { Array($0.utf8) } }
    }

    func get(_ address: String, maxBytes: Int) async -> [UInt8]? {
        count.withLock { $0 += 1 }
        return files.withLock { $0[address] }
    }
}
