import BillingCore
import Crypto
import JSON
import PaymentDomain
import PaymentWallets
import PKI
import Testing

@Suite("Published vectors") struct PublishedVectorTests {
    private func bytes(_ text: String) throws -> [UInt8] { try #require(Base64.standard.decode(text)) }

    private func hex(_ text: String) throws -> [UInt8] {
        try stride(from: 0, to: text.count, by: 2).map { at in
            try #require(UInt8(text.dropFirst(at).prefix(2), radix: 16))
        }
    }

    private func appleDecryptor() throws -> ApplePayDecryptor {
        let root = try Certificate(der: try bytes(PublishedTokens.appleRoot))
        return try ApplePayDecryptor(roots: [root], keys: [ApplePayWriter().ecKey()])
    }

    @Test("a token signed by Apple has a right signature, chain and signing time") func appleSignature() throws {
        let fingerprint = SHA256.hash(data: try bytes(PublishedTokens.appleRoot))
        #expect(hexadecimal(Array(fingerprint)).hasPrefix("63343abfb89a6a03ebb57e9b3f5fa7be7c4f5c75"))
        let content: [UInt8] =
            try bytes(PublishedTokens.ephemeralPublicKey) + bytes(PublishedTokens.data)
            + hex(PublishedTokens.transactionID)
        let signature: [UInt8] = try bytes(PublishedTokens.signature)
        let decryptor = try appleDecryptor()
        let signedAt: Instant = PublishedTokens.signedAt
        let time = try decryptor.signingTime(ofSignature: signature, over: content, at: signedAt + .seconds(60))
        #expect(time == signedAt)
        #expect(throws: WalletTokenError.signature) {
            try decryptor.signingTime(ofSignature: signature, over: content + [0], at: signedAt)
        }
        #expect(throws: WalletTokenError.signingTimeOutsideWindow) {
            try decryptor.signingTime(ofSignature: signature, over: content, at: signedAt + .seconds(301))
        }
        #expect(throws: WalletTokenError.certificateChain) {
            try decryptor.signingTime(ofSignature: signature, over: content, at: World.now)
        }
    }

    @Test("the whole of that token is taken up to the key, which is not ours") func appleToken() throws {
        let header: JSONValue = [
            "ephemeralPublicKey": .string(PublishedTokens.ephemeralPublicKey),
            "publicKeyHash": "+9VwJrqieiPF2ZRB0xHFYhgQ6RYza5hfrVLpdB1KtKI=",
            "transactionId": .string(PublishedTokens.transactionID),
        ]
        let token: JSONValue = [
            "data": .string(PublishedTokens.data), "signature": .string(PublishedTokens.signature), "header": header,
            "version": "EC_v1",
        ]
        expectRefusal(.unknownMerchantKey) {
            try appleDecryptor().decrypt(token.serialized, at: PublishedTokens.signedAt)
        }
    }

    @Test("its key follows from its ECDH secret, and opens its payment data") func appleData() throws {
        let key = ApplePaySealing.key(
            secret: try bytes(PublishedTokens.sharedSecret), partyV: try hex(PublishedTokens.merchantHash))
        #expect(try key.withUnsafeBytes { Array($0) } == bytes(PublishedTokens.symmetricKey))
        let plain = try ApplePaySealing.open(try bytes(PublishedTokens.data), key: key)
        let singleUse = SingleUse(id: "apple_pay:1", keepUntil: World.now)
        let credential = try ApplePayPayment(plain).credential(singleUse)
        #expect(credential.number.last4 == "1169")
        #expect(credential.expiry == CardExpiry(year: 2024, month: 9))
        #expect(credential.amount == Money(minor: 100, currency: .usd))
        let cryptogram = try #require(WalletCryptogram(base64: "AMwBRjPWDnAgAA7Rls7mAoABFA=="))
        #expect(credential.kind == .networkToken(cryptogram: cryptogram, eci: nil))
    }

    @Test("Google's example signature is over the length-prefixed texts") func googleSignature() throws {
        let key = try #require(GooglePaySigning.publicKey(try bytes(PublishedTokens.googlePublicKey)))
        let signature: [UInt8] = try bytes(PublishedTokens.googleSignature)
        func verifies(_ texts: [String]) -> Bool {
            GooglePaySigning.verifies(signature, over: GooglePaySigning.lengthPrefixed(texts), by: key)
        }
        let message: String = PublishedTokens.googleSignedMessage
        #expect(verifies(["Google", "someRecipient", "ECv1", message]))
        #expect(!verifies(["Google", "someRecipient", "ECv2", message]))
        #expect(!verifies(["Google", "merchant:someRecipient", "ECv1", message]))
        #expect(!verifies(["Googles", "omeRecipient", "ECv1", message]))
    }
}
