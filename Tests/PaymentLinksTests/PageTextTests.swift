import Foundation
import JSON
import PaymentLinks
import Testing

@Suite("Texts of a payment page") struct PageTextTests {
    private static let languages: [String] = PageLanguage.allCases.filter { $0 != .auto }.map(\.rawValue)

    private static func texts(_ language: String) throws -> [String: String] {
        let path = "/Tests/PaymentLinksTests/PageTextTests.swift"
        let root = String(#filePath.prefix(#filePath.count - path.count))
        let file = try String(
            contentsOfFile: "\(root)/Services/Payment/Links/Page/text/\(language).json", encoding: .utf8)
        guard case .object(let members) = try parseJSON(file) else { return [:] }
        return Dictionary(uniqueKeysWithValues: members.map { ($0.name, $0.value.stringValue ?? "") })
    }

    /// What a text is filled with.
    private static func places(_ text: String) -> Set<String> {
        Set(text.matches(of: /\{\w+\}/).map { String($0.output) })
    }

    @Test("every language has every text, with the same places in it") func complete() throws {
        let english: [String: String] = try Self.texts("en")
        #expect(english.count > 100)
        for language in Self.languages {
            let own: [String: String] = try Self.texts(language)
            #expect(Set(own.keys) == Set(english.keys), "\(language)")
            for (key, text) in own {
                #expect(!text.isEmpty, "\(language) \(key)")
                #expect(Self.places(text) == Self.places(english[key] ?? ""), "\(language) \(key)")
            }
        }
    }

    @Test(
        "what is said of whatever was paid with names neither a card nor a bank",
        arguments: [
            ("en", ["card", "bank"]), ("de", ["karte", "bank"]), ("fr", ["carte", "banque"]),
            ("es", ["tarjeta", "banco"]), ("it", ["carta", "banca"]), ("pt", ["cartão", "banco"]),
            ("nl", ["kaart", "bank"]), ("pl", ["kart", "bank"]), ("sv", ["kort", "bank"]),
            ("ja", ["カード", "銀行"]), ("zh", ["卡", "银行"]), ("ar", ["بطاق", "مصرف"]),
        ] as [(String, [String])])
    func neutral(language: String, words: [String]) throws {
        let texts: [String: String] = try Self.texts(language)
        let keys: [String] = [
            "failed_hard", "failed_soft", "failed_action", "failed_insufficient_funds", "failed_unasked",
            "failed_coins",
            "processing_slow", "transfer_part", "withdrawn_text",
        ]
        for key in keys {
            let text: String = try #require(texts[key]).lowercased()
            for word in words { #expect(!text.contains(word), "\(key) names \(word)") }
        }
    }
}
