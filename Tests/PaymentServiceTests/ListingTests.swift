import BillingCore
import Foundation
import FoundationNetworking
import HTTPKit
import JSON
import Logging
import PaymentContract
import PaymentDisputes
import PaymentDomain
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
            return try await send(request)
        }

        func put(_ path: String, _ body: String) async throws -> Listing {
            var request = URLRequest(url: try #require(URL(string: "http://127.0.0.1:\(port)\(path)")))
            request.httpMethod = "PUT"
            request.setValue("Bearer \(secret)", forHTTPHeaderField: "Authorization")
            request.setValue("application/json", forHTTPHeaderField: "Content-Type")
            request.httpBody = Data(body.utf8)
            return try await send(request)
        }

        private func send(_ request: URLRequest) async throws -> Listing {
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
                + ReconciliationRoutes(policy: PaymentWorld.policy).endpoints + world.disputes.endpoints,
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

    /// Disputes of a customer, each with the day on which its evidence has to be in.
    private static let disputes: [(stage: DisputeStatus, day: Int64?)] = [
        (.needsResponse, 3), (.inquiry, 1), (.underReview, nil), (.needsResponse, 2),
    ]

    @Test("disputes are listed by what is due, whatever their status, the soonest first") func due() async throws {
        try await withPayments { world in
            let customer: CustomerID = try await world.payer()
            var made: [String] = []
            for row in Self.disputes {
                let payment: PaymentRecord = try await world.paid(customer, amount: 2_000)
                let dispute: DisputeRecord = try await world.hear(
                    world.told(payment, row.stage, reference: "dp_\(made.count)"))
                let due: Instant? = row.day.map { PaymentWorld.start + .seconds($0 * 86_400) }
                try await world.execute("UPDATE disputes SET evidence_due_by = \(due) WHERE id = \(dispute.id)")
                made.append(dispute.id.rawValue)
            }
            let ids: [String] = made
            let soonest: [String] = [ids[1], ids[3], ids[0]]
            let noon: String = (PaymentWorld.start + .seconds(2 * 86_400 + 43_200)).rfc3339
            try await serving(world) { (books: Books) async throws -> Void in
                #expect(try await books.get("/v1/disputes").ids.count == 4)
                #expect(try await books.get("/v1/disputes?order=due").ids == soonest)
                let first: Listing = try await books.get("/v1/disputes?order=due&limit=2")
                #expect(first.ids == [ids[1], ids[3]] && first.json["has_more"]?.boolValue == true)
                let second: Listing = try await books.get("/v1/disputes?order=due&limit=2&starting_after=\(ids[3])")
                #expect(second.ids == [ids[0]] && second.json["has_more"]?.boolValue == false)
                #expect(try await books.get("/v1/disputes?order=due&due_before=\(noon)").ids == [ids[1], ids[3]])
                let early: Listing = try await books.get("/v1/disputes?due_before=\(noon)")
                #expect(early.ids.sorted() == [ids[1], ids[3]].sorted())
                #expect(try await books.get("/v1/disputes?order=due&status=inquiry").ids == [ids[1]])
                // What is answered meanwhile has no place among the others.
                let gone: Listing = try await books.get("/v1/disputes?order=due&starting_after=\(ids[2])")
                #expect(gone.status == 422)
                #expect(gone.json["errors"]?.arrayValue?.first?["code"]?.stringValue == "invalid_cursor")
                #expect(try await books.get("/v1/disputes?order=oldest").status == 422)
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
                // A body that was lost on the way takes nobody out of anything.
                for body in ["", "{}"] {
                    let lost: Listing = try await books.put("/v1/payments/routing/customers/\(customer)", body)
                    let fault: JSONValue? = lost.json["errors"]?.arrayValue?.first
                    #expect(lost.status == 422 && fault?["param"] == "groups" && fault?["code"] == "required")
                }
                let still: Listing = try await books.get("/v1/payments/routing/customers/\(customer)")
                #expect(still.json["groups"] == ["beta", "vip"])
                let cleared: Listing = try await books.put(
                    "/v1/payments/routing/customers/\(customer)", #"{"groups":[]}"#)
                #expect(cleared.status == 200 && cleared.json["groups"] == [])
                let none = ReconciliationCaseID.new(at: PaymentWorld.start)
                let missing: Listing = try await books.get("/v1/reconciliations/cases/\(none)")
                #expect(missing.status == 404)
                #expect(missing.json["detail"]?.stringValue?.contains("reconciliation case") == true)
            }
        }
    }

    @Test("payments and refunds are listed by when they were made: the beginning belongs to it, the end does not")
    func made() async throws {
        try await withPayments { world in
            let paid: PaymentRecord = try await world.paid(world.payer())
            let customer = CustomerID.new(at: PaymentWorld.start)
            let times: [Instant] = (1...3).map { PaymentWorld.start + .seconds($0 * 86_400) }
            let payments: [PaymentID] = times.map { PaymentID.made(at: $0) }
            let refunds: [RefundID] = times.map { RefundID.made(at: $0) }
            for (index, time) in times.enumerated() {
                try await world.execute(
                    """
                    INSERT INTO payments SELECT (p).* FROM (
                        SELECT jsonb_populate_record(p, jsonb_build_object('id', \(payments[index])::text,
                            'customer_id', \(customer)::text, 'created_at', \(time)::timestamptz)) AS p
                        FROM payments p WHERE p.id = \(paid.id)) AS copies
                    """)
                try await world.execute(
                    """
                    INSERT INTO refunds (id, payment_id, customer_id, amount, currency, status, created_at)
                    VALUES (\(refunds[index]), \(paid.id), \(customer), 5, 'USD', 'succeeded', \(time))
                    """)
            }
            let days: [String] = times.map(\.rfc3339)
            let lists: [(path: String, ids: [String])] = [
                ("/v1/payments?customer_id=\(customer)", payments.map(\.rawValue)),
                ("/v1/refunds?customer_id=\(customer)", refunds.map(\.rawValue)),
            ]
            try await serving(world) { (books: Books) async throws -> Void in
                for (path, ids) in lists {
                    let (from, to): (String, String) = ("\(path)&created_from=", "&created_to=")
                    #expect(try await books.get(from + days[1]).ids == [ids[2], ids[1]])
                    #expect(try await books.get(path + to + days[1]).ids == [ids[0]])
                    #expect(try await books.get(from + days[1] + to + days[2]).ids == [ids[1]])
                    let page: Listing = try await books.get(path + to + days[2] + "&limit=1")
                    #expect(page.ids == [ids[1]] && page.json["has_more"]?.boolValue == true)
                    #expect(try await books.get(path + to + days[2] + "&starting_after=" + ids[1]).ids == [ids[0]])
                    for end in [days[0], days[1]] {
                        let reversed: Listing = try await books.get(from + days[1] + to + end)
                        #expect(reversed.status == 422)
                        let fault: JSONValue? = reversed.json["errors"]?.arrayValue?.first
                        #expect(fault?["param"]?.stringValue == "created_to")
                        #expect(fault?["code"]?.stringValue == "out_of_range")
                    }
                    #expect(try await books.get(from + "yesterday").status == 422)
                }
            }
        }
    }

    @Test("payments are found by their merchant's metadata, and by what a provider knows them, or a part of them, by")
    func known() async throws {
        try await withPayments { world in
            let customer: CustomerID = try await world.payer()
            func order(_ number: String) async throws -> PaymentRecord {
                let body =
                    #"{"amount":1000,"currency":"USD","customer_id":"\#(customer)","#
                    + #""metadata":{"order":"\#(number)","shop":"south"}}"#
                let reply: Reply<PaymentResource> = try await world.work.create(
                    world.call("/v1/payments", body: body, wait: .zero), world.read(body))
                return try await world.payment(world.id(reply))
            }
            let orders: [PaymentRecord] = [try await order("4711"), try await order("4712")]
            let plain: PaymentRecord = try await world.paid(customer)
            let refund = RefundID.new(at: PaymentWorld.start)
            try await world.execute(
                """
                INSERT INTO refunds (id, payment_id, customer_id, amount, currency, status, provider_reference, created_at)
                VALUES (\(refund), \(plain.id), \(customer), 5, 'USD', 'succeeded', 're_1', now())
                """)
            try await world.execute(
                """
                INSERT INTO captures (id, payment_id, amount, currency, is_final, status, provider_reference, created_at)
                VALUES (\(CaptureID.new(at: PaymentWorld.start)), \(plain.id), 5, 'USD', false, 'succeeded', 'cap_1', now())
                """)
            let reference: String = try await world.texts(
                "SELECT provider_reference FROM payments WHERE id = \(plain.id)")[0]
            try await serving(world) { (books: Books) async throws -> Void in
                func ids(_ query: String) async throws -> [String] {
                    let listed: Listing = try await books.get("/v1/payments?\(query)")
                    return listed.ids
                }
                #expect(try await ids("metadata_key=order&metadata_value=4711") == [orders[0].id.rawValue])
                #expect(
                    try await ids("metadata_key=shop&metadata_value=south") == [
                        orders[1].id.rawValue, orders[0].id.rawValue,
                    ])
                #expect(try await ids("metadata_key=order&metadata_value=south") == [])
                #expect(
                    try await ids("metadata_key=shop&metadata_value=south&limit=1&starting_after=\(orders[1].id)")
                        == [orders[0].id.rawValue])
                #expect(try await ids("provider_reference=\(reference)") == [plain.id.rawValue])
                #expect(try await ids("provider_reference=cap_1") == [plain.id.rawValue])
                #expect(try await ids("provider_reference=re_1") == [])
                #expect(try await books.get("/v1/refunds?provider_reference=re_1").ids == [refund.rawValue])
                for lone in ["metadata_key=order", "metadata_value=4711"] {
                    let half: Listing = try await books.get("/v1/payments?\(lone)")
                    #expect(half.status == 422)
                    #expect(half.json["errors"]?.arrayValue?.first?["code"] == "required")
                }
            }
        }
    }

    /// What routing stores with an attempt.
    private static let routing: String =
        #"{"version":2,"cascade":["sandbox"],"ordered_by":null,"stopped":"nobody is left","candidates":["#
        + #"{"provider":"sandbox","verdict":"chosen","place":1,"reason":"listed at place 1"}]}"#

    @Test("a payment's attempts are listed in order, each with its failure and when the next one is wanted")
    func attempts() async throws {
        try await withPayments { world in
            let customer: CustomerID = try await world.payer("5555555555554444")
            let other: PaymentRecord = try await world.paid(world.payer())
            let invoice = InvoiceID.new(at: PaymentWorld.start)
            world.provider.refuse(
                with: ProviderDecline(code: "insufficient_funds", networkCode: "51", networkAdvice: "30"))
            await world.deliver([world.finalized(invoice, customer)])
            let payment: PaymentRecord = try await world.payment(of: invoice)
            await world.decide(payment)
            #expect(try await world.settled(payment.id).decline == .insufficientFunds)
            world.provider.refuse(with: nil)
            for (day, status) in [(1, PaymentStatus.failed), (10, .succeeded)] as [(Int64, PaymentStatus)] {
                world.clock.set(PaymentWorld.start + .seconds(day * 86_400))
                await world.deliver([world.due(invoice, customer)])
                await world.decide(try await world.payment(of: invoice))
                #expect(try await world.settled(payment.id).status == status)
                if status == .failed { try await failed(payment.id, world) }
            }
            try await world.execute(
                """
                UPDATE payment_attempts SET cascade_of = \(payment.attemptID), routing = \(Self.routing)::jsonb
                WHERE number = 2
                """)
            try await serving(world) { (books: Books) async throws -> Void in
                let path = "/v1/payments/\(payment.id)/attempts"
                let all: Listing = try await books.get(path)
                #expect(all.status == 200 && all.json["has_more"]?.boolValue == false)
                let rows: [JSONValue] = all.json["data"]?.arrayValue ?? []
                try #require(rows.count == 3)
                #expect(rows.map { $0["number"]?.intValue } == [1, 2, 3])
                #expect(rows.map { $0["status"]?.stringValue } == ["failed", "failed", "succeeded"])
                #expect(rows.map { $0["provider"]?.stringValue } == ["sandbox", "sandbox", "sandbox"])
                let reasons: [String?] = rows.map { $0["failure"]?["code"]?.stringValue }
                #expect(reasons == ["insufficient_funds", "retry_later", nil])
                let until: [String?] = rows.map { $0["failure"]?["retry_at"]?.stringValue }
                #expect(until == [Self.until, Self.until, nil])
                #expect(rows.map { $0["network_code"]?.stringValue }.prefix(2) == ["51", nil])
                #expect(rows.map { $0["network_advice_code"]?.stringValue } == ["30", nil, nil])
                #expect(rows[0]["cascade_of"]?.isNull == true && rows[0]["routing"]?.isNull == true)
                #expect(rows[1]["cascade_of"]?.stringValue == payment.attemptID.rawValue)
                #expect(rows[1]["routing"]?["version"]?.intValue == 2)
                #expect(rows[1]["routing"]?["candidates"]?[0]?["reason"]?.stringValue == "listed at place 1")
                #expect(rows[1]["routing"]?["stopped"]?.stringValue == "nobody is left")
                #expect(rows[2]["provider_reference"]?.stringValue != nil && rows[2]["failure"]?.isNull == true)
                #expect(rows.allSatisfy { $0["ended_at"]?.stringValue != nil })
                let first: Listing = try await books.get(path + "?limit=1")
                #expect(first.ids == [payment.attemptID.rawValue] && first.json["has_more"]?.boolValue == true)
                let rest: Listing = try await books.get(path + "?starting_after=\(payment.attemptID)")
                #expect(rest.ids == Array(all.ids.dropFirst()))
                for cursor in [other.attemptID, AttemptID.new(at: PaymentWorld.start)] {
                    let astray: Listing = try await books.get(path + "?starting_after=\(cursor)")
                    #expect(astray.status == 422)
                    #expect(astray.json["errors"]?.arrayValue?.first?["code"]?.stringValue == "invalid_cursor")
                }
                let none = PaymentID.new(at: PaymentWorld.start)
                #expect(try await books.get("/v1/payments/\(none)/attempts").status == 404)
            }
        }
    }

    /// Before when the network of the card wants no other attempt.
    private static let until: String = (PaymentWorld.start + .seconds(10 * 86_400)).rfc3339

    /// A payment whose card is to be left alone says until when, read and listed.
    private func failed(_ id: PaymentID, _ world: PaymentWorld) async throws {
        try await serving(world) { (books: Books) async throws -> Void in
            let one: Listing = try await books.get("/v1/payments/\(id)")
            #expect(one.json["failure"]?["code"]?.stringValue == "retry_later")
            #expect(one.json["failure"]?["retry_at"]?.stringValue == Self.until)
            let listed: Listing = try await books.get("/v1/payments?status=failed")
            #expect(listed.json["data"]?[0]?["failure"]?["retry_at"]?.stringValue == Self.until)
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
