import BillingCore
import Crypto
import JSON
import PaymentDomain
import PaymentWallets
import Testing

@Suite("Google Pay tokens") struct GooglePayTests {
    let google = GooglePayWriter()

    @Test("a network token comes with its cryptogram, a message id and until when to keep that") func networkToken()
        throws
    {
        let credential = try google.decryptor().decrypt(google.token(GooglePayWriter.networkToken), at: World.now)
        #expect(credential.wallet == .googlePay)
        #expect(credential.number.digits == World.token)
        #expect(credential.expiry == CardExpiry(year: 2029, month: 12))
        let cryptogram = try #require(WalletCryptogram(base64: World.cryptogram))
        #expect(credential.kind == .networkToken(cryptogram: cryptogram, eci: "05"))
        #expect(credential.amount == nil)
        let singleUse = SingleUse(
            id: "google_pay:AH2EjtfFdKzFFyRez8NvZnFtcO6saD6x", keepUntil: World.now + .seconds(600))
        #expect(credential.singleUse == singleUse)
    }

    @Test("a card comes without a cryptogram") func card() throws {
        let credential = try google.decryptor().decrypt(google.token(GooglePayWriter.card), at: World.now)
        #expect(credential.kind == .card)
        #expect(credential.number.digits == World.card)
        #expect(credential.expiry == CardExpiry(year: 2028, month: 1))
    }

    @Test("a network token may have no indicator, and says so by absence, null or an empty text")
    func withoutIndicator() throws {
        for indicator in [nil, .null, ""] as [JSONValue?] {
            let message = GooglePayWriter.networkToken.with("paymentMethodDetails", "eciIndicator", indicator)
            let credential = try google.decryptor().decrypt(google.token(message), at: World.now)
            guard case .networkToken(_, let eci) = credential.kind else {
                Issue.record("not a network token")
                return
            }
            #expect(eci == nil)
        }
    }

    @Test("escapes of the outer JSON do not matter, as the signatures are over the texts") func escapes() throws {
        let token = String(decoding: try google.token(GooglePayWriter.card), as: UTF8.self)
        let escaped: String = token.split(separator: "=", omittingEmptySubsequences: false).joined(separator: "\\u003d")
        let credential = try google.decryptor().decrypt(Array(escaped.utf8), at: World.now)
        #expect(credential.number.digits == World.card)
    }

    @Test("a gateway's message names the gateway's merchant") func gateway() throws {
        var google = google
        google.recipient = "gateway:refrain"
        let token = try google.token(GooglePayWriter.networkToken)
        let ours = try google.decryptor(.gateway(id: "refrain", merchantID: "merchant-7"))
        #expect(try ours.decrypt(token, at: World.now).number.digits == World.token)
        let others = try google.decryptor(.gateway(id: "refrain", merchantID: "merchant-8"))
        expectRefusal(.gatewayMerchant) { try others.decrypt(token, at: World.now) }
        let silent = try google.token(GooglePayWriter.networkToken.with("gatewayMerchantId", nil))
        expectRefusal(.gatewayMerchant) { try ours.decrypt(silent, at: World.now) }
    }

    @Test("during a rotation any of the merchant's keys opens") func merchantKeys() throws {
        let token = try google.token(GooglePayWriter.card)
        let other = P256.KeyAgreement.PrivateKey()
        for keys in [[google.merchant, other], [other, google.merchant]] {
            #expect(try google.decryptor(keys: keys).decrypt(token, at: World.now).kind == .card)
        }
        expectRefusal(.decryption) { try google.decryptor(keys: [other]).decrypt(token, at: World.now) }
    }

    @Test("any unexpired root key of this version may have signed, in any of several signatures") func rootKeys() throws
    {
        let other = P256.Signing.PrivateKey()
        let later: String = GooglePayWriter.milliseconds(World.now + .seconds(1))
        let document = google.rootKeysJSON([
            GooglePayWriter.rootKey(other, expiration: later),
            GooglePayWriter.rootKey(other, expiration: nil, version: "ECv1"),
            GooglePayWriter.rootKey(other, expiration: nil),
        ])
        for signers in [[google.root], [other], [P256.Signing.PrivateKey(), google.root]] {
            var google = google
            google.keySigners = signers
            let token = try google.token(GooglePayWriter.card)
            #expect(try google.decryptor(rootKeys: document).decrypt(token, at: World.now).kind == .card)
        }
    }

    @Test("a root key that is expired, of another version or unknown vouches for nothing") func wrongRoots() throws {
        let token = try google.token(GooglePayWriter.card)
        let other: JSONValue = GooglePayWriter.rootKey(
            P256.Signing.PrivateKey(), expiration: GooglePayWriter.milliseconds(World.now + .seconds(60)))
        let now: String = GooglePayWriter.milliseconds(World.now)
        for document in [
            google.rootKeysJSON(expiration: now), google.rootKeysJSON(version: "ECv1", [other]),
            google.rootKeysJSON(version: "ECv2SigningOnly", [other]),
        ] {
            let decryptor = try google.decryptor(rootKeys: document)
            expectRefusal(.intermediateKeySignature) { try decryptor.decrypt(token, at: World.now) }
        }
        expectRefusal(.intermediateKeySignature) { try GooglePayWriter().decryptor().decrypt(token, at: World.now) }
    }

    @Test("the intermediate key is good until its expiration, and not at it") func intermediateExpiry() throws {
        var google = google
        google.keyExpiration = GooglePayWriter.milliseconds(World.now)
        let token = try google.token(GooglePayWriter.card)
        let decryptor = try google.decryptor()
        expectRefusal(.intermediateKeyExpired) { try decryptor.decrypt(token, at: World.now) }
        #expect(try decryptor.decrypt(token, at: World.now - .milliseconds(1)).kind == .card)
    }

    @Test("a message is good until its expiration, and not at it") func messageExpiry() throws {
        let expiration: JSONValue = .string(GooglePayWriter.milliseconds(World.now))
        let token = try google.token(GooglePayWriter.card.with("messageExpiration", expiration))
        let decryptor = try google.decryptor()
        expectRefusal(.messageExpired) { try decryptor.decrypt(token, at: World.now) }
        #expect(try decryptor.decrypt(token, at: World.now - .milliseconds(1)).kind == .card)
    }

    @Test("a message for another recipient, from another sender or by another key is not for us") func forged() throws {
        var toOther = google
        toOther.recipient = "merchant:9"
        var asGateway = google
        asGateway.recipient = "gateway:12345678901234567890"
        for writer in [toOther, asGateway] {
            let token = try writer.token(GooglePayWriter.card)
            expectRefusal(.messageSignature) { try google.decryptor().decrypt(token, at: World.now) }
        }
        var fromOther = google
        fromOther.sender = "Goggle"
        let other = try fromOther.token(GooglePayWriter.card)
        expectRefusal(.intermediateKeySignature) { try google.decryptor().decrypt(other, at: World.now) }

        let sealed: String = World.text(try google.sealed(GooglePayWriter.card.serialized))
        let honest = try google.token(signing: sealed)
        var thief = google
        thief.intermediate = P256.Signing.PrivateKey()
        let stolen = try thief.token(signing: sealed).with(
            "intermediateSigningKey", honest["intermediateSigningKey"])
        expectRefusal(.messageSignature) { try google.decryptor().decrypt(stolen.serialized, at: World.now) }
    }

    @Test("parts of two right tokens do not make a third") func swapped() throws {
        let one = try google.token(signing: World.text(try google.sealed(GooglePayWriter.card.serialized)))
        let other = try google.token(signing: World.text(try google.sealed(GooglePayWriter.networkToken.serialized)))
        let decryptor = try google.decryptor()
        for name in ["signature", "signedMessage"] {
            let mixed = one.with(name, other[name])
            expectRefusal(.messageSignature) { try decryptor.decrypt(mixed.serialized, at: World.now) }
        }
        let sealed: JSONValue = try google.sealed(GooglePayWriter.card.serialized)
        let second: JSONValue = try google.sealed(GooglePayWriter.networkToken.serialized)
        for name in ["encryptedMessage", "ephemeralPublicKey", "tag"] {
            let token = try google.token(signing: World.text(sealed.with(name, second[name])))
            expectRefusal(.decryption) { try decryptor.decrypt(token.serialized, at: World.now) }
        }
    }

    @Test("what cannot be decrypted or is of another kind is refused by name") func otherKinds() throws {
        let decryptor = try google.decryptor()
        for message in [
            GooglePayWriter.card.with("paymentMethod", "PAYPAL"),
            GooglePayWriter.card.with("paymentMethodDetails", "authMethod", "NONE"),
        ] {
            let token = try google.token(message)
            expectRefusal(.unsupportedMethod) { try decryptor.decrypt(token, at: World.now) }
        }
        for version in ["ECv1", "ECv2SigningOnly", "ecv2", ""] {
            var writer = google
            writer.version = version
            let token = try writer.token(GooglePayWriter.card)
            expectRefusal(.unsupportedVersion) { try decryptor.decrypt(token, at: World.now) }
        }
    }

    @Test(
        "a field of a decrypted message that is missing or of a wrong form is named",
        arguments: [
            ("messageExpiration", nil, "encryptedMessage.messageExpiration"),
            ("messageExpiration", 1_803_902_401_000, "encryptedMessage.messageExpiration"),
            ("messageExpiration", "", "encryptedMessage.messageExpiration"),
            ("messageExpiration", "-1803902401000", "encryptedMessage.messageExpiration"),
            ("messageExpiration", "99999999999999999999", "encryptedMessage.messageExpiration"),
            ("messageId", nil, "encryptedMessage.messageId"), ("messageId", "", "encryptedMessage.messageId"),
            ("messageId", 7, "encryptedMessage.messageId"),
            ("messageId", .string(String(repeating: "x", count: 513)), "encryptedMessage.messageId"),
            ("paymentMethod", nil, "encryptedMessage.paymentMethod"),
            ("paymentMethodDetails", nil, "encryptedMessage.paymentMethodDetails"),
            ("paymentMethodDetails", [], "encryptedMessage.paymentMethodDetails"),
        ] as [(String, JSONValue?, String)])
    func malformedMessage(name: String, value: JSONValue?, path: String) throws {
        let token = try google.token(GooglePayWriter.networkToken.with(name, value))
        expectRefusal(.malformed(path)) { try google.decryptor().decrypt(token, at: World.now) }
    }

    @Test(
        "a field of a decrypted card that is missing or of a wrong form is named",
        arguments: [
            ("pan", nil), ("pan", "4111111111111112"), ("pan", 4_111), ("pan", ""), ("expirationMonth", 0),
            ("expirationMonth", 13), ("expirationMonth", "12"), ("expirationMonth", nil), ("expirationYear", 1999),
            ("expirationYear", 29), ("expirationYear", 2100), ("expirationYear", .number("2029.0")),
            ("expirationYear", .number("9223372036854775807")), ("cryptogram", nil), ("cryptogram", ""),
            ("cryptogram", "AgAAAAAABk4DWZ4C28yUQAAAAAA"), ("cryptogram", "****"), ("eciIndicator", 5),
            ("eciIndicator", "005"), ("eciIndicator", "x"), ("authMethod", nil), ("authMethod", true),
        ] as [(String, JSONValue?)])
    func malformedDetails(name: String, value: JSONValue?) throws {
        let token = try google.token(GooglePayWriter.networkToken.with("paymentMethodDetails", name, value))
        expectRefusal(.malformed("encryptedMessage.paymentMethodDetails.\(name)")) {
            try google.decryptor().decrypt(token, at: World.now)
        }
    }

    @Test("a field of the token that is missing or of a wrong form is named") func malformedToken() throws {
        let decryptor = try google.decryptor()
        let sealed: JSONValue = try google.sealed(GooglePayWriter.card.serialized)
        let token: JSONValue = try google.token(signing: World.text(sealed))
        let cases: [(JSONValue, String)] = [
            (token.with("protocolVersion", nil), "protocolVersion"), (token.with("signature", nil), "signature"),
            (token.with("signature", "AA="), "signature"), (token.with("signedMessage", [:]), "signedMessage"),
            (token.with("extra", 1), "token"), ([], "token"),
            (token.with("intermediateSigningKey", nil), "intermediateSigningKey"),
            (token.with("intermediateSigningKey", "signedKey", nil), "intermediateSigningKey.signedKey"),
            (token.with("intermediateSigningKey", "signatures", []), "intermediateSigningKey.signatures"),
            (token.with("intermediateSigningKey", "signatures", [7]), "intermediateSigningKey.signatures"),
            (token.with("intermediateSigningKey", "signatures", ["?"]), "intermediateSigningKey.signatures"),
            (token.with("intermediateSigningKey", "extra", 1), "intermediateSigningKey"),
            (try google.token(signing: "{"), "signedMessage"),
            (try google.token(signing: World.text(sealed.with("tag", "AAAA"))), "signedMessage.tag"),
            (
                try google.token(signing: World.text(sealed.with("ephemeralPublicKey", "AAAA"))),
                "signedMessage.ephemeralPublicKey"
            ),
            (
                try google.token(signing: World.text(sealed.with("encryptedMessage", nil))),
                "signedMessage.encryptedMessage"
            ),
            (try google.token(signing: "{}", signedKey: "[]"), "intermediateSigningKey.signedKey"),
            (try google.token(signing: "{}", signedKey: "{}"), "intermediateSigningKey.signedKey.keyExpiration"),
            (
                try google.token(signing: "{}", signedKey: #"{"keyExpiration":"1903902400000","keyValue":"AAAA"}"#),
                "intermediateSigningKey.signedKey.keyValue"
            ),
        ]
        for (token, path) in cases {
            expectRefusal(.malformed(path)) { try decryptor.decrypt(token.serialized, at: World.now) }
        }
        let point = [4] + [UInt8](repeating: 1, count: 64)
        let offCurve = try google.token(signing: World.text(sealed.with("ephemeralPublicKey", .string(base64(point)))))
        expectRefusal(.malformed("signedMessage.ephemeralPublicKey")) {
            try decryptor.decrypt(offCurve.serialized, at: World.now)
        }
        let notJSON = try google.token(signing: World.text(try google.sealed(Array("card".utf8))))
        expectRefusal(.malformed("encryptedMessage")) { try decryptor.decrypt(notJSON.serialized, at: World.now) }
    }
}
