import BillingCore
import Foundation
import FoundationNetworking
import HTTPKit
import JSON
import Logging
import PaymentReconciliation
import PaymentRecords
import PaymentRouting
import PaymentService
import Postgres
import TestKit
import Testing

@Suite("Lists of payments, captures and refunds") struct ListingTests {
    private struct Listing {
        let status: Int
        let json: JSONValue

        var ids: [String] { json["data"]?.arrayValue?.compactMap { $0["id"]?.stringValue } ?? [] }
    }

    private struct Books: Sendable {
        let port: Int
        let secret: String

        func get(_ path: String) async throws -> Listing {
            var request = URLRequest(url: try #require(URL(string: "http://127.0.0.1:\(port)\(path)")))
            request.setValue("Bearer \(secret)", forHTTPHeaderField: "Authorization")
            let session = URLSession(configuration: .ephemeral)
            defer { session.finishTasksAndInvalidate() }
            let (data, response) = try await session.data(for: request)
            let answer: HTTPURLResponse = try #require(response as? HTTPURLResponse)
            return Listing(status: answer.statusCode, json: try parseJSON(Array(data)))
        }
    }

    private func serving(_ world: PaymentWorld, _ body: (Books) async throws -> Void) async throws {
        let server = HTTPServer(
            endpoints: world.work.endpoints + CustomerGroupRoutes().endpoints
                + ReconciliationRoutes(policy: PaymentWorld.policy).endpoints,
            configuration: HTTPServerConfiguration(
                port: 0, serviceName: "payment", rateLimit: nil, refusesUndeclaredProblems: true),
            pool: world.database, clock: world.clock,
            logger: Logger(label: "test.http") { _ in SwiftLogNoOpLogHandler() })
        let now: Instant = SystemClock().now
        let key = try await world.database.transaction { db in
            try APIKeys.create(name: "test", scopes: ["*"], mode: "sandbox", expiresAt: nil, now: now, in: db)
        }
        let running = Task { try await server.run() }
        let port: Int = try await server.listeningPort()
        let result: Result<Void, any Error>
        do { result = .success(try await body(Books(port: port, secret: key.secret))) } catch {
            result = .failure(error)
        }
        try await server.shutdown()
        _ = await running.result
        try result.get()
    }

    @Test("payments are listed by status and subscription, refunds by status and customer") func filters()
        async throws
    {
        try await withPayments { world in
            let (ada, bob): (CustomerID, CustomerID) = (try await world.payer(), try await world.payer())
            let paid: PaymentRecord = try await world.paid(ada)
            let open: PaymentRecord = try await world.created(bob)
            let refund = RefundID.new(at: PaymentWorld.start)
            let subscription = SubscriptionID.new(at: PaymentWorld.start)
            try await world.execute("UPDATE payments SET subscription_id = \(subscription) WHERE id = \(open.id)")
            try await world.execute(
                """
                INSERT INTO refunds (id, payment_id, customer_id, amount, currency, status, created_at)
                VALUES (\(refund), \(paid.id), \(ada), 5, 'USD', 'succeeded', \(PaymentWorld.start))
                """)
            try await serving(world) { (books: Books) async throws -> Void in
                #expect(try await books.get("/v1/payments?status=succeeded").ids == [paid.id.rawValue])
                #expect(try await books.get("/v1/payments?subscription_id=\(subscription)").ids == [open.id.rawValue])
                #expect(try await books.get("/v1/payments?status=lost").status == 422)
                #expect(try await books.get("/v1/payments?risk_decision=approve").ids == [paid.id.rawValue])
                #expect(try await books.get("/v1/payments?risk_decision=review").ids == [])
                #expect(try await books.get("/v1/payments?risk_decision=held").status == 422)
                #expect(try await books.get("/v1/refunds?customer_id=\(ada)&status=succeeded").ids == [refund.rawValue])
                #expect(try await books.get("/v1/refunds?customer_id=\(bob)").ids == [])
                #expect(try await books.get("/v1/refunds?status=failed").ids == [])
            }
        }
    }

    @Test("a customer's groups are read where they are written, and a difference by its id") func read() async throws {
        try await withPayments { world in
            let customer: CustomerID = await world.customer()
            try await world.execute("UPDATE customers SET groups = '{beta,vip}'")
            try await serving(world) { (books: Books) async throws -> Void in
                let known: Listing = try await books.get("/v1/payments/routing/customers/\(customer)")
                #expect(known.json["groups"] == ["beta", "vip"])
                let other = CustomerID.new(at: PaymentWorld.start)
                #expect(try await books.get("/v1/payments/routing/customers/\(other)").status == 404)
                let none = ReconciliationCaseID.new(at: PaymentWorld.start)
                let missing: Listing = try await books.get("/v1/reconciliations/cases/\(none)")
                #expect(missing.status == 404)
                #expect(missing.json["detail"]?.stringValue?.contains("reconciliation case") == true)
            }
        }
    }

    @Test("the captures of a payment that is not there are not found") func captures() async throws {
        try await withPayments { world in
            let payment: PaymentRecord = try await world.created(world.payer())
            try await serving(world) { (books: Books) async throws -> Void in
                #expect(try await books.get("/v1/payments/\(payment.id)/captures").status == 200)
                let none = PaymentID.new(at: PaymentWorld.start)
                let missing: Listing = try await books.get("/v1/payments/\(none)/captures")
                #expect(missing.status == 404 && missing.json["code"] == "not_found")
            }
        }
    }
}
