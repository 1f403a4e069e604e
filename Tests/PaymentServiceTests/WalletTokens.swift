import BillingCore
import Crypto
import CryptoExtras
import JSON
import PaymentAuthentication
import PaymentDomain
import PaymentWallets
import Synchronization

/// Google's side of a token, as far as the service's tests need it; the checks have tests of their own.
struct WalletTokens: Sendable {
    static let merchant = "12345678901234567890"
    static let cryptogram = "AgAAAAAABk4DWZ4C28yUQAAAAAA="
    let root = P256.Signing.PrivateKey()
    let intermediate = P256.Signing.PrivateKey()
    /// The key being phased out, and the one in its place.
    let keys: [P256.KeyAgreement.PrivateKey] = [P256.KeyAgreement.PrivateKey(), P256.KeyAgreement.PrivateKey()]

    static func milliseconds(_ instant: Instant) -> JSONValue { .string(String(instant.microseconds / 1_000)) }

    func reader() throws -> ConfiguredWallets {
        let entry: JSONValue = [
            "keyValue": .string(Base64.standard.encode(root.publicKey.derRepresentation)), "protocolVersion": "ECv2",
            "keyExpiration": Self.milliseconds(PaymentWorld.start + .seconds(86_400)),
        ]
        let document: JSONValue = ["keys": .array([entry])]
        return ConfiguredWallets(
            google: try GooglePayDecryptor(
                roots: GooglePayRootKeys(json: document.serialized), recipient: .merchant(id: Self.merchant),
                privateKeys: keys.map { Array($0.derRepresentation) }))
    }

    /// A token, right unless told otherwise.
    func token(
        id: String = "message-1", number: String = "4242424242424242", expiresIn: Duration = .seconds(600),
        merchant: String = Self.merchant, key: Int = 0, signer: P256.Signing.PrivateKey? = nil, year: Int64 = 2030,
        isCard: Bool = false, eci: String = "05"
    ) throws -> JSONValue {
        var details: [JSONMember] = [
            JSONMember(name: "expirationYear", value: .number(String(year))),
            JSONMember(name: "expirationMonth", value: 12), JSONMember(name: "pan", value: .string(number)),
            JSONMember(name: "authMethod", value: isCard ? "PAN_ONLY" : "CRYPTOGRAM_3DS"),
        ]
        if !isCard {
            details.append(JSONMember(name: "cryptogram", value: .string(Self.cryptogram)))
            details.append(JSONMember(name: "eciIndicator", value: .string(eci)))
        }
        let message: JSONValue = [
            "messageExpiration": Self.milliseconds(PaymentWorld.start + expiresIn), "messageId": .string(id),
            "paymentMethod": "CARD", "paymentMethodDetails": .object(details),
        ]
        let sealed: JSONValue = try seal(message.serialized, for: keys[key].publicKey)
        let signedMessage = String(decoding: sealed.serialized, as: UTF8.self)
        let signedKey = String(
            decoding: ([
                "keyValue": .string(Base64.standard.encode(intermediate.publicKey.derRepresentation)),
                "keyExpiration": Self.milliseconds(PaymentWorld.start + .seconds(3_600)),
            ] as JSONValue).serialized, as: UTF8.self)
        let keySignature = try (signer ?? root).signature(
            for: GooglePaySigning.lengthPrefixed(["Google", "ECv2", signedKey]))
        let signature = try intermediate.signature(
            for: GooglePaySigning.lengthPrefixed(["Google", "merchant:\(merchant)", "ECv2", signedMessage]))
        return [
            "protocolVersion": "ECv2", "signature": .string(Base64.standard.encode(signature.derRepresentation)),
            "intermediateSigningKey": [
                "signedKey": .string(signedKey),
                "signatures": .array([.string(Base64.standard.encode(keySignature.derRepresentation))]),
            ], "signedMessage": .string(signedMessage),
        ]
    }

    private func seal(_ plain: [UInt8], for key: P256.KeyAgreement.PublicKey) throws -> JSONValue {
        let ephemeral = P256.KeyAgreement.PrivateKey()
        let point: [UInt8] = Array(ephemeral.publicKey.x963Representation)
        let secret: SharedSecret = try ephemeral.sharedSecretFromKeyAgreement(with: key)
        let derived: SymmetricKey = HKDF<SHA256>.deriveKey(
            inputKeyMaterial: SymmetricKey(data: point + secret.withUnsafeBytes { Array($0) }),
            info: Array("Google".utf8), outputByteCount: 64)
        let bytes: [UInt8] = derived.withUnsafeBytes { Array($0) }
        let start = try AES._CTR.Nonce(nonceBytes: [UInt8](repeating: 0, count: 16))
        let cipher: [UInt8] = Array(try AES._CTR.encrypt(plain, using: SymmetricKey(data: bytes[..<32]), nonce: start))
        let tag = HMAC<SHA256>.authenticationCode(for: cipher, using: SymmetricKey(data: bytes[32...]))
        return [
            "encryptedMessage": .string(Base64.standard.encode(cipher)),
            "ephemeralPublicKey": .string(Base64.standard.encode(point)),
            "tag": .string(Base64.standard.encode(Array(tag))),
        ]
    }
}

/// A wallet whose tokens say what the customer agreed to pay, as Apple Pay's do; the token is the amount.
struct AgreedWallet: WalletReader {
    func read(
        _ wallet: Wallet, _ token: [UInt8], at now: Instant
    ) throws(WalletTokenError) -> WalletCredential? {
        guard let number = CardNumber("4242424242424242"), let expiry = CardExpiry(year: 2030, month: 12),
            let cryptogram = WalletCryptogram(base64: WalletTokens.cryptogram)
        else { throw .malformed("token") }
        return WalletCredential(
            wallet: wallet, number: number, expiry: expiry, kind: .networkToken(cryptogram: cryptogram, eci: "7"),
            singleUse: SingleUse(
                id: "apple_pay:\(String(decoding: token, as: UTF8.self))", keepUntil: now + .seconds(300)),
            amount: Money(minor: 1_299, currency: .usd))
    }
}
