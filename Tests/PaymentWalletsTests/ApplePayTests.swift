import BillingCore
import Crypto
import JSON
import PaymentDomain
import PaymentWallets
import PKI
import Testing

@Suite("Apple Pay tokens") struct ApplePayTests {
    let apple = ApplePayWriter()

    @Test("of both versions give number, expiry, cryptogram, amount and a transaction id", arguments: [false, true])
    func accepted(isRSA: Bool) throws {
        let credential = try apple.decryptor().decrypt(apple.token(isRSA: isRSA), at: World.now)
        #expect(credential.wallet == .applePay)
        #expect(credential.number.digits == World.token)
        #expect(credential.expiry == CardExpiry(year: 2029, month: 12))
        let cryptogram = try #require(WalletCryptogram(base64: World.cryptogram))
        #expect(credential.kind == .networkToken(cryptogram: cryptogram, eci: "7"))
        #expect(credential.amount == Money(minor: 1_299, currency: .eur))
        #expect(credential.singleUse.id == "apple_pay:\(apple.transactionID)")
        #expect(credential.singleUse.keepUntil == World.now + .seconds(300))
    }

    @Test("a signature by an RSA leaf, with end marks, general times or more certificates is read too")
    func formsOfSignature() throws {
        let decryptor = try apple.decryptor()
        let parts = try apple.ecParts(ApplePayWriter.payment.serialized)
        let changes: [(inout TestSignature) -> Void] = [
            { $0.isIndefinite = true }, { $0.usesGeneralizedTime = true }, { $0.omitsParameters = true },
        ]
        for change in changes {
            let token = try apple.signed(parts, change).json.serialized
            #expect(try decryptor.decrypt(token, at: World.now).number.digits == World.token)
        }
        let root = try apple.chain.rootCertificate()
        let all: [[UInt8]] = [root.der, try apple.chain.intermediateDER(), try apple.chain.leafDER()]
        let trusting = try ApplePayDecryptor(roots: [root], keys: [apple.ecKey()])
        let many = try apple.signed(parts) {
            $0.certificates = all
        }
        #expect(try trusting.decrypt(many.json.serialized, at: World.now).number.digits == World.token)
        var rsa = apple
        rsa.chain = TestChain(leafKey: .rsa(try ApplePayWriter.rsaSigner.get()))
        #expect(try rsa.decryptor().decrypt(rsa.token(isRSA: true), at: World.now).number.digits == World.token)
    }

    @Test("any of several merchant keys is found by its hash, and only by it") func merchantKeys() throws {
        let other = ApplePayWriter()
        let both = try apple.decryptor(keys: [other.ecKey(), apple.rsaKey(), apple.ecKey()])
        #expect(try both.decrypt(apple.token(), at: World.now).amount != nil)
        #expect(try both.decrypt(apple.token(isRSA: true), at: World.now).amount != nil)
        let wrong = try apple.decryptor(keys: [other.ecKey()])
        for isRSA in [false, true] {
            let token = try apple.token(isRSA: isRSA)
            expectRefusal(.unknownMerchantKey) { try wrong.decrypt(token, at: World.now) }
        }
        var parts = try apple.ecParts(ApplePayWriter.payment.serialized)
        parts.keyHash = try apple.rsaKey().publicKeyHash
        let crossed = try apple.signed(parts).json.serialized
        expectRefusal(.unknownMerchantKey) { try apple.decryptor().decrypt(crossed, at: World.now) }
        parts.keyHash = try other.ecKey().publicKeyHash
        let misled = try apple.signed(parts).json.serialized
        expectRefusal(.decryption) { try both.decrypt(misled, at: World.now) }
    }

    @Test("the merchant identifier is part of the key") func merchantIdentifier() throws {
        let der: [UInt8] = Array(apple.merchant.derRepresentation)
        let key = try ApplePayMerchantKey(ellipticCurve: der, merchantID: "merchant.com.example.other")
        let token = try apple.token()
        expectRefusal(.decryption) { try apple.decryptor(keys: [key]).decrypt(token, at: World.now) }
    }

    @Test("every part that is signed is bound by the signature", arguments: [false, true])
    func signature(isRSA: Bool) throws {
        var writer = apple
        writer.applicationData = Array("order 7".utf8)
        let plain: [UInt8] = ApplePayWriter.payment.serialized
        let one = try writer.signed(isRSA ? writer.rsaParts(plain) : writer.ecParts(plain))
        let other = try writer.signed(isRSA ? writer.rsaParts(plain) : writer.ecParts(plain))
        let decryptor = try writer.decryptor()
        let changes: [(inout ApplePayWriter.Parts) -> Void] = [
            { $0.key = other.key }, { $0.data = other.data }, { $0.signature = other.signature },
            { $0.transactionID = "00" + $0.transactionID.dropFirst(2) }, { $0.transactionID.removeLast(2) },
            { $0.applicationDataHash = Array(SHA256.hash(data: Array("order 8".utf8))) },
            { $0.applicationDataHash = nil },
        ]
        for change in changes {
            var parts = one
            change(&parts)
            expectRefusal(.signature) {
                try decryptor.decrypt(parts.json.serialized, applicationData: writer.applicationData, at: World.now)
            }
        }
        let intact = try decryptor.decrypt(
            one.json.serialized, applicationData: writer.applicationData, at: World.now)
        #expect(intact.amount != nil)
    }

    @Test("a token is for the application data of its request, or for none") func applicationData() throws {
        var writer = apple
        writer.applicationData = Array("order 7".utf8)
        let bound = try writer.token()
        let decryptor = try writer.decryptor()
        let token = try apple.token()
        #expect(try decryptor.decrypt(bound, applicationData: Array("order 7".utf8), at: World.now).amount != nil)
        expectRefusal(.applicationData) {
            try decryptor.decrypt(bound, applicationData: Array("order 8".utf8), at: World.now)
        }
        expectRefusal(.applicationData) { try decryptor.decrypt(bound, at: World.now) }
        expectRefusal(.applicationData) {
            try decryptor.decrypt(token, applicationData: Array("order 7".utf8), at: World.now)
        }
    }

    @Test("the signing time may be just as far away as the window allows, either way") func signingTime() throws {
        let parts = try apple.ecParts(ApplePayWriter.payment.serialized)
        let decryptor = try apple.decryptor(window: .seconds(120))
        for seconds in [-120, -1, 0, 1, 120] as [Int64] {
            let time = World.now + .seconds(seconds)
            let token = try apple.signed(parts) { $0.signingTime = time }.json.serialized
            let credential = try decryptor.decrypt(token, at: World.now)
            #expect(credential.singleUse.keepUntil == time + .seconds(120))
        }
        for seconds in [-86_400, -121, 121, 3_600] as [Int64] {
            let token = try apple.signed(parts) { $0.signingTime = World.now + .seconds(seconds) }.json.serialized
            expectRefusal(.signingTimeOutsideWindow) { try decryptor.decrypt(token, at: World.now) }
        }
        let untimed = try apple.signed(parts) { $0.signingTime = nil }.json.serialized
        expectRefusal(.signingTimeMissing) { try decryptor.decrypt(untimed, at: World.now) }
        let twice = try apple.signed(parts) { $0.repeatsSigningTime = true }.json.serialized
        expectRefusal(.malformed("signature")) { try decryptor.decrypt(twice, at: World.now) }
    }

    @Test("sealed data of the wrong key, too short or damaged does not open", arguments: [false, true])
    func decryption(isRSA: Bool) throws {
        let plain: [UInt8] = ApplePayWriter.payment.serialized
        let good = try isRSA ? apple.rsaParts(plain) : apple.ecParts(plain)
        let other = try isRSA ? apple.rsaParts(plain) : apple.ecParts(plain)
        let changes: [(inout ApplePayWriter.Parts) -> Void] = [
            { $0.key = other.key }, { $0.data.removeLast() }, { $0.data[0] ^= 1 }, { $0.data[$0.data.count - 1] ^= 1 },
            { $0.data = Array($0.data.prefix(16)) }, { $0.data = [] },
        ]
        for change in changes {
            var parts = good
            change(&parts)
            let token = try apple.signed(parts).json.serialized
            expectRefusal(.decryption) { try apple.decryptor().decrypt(token, at: World.now) }
        }
    }

    @Test("an unwrapped key must have 16 bytes") func wrappedKey() throws {
        for count in [15, 17, 32] {
            var writer = apple
            writer.wrappedKeyBytes = count
            let token = try writer.token(isRSA: true)
            expectRefusal(.decryption) { try writer.decryptor().decrypt(token, at: World.now) }
        }
        var parts = try apple.rsaParts(ApplePayWriter.payment.serialized)
        parts.key = []
        let empty = try apple.signed(parts).json.serialized
        expectRefusal(.decryption) { try apple.decryptor().decrypt(empty, at: World.now) }
    }

    @Test(
        "a field of the decrypted data that is missing or of a wrong form is named",
        arguments: [
            ("applicationPrimaryAccountNumber", nil), ("applicationPrimaryAccountNumber", "4895370012003479"),
            ("applicationExpirationDate", "2912"), ("applicationExpirationDate", "291331"),
            ("applicationExpirationDate", "291200"), ("applicationExpirationDate", "29123x"),
            ("applicationExpirationDate", 291_231), ("applicationExpirationDate", nil), ("currencyCode", "EUR"),
            ("currencyCode", "000"), ("currencyCode", 978), ("currencyCode", nil), ("transactionAmount", -1),
            ("transactionAmount", "1299"), ("transactionAmount", .number("12.99")), ("transactionAmount", nil),
            ("transactionAmount", .number("9223372036854775808")), ("paymentDataType", nil), ("paymentData", nil),
        ] as [(String, JSONValue?)])
    func malformedPayment(name: String, value: JSONValue?) throws {
        let token = try apple.token(ApplePayWriter.payment.with(name, value))
        expectRefusal(.malformed("data.\(name)")) { try apple.decryptor().decrypt(token, at: World.now) }
    }

    @Test("other kinds of payment data and other versions are refused by name") func otherKinds() throws {
        let emv = try apple.token(ApplePayWriter.payment.with("paymentDataType", "EMV"))
        expectRefusal(.unsupportedMethod) { try apple.decryptor().decrypt(emv, at: World.now) }
        let parts = try apple.signed(apple.ecParts(ApplePayWriter.payment.serialized))
        for version in ["EC_v2", "RSA_v2", "ec_v1", ""] {
            let token = parts.json.with("version", .string(version))
            expectRefusal(.unsupportedVersion) { try apple.decryptor().decrypt(token.serialized, at: World.now) }
        }
        let asRSA = parts.json.with("version", "RSA_v1")
        expectRefusal(.malformed("header.wrappedKey")) {
            try apple.decryptor().decrypt(asRSA.serialized, at: World.now)
        }
        for (name, value) in [("onlinePaymentCryptogram", nil), ("eciIndicator", "100")] as [(String, JSONValue?)] {
            let token = try apple.token(ApplePayWriter.payment.with("paymentData", name, value))
            expectRefusal(.malformed("data.paymentData.\(name)")) {
                try apple.decryptor().decrypt(token, at: World.now)
            }
        }
    }

    @Test("a field of the token that is missing or of a wrong form is named") func malformedToken() throws {
        let decryptor = try apple.decryptor()
        let token: JSONValue = try apple.signed(apple.ecParts(ApplePayWriter.payment.serialized)).json
        var cases: [(JSONValue, String)] = [
            (token.with("version", nil), "version"), (token.with("data", nil), "data"),
            (token.with("data", "A"), "data"), (token.with("signature", nil), "signature"),
            (token.with("signature", ""), "signature"), (token.with("signature", "MIAG"), "signature"),
            (token.with("header", nil), "header"), (token.with("header", []), "header"), ("token", "token"),
        ]
        let fields: [(String, JSONValue?)] = [
            ("ephemeralPublicKey", nil), ("ephemeralPublicKey", "MFkw"), ("ephemeralPublicKey", 1),
            ("publicKeyHash", nil), ("publicKeyHash", "AAAA"), ("transactionId", nil), ("transactionId", ""),
            ("transactionId", "xyz1"), ("transactionId", "123"), ("transactionId", "AB"),
            ("transactionId", .string(String(repeating: "0", count: 130))), ("applicationData", "00"),
            ("applicationData", 1), ("applicationData", .string(String(repeating: "g", count: 64))),
        ]
        for (name, value) in fields { cases.append((token.with("header", name, value), "header.\(name)")) }
        for (token, path) in cases {
            expectRefusal(.malformed(path)) { try decryptor.decrypt(token.serialized, at: World.now) }
        }
    }
}
