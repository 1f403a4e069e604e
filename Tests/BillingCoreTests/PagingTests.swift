import BillingCore
import TestKit
import Testing

@Suite("Paging and keys") struct PagingTests {
    @Test("a cursor carries its parts through a URL-safe token") func cursor() {
        var random = Seeded()
        let letters = Array("abc_-é😀/+=&\u{0}\n")
        for _ in 0..<5_000 {
            let parts = (0..<Int.random(in: 0...4, using: &random)).map { _ in
                String(
                    (0..<Int.random(in: 0...30, using: &random)).compactMap { _ in letters.randomElement(using: &random)
                    })
            }
            let token = PageCursor(parts: parts).token
            #expect(PageCursor(token)?.parts == parts, "seed \(random.seed)")
            #expect(
                token.utf8.allSatisfy { byte in
                    (0x30...0x39).contains(byte) || (0x41...0x5A).contains(byte) || (0x61...0x7A).contains(byte)
                        || byte == 0x2D || byte == 0x5F
                })
        }
    }

    @Test("a token that was not made here is refused") func badTokens() {
        let token = PageCursor(parts: ["2027-01-31T00:00:00Z", "inv_1"]).token
        for length in 0..<token.utf8.count {
            if let cursor = PageCursor(String(token.prefix(length))) { #expect(cursor.parts.count < 2) }
        }
        for bad in [
            "", "A", "Ag", "AQ=", "AQ==", "AQ A", "AR", "AQAF", "AQAB_w", "é", String(repeating: "A", count: 2_000),
        ] {
            #expect(PageCursor(bad) == nil, "\(bad)")
        }
        #expect(PageCursor("AQ")?.parts == [])
    }

    @Test("a page knows whether more follows") func pages() {
        #expect(Page([1, 2, 3], limit: 2).items == [1, 2] && Page([1, 2, 3], limit: 2).hasMore)
        #expect(!Page([1, 2], limit: 2).hasMore)
        let mapped = Page(items: [1, 2], hasMore: true).map(String.init)
        #expect(mapped.items == ["1", "2"] && mapped.hasMore)
    }

    @Test("an idempotency key is 1 to 255 printable ASCII characters") func keys() {
        for text in ["a", "key 1 ~!", String(repeating: "k", count: 255)] {
            #expect(IdempotencyKey(text)?.rawValue == text && IdempotencyKey(text)?.description == text)
        }
        for text in ["", String(repeating: "k", count: 256), "a\n", "\u{7F}", "é", "a\u{0}"] {
            #expect(IdempotencyKey(text) == nil)
        }
    }
}
