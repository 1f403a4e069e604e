import BillingCore
import Testing

@Suite("Text in markup") struct MarkupTextTests {
    @Test(
        "shows what would be markup, also behind signs that join what follows them",
        arguments: [
            ("", ""), ("Ünïcode ☕️ 👩‍👩‍👧", "Ünïcode ☕️ 👩‍👩‍👧"), ("a&b", "a&amp;b"),
            (#"<a b="c">'"#, "&lt;a b=&quot;c&quot;&gt;&#39;"),
            ("\u{0600}</title\u{0600}>", "\u{0600}&lt;/title\u{0600}&gt;"), ("<\u{0301}", "&lt;\u{0301}"),
            ("&amp;", "&amp;amp;"),
        ])
    func escaped(text: String, markup: String) {
        #expect(Array(text.markupEscaped.utf8) == Array(markup.utf8))
    }
}
