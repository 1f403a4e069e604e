import BillingCore
import Foundation
import HTTPKit
import JSON
import Logging
import PaymentDomain
import PaymentLinks
import PaymentRecords
import PaymentService
import TestKit
import Testing

@Suite("The page that a provider sends customers back to") struct ReturnPageTests {
    private static let root: String = {
        let path = "/Tests/PaymentServiceTests/ReturnPageTests.swift"
        return String(#filePath.prefix(#filePath.count - path.count))
    }()

    private func serving(_ world: PaymentWorld, _ body: (URL) async throws -> Void) async throws {
        let page = try AuthenticationPage(assets: try PageAssets(home: Self.root), isSandbox: true)
        let server = HTTPServer(
            endpoints: world.work.authenticationPages(page),
            configuration: HTTPServerConfiguration(port: 0, serviceName: "payment"), pool: world.database,
            clock: world.clock, logger: Logger(label: "test.http") { _ in SwiftLogNoOpLogHandler() })
        let running = Task { try await server.run() }
        let port: Int = try await server.listeningPort()
        let result: Result<Void, any Error>
        do { result = .success(try await body(try #require(URL(string: "http://127.0.0.1:\(port)")))) } catch {
            result = .failure(error)
        }
        try await server.shutdown()
        _ = await running.result
        try result.get()
    }

    private func payment(_ world: PaymentWorld, _ more: String = "") async throws -> PaymentRecord {
        let body = #"{"amount":1299,"currency":"EUR","customer_id":"\#(try await world.payer())"\#(more)}"#
        let reply: Reply<PaymentResource> = try await world.work.create(
            world.call("/v1/payments", body: body), world.read(body))
        return try await world.payment(world.id(reply))
    }

    /// What the page is told.
    private func data(_ text: String) throws -> JSONValue {
        let found = try #require(text.firstMatch(of: /<script type="application\/json"[^>]*>(.*?)<\/script>/))
        return try parseJSON(String(found.1))
    }

    private func members(_ value: JSONValue?) -> [JSONMember] {
        if case .object(let members)? = value { members } else { [] }
    }

    @Test("it leads to the shop, and says nothing else of the payment or of what its address says") func shop()
        async throws
    {
        try await withPayments { world in
            let paid: PaymentRecord = try await payment(world, #","return_url":"https://shop.example/back?cart=7""#)
            try await serving(world) { base in
                let path = "/pay/return/\(paid.id)?payment_intent=pi_1&redirect_status=succeeded&token=8AB"
                let page: LinkPageTests.Answer = try await LinkPageTests.get(base, path)
                #expect(page.status == 200 && page["Content-Type"] == "text/html; charset=utf-8")
                #expect(page["Cache-Control"] == "no-store" && page["Referrer-Policy"] == "no-referrer")
                #expect(page["X-Frame-Options"] == "DENY")
                let policy: String = page["Content-Security-Policy"]
                #expect(policy.contains("default-src 'none'") && policy.contains("form-action 'none'"))
                let told: JSONValue = try data(page.text)
                #expect(told["returned"] == .string(paid.id.rawValue))
                #expect(told["return_url"] == .string("https://shop.example/back?cart=7"))
                #expect(members(told).map(\.name) == ["assets", "returned", "return_url"], "its id, and no word more")
                #expect(!page.text.contains("pi_1") && !page.text.contains("8AB"))
            }
        }
    }

    @Test("without a shop's address it says that the page may be closed; of no payment there is no page") func alone()
        async throws
    {
        try await withPayments { world in
            let paid: PaymentRecord = try await payment(world)
            try await serving(world) { base in
                let page: LinkPageTests.Answer = try await LinkPageTests.get(base, "/pay/return/\(paid.id)")
                #expect(page.status == 200)
                #expect(try data(page.text)["return_url"] == .null)
                for unknown in ["pay_01jd9y4w3hf3zt0v8c2m5k7q9r", "nonsense", "%3Cscript%3E"] {
                    let none: LinkPageTests.Answer = try await LinkPageTests.get(base, "/pay/return/\(unknown)")
                    #expect(none.status == 404 && none["Content-Type"] == "text/html; charset=utf-8")
                    #expect(try data(none.text)["returned"] == nil)
                }
            }
        }
    }

    @Test("of a link's payment it does not tell the link: with its code one does more than look") func ofLink()
        async throws
    {
        try await withPayments { world in
            let visit = Visit(world.code(try await world.link(await world.customer())))
            let paid: PaymentRecord = try await world.payNow(visit)
            #expect(paid.returnURL == "https://pay.example/pay/\(visit.code)")
            try await serving(world) { base in
                let page: LinkPageTests.Answer = try await LinkPageTests.get(base, "/pay/return/\(paid.id)")
                #expect(page.status == 200 && !page.text.contains(visit.code))
                let told: JSONValue = try data(page.text)
                #expect(told["returned"] == .string(paid.id.rawValue) && told["return_url"] == .null)
            }
        }
    }

    @Test("the pages of authentications say the same in every language") func languages() throws {
        let folder = "\(Self.root)/Services/Payment/Links/Page"
        let file = try String(contentsOfFile: "\(folder)/authenticate-text.json", encoding: .utf8)
        let texts: JSONValue = try parseJSON(file)
        let english: Set<String> = Set(members(texts["en"]).map(\.name))
        #expect(english.contains("returned_title"))
        for language in PageLanguage.allCases.filter({ $0 != .auto }).map(\.rawValue) {
            let own: [JSONMember] = members(texts[language])
            #expect(Set(own.map(\.name)) == english, "\(language)")
            #expect(own.allSatisfy { $0.value.stringValue?.isEmpty == false }, "\(language)")
        }
    }
}
