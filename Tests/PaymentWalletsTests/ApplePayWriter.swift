import BillingCore
import Crypto
import CryptoExtras
import JSON
import PaymentWallets

/// Apple's side: seals and signs tokens, right ones and ones with a single thing wrong.
struct ApplePayWriter: Sendable {
    /// RSA keys take long to make: one for all tests.
    static let rsaMerchant: Result<RSAKey, any Error> = Result { try RSAKey() }
    static let rsaSigner: Result<_RSA.Signing.PrivateKey, any Error> = Result {
        try _RSA.Signing.PrivateKey(keySize: .bits2048)
    }

    /// An RSA key for sealing, kept as its DER.
    struct RSAKey: Sendable {
        let der: [UInt8]
        let publicDER: [UInt8]

        init() throws {
            let key = try _RSA.Encryption.PrivateKey(keySize: .bits2048)
            der = Array(key.derRepresentation)
            publicDER = Array(key.publicKey.derRepresentation)
        }
    }

    static let merchantID = "merchant.com.example.refrain"

    static let payment: JSONValue = [
        "applicationPrimaryAccountNumber": .string(World.token), "applicationExpirationDate": "291231",
        "currencyCode": "978", "transactionAmount": 1_299, "deviceManufacturerIdentifier": "040010030273",
        "paymentDataType": "3DSecure",
        "paymentData": ["onlinePaymentCryptogram": .string(World.cryptogram), "eciIndicator": "7"],
    ]

    var chain = TestChain()
    var merchant = P256.KeyAgreement.PrivateKey()
    var transactionID = "31c7a6e0f2d14d3d8f0a9b1c2d3e4f5061728394a5b6c7d8e9f0011223344556"
    var applicationData: [UInt8]?
    /// Of the unwrapped key of `RSA_v1`.
    var wrappedKeyBytes = 16

    /// One token in parts, before it becomes text.
    struct Parts {
        var version: String
        var keyField: String
        var key: [UInt8]
        var data: [UInt8]
        var keyHash: [UInt8]
        var transactionID: String
        var applicationDataHash: [UInt8]?
        var signature: [UInt8] = []

        var signedBytes: [UInt8] {
            let transaction: [UInt8] = stride(from: 0, to: transactionID.utf8.count - 1, by: 2).compactMap { at in
                UInt8(transactionID.dropFirst(at).prefix(2), radix: 16)
            }
            return key + data + transaction + (applicationDataHash ?? [])
        }

        var json: JSONValue {
            let header: JSONValue = [
                keyField: .string(base64(key)), "publicKeyHash": .string(base64(keyHash)),
                "transactionId": .string(transactionID),
            ]
            let hash: String? = applicationDataHash.map(hexadecimal)
            return [
                "data": .string(base64(data)), "signature": .string(base64(signature)),
                "header": header.with("applicationData", hash.map { .string($0) }), "version": .string(version),
            ]
        }
    }

    func decryptor(
        keys: [ApplePayMerchantKey]? = nil, chain: TestChain? = nil, window: Duration = .seconds(300)
    ) throws -> ApplePayDecryptor {
        let root = try (chain ?? self.chain).rootCertificate()
        return try ApplePayDecryptor(roots: [root], keys: try keys ?? [ecKey(), rsaKey()], window: window)
    }

    func ecKey() throws -> ApplePayMerchantKey {
        try ApplePayMerchantKey(ellipticCurve: Array(merchant.derRepresentation), merchantID: Self.merchantID)
    }

    func rsaKey() throws -> ApplePayMerchantKey { try ApplePayMerchantKey(rsa: Self.rsaMerchant.get().der) }

    /// AES-GCM with 16 zero bytes as the vector.
    private func seal(_ plain: [UInt8], _ key: SymmetricKey) throws -> [UInt8] {
        let vector = try AES.GCM.Nonce(data: [UInt8](repeating: 0, count: 16))
        let box = try AES.GCM.seal(plain, using: key, nonce: vector)
        return Array(box.ciphertext) + Array(box.tag)
    }

    func ecParts(_ plain: [UInt8]) throws -> Parts {
        let ephemeral = P256.KeyAgreement.PrivateKey()
        let secret = try ephemeral.sharedSecretFromKeyAgreement(with: merchant.publicKey)
        var hashed: [UInt8] = [0, 0, 0, 1] + secret.withUnsafeBytes { Array($0) }
        hashed += [13] + Array("id-aes256-GCMApple".utf8)
        hashed += Array(SHA256.hash(data: Array(Self.merchantID.utf8)))
        let key = SymmetricKey(data: Array(SHA256.hash(data: hashed)))
        return Parts(
            version: "EC_v1", keyField: "ephemeralPublicKey", key: Array(ephemeral.publicKey.derRepresentation),
            data: try seal(plain, key), keyHash: Array(SHA256.hash(data: Array(merchant.publicKey.derRepresentation))),
            transactionID: transactionID, applicationDataHash: applicationData.map { Array(SHA256.hash(data: $0)) })
    }

    func rsaParts(_ plain: [UInt8]) throws -> Parts {
        let merchant: RSAKey = try Self.rsaMerchant.get()
        let publicKey = try _RSA.Encryption.PublicKey(derRepresentation: merchant.publicDER)
        // A key of a wrong size seals nothing: then the data is sealed with the first or the repeated 16 bytes of it.
        let key: [UInt8] = (0..<wrappedKeyBytes).map { _ in UInt8.random(in: 0...255) }
        return Parts(
            version: "RSA_v1", keyField: "wrappedKey",
            key: Array(try publicKey.encrypt(key, padding: .PKCS1_OAEP_SHA256)),
            data: try seal(plain, SymmetricKey(data: (key + key).prefix(16))),
            keyHash: Array(SHA256.hash(data: merchant.publicDER)),
            transactionID: transactionID, applicationDataHash: applicationData.map { Array(SHA256.hash(data: $0)) })
    }

    func signed(_ parts: Parts, _ change: (inout TestSignature) -> Void = { _ in }) throws -> Parts {
        var signature = TestSignature(chain: chain)
        change(&signature)
        var parts = parts
        parts.signature = try signature.over(parts.signedBytes)
        return parts
    }

    func token(_ payment: JSONValue = Self.payment, isRSA: Bool = false) throws -> [UInt8] {
        let plain: [UInt8] = payment.serialized
        return try signed(isRSA ? rsaParts(plain) : ecParts(plain)).json.serialized
    }
}
