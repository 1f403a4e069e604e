import BillingCore
import HTTPKit
import Messaging
import PaymentContract
import PaymentDomain
import PaymentRecords
import PaymentService
import Postgres
import TestKit
import Testing

@Suite("Money that the provider takes back itself") struct ReversalTests {
    /// News of a reversal at the provider, told at a time; by the name of a refund, or of the charge itself.
    private static func reversal(
        _ hooks: WebhookWorld, of payment: PaymentRecord, _ amount: Int64, at: Instant = PaymentWorld.start,
        byCharge: Bool = false
    ) async throws -> ProviderRefund {
        let taken: String = try await hooks.refundAtProvider("re_back", of: payment, amount)
        return ProviderRefund(
            reference: byCharge ? taken : "re_back", taken: taken, refundID: nil,
            amount: Money(minor: amount, currency: .usd), state: .succeeded, reversedAt: at)
    }

    /// What comes of news: `done`, or why not.
    private static func hear(_ told: ProviderRefund, in world: PaymentWorld) async -> String {
        do {
            try await world.work.news.refund(told, at: "sandbox")
            return "done"
        } catch Refusal.park(let reason) {
            return "parked " + reason
        } catch {
            return "\(error)"
        }
    }

    @Test("for a dispute that is open or lost is not booked a second time", arguments: [false, true])
    func disputed(byCharge: Bool) async throws {
        for stage in [DisputeStatus.needsResponse, .underReview, .lost] {
            try await withWebhooks { hooks, world in
                let payment: PaymentRecord = try await world.paid(world.payer(), amount: 1_000)
                try await world.hear(world.told(payment, stage))
                let told = try await Self.reversal(hooks, of: payment, 1_000, byCharge: byCharge)
                #expect(await Self.hear(told, in: world) == "done")
                world.clock.advance(by: .seconds(86_400))
                #expect(await Self.hear(told, in: world) == "done")
                #expect(try await world.number("SELECT count(*) FROM refunds") == 0)
                #expect(try await world.booked(payment.id) == ["payment", "dispute"])
                let after: PaymentRecord = try await world.payment(payment.id)
                #expect(after.amountRefunded == 0 && after.amountRefundable == 0)
            }
        }
    }

    @Test("of a part, for a dispute over that part, leaves the rest to be given back") func part() async throws {
        try await withWebhooks { hooks, world in
            let payment: PaymentRecord = try await world.paid(world.payer(), amount: 1_000)
            try await world.hear(world.told(payment, .lost, amount: 400))
            let told = try await Self.reversal(hooks, of: payment, 400)
            #expect(await Self.hear(told, in: world) == "done")
            #expect(try await world.number("SELECT count(*) FROM refunds") == 0)
            #expect(try await world.payment(payment.id).amountRefundable == 600)
        }
    }

    @Test("waits while a dispute may still explain it, and is booked when none has in an hour") func waits()
        async throws
    {
        try await withWebhooks { hooks, world in
            let payment: PaymentRecord = try await world.paid(world.payer(), amount: 1_000)
            let told = try await Self.reversal(hooks, of: payment, 1_000)
            #expect(await Self.hear(told, in: world) == "perhapsDisputed")
            world.clock.advance(by: .seconds(3_599))
            #expect(await Self.hear(told, in: world) == "perhapsDisputed")
            #expect(try await world.number("SELECT count(*) FROM refunds") == 0)
            world.clock.advance(by: .seconds(1))
            #expect(await Self.hear(told, in: world) == "done")
            #expect(await Self.hear(told, in: world) == "done")
            #expect(try await world.payment(payment.id).amountRefunded == 1_000)
            #expect(try await world.booked(payment.id) == ["payment", "refund"])
            #expect(try await world.violations().isEmpty)
        }
    }

    @Test("by the charge's name is over what no refund has given back, once none is under way") func rest() async throws
    {
        try await withWebhooks { hooks, world in
            let payment: PaymentRecord = try await world.paid(world.payer(), amount: 1_000)
            world.provider.turn(.booksAndVanishes)
            #expect(try await world.refund(payment.id, 300).status == 202)
            world.provider.turn(.well)
            let told = try await Self.reversal(hooks, of: payment, 1_000, byCharge: true)
            try await world.execute("UPDATE sandbox_refunds SET reference = \(told.taken) WHERE reference = 're_back'")
            world.clock.advance(by: .seconds(3_600))
            #expect(await Self.hear(told, in: world) == "tooMuch(left: 700)")
            try await world.work.sweep.pass()
            for _ in 0..<2 { #expect(await Self.hear(told, in: world) == "done") }
            #expect(try await world.texts("SELECT amount::text FROM refunds ORDER BY amount") == ["300", "700"])
            #expect(try await world.texts("SELECT amount::text FROM reversals") == ["700"])
            #expect(try await world.payment(payment.id).amountRefunded == 1_000)
            #expect(try await world.booked(payment.id) == ["payment", "refund", "refund"])
        }
    }

    @Test("by a capture's name is that capture's, and over what no refund has given back of it") func ofCapture()
        async throws
    {
        try await withPayments { world in
            let payment: PaymentRecord = try await world.authorized(world.payer())
            try await world.capture(payment.id, 400, final: false)
            try await world.capture(payment.id, 600)
            #expect(try await world.refund(payment.id, 100).status == 201)
            let name: String = try await world.texts("SELECT provider_reference FROM captures WHERE amount = 400")[0]
            try await world.execute(
                """
                INSERT INTO sandbox_refunds (idempotency_key, reference, charge_key, refunded_reference, amount)
                VALUES ('page_back', \(name), \(payment.attemptID), \(name), 400)
                """)
            let told = ProviderRefund(
                reference: name, taken: name, refundID: nil, amount: Money(minor: 400, currency: .usd),
                state: .succeeded, reversedAt: PaymentWorld.start)
            world.clock.advance(by: .seconds(3_600))
            #expect(await Self.hear(told, in: world) == "done")
            #expect(
                try await world.texts("SELECT concat_ws(' ', amount, amount_refunded) FROM captures ORDER BY amount")
                    == ["400 400", "600 0"])
            #expect(try await world.payment(payment.id).amountRefundable == 600)
        }
    }

    @Test("waits for an inquiry to become a dispute or to end, and is a person's after a dispute that was won")
    func unclear() async throws {
        try await withWebhooks { hooks, world in
            let payment: PaymentRecord = try await world.paid(world.payer(), amount: 1_000)
            let told = try await Self.reversal(hooks, of: payment, 1_000)
            world.clock.advance(by: .seconds(86_400))
            try await world.hear(world.told(payment, .inquiry))
            #expect(await Self.hear(told, in: world) == "perhapsDisputed")
            try await world.hear(world.told(payment, .won))
            #expect(await Self.hear(told, in: world).hasPrefix("parked re_back was taken back"))
            try await world.hear(world.told(payment, .lost, reference: "dp_2"))
            #expect(await Self.hear(told, in: world) == "done")
            #expect(try await world.number("SELECT count(*) FROM refunds") == 0)
        }
    }

    @Test("a refund that somebody made is booked beside a dispute, whatever that has taken: the money has gone")
    func refunded() async throws {
        try await withWebhooks { hooks, world in
            let payment: PaymentRecord = try await world.paid(world.payer(), amount: 1_000)
            try await world.hear(world.told(payment, .needsResponse, amount: 700))
            let taken: String = try await hooks.refundAtProvider("re_page", of: payment, 500)
            func made(_ reference: String, _ amount: Int64) -> ProviderRefund {
                ProviderRefund(
                    reference: reference, taken: taken, refundID: nil, amount: Money(minor: amount, currency: .usd),
                    state: .succeeded)
            }
            #expect(await Self.hear(made("re_page", 500), in: world) == "done")
            _ = try await hooks.refundAtProvider("re_small", of: payment, 300)
            #expect(await Self.hear(made("re_small", 300), in: world) == "done")
            try await world.hear(world.told(payment, .won, amount: 700))
            #expect(try await world.payment(payment.id).amountRefunded == 800)
        }
    }
}
