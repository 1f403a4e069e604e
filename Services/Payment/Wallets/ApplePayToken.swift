import Crypto

/// An Apple Pay token's fields, in the form in which they are signed; nothing of them is to be believed yet.
struct ApplePayToken {
    /// The two ways a token is encrypted.
    enum Version {
        case ellipticCurve(ephemeralKey: P256.KeyAgreement.PublicKey)
        case rsa(wrappedKey: [UInt8])
    }

    private static let hashBytes = 32
    private static let maxTransactionIDBytes = 64

    let version: Version
    let signature: [UInt8]
    let data: [UInt8]
    let transactionID: String
    let publicKeyHash: [UInt8]
    /// SHA-256 over the application data of the payment request, where it had any.
    let applicationDataHash: [UInt8]?
    /// What the signature is over: the ephemeral or the wrapped key, the data, the transaction id, the hash of the
    /// application data.
    let signedBytes: [UInt8]

    init(_ bytes: [UInt8]) throws(WalletTokenError) {
        guard bytes.count <= WalletToken.maxBytes else { throw .tooLarge }
        let token = try TokenFields(parsing: bytes, path: "token")
        let versionName: String = try token.text("version")
        guard versionName == "EC_v1" || versionName == "RSA_v1" else { throw .unsupportedVersion }
        let header = try token.object("header")
        signature = try token.bytes("signature")
        data = try token.bytes("data")
        transactionID = try header.text("transactionId")
        guard let transaction = Hexadecimal.decode(transactionID),
            (1...Self.maxTransactionIDBytes).contains(transaction.count)
        else { throw header.fault("transactionId") }
        publicKeyHash = try header.bytes("publicKeyHash")
        guard publicKeyHash.count == Self.hashBytes else { throw header.fault("publicKeyHash") }
        if let text = try header.optionalText("applicationData") {
            guard let hash = Hexadecimal.decode(text), hash.count == Self.hashBytes else {
                throw header.fault("applicationData")
            }
            applicationDataHash = hash
        } else {
            applicationDataHash = nil
        }
        let key: [UInt8]
        (version, key) = try Self.version(versionName, header)
        signedBytes = key + data + transaction + (applicationDataHash ?? [])
    }

    private static func version(
        _ name: String, _ header: TokenFields
    ) throws(WalletTokenError) -> (Version, signed: [UInt8]) {
        if name == "RSA_v1" {
            let wrapped: [UInt8] = try header.bytes("wrappedKey")
            return (.rsa(wrappedKey: wrapped), wrapped)
        }
        let bytes: [UInt8] = try header.bytes("ephemeralPublicKey")
        do {
            return (.ellipticCurve(ephemeralKey: try P256.KeyAgreement.PublicKey(derRepresentation: bytes)), bytes)
        } catch {
            throw header.fault("ephemeralPublicKey")
        }
    }
}
