import BillingCore
import HTTPKit
import Logging
import PaymentContract
import PaymentDomain
import PaymentInbound
import PaymentReconciliation
import PaymentRecords
import PaymentSandbox
import PaymentService
import Postgres
import TestKit
import Testing

@Suite("News of charges whose payments have ended") struct LateNewsTests {
    @Test(
        "money that came is booked, told and given back once, however often and in whatever order it is told of",
        arguments: [PaymentStatus.failed, .canceled])
    func captured(status: PaymentStatus) async throws {
        try await withWebhooks { hooks, world in
            let payment: PaymentRecord = try await world.created(world.payer())
            try await world.ended(payment, as: status)
            let first: [UInt8] = hooks.charge(payment)
            try await hooks.deliver(first)
            // The charge goes through only now.
            _ = try await world.provider.sandbox.charge(world.asked(payment))
            let asked: Int = world.provider.asked.count
            for body in [hooks.charge(payment), first, hooks.charge(payment)] { try await hooks.deliver(body) }
            async let one: Int = hooks.process.pass()
            async let other: Int = hooks.process.pass()
            _ = try await (one, other)
            try await hooks.work()
            // A process that died after the record was made, before the webhook was settled.
            try await world.execute(
                "UPDATE inbound_webhooks SET state = 'waiting', attempts = 1, next_attempt_at = now()")
            try await hooks.work()
            #expect(world.provider.asked.count == asked, "a charge is never asked for by news")
            let done: PaymentRecord = try await world.payment(payment.id)
            #expect(done.status == .succeeded && done.amountCaptured == payment.amount.minor)
            #expect(try await world.published("payment.succeeded.v1") == 1)
            for _ in 0..<2 { try await world.work.sweep.pass() }
            try await hooks.deliver(hooks.charge(payment))
            try await hooks.work()
            #expect(
                try await world.texts("SELECT concat_ws(' ', reason, status, amount) FROM refunds")
                    == ["paid_after_it_had_ended succeeded 1299"])
            #expect(try await world.booked(payment.id) == ["payment", "refund"])
            #expect(try await hooks.stored().allSatisfy { $0 == "done" })
            #expect(try await world.violations() == [])
        }
    }

    @Test("a process that dies before it has recorded what it read leaves it to the next") func crash() async throws {
        try await withWebhooks { hooks, world in
            let payment: PaymentRecord = try await world.created(world.payer())
            try await world.ended(payment)
            _ = try await world.provider.sandbox.charge(world.asked(payment))
            try await hooks.deliver(hooks.charge(payment))
            // Taken, and never settled.
            try await world.execute("UPDATE inbound_webhooks SET attempts = 1, next_attempt_at = now()")
            try await hooks.work()
            #expect(try await world.booked(payment.id) == ["payment"])
            #expect(try await hooks.stored() == ["done"])
        }
    }

    @Test("waits while the provider is away") func away() async throws {
        try await withWebhooks { hooks, world in
            let payment: PaymentRecord = try await world.created(world.payer())
            try await world.ended(payment)
            _ = try await world.provider.sandbox.charge(world.asked(payment))
            try await hooks.deliver(hooks.charge(payment))
            world.provider.turn(.away)
            _ = try await hooks.process.pass()
            #expect(try await hooks.stored() == ["waiting timedOut"])
            #expect(try await world.payment(payment.id).status == .failed)
            world.provider.turn(.well)
            try await hooks.work()
            #expect(try await world.booked(payment.id) == ["payment"])
        }
    }

    @Test("a charge that the provider does not have is not made by the news of it") func nothing() async throws {
        try await withWebhooks { hooks, world in
            let payment: PaymentRecord = try await world.created(world.payer())
            try await world.ended(payment)
            try await hooks.deliver(hooks.charge(payment))
            try await hooks.work()
            #expect(try await world.number("SELECT count(*) FROM sandbox_charges") == 0)
            #expect(try await world.payment(payment.id).status == .failed)
            #expect(try await hooks.stored() == ["done"])
        }
    }

    @Test("at a provider that can only be asked for the charge, nothing is done") func cannotBeRead() async throws {
        let pages = PagesProvider()
        try await withPayments(beside: [pages]) { world in
            let customer: CustomerID = await world.customer()
            pages.begin(with: .declined(ProviderDecline(code: "generic_decline", reference: "pg_1")))
            let body =
                #"{"amount":1299,"currency":"EUR","customer_id":"\#(customer)","payment_method_type":"klarna","#
                + #""return_url":"https://shop.example/","payer":{"name":"Ada","country":"DE"}}"#
            let reply: Reply<PaymentResource> = try await world.work.create(
                world.call("/v1/payments", body: body), world.read(body))
            let payment: PaymentRecord = try await world.payment(world.id(reply))
            await world.decide(payment)
            #expect(try await world.settled(payment.id).status == .failed)
            let asked: Int = pages.asked
            pages.settle(payment.attemptID, .captured(ProviderCharge(reference: "pg_1")))
            try await world.work.news.charge(payment.attemptID, known: "pg_1", at: "pages")
            #expect(pages.asked == asked)
            #expect(try await world.payment(payment.id).status == .failed)
        }
    }

    @Test("held money is released once, and stays released") func held() async throws {
        try await withWebhooks { hooks, world in
            let customer: CustomerID = try await world.payer()
            let body = #"{"amount":1299,"currency":"USD","customer_id":"\#(customer)","capture_method":"manual"}"#
            let reply: Reply<PaymentResource> = try await world.work.create(
                world.call("/v1/payments", body: body), world.read(body))
            let payment: PaymentRecord = try await world.payment(world.id(reply))
            try await world.ended(payment, capture: false)
            _ = try await world.provider.sandbox.charge(world.asked(payment, capture: false))
            for _ in 0..<2 { try await hooks.deliver(hooks.charge(payment)) }
            try await hooks.work()
            try await world.work.sweep.pass()
            #expect(try await world.texts("SELECT 'held' FROM sandbox_charges WHERE held_until IS NOT NULL").isEmpty)
            try await hooks.deliver(hooks.charge(payment))
            try await hooks.work()
            #expect(try await world.payment(payment.id).status == .failed)
            #expect(try await world.violations() == [])
        }
    }

    @Test("money of an attempt that another one has followed becomes a payment of its own, and is given back")
    func followed() async throws {
        try await withWebhooks { hooks, world in
            let customer: CustomerID = try await world.payer()
            let invoice = InvoiceID.new(at: PaymentWorld.start)
            await world.deliver([world.finalized(invoice, customer)])
            let payment: PaymentRecord = try await world.payment(of: invoice)
            try await world.ended(payment)
            await world.deliver([world.due(invoice, customer)])
            #expect(try await world.payment(payment.id).attemptID != payment.attemptID)
            try await hooks.deliver(hooks.charge(payment))
            try await hooks.work()
            #expect(try await hooks.stored() == ["done"], "nothing has come of it")
            _ = try await world.provider.sandbox.charge(world.asked(payment))
            for _ in 0..<2 {
                try await hooks.deliver(hooks.charge(payment))
                try await hooks.work()
            }
            #expect(try await hooks.stored() == ["done", "done", "done"])
            for _ in 0..<2 { try await world.work.sweep.pass() }
            #expect(
                try await world.texts("SELECT concat_ws('|', amount, status, reason) FROM refunds")
                    == ["1299|succeeded|paid_after_it_had_ended"])
            #expect(try await world.violations() == [])
        }
    }

    @Test("a settlement line is news: the charge that it names is booked, whether its payment waits or has ended")
    func lines() async throws {
        for isOver in [true, false] {
            try await withWebhooks { hooks, world in
                // Reports are read from the first booking on.
                _ = try await world.paid(world.payer(), amount: 500)
                let payment: PaymentRecord = try await world.created(world.payer())
                if isOver {
                    try await world.ended(payment)
                    _ = try await world.provider.sandbox.charge(world.asked(payment))
                } else {
                    world.provider.turn(.booksAndVanishes)
                    await world.decide(payment)
                    try await eventually(within: .seconds(20), "the answer is lost") { world.provider.readInVain == 1 }
                }
                let provider = ScriptedSettlements()
                provider.report([
                    try world.line(
                        "txn_1", .charge, 1_299, own: payment.attemptID.rawValue, source: "ch_\(payment.attemptID)")
                ])
                let reconciliation: ReconcileProviders = world.reconciliation([provider])
                world.advance(days: 2)
                try await reconciliation.pass()
                let lines = FollowLines(
                    providers: [provider], news: world.work.news, pool: world.database,
                    logger: Logger(label: "test.lines") { _ in SwiftLogNoOpLogHandler() })
                world.provider.turn(.away)
                try await lines.pass()
                #expect(try await world.booked(payment.id) == [], "nothing is believed that is not read")
                world.provider.turn(.well)
                for _ in 0..<2 { try await lines.pass() }
                try await reconciliation.pass()
                #expect(try await world.booked(payment.id).first == "payment")
                #expect(try await world.published("payment.succeeded.v1") == 2)
                #expect(try await world.lines() == ["txn_1 matched own_reference"])
                #expect(try await world.number("SELECT count(*) FROM refunds") == (isOver ? 1 : 0))
            }
        }
    }

    @Test("of lines that nothing comes of, none holds up another, however many there are") func turns() async throws {
        try await withWebhooks { _, world in
            // Reports are read from the first booking on.
            _ = try await world.paid(world.payer(), amount: 500)
            let provider = ScriptedSettlements()
            var payments: [PaymentRecord] = []
            for number: Int64 in 0..<3 {
                let payment: PaymentRecord = try await world.created(world.payer())
                try await world.ended(payment)
                payments.append(payment)
                provider.report([
                    try world.line(
                        "txn_\(number)", .charge, 1_299, own: payment.attemptID.rawValue,
                        source: "ch_\(payment.attemptID)", after: 60 + number)
                ])
            }
            let taken: PaymentRecord = payments[1]
            _ = try await world.provider.sandbox.charge(world.asked(taken))
            world.advance(days: 2)
            try await world.reconciliation([provider]).pass()
            let lines = FollowLines(
                providers: [provider], news: world.work.news, pool: world.database,
                logger: Logger(label: "test.lines") { _ in SwiftLogNoOpLogHandler() }, limit: 1)
            for _ in payments { try await lines.pass() }
            #expect(try await world.booked(taken.id).first == "payment")
        }
    }
}
