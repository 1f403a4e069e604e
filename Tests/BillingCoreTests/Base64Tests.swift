import BillingCore
import TestKit
import Testing

@Suite("Base 64") struct Base64Tests {
    /// RFC 4648, section 10.
    @Test(
        "the standard's examples go both ways",
        arguments: [
            ("", ""), ("f", "Zg=="), ("fo", "Zm8="), ("foo", "Zm9v"), ("foob", "Zm9vYg=="), ("fooba", "Zm9vYmE="),
            ("foobar", "Zm9vYmFy"),
        ])
    func vectors(text: String, encoded: String) {
        #expect(Base64.standard.encode(text.utf8) == encoded)
        #expect(Base64.standard.decode(encoded) == Array(text.utf8))
        let bare: String = encoded.filter { $0 != "=" }
        #expect(Base64.url.encode(text.utf8) == bare)
        #expect(Base64.url.decode(bare) == Array(text.utf8))
    }

    @Test("each alphabet has its own two last letters") func alphabets() {
        #expect(Base64.standard.encode([0xFB, 0xFF, 0xBF]) == "+/+/")
        #expect(Base64.url.encode([0xFB, 0xFF, 0xBF]) == "-_-_")
        #expect(Base64.standard.decode("-_-_") == nil)
        #expect(Base64.url.decode("+/+/") == nil)
    }

    @Test(
        "what is not the one text of its bytes is refused",
        arguments: [
            "Z", "Zg", "Zg=", "Zg===", "Zh==", "Zm9=", "=Zg=", "Zg==Zg==", "Zm9v\n", " Zm9v", "Zm9v====", "Zm9ü",
            "====", "Z===",
        ])
    func refused(text: String) {
        #expect(Base64.standard.decode(text) == nil)
    }

    @Test("every sequence of bytes comes back, and no other text stands for it") func roundTrips() {
        var random = Seeded()
        for length in 0..<200 {
            let bytes: [UInt8] = (0..<length).map { _ in UInt8.random(in: .min ... .max, using: &random) }
            for alphabet in [Base64.standard, .url] {
                #expect(alphabet.decode(alphabet.encode(bytes)) == bytes, "seed \(random.seed)")
            }
        }
    }
}
