import BillingCore
import BillingEvents
import HTTPKit
import JSON
import PaymentContract
import PaymentDomain
import PaymentRecords
import PaymentService
import Postgres
import TestKit
import Testing

@Suite("Creating payments") struct CreatingTests {
    @Test("a caller who waits gets the settled payment, and a repeat gets the same answer") func waits() async throws {
        try await withPayments { world in
            let customer: CustomerID = try await world.payer()
            async let reply = world.create(customer, key: "once", wait: .seconds(20))
            try await eventually(within: .seconds(10), "it is recorded") {
                try await world.published("payment.created.v1") == 1
            }
            let id = PaymentID(unchecked: try await world.texts("SELECT id FROM payments")[0])
            await world.decide(try await world.payment(id))
            let answered: Reply<PaymentResource> = try await reply
            #expect(answered.status == 201)
            #expect(try parseJSON(answered.body)["status"]?.stringValue == "succeeded")
            let again: Reply<PaymentResource> = try await world.create(customer, key: "once", wait: .seconds(20))
            #expect(again.isReplay && again.body == answered.body && again.status == 201)
            #expect(try await world.number("SELECT count(*) FROM payments") == 1)
        }
    }

    @Test("a caller whose card is refused is told when its network wants the next attempt, and a repeat the same")
    func refused() async throws {
        try await withPayments { world in
            let customer: CustomerID = try await world.payer("5555555555554444")
            world.provider.refuse(
                with: ProviderDecline(code: "insufficient_funds", networkCode: "51", networkAdvice: "30"))
            async let reply = world.create(customer, key: "once", wait: .seconds(20))
            try await eventually(within: .seconds(10), "it is recorded") {
                try await world.published("payment.created.v1") == 1
            }
            let id = PaymentID(unchecked: try await world.texts("SELECT id FROM payments")[0])
            await world.decide(try await world.payment(id))
            let answered: Reply<PaymentResource> = try await reply
            let failure: JSONValue? = try parseJSON(answered.body)["failure"]
            #expect(failure?["code"]?.stringValue == "insufficient_funds")
            let until: Instant = PaymentWorld.start + .seconds(10 * 86_400)
            #expect(failure?["retry_at"]?.stringValue == until.rfc3339)
            let again: Reply<PaymentResource> = try await world.create(customer, key: "once", wait: .seconds(20))
            #expect(again.isReplay && again.body == answered.body)
        }
    }

    @Test("an answer says how long the provider took, and a repeat of it nothing") func providerTime() async throws {
        try await withPayments { world in
            let customer: CustomerID = try await world.payer()
            let began: ContinuousClock.Instant = .now
            async let reply = world.create(customer, key: "once", wait: .seconds(20))
            try await eventually(within: .seconds(10), "it is recorded") {
                try await world.published("payment.created.v1") == 1
            }
            let id = PaymentID(unchecked: try await world.texts("SELECT id FROM payments")[0])
            await world.decide(try await world.payment(id))
            let text: String? = try await reply.headers.first { $0.name == "Server-Timing" }?.value
            let said: Substring = try #require(text?.wholeMatch(of: /provider;dur=(\d+\.\d{3})/)?.1)
            let milliseconds: Double = try #require(Double(said))
            #expect(milliseconds > 0 && Duration.milliseconds(milliseconds) < ContinuousClock.now - began)
            let again: Reply<PaymentResource> = try await world.create(customer, key: "once", wait: .seconds(20))
            #expect(again.isReplay && !again.headers.contains { $0.name == "Server-Timing" })
        }
    }

    @Test("a caller who waits is answered soon though another instance settles the payment, as is a repeat")
    func elsewhere()
        async throws
    {
        try await withPayments { world in
            let customer: CustomerID = try await world.payer()
            let other = PaymentWorld(world.database)
            let began: ContinuousClock.Instant = .now
            async let reply = world.create(customer, key: "once", wait: .seconds(20))
            try await eventually(within: .seconds(10), "it is recorded") {
                try await world.published("payment.created.v1") == 1
            }
            let id = PaymentID(unchecked: try await world.texts("SELECT id FROM payments")[0])
            await other.decide(try await world.payment(id))
            let answered: Reply<PaymentResource> = try await reply
            #expect(
                answered.status == 201 && ContinuousClock.now - began < .seconds(10), "it did not wait its time out")
            #expect(try parseJSON(answered.body)["status"]?.stringValue == "succeeded")
            #expect(world.provider.charges == 0 && other.provider.charges == 1)
            let again: Reply<PaymentResource> = try await world.create(customer, key: "once", wait: .seconds(20))
            #expect(again.isReplay && again.body == answered.body)
        }
    }

    @Test("a caller who waits for a payment that is cancelled meanwhile is answered with it") func canceled()
        async throws
    {
        try await withPayments { world in
            let customer: CustomerID = try await world.payer()
            async let reply = world.create(customer, key: "once", wait: .seconds(20))
            try await eventually(within: .seconds(10), "it is recorded") {
                try await world.published("payment.created.v1") == 1
            }
            let began: ContinuousClock.Instant = .now
            _ = try await world.cancel(PaymentID(unchecked: try await world.texts("SELECT id FROM payments")[0]))
            let answered: Reply<PaymentResource> = try await reply
            #expect(try parseJSON(answered.body)["status"]?.stringValue == "canceled")
            #expect(ContinuousClock.now - began < .seconds(10), "it did not wait its time out")
            #expect(try await world.create(customer, key: "once", wait: .seconds(20)).body == answered.body)
        }
    }

    @Test("a caller who waits while the daemon stops gets 202 with how the payment stands, and a repeat the same")
    func stopping() async throws {
        try await withPayments { world in
            let customer: CustomerID = try await world.payer()
            let began: ContinuousClock.Instant = .now
            async let reply = world.create(customer, key: "once", wait: .seconds(60))
            try await eventually(within: .seconds(10), "the caller waits") { world.work.waiters.waiting == 1 }
            world.work.waiters.stop()
            let answered: Reply<PaymentResource> = try await reply
            #expect(answered.status == 202)
            #expect(try parseJSON(answered.body)["status"]?.stringValue == "created")
            #expect(try await world.create(customer, key: "next", wait: .seconds(60)).status == 202)
            #expect(ContinuousClock.now - began < .seconds(30), "nobody waits their time out")
            #expect(try await world.create(customer, key: "once", wait: .seconds(60)).body == answered.body)
        }
    }

    @Test("who has no use for a late answer gets 202 before then, however long they would wait, and a repeat the same")
    func lateAnswer() async throws {
        try await withPayments { world in
            let customer: CustomerID = try await world.payer()
            let body = #"{"amount":1299,"currency":"USD","customer_id":"\#(customer)"}"#
            let input: CreatePaymentInput = try world.read(body)
            func send(within patience: Duration) async throws -> Reply<PaymentResource> {
                let call = Call(
                    post: "/v1/payments", body: Array(body.utf8), key: IdempotencyKey("once"),
                    preferWait: .seconds(20), deadline: .now + patience, now: PaymentWorld.start,
                    receivedAt: PaymentWorld.start)
                return try await world.work.create(call, input)
            }
            let began: ContinuousClock.Instant = .now
            let reply: Reply<PaymentResource> = try await send(within: .seconds(3))
            #expect(reply.status == 202)
            let again: Reply<PaymentResource> = try await send(within: .seconds(3))
            #expect(again.isReplay && again.body == reply.body)
            #expect(ContinuousClock.now - began < .seconds(15), "nobody waits their time out")
        }
    }

    @Test("a caller who does not wait gets 202 at once, however short the wait", .timeLimit(.minutes(1)))
    func doesNotWait() async throws {
        try await withPayments { world in
            let customer: CustomerID = try await world.payer()
            for microseconds in [0, 0, 0, 1, 1, 10, 100] {
                let reply: Reply<PaymentResource> = try await world.create(customer, wait: .microseconds(microseconds))
                #expect(reply.status == 202)
            }
        }
    }

    @Test("a wait that ends while it begins is not slept through", .timeLimit(.minutes(1))) func shortWaits() async {
        let waiters = PaymentWaiters()
        await withTaskGroup(of: Void.self) { group in
            for number in 0..<2_000 {
                group.addTask {
                    let id = PaymentID.new(at: PaymentWorld.start)
                    _ = waiters.expect(id, claim: nil)
                    #expect(await waiters.wait(id, atMost: .microseconds(number % 50)) == nil)
                    waiters.forget(id)
                }
            }
        }
    }

    @Test("one key, many callers at once: one payment, and each is answered or told of its twin") func twins()
        async throws
    {
        try await withPayments(connections: 8) { world in
            let customer: CustomerID = try await world.payer()
            let ids: [PaymentID] = await withTaskGroup(of: PaymentID?.self) { group in
                for _ in 0..<40 {
                    group.addTask {
                        do { return try world.id(try await world.create(customer, key: "same")) } catch let problem
                            as Problem
                        {
                            #expect(problem.status == 409)
                            return nil
                        } catch {
                            Issue.record(error)
                            return nil
                        }
                    }
                }
                return await group.reduce(into: []) { if let id = $1 { $0.append(id) } }
            }
            #expect(Set(ids).count == 1)
            #expect(try await world.number("SELECT count(*) FROM payments") == 1)
            #expect(try await world.published("payment.created.v1") == 1)
        }
    }

    @Test("in a batch of many each order has its own end: good ones, unknown customers, twins and mismatches")
    func mixedBatch() async throws {
        try await withPayments(connections: 8) { world in
            let customer: CustomerID = try await world.payer()
            _ = try await world.create(customer, amount: 7, key: "taken")
            let stranger = CustomerID.new(at: PaymentWorld.start)
            let cardless: CustomerID = await world.customer()
            let statuses: [Int] = await withTaskGroup(of: Int.self) { group in
                for number in 0..<60 {
                    group.addTask {
                        do {
                            switch number % 5 {
                            case 0: return try await world.create(stranger, key: "s\(number)").status
                            case 1: return try await world.create(cardless, key: "c\(number)").status
                            case 2: return try await world.create(customer, amount: 8, key: "taken").status
                            default: return try await world.create(customer, key: "good\(number)").status
                            }
                        } catch { return ((error as? Problem)?.status ?? 500) }
                    }
                }
                return await group.reduce(into: []) { $0.append($1) }
            }
            #expect(statuses.filter { $0 == 202 }.count == 24)
            #expect(statuses.filter { $0 == 422 }.count == 36)
            #expect(try await world.number("SELECT count(*) FROM payments") == 25)
            #expect(try await world.number("SELECT count(*) FROM idempotency_keys") == 25)
        }
    }

    @Test("a repeat gets its answer though the method has been taken away since, and a new request does not")
    func repeatedWithoutMethod() async throws {
        try await withPayments { world in
            let customer: CustomerID = try await world.payer()
            let paid: Reply<PaymentResource> = try await world.create(customer, key: "once")
            await world.decide(try await world.payment(try world.id(paid)))
            _ = try await world.settled(try world.id(paid))
            _ = try await world.database.transaction { db in
                let method: PaymentMethodID? = try PaymentMethodStore.list(
                    customer: customer, after: nil, limit: 1, in: db
                )
                .first?.id
                try PaymentMethodStore.detach(try #require(method), at: PaymentWorld.start, in: db)
            }
            let again: Reply<PaymentResource> = try await world.create(customer, key: "once")
            #expect(try world.id(again) == world.id(paid))
            for _ in 0..<2 {
                await #expect(throws: Problem.self) { try await world.create(customer, key: "other") }
            }
            #expect(try await world.number("SELECT count(*) FROM idempotency_keys") == 1, "the refused key is free")
        }
    }

    @Test("an order of a customer whose news is still under way is held for a moment") func news() async throws {
        try await withPayments { world in
            let customer = CustomerID.new(at: PaymentWorld.start)
            async let attaching = world.attach("4242424242424242", to: customer)
            await world.deliver([
                CustomerCreatedV1(customerID: customer, email: "e", name: "n", country: "GB", timeZone: "UTC")
            ])
            let attached: JSONValue = try await attaching
            #expect(attached["is_default"]?.boolValue == true)
            #expect(try await world.create(customer).status == 202)
        }
    }

    @Test("a repeat gets its answer though the card has expired since, and a new request does not")
    func repeatedAfterExpiry() async throws {
        try await withPayments { world in
            let customer: CustomerID = await world.customer()
            let body =
                #"{"customer_id":"\#(customer)","type":"card","card":{"number":"4242424242424242","exp_month":1,"#
                + #""exp_year":2027,"cvc":"123"}}"#
            func attach(_ key: String, after wait: Duration) async throws -> Reply<PaymentMethodResource> {
                let call = Call(
                    post: "/v1/payment_methods", body: Array(body.utf8), key: IdempotencyKey(key),
                    now: PaymentWorld.start.adding(wait), receivedAt: PaymentWorld.start)
                return try await world.work.attach(call, world.read(body))
            }
            let first: Reply<PaymentMethodResource> = try await attach("once", after: .zero)
            let again: Reply<PaymentMethodResource> = try await attach("once", after: .seconds(31 * 86_400))
            #expect(again.isReplay && again.body == first.body && again.status == 201)
            let late: String = await world.refusal { try await attach("other", after: .seconds(31 * 86_400)) }
            #expect(late == "invalid_request")
            #expect(try await world.number("SELECT count(*) FROM payment_methods") == 1)
            #expect(try await world.number("SELECT count(*) FROM idempotency_keys") == 1, "the refused key is free")
        }
    }

    @Test("of a card only what may be shown is stored, and a new default takes the place of the old") func cards()
        async throws
    {
        try await withPayments { world in
            let customer: CustomerID = await world.customer()
            let first: JSONValue = try await world.attach("4242 4242 4242 4242", to: customer)
            let second: JSONValue = try await world.attach("4242424242424242", to: customer)
            #expect(first["card"]?["fingerprint"] == second["card"]?["fingerprint"])
            #expect(try await world.number("SELECT count(*) FROM payment_methods WHERE is_default") == 1)
            await withTaskGroup(of: Void.self) { group in
                for _ in 0..<6 { group.addTask { _ = try? await world.attach("5555555555554444", to: customer) } }
            }
            #expect(try await world.number("SELECT count(*) FROM payment_methods") == 8)
            #expect(try await world.number("SELECT count(*) FROM payment_methods WHERE is_default") == 1)
            let stored: [String] = try await world.texts(
                "SELECT m::text FROM payment_methods m UNION ALL SELECT o::text FROM outbox o UNION ALL SELECT k::text FROM idempotency_keys k"
            )
            #expect(stored.allSatisfy { !$0.contains("424242424242") && !$0.contains("555555555555") })
        }
    }
}
