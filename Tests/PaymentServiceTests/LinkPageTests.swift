import BillingCore
import Foundation
import FoundationNetworking
import HTTPKit
import JSON
import Logging
import PaymentLinks
import Redis
import TestKit
import Testing

@Suite("The page of a payment link") struct LinkPageTests {
    struct Answer {
        let status: Int
        let text: String
        let headers: HTTPURLResponse

        subscript(name: String) -> String { headers.value(forHTTPHeaderField: name) ?? "" }
    }

    /// Follows no redirect and keeps nothing.
    private final class Staying: NSObject, URLSessionTaskDelegate {
        func urlSession(
            _ session: URLSession, task: URLSessionTask, willPerformHTTPRedirection response: HTTPURLResponse,
            newRequest request: URLRequest, completionHandler: @escaping @Sendable (URLRequest?) -> Void
        ) { completionHandler(nil) }
    }

    static func get(_ base: URL, _ path: String, from address: String? = nil) async throws -> Answer {
        let session = URLSession(configuration: .ephemeral, delegate: Staying(), delegateQueue: nil)
        defer { session.finishTasksAndInvalidate() }
        guard let url = URL(string: path, relativeTo: base) else { throw PaymentWorld.Absent() }
        var request = URLRequest(url: url)
        if let address { request.setValue(address, forHTTPHeaderField: "X-Forwarded-For") }
        let (data, response) = try await session.data(for: request)
        guard let headers = response as? HTTPURLResponse else { throw PaymentWorld.Absent() }
        return Answer(status: headers.statusCode, text: String(decoding: data, as: UTF8.self), headers: headers)
    }

    static func post(_ base: URL, _ path: String, _ body: String) async throws -> Answer {
        guard let url = URL(string: path, relativeTo: base) else { throw PaymentWorld.Absent() }
        var request = URLRequest(url: url)
        request.httpMethod = "POST"
        request.setValue("application/json", forHTTPHeaderField: "Content-Type")
        request.httpBody = Data(body.utf8)
        let session = URLSession(configuration: .ephemeral)
        defer { session.finishTasksAndInvalidate() }
        let (data, response) = try await session.data(for: request)
        guard let headers = response as? HTTPURLResponse else { throw PaymentWorld.Absent() }
        return Answer(status: headers.statusCode, text: String(decoding: data, as: UTF8.self), headers: headers)
    }

    @Test("it runs only its own scripts, is framed by nobody, kept by nobody and tells nobody its address")
    func headers() async throws {
        try await withPayments { world in
            let logo = ##","brand":{"name":"Nord","logo_url":"https://cdn.example/l.png","accent_color":"#0A7D55"}"##
            let code: String = world.code(try await world.link(await world.customer(), logo))
            try await world.serving { base in
                let page: Answer = try await Self.get(base, "/pay/\(code)?utm_source=mail")
                #expect(page.status == 200)
                #expect(page["Content-Type"] == "text/html; charset=utf-8")
                let policy: String = page["Content-Security-Policy"]
                for part in [
                    "default-src 'none'", "script-src 'self';", "style-src 'self';", "frame-ancestors 'none'",
                    "base-uri 'none'", "img-src 'self' https://cdn.example;", "connect-src 'self';",
                ] { #expect(policy.contains(part), "\(part) in \(policy)") }
                #expect(!policy.contains("unsafe"))
                #expect(page["Referrer-Policy"] == "no-referrer")
                #expect(page["Cache-Control"] == "no-store")
                #expect(page["X-Content-Type-Options"] == "nosniff")
                #expect(page["Set-Cookie"] == "")
                #expect(
                    !page.text.contains("<style") && !page.text.contains(" style=") && !page.text.contains("onclick"))
                let css: Answer = try await Self.get(base, "/pay/\(code)/brand.css")
                #expect(css.text.contains("--accent: #0a7d55"))
            }
        }
    }

    @Test("its files are kept for ever under their version, and not under another") func assets() async throws {
        try await withPayments { world in
            try await world.serving { base in
                let page: Answer = try await Self.get(base, "/pay")
                let version: Substring = try #require(page.text.split(separator: "/pay/assets/").last?.prefix(12))
                for name in ["page.css", "page.js", "de.json", "icon.svg"] {
                    let file: Answer = try await Self.get(base, "/pay/assets/\(version)/\(name)")
                    #expect(file.status == 200)
                    #expect(file["Cache-Control"].contains("immutable"))
                    #expect(try await Self.get(base, "/pay/assets/other/\(name)")["Cache-Control"] == "no-store")
                }
                for name in ["page.html", "../page.css", "..%2Fpage.css", "nothing.js"] {
                    #expect(try await Self.get(base, "/pay/assets/\(version)/\(name)").status == 404)
                }
            }
        }
    }

    @Test("texts of a merchant stay texts") func escaping() async throws {
        try await withPayments { world in
            let name = #"</script><script>alert(1)</script>"#
            let more = #","brand":{"name":"\#(name)"},"description":"<!-- {{data}} &""#
            let code: String = world.code(try await world.link(await world.customer(), more))
            try await world.serving { base in
                let page: Answer = try await Self.get(base, "/pay/\(code)")
                #expect(page.status == 200)
                #expect(!page.text.contains("<script>alert"))
                #expect(!page.text.contains("<!-- "))
                #expect(page.text.contains("<title>&lt;/script&gt;"))
                let data: Substring = try #require(
                    page.text.split(separator: #"id="link">"#).last?.split(separator: "</script>").first)
                #expect(try parseJSON(Array(data.utf8))["merchant"]?.stringValue == name)
            }
        }
    }

    @Test("a page says where its link stands, and shows nothing of it to a wrong code") func states() async throws {
        try await withPayments { world in
            let code: String = world.code(try await world.link(await world.customer()))
            try await world.serving { base in
                #expect(try await Self.get(base, "/pay/\(code)").text.contains(#""state":"active""#))
                let typed: Answer = try await Self.get(
                    base, "/pay?code=\(code.prefix(4).lowercased())-\(code.suffix(4).lowercased())")
                #expect(typed.status == 303)
                #expect(typed["Location"] == "/pay/\(code)")
                try await world.payNow(Visit(code))
                #expect(try await Self.get(base, "/pay/\(code)").text.contains(#""state":"completed""#))
                let wrong: Answer = try await Self.get(base, "/pay/22222222")
                #expect(wrong.status == 404)
                #expect(wrong.text.contains(#""state":"unknown""#))
                #expect(try await Self.get(base, "/pay/22222222/status?session=\(Visit("").session)").status == 404)
                #expect(try await Self.get(base, "/pay/\(code)/status?session=short").status == 422)
            }
        }
    }

    @Test("the card is shown to the visit that gave it, and to no other") func receipts() async throws {
        try await withPayments { world in
            let visit = Visit(world.code(try await world.link(await world.customer())))
            try await world.payNow(visit)
            try await world.serving { base in
                let mine: Answer = try await Self.get(base, "/pay/\(visit.code)/status?session=\(visit.session)")
                #expect(mine.text.contains(#""card_last4":"4242""#))
                let other: Answer = try await Self.get(
                    base, "/pay/\(visit.code)/status?session=\(Visit("").session)")
                #expect(other.text.contains(#""status":"succeeded""#))
                #expect(other.text.contains(#""card_last4":null"#))
            }
        }
    }

    @Test("who guesses codes is stopped") func guessing() async throws {
        try await withPayments { world in
            let code: String = world.code(try await world.link(await world.customer()))
            try await world.serving(limits: VisitLimits(missesPerMinute: 3)) { base in
                for guess in ["22222222", "33333333", "44444444"] {
                    #expect(try await Self.get(base, "/pay/\(guess)").status == 404)
                }
                let stopped: Answer = try await Self.get(base, "/pay/\(code)")
                #expect(stopped.status == 429)
                #expect(stopped.text.contains(#""state":"busy""#))
            }
        }
    }

    @Test("who guesses from many addresses of one IPv6 network is stopped; others, and IPv4, count by themselves")
    func guessingFromNetwork() async throws {
        try await withPayments { world in
            let code: String = world.code(try await world.link(await world.customer()))
            try await world.serving(limits: VisitLimits(missesPerMinute: 3)) { base in
                let asked: [(String, String)] = [
                    ("22222222", "2001:db8:1:2::1"), ("33333333", "2001:db8:1:2:ffff::7"),
                    ("44444444", "2001:0DB8:1:2:a:b:c:d"), (code, "2001:db8:1:2:3:4:5:6"), (code, "2001:db8:1:3::1"),
                    ("22222222", "192.0.2.1"), ("33333333", "192.0.2.1"), ("44444444", "192.0.2.1"),
                    (code, "::ffff:192.0.2.1"), (code, "192.0.2.2"),
                ]
                var statuses: [Int] = []
                for (code, address) in asked {
                    statuses.append(try await Self.get(base, "/pay/\(code)", from: address).status)
                }
                #expect(statuses == [404, 404, 404, 429, 200, 404, 404, 404, 429, 200])
            }
        }
    }

    @Test("who guesses at one instance is stopped at the other, too") func guessingAround() async throws {
        let redis: RedisClient = try await TestRedis.client()
        let name: String = TestRedis.uniqueKey("page")
        try await withPayments { world in
            let code: String = world.code(try await world.link(await world.customer()))
            let limits: [VisitLimits] = (0..<3).map { _ in
                VisitLimits(missesPerMinute: 4, redis: redis, name: name)
            }
            var statuses: [Int] = []
            for guess in 0..<6 {
                try await world.serving(limits: limits[guess % 2]) { base in
                    statuses.append(try await Self.get(base, "/pay/2222222\(guess + 2)").status)
                }
            }
            #expect(statuses == [404, 404, 404, 404, 429, 429])
            try await world.serving(limits: limits[2]) { base in
                let answer: Answer = try await Self.get(base, "/pay/\(code)")
                #expect(answer.status == 429, "where nobody was refused yet, too")
            }
        }
        await redis.shutdown()
    }

    @Test("of guesses made at once no more are looked up than wrong codes are allowed; right ones count for nothing")
    func guessingAtOnce() async throws {
        let redis: RedisClient = try await TestRedis.client()
        let now = Instant(seconds: 1_800_000_000)
        let call = Call(post: "/pay/22222222/pay", body: [], key: nil, now: now, receivedAt: now)
        for shared: RedisClient? in [nil, redis] {
            let name: String = TestRedis.uniqueKey("page")
            let here = VisitLimits(missesPerMinute: 2, redis: shared, name: name)
            let there: VisitLimits = shared == nil ? here : VisitLimits(missesPerMinute: 2, redis: shared, name: name)
            try await here.looking(call) {
                try await there.looking(call) {
                    await #expect(throws: VisitLimits.tooMany) { try await here.looking(call) {} }
                    await #expect(throws: VisitLimits.tooMany) { try await there.looking(call) {} }
                }
            }
            try await here.looking(call) { try await there.looking(call) {} }
        }
        await redis.shutdown()
    }

    @Test("the API's document says that a link's QR code is an image, and leaves the pages out") func document()
        async throws
    {
        try await withPayments { world in
            let links = LinkRoutes(pool: world.database, settings: world.linkSettings)
            let server = HTTPServer(
                endpoints: links.endpoints, configuration: HTTPServerConfiguration(port: 0, serviceName: "payment"),
                pool: world.database, clock: world.clock,
                logger: Logger(label: "test.http") { _ in SwiftLogNoOpLogHandler() })
            let answer: JSONValue? = server.openAPI["paths"]?["/v1/payment_links/{id}/qr"]?["get"]?["responses"]?["200"]
            #expect(answer?["content"]?["image/svg+xml"]?["schema"] == ["type": "string"])
            #expect(answer?["content"]?["application/json"] == nil)
            try await world.serving { base in
                let document: Answer = try await Self.get(base, "/openapi.json")
                #expect(document.text.contains("/pay/{code}/status"))
                #expect(!document.text.contains("brand.css"))
            }
        }
    }

    @Test(
        "a code is read in any case, with spaces and hyphens, however its characters are typed, and nothing else is one"
    )
    func codes() throws {
        #expect(LinkCode("h7km-3qxp")?.text == "H7KM3QXP")
        #expect(LinkCode(" H7KM 3QXP ")?.shown == "H7KM-3QXP")
        #expect(LinkCode("Ｈ７ｋｍ－３ｑｘｐ")?.text == "H7KM3QXP")
        #expect(LinkCode("H٧KM۳QXP")?.text == "H7KM3QXP")
        for text in ["", "H7KM3QX", "H7KM3QXPP", "H7KM3QX0", "H7KM3QXI", "H7KM3QXÜ", "H٠KM3QXP", "../../etc"] {
            #expect(LinkCode(text) == nil)
        }
        let drawn: Set<String> = Set((0..<1_000).map { _ in LinkCode.new().text })
        #expect(drawn.count == 1_000)
    }
}
