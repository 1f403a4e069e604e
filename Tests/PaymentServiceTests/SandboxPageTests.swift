import BillingCore
import Foundation
import HTTPKit
import JSON
import Logging
import PaymentContract
import PaymentDomain
import PaymentInbound
import PaymentLinks
import PaymentRecords
import PaymentSandbox
import PaymentService
import Postgres
import ServiceKit
import TestKit
import Testing

@Suite("The sandbox's page") struct SandboxPageTests {
    private static let root: String = {
        let path = "/Tests/PaymentServiceTests/SandboxPageTests.swift"
        return String(#filePath.prefix(#filePath.count - path.count))
    }()

    @Test("the page offers to authorize and to fail, and leads back to where the shop wanted") func page() async throws
    {
        try await withLocalMethods { world, local in
            let (payment, reference) = try await SandboxLocalTests.onPage(world)
            try await Self.serving(world, local, world.work.news) { base in
                let path = "/pay/sandbox/\(reference)"
                let page: LinkPageTests.Answer = try await LinkPageTests.get(base, path)
                #expect(page.status == 200 && page["Content-Type"] == "text/html; charset=utf-8")
                #expect(page["Cache-Control"] == "no-store" && page.text.contains("/sandbox.js"))
                let told: JSONValue = try Self.data(page.text)
                #expect(told["method"]?.stringValue == "klarna" && told["is_waiting"]?.boolValue == true)
                #expect(try await LinkPageTests.post(base, path, #"{"choice":"steal"}"#).status == 422)
                let answer: LinkPageTests.Answer = try await LinkPageTests.post(base, path, #"{"choice":"authorize"}"#)
                #expect(answer.status == 200)
                #expect(try parseJSON(answer.text)["return_url"]?.stringValue == SandboxLocalTests.back)
                #expect(try await world.payment(payment.id).status == .succeeded, "the service is told at once")
                let over: JSONValue = try Self.data(try await LinkPageTests.get(base, path).text)
                #expect(over["is_waiting"]?.boolValue == false)
                for unknown in ["ch_01jd9y4w3hf3zt0v8c2m5k7q9r", "%3Cscript%3E"] {
                    #expect(try await LinkPageTests.get(base, "/pay/sandbox/\(unknown)").status == 404)
                    let none = try await LinkPageTests.post(base, "/pay/sandbox/\(unknown)", #"{"choice":"fail"}"#)
                    #expect(none.status == 404)
                }
            }
        }
    }

    @Test("a choice counts although the service cannot be told of it") func untold() async throws {
        try await withLocalMethods { world, local in
            let (payment, reference) = try await SandboxLocalTests.onPage(world)
            try await Self.serving(world, local, DeafNews(world.work.news, to: payment.attemptID)) { base in
                let answer: LinkPageTests.Answer = try await LinkPageTests.post(
                    base, "/pay/sandbox/\(reference)", #"{"choice":"authorize"}"#)
                #expect(answer.status == 200)
                #expect(try await world.payment(payment.id).status == .requiresAction)
                #expect(try await world.work.sync(payment.id).payment.status == .succeeded)
            }
        }
    }

    @Test("while the books do not answer, neither does the page") func unreachable() async throws {
        try await withLocalMethods { world, local in
            let (_, reference) = try await SandboxLocalTests.onPage(world)
            try await world.execute("ALTER TABLE sandbox_charges RENAME TO sandbox_charges_away")
            try await Self.serving(world, local, world.work.news) { base in
                let path = "/pay/sandbox/\(reference)"
                let page: LinkPageTests.Answer = try await LinkPageTests.get(base, path)
                let choice: LinkPageTests.Answer = try await LinkPageTests.post(base, path, #"{"choice":"fail"}"#)
                #expect(page.status == 503 && choice.status == 503)
            }
        }
    }

    @Test("neither a debit nor a card's payment has a page here") func others() async throws {
        try await withLocalMethods { world, local in
            let debit: PaymentRecord = try await SandboxLocalTests.debited(world, "pm_success_de")
            let card: PaymentRecord = try await world.paid(world.payer("4000002500003155"))
            #expect(card.status == .requiresAction)
            let books: SQL = """
                SELECT concat_ws(' ', c.outcome, c.decline_code, c.authorized_at, p.status) FROM sandbox_charges c
                JOIN payment_attempts a ON a.id = c.idempotency_key JOIN payments p ON p.id = a.payment_id ORDER BY 1
                """
            let before: [String] = try await world.texts(books)
            #expect(before == ["requires_action processing", "requires_action requires_action"])
            try await Self.serving(world, local, world.work.news) { base in
                for payment in [debit, card] {
                    let path = "/pay/sandbox/ch_\(payment.attemptID)"
                    #expect(try await LinkPageTests.get(base, path).status == 404)
                    for choice in ["authorize", "fail"] {
                        let answer = try await LinkPageTests.post(base, path, #"{"choice":"\#(choice)"}"#)
                        #expect(answer.status == 404)
                    }
                }
            }
            #expect(try await world.texts(books) == before)
        }
    }

    @Test("in live mode there is no page, and nothing is said by itself") func live() async throws {
        try await withPayments { world in
            let part = try SandboxPart(
                nil, acquirers: [], assets: try PageAssets(home: Self.root), news: world.work.news, logger: world.logger
            )
            #expect(part.endpoints.isEmpty && part.looks.isEmpty && part.disputes.isEmpty)
        }
    }

    /// What the page is told.
    private static func data(_ text: String) throws -> JSONValue {
        let found = try #require(text.firstMatch(of: /<script type="application\/json"[^>]*>(.*?)<\/script>/))
        return try parseJSON(String(found.1))
    }

    private static func serving(
        _ world: PaymentWorld, _ local: SandboxLocalProvider, _ news: any NewsHandler,
        _ body: (URL) async throws -> Void
    ) async throws {
        let part = try SandboxPart(
            local, acquirers: [], assets: try PageAssets(home: root), news: news, logger: world.logger)
        #expect(part.looks.count == 1)
        let server = HTTPServer(
            endpoints: part.endpoints,
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
}
