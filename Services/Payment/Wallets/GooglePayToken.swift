import BillingCore
import Crypto
import CryptoExtras

/// A Google Pay token on the way through its signatures.
struct GooglePayToken {
    private let signature: [UInt8]
    private let signedMessage: String
    private let signedKey: String
    private let keySignatures: [[UInt8]]

    /// Reads the outer object; nothing of it is to be believed yet.
    init(_ bytes: [UInt8]) throws(WalletTokenError) {
        guard bytes.count <= WalletToken.maxBytes else { throw .tooLarge }
        let token = try TokenFields(parsing: bytes, path: "token")
        guard try token.text("protocolVersion") == GooglePaySigning.version else { throw .unsupportedVersion }
        try token.requireOnly(["protocolVersion", "signature", "intermediateSigningKey", "signedMessage"])
        signature = try token.bytes("signature")
        signedMessage = try token.text("signedMessage")
        let intermediate = try token.object("intermediateSigningKey")
        try intermediate.requireOnly(["signedKey", "signatures"])
        signedKey = try intermediate.text("signedKey")
        var signatures: [[UInt8]] = []
        for text in try intermediate.texts("signatures") {
            guard let bytes = Base64.standard.decode(text) else { throw intermediate.fault("signatures") }
            signatures.append(bytes)
        }
        keySignatures = signatures
    }

    /// Checks the signatures from the root keys down to the message, and what the intermediate key says of itself.
    /// - Returns: What was signed, still encrypted.
    func verified(
        by roots: GooglePayRootKeys, for recipient: String, at now: Instant
    ) throws(WalletTokenError) -> SealedMessage {
        let key = try intermediateKey(by: roots, at: now)
        let signed: [UInt8] = GooglePaySigning.lengthPrefixed([
            GooglePaySigning.sender, recipient, GooglePaySigning.version, signedMessage,
        ])
        guard GooglePaySigning.verifies(signature, over: signed, by: key) else { throw .messageSignature }
        return try SealedMessage(signedMessage)
    }

    private func intermediateKey(
        by roots: GooglePayRootKeys, at now: Instant
    ) throws(WalletTokenError) -> P256.Signing.PublicKey {
        let signed: [UInt8] = GooglePaySigning.lengthPrefixed([
            GooglePaySigning.sender, GooglePaySigning.version, signedKey,
        ])
        let isSigned: Bool = roots.keys.contains { root in
            guard now < root.expiration else { return false }
            return keySignatures.contains { GooglePaySigning.verifies($0, over: signed, by: root.key) }
        }
        guard isSigned else { throw .intermediateKeySignature }
        let fields = try TokenFields(parsing: signedKey.utf8, path: "intermediateSigningKey.signedKey")
        guard let expiration = Instant(milliseconds: try fields.text("keyExpiration")) else {
            throw fields.fault("keyExpiration")
        }
        guard now < expiration else { throw .intermediateKeyExpired }
        guard let key = GooglePaySigning.publicKey(try fields.bytes("keyValue")) else {
            throw fields.fault("keyValue")
        }
        return key
    }
}

/// The signed part of a Google Pay token: what is encrypted, and for which ephemeral key.
struct SealedMessage {
    private static let tagBytes = 32

    private let encrypted: [UInt8]
    private let ephemeralBytes: [UInt8]
    private let ephemeralKey: P256.KeyAgreement.PublicKey
    private let tag: [UInt8]

    init(_ text: String) throws(WalletTokenError) {
        let fields = try TokenFields(parsing: text.utf8, path: "signedMessage")
        encrypted = try fields.bytes("encryptedMessage")
        tag = try fields.bytes("tag")
        guard tag.count == Self.tagBytes else { throw fields.fault("tag") }
        ephemeralBytes = try fields.bytes("ephemeralPublicKey")
        do {
            ephemeralKey = try P256.KeyAgreement.PublicKey(x963Representation: ephemeralBytes)
        } catch {
            throw fields.fault("ephemeralPublicKey")
        }
    }

    /// Opens the message: ECIES with HKDF-SHA256 (RFC 5869; no salt, info `Google`) over the ephemeral key and the
    /// shared secret, which gives a key for AES-256-CTR and one for the HMAC-SHA256 tag.
    /// - Returns: `nil` when this is not the key it was sealed for.
    func opened(with key: P256.KeyAgreement.PrivateKey) -> [UInt8]? {
        do {
            let secret = try key.sharedSecretFromKeyAgreement(with: ephemeralKey)
            var material: [UInt8] = ephemeralBytes
            secret.withUnsafeBytes { material.append(contentsOf: $0) }
            let keys: SymmetricKey = HKDF<SHA256>.deriveKey(
                inputKeyMaterial: SymmetricKey(data: material), info: Array(GooglePaySigning.sender.utf8),
                outputByteCount: 64)
            let derived: [UInt8] = keys.withUnsafeBytes { Array($0) }
            let tagKey = SymmetricKey(data: derived[32...])
            // Compares in constant time.
            guard HMAC<SHA256>.isValidAuthenticationCode(tag, authenticating: encrypted, using: tagKey) else {
                return nil
            }
            guard !encrypted.isEmpty else { return [] }
            // The counter starts at zero: each message has a key of its own.
            let start = try AES._CTR.Nonce(nonceBytes: [UInt8](repeating: 0, count: 16))
            return Array(try AES._CTR.decrypt(encrypted, using: SymmetricKey(data: derived[..<32]), nonce: start))
        } catch {
            // A point the curve does not take: no key opens it.
            return nil
        }
    }
}
