import BillingCore
import Crypto
import CryptoExtras
import JSON
import PaymentWallets

/// Google's side: signs and seals tokens, right ones and ones with a single thing wrong.
struct GooglePayWriter: Sendable {
    var root = P256.Signing.PrivateKey()
    var intermediate = P256.Signing.PrivateKey()
    var merchant = P256.KeyAgreement.PrivateKey()
    var version = "ECv2"
    var sender = "Google"
    var recipient = "merchant:12345678901234567890"
    var keyExpiration: String = milliseconds(World.now + .seconds(3_600))
    /// What the intermediate key is signed with; the root signs unless told otherwise.
    var keySigners: [P256.Signing.PrivateKey]?

    static func milliseconds(_ instant: Instant) -> String { String(instant.microseconds / 1_000) }

    static let networkToken: JSONValue = [
        "gatewayMerchantId": "merchant-7", "messageExpiration": .string(milliseconds(World.now + .seconds(600))),
        "messageId": "AH2EjtfFdKzFFyRez8NvZnFtcO6saD6x", "paymentMethod": "CARD",
        "paymentMethodDetails": [
            "expirationYear": 2029, "expirationMonth": 12, "pan": .string(World.token), "authMethod": "CRYPTOGRAM_3DS",
            "cryptogram": .string(World.cryptogram), "eciIndicator": "05",
            "assuranceDetails": ["cardHolderAuthenticated": true, "accountVerified": true],
        ],
    ]

    static let card: JSONValue = networkToken.with(
        "paymentMethodDetails",
        ["expirationYear": 2028, "expirationMonth": 1, "pan": .string(World.card), "authMethod": "PAN_ONLY"])

    /// Google's published document, with these root keys.
    func rootKeysJSON(expiration: String? = nil, version: String = "ECv2", _ more: [JSONValue] = []) -> [UInt8] {
        let key: JSONValue = Self.rootKey(
            root, expiration: expiration ?? Self.milliseconds(World.now + .seconds(86_400)), version: version)
        return (["keys": .array(more + [key])] as JSONValue).serialized
    }

    static func rootKey(_ key: P256.Signing.PrivateKey, expiration: String?, version: String = "ECv2") -> JSONValue {
        let value: String = base64(Array(key.publicKey.derRepresentation))
        let entry: JSONValue = ["keyValue": .string(value), "protocolVersion": .string(version)]
        return entry.with("keyExpiration", expiration.map { .string($0) })
    }

    func decryptor(
        _ recipient: GooglePayDecryptor.Recipient = .merchant(id: "12345678901234567890"),
        keys: [P256.KeyAgreement.PrivateKey]? = nil, rootKeys: [UInt8]? = nil
    ) throws -> GooglePayDecryptor {
        let roots = try GooglePayRootKeys(json: rootKeys ?? rootKeysJSON())
        let privateKeys: [[UInt8]] = (keys ?? [merchant]).map { Array($0.derRepresentation) }
        return try GooglePayDecryptor(roots: roots, recipient: recipient, privateKeys: privateKeys)
    }

    /// Seals a message: the JSON text that is then signed.
    func sealed(_ message: [UInt8]) throws -> JSONValue {
        let ephemeral = P256.KeyAgreement.PrivateKey()
        let point: [UInt8] = Array(ephemeral.publicKey.x963Representation)
        let secret = try ephemeral.sharedSecretFromKeyAgreement(with: merchant.publicKey)
        let material: [UInt8] = point + secret.withUnsafeBytes { Array($0) }
        // RFC 5869 by hand: extract with a salt of zeros, then two rounds of expand.
        let zeros = SymmetricKey(data: [UInt8](repeating: 0, count: 32))
        let extracted = SymmetricKey(data: Array(HMAC<SHA256>.authenticationCode(for: material, using: zeros)))
        let info: [UInt8] = Array("Google".utf8)
        let first: [UInt8] = Array(HMAC<SHA256>.authenticationCode(for: info + [1], using: extracted))
        let second: [UInt8] = Array(HMAC<SHA256>.authenticationCode(for: first + info + [2], using: extracted))
        let start = try AES._CTR.Nonce(nonceBytes: [UInt8](repeating: 0, count: 16))
        let cipher: [UInt8] = Array(try AES._CTR.encrypt(message, using: SymmetricKey(data: first), nonce: start))
        let tag: [UInt8] = Array(HMAC<SHA256>.authenticationCode(for: cipher, using: SymmetricKey(data: second)))
        return [
            "encryptedMessage": .string(base64(cipher)), "ephemeralPublicKey": .string(base64(point)),
            "tag": .string(base64(tag)),
        ]
    }

    /// The bytes that are signed, written apart from the code under test.
    static func signedBytes(_ texts: [String]) -> [UInt8] {
        texts.flatMap { text -> [UInt8] in
            let count: Int = text.utf8.count
            return [UInt8(count & 255), UInt8(count >> 8 & 255), UInt8(count >> 16 & 255), 0] + Array(text.utf8)
        }
    }

    /// The whole token around a text to be signed.
    func token(signing signedMessage: String) throws -> JSONValue {
        let keyFields: JSONValue = [
            "keyValue": .string(base64(Array(intermediate.publicKey.derRepresentation))),
            "keyExpiration": .string(keyExpiration),
        ]
        return try token(signing: signedMessage, signedKey: World.text(keyFields))
    }

    func token(signing signedMessage: String, signedKey: String) throws -> JSONValue {
        let keyBytes: [UInt8] = Self.signedBytes([sender, version, signedKey])
        let keySignatures: [JSONValue] = try (keySigners ?? [root]).map {
            .string(base64(Array(try $0.signature(for: keyBytes).derRepresentation)))
        }
        let bytes: [UInt8] = Self.signedBytes([sender, recipient, version, signedMessage])
        let signature: [UInt8] = Array(try intermediate.signature(for: bytes).derRepresentation)
        return [
            "signature": .string(base64(signature)),
            "intermediateSigningKey": ["signedKey": .string(signedKey), "signatures": .array(keySignatures)],
            "protocolVersion": .string(version), "signedMessage": .string(signedMessage),
        ]
    }

    func token(_ message: JSONValue) throws -> [UInt8] {
        try token(signing: World.text(try sealed(message.serialized))).serialized
    }
}
