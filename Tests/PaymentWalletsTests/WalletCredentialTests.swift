import BillingCore
import Crypto
import JSON
import PaymentDomain
import PaymentWallets
import Testing

@Suite("Wallet credentials") struct WalletCredentialTests {
    @Test("show neither number nor cryptogram, however they are printed") func printing() throws {
        let apple = ApplePayWriter()
        let decryptor = try apple.decryptor()
        let credential = try decryptor.decrypt(apple.token(), at: World.now)
        var dumped = ""
        dump([("credential", credential)], to: &dumped)
        for text in ["\(credential)", String(reflecting: credential), "\([credential.kind])", dumped] {
            #expect(!text.contains(World.token))
            #expect(!text.contains("4895370012"))
            #expect(!text.contains(World.cryptogram))
        }
        let google = GooglePayWriter()
        let keys: [UInt8] = Array(google.merchant.rawRepresentation)
        for value in [decryptor, try google.decryptor(), try apple.ecKey(), try apple.rsaKey()] as [any Sendable] {
            var shown = "\(value)\(String(reflecting: value))"
            dump(value, to: &shown)
            #expect(shown.utf8.count < 200)
            #expect(!shown.contains("\(keys)"))
        }
    }

    @Test("know every currency by its number") func currencies() {
        #expect(Currency(numericCode: "978") == .eur)
        #expect(Currency(numericCode: "840") == .usd)
        #expect(Currency(numericCode: "392") == .jpy)
        #expect(Currency(numericCode: "008")?.code == "ALL")
        for digits in ["8", "", "999", "963", "0978", "EUR"] { #expect(Currency(numericCode: digits) == nil) }
        let found: [Currency] = (0...999).compactMap { number in
            Currency(numericCode: String(String(number + 1_000).dropFirst()))
        }
        #expect(Set(found) == Set(Currency.all))
        #expect(found.count == Currency.all.count)
    }

    @Test("base 64 is read in one way only (RFC 4648 section 10)") func base64Reading() {
        let vectors: [(String, String)] = [
            ("", ""), ("f", "Zg=="), ("fo", "Zm8="), ("foo", "Zm9v"), ("foob", "Zm9vYg=="), ("fooba", "Zm9vYmE="),
            ("foobar", "Zm9vYmFy"),
        ]
        for (plain, text) in vectors { #expect(Base64.standard.decode(text) == Array(plain.utf8)) }
        for text in [
            "Zg", "Zg=", "Zh==", "Zm9=", "Z===", "====", "=", "Zg==Zg==", "Zm9v\n", "Zm 9", "Zm-_", "Zg==\n\n\n=",
        ] {
            #expect(Base64.standard.decode(text) == nil, "\(text)")
        }
    }

    @Test("an expiry is a month of this century") func expiry() {
        for month in [1, 12] { #expect(CardExpiry(year: 2030, month: month) != nil) }
        for (year, month) in [(2030, 0), (2030, 13), (1999, 1), (2100, 1), (30, 1)] {
            #expect(CardExpiry(year: year, month: month) == nil)
        }
    }
}

@Suite("Configuration of decryptors") struct WalletConfigurationTests {
    @Test("Google Pay's wants keys, roots and a recipient") func google() throws {
        let google = GooglePayWriter()
        let key: [UInt8] = Array(google.merchant.derRepresentation)
        let roots = try GooglePayRootKeys(json: google.rootKeysJSON())
        let cases: [(GooglePayDecryptor.Recipient, [[UInt8]], WalletConfigurationError)] = [
            (.merchant(id: "1"), [], .noKeys), (.merchant(id: ""), [key], .emptyIdentifier),
            (.gateway(id: "", merchantID: "1"), [key], .emptyIdentifier),
            (.gateway(id: "1", merchantID: ""), [key], .emptyIdentifier),
            (.merchant(id: "1"), [key, [1, 2, 3]], .unreadableKey(1)),
            (.merchant(id: "1"), Array(repeating: key, count: 9), .tooManyKeys),
        ]
        for (recipient, keys, expected) in cases {
            #expect(throws: expected) {
                try GooglePayDecryptor(roots: roots, recipient: recipient, privateKeys: keys)
            }
        }
        for json in ["", "{}", #"{"keys":{}}"#, "[]"] {
            #expect(throws: WalletConfigurationError.unreadableRootKeys) {
                try GooglePayRootKeys(json: Array(json.utf8))
            }
        }
        let bad: JSONValue = ["keyValue": "AAAA", "protocolVersion": "ECv2", "keyExpiration": "2000000000000"]
        #expect(throws: WalletConfigurationError.unreadableRootKeys) {
            try GooglePayRootKeys(json: google.rootKeysJSON([bad]))
        }
        #expect(throws: WalletConfigurationError.noRoots) {
            try GooglePayRootKeys(json: google.rootKeysJSON(version: "ECv1"))
        }
    }

    @Test("Apple Pay's wants keys and roots") func apple() throws {
        let apple = ApplePayWriter()
        let root = try apple.chain.rootCertificate()
        let key = try apple.ecKey()
        #expect(throws: WalletConfigurationError.noRoots) { try ApplePayDecryptor(roots: [], keys: [key]) }
        #expect(throws: WalletConfigurationError.noKeys) { try ApplePayDecryptor(roots: [root], keys: []) }
        #expect(throws: WalletConfigurationError.tooManyKeys) {
            try ApplePayDecryptor(roots: [root], keys: Array(repeating: key, count: 9))
        }
        #expect(throws: WalletConfigurationError.unreadableKey(0)) { try ApplePayMerchantKey(rsa: [1]) }
        #expect(throws: WalletConfigurationError.unreadableKey(0)) {
            try ApplePayMerchantKey(ellipticCurve: ApplePayWriter.rsaMerchant.get().der, merchantID: "m")
        }
        #expect(throws: WalletConfigurationError.emptyIdentifier) {
            try ApplePayMerchantKey(ellipticCurve: Array(apple.merchant.derRepresentation), merchantID: "")
        }
    }
}
