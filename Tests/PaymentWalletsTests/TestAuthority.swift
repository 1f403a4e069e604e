import BillingCore
import Crypto
import CryptoExtras
import PKI

/// A key that signs certificates or messages.
enum SigningKey: Sendable {
    case p256(P256.Signing.PrivateKey)
    case p384(P384.Signing.PrivateKey)
    case rsa(_RSA.Signing.PrivateKey)

    static func fresh256() -> SigningKey { .p256(P256.Signing.PrivateKey()) }

    var publicKey: [UInt8] {
        switch self {
        case .p256(let key): Array(key.publicKey.derRepresentation)
        case .p384(let key): Array(key.publicKey.derRepresentation)
        case .rsa(let key): Array(key.publicKey.derRepresentation)
        }
    }

    /// ECDSA or RSA (PKCS #1 v1.5) with SHA-256, with SHA-384 for the larger curve.
    var algorithm: [UInt8] {
        switch self {
        case .p256: DER.sequence([DER.identifier("1.2.840.10045.4.3.2")])
        case .p384: DER.sequence([DER.identifier("1.2.840.10045.4.3.3")])
        case .rsa: DER.sequence([DER.identifier("1.2.840.113549.1.1.11"), DER.null])
        }
    }

    func sign(_ bytes: [UInt8]) throws -> [UInt8] {
        switch self {
        case .p256(let key): Array(try key.signature(for: bytes).derRepresentation)
        case .p384(let key): Array(try key.signature(for: bytes).derRepresentation)
        case .rsa(let key): Array(try key.signature(for: bytes, padding: .insecurePKCS1v1_5).rawRepresentation)
        }
    }
}

/// One certificate to be made, with its key.
struct TestCertificate: Sendable {
    static let leafMarker = "1.2.840.113635.100.6.29"
    static let intermediateMarker = "1.2.840.113635.100.6.2.14"

    var name: String
    var key: SigningKey
    var serial: UInt32 = 1
    var isAuthority: Bool
    var marker: String?
    var notBefore: Instant = World.now - .seconds(86_400)
    var notAfter: Instant = World.now + .seconds(86_400)

    var nameDER: [UInt8] {
        let common: [UInt8] = DER.sequence([DER.identifier("2.5.4.3"), DER.text(name)])
        return DER.sequence([DER.set([common])])
    }

    var serialDER: [UInt8] { DER.integer(serial) }

    func signed(by issuer: TestCertificate) throws -> [UInt8] {
        let body: [UInt8] = DER.sequence([
            DER.value(0xA0, DER.integer(2)), serialDER, issuer.key.algorithm, issuer.nameDER,
            DER.sequence([DER.utcTime(notBefore), DER.utcTime(notAfter)]), nameDER, key.publicKey,
            DER.value(0xA3, DER.sequence(extensions)),
        ])
        return DER.sequence([body, issuer.key.algorithm, DER.bits(try issuer.key.sign(body))])
    }

    private var extensions: [[UInt8]] {
        let basic: [UInt8] = DER.sequence(isAuthority ? [DER.yes] : [])
        let usage: [UInt8] = isAuthority ? [0x03, 0x02, 0x01, 0x06] : [0x03, 0x02, 0x07, 0x80]
        var list: [[UInt8]] = [
            DER.sequence([DER.identifier("2.5.29.19"), DER.yes, DER.octets(basic)]),
            DER.sequence([DER.identifier("2.5.29.15"), DER.yes, DER.octets(usage)]),
        ]
        if let marker { list.append(DER.sequence([DER.identifier(marker), DER.octets(DER.null)])) }
        return list
    }
}

/// A root, an intermediate and a leaf such as stand behind Apple's tokens, with keys of their own.
struct TestChain: Sendable {
    var root: TestCertificate
    var intermediate: TestCertificate
    var leaf: TestCertificate

    init(leafKey: SigningKey = .fresh256()) {
        root = TestCertificate(name: "Test Root", key: .p384(P384.Signing.PrivateKey()), isAuthority: true)
        intermediate = TestCertificate(
            name: "Test Integration CA", key: .fresh256(), serial: 2, isAuthority: true,
            marker: TestCertificate.intermediateMarker)
        leaf = TestCertificate(
            name: "Test Broker", key: leafKey, serial: 3, isAuthority: false, marker: TestCertificate.leafMarker)
    }

    func rootCertificate() throws -> Certificate { try Certificate(der: try root.signed(by: root)) }
    func intermediateDER() throws -> [UInt8] { try intermediate.signed(by: root) }
    func leafDER() throws -> [UInt8] { try leaf.signed(by: intermediate) }
}
