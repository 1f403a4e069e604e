import BillingCore
import Testing

@Suite("Addresses that browsers are sent to") struct WebAddressTests {
    @Test(
        "are of https, or of http on this machine",
        arguments: [
            ("https://shop.example", "https://shop.example", false),
            ("https://Shop.example:8443/a;b,c?d=%22&e=[1]#f", "https://shop.example:8443", false),
            ("https://192.0.2.1/", "https://192.0.2.1", false), ("https://localhost/", "https://localhost", false),
            ("http://localhost:8001/back", "http://localhost:8001", true),
            ("http://127.0.0.1?x", "http://127.0.0.1", true),
        ])
    func taken(text: String, origin: String, isLoopback: Bool) throws {
        let address = try #require(WebAddress(text))
        #expect(address.text == text && address.origin == origin && address.isLoopback == isLoopback)
    }

    @Test(
        "lead nowhere else and break no page",
        arguments: [
            "", "http://shop.example/", "javascript:alert(1)", "https://", "https:///x", "https://a@b.example/",
            "https://:443/", "https://a.example:/", "https://a.example:+80/", "https://a.example:65536/",
            "https://a.example/\"onload=", "https://a.example/'", "https://a.example/<", "https://a.example/ x",
            "https://ä.example/", "//shop.example/", "HTTPS://shop.example/", "http://127.0.0.1.evil.example/",
            "https://a\\@b.example/", "https://a.example/\n", "http://localhost.evil.example/",
            "http://localhost:x@evil.example/", "http://localhost:80@evil.example/", "https://user@shop.example/",
            "https://%%%%", "https://shop", "https://-a.example/", "https://a..example/", "https://a.example./",
            "https://1.2.3/", "https://1.2.3.256/", "https://1.2.3.04/", "https://a.0x1/", "https://[::1]/",
        ])
    func refused(text: String) {
        #expect(WebAddress(text) == nil)
    }

    @Test("are as long as they may be") func length() {
        let longest: String = "https://a.example/" + String(repeating: "x", count: WebAddress.maxLength - 18)
        #expect(WebAddress(longest) != nil && WebAddress(longest + "x") == nil)
        #expect(WebAddress(longest + "x", max: WebAddress.maxLength + 1) != nil)
    }
}
