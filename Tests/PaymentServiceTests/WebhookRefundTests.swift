import BillingCore
import HTTPKit
import JSON
import PaymentContract
import PaymentDomain
import PaymentInbound
import PaymentLedger
import PaymentRecords
import PaymentService
import Postgres
import TestKit
import Testing

@Suite("Refunds in the news") struct WebhookRefundTests {
    @Test("a refund made at the provider is read back and booked, whatever the webhook says of it")
    func adopted() async throws {
        try await withWebhooks { hooks, world in
            let payment: PaymentRecord = try await world.paid(world.payer())
            let taken: String = try await hooks.refundAtProvider("re_page", of: payment, 300)
            // The body lies about the amount and the charge.
            try await hooks.deliver(hooks.refund("re_page", of: "ch_other", 999))
            try await hooks.deliver(hooks.refund("re_page", of: taken, 300))
            try await hooks.work()
            #expect(try await hooks.stored() == ["done", "done"])
            #expect(try await world.payment(payment.id).amountRefunded == 300)
            #expect(try await world.booked(payment.id) == ["payment", "refund"])
            #expect(
                try await world.balances() == [
                    "assets:provider:sandbox 999", "contra_income:customer_refunds 300",
                    "income:customer_payments -1299",
                ])
            #expect(try await world.published("payment.refunded.v1") == 1)
            #expect(
                try await world.texts("SELECT reason || ' ' || status || ' ' || provider_reference FROM refunds")
                    == ["made at the provider succeeded re_page"])
            // What is left can be given back here, and no more than that.
            await #expect(throws: RefundPayment.Failure.tooMuch(left: 999)) {
                try await world.refund(payment.id, 1_000)
            }
            #expect(try await world.refund(payment.id, nil).status == 201)
            #expect(try await world.violations().isEmpty)
        }
    }

    @Test("news that says only that something was given back has all refunds of the charge read") func unnamed()
        async throws
    {
        try await withWebhooks { hooks, world in
            let payment: PaymentRecord = try await world.paid(world.payer())
            let names: [String] = ["re_1", "re_2", "re_3"]
            for name in names { _ = try await hooks.refundAtProvider(name, of: payment, 100) }
            try await world.execute(
                """
                UPDATE sandbox_refunds SET failure_code = 'account_closed', failed_at = \(PaymentWorld.start)
                WHERE reference = 're_2'
                """)
            world.provider.refundedElsewhere(names)
            let charge = "ch_\(payment.attemptID)"
            for attempt in [payment.attemptID, nil] {
                try await world.work.news.refunded(charge, of: attempt, at: "sandbox")
            }
            // Nothing is asked about charges that are not ours.
            world.provider.turn(.away)
            try await world.work.news.refunded("ch_other", of: nil, at: "sandbox")
            await #expect(throws: ProviderFault.self) {
                try await world.work.news.refunded(charge, of: nil, at: "sandbox")
            }
            #expect(
                try await world.texts("SELECT provider_reference FROM refunds ORDER BY 1") == ["re_1", "re_3"])
            #expect(try await world.booked(payment.id) == ["payment", "refund", "refund"])
            #expect(try await world.published("payment.refunded.v1") == 2)
            #expect(try await world.violations().isEmpty)
        }
    }

    @Test("of several refunds one that has to wait holds up no other") func oneWaits() async throws {
        try await withWebhooks { hooks, world in
            let payment: PaymentRecord = try await world.paid(world.payer(), amount: 1_000)
            // Ours holds the amount, and the provider has not heard of it.
            world.provider.turn(.away)
            #expect(try await world.refund(payment.id, 800).status == 202)
            world.provider.turn(.well)
            for (name, amount) in [("re_large", 500), ("re_small", 150)] as [(String, Int64)] {
                _ = try await hooks.refundAtProvider(name, of: payment, amount)
            }
            world.provider.refundedElsewhere(["re_large", "re_small"])
            let charge = "ch_\(payment.attemptID)"
            await #expect(throws: (any Error).self) {
                try await world.work.news.refunded(charge, of: payment.attemptID, at: "sandbox")
            }
            #expect(
                try await world.texts("SELECT provider_reference FROM refunds WHERE status = 'succeeded'")
                    == ["re_small"])
            // The sweeper finds that ours is refused: what it held is free.
            try await world.work.sweep.pass()
            try await world.work.news.refunded(charge, of: payment.attemptID, at: "sandbox")
            #expect(try await world.payment(payment.id).amountRefunded == 650)
            #expect(try await world.violations().isEmpty)
        }
    }

    @Test("a refund of a capture counts against that capture") func ofCapture() async throws {
        try await withWebhooks { hooks, world in
            let payment: PaymentRecord = try await world.authorized(world.payer(), amount: 1_000)
            try await world.capture(payment.id, 400, final: false)
            try await world.capture(payment.id, 600)
            let captures: [String] = try await world.texts("SELECT provider_reference FROM captures ORDER BY amount")
            try await world.execute(
                """
                INSERT INTO sandbox_refunds (idempotency_key, reference, charge_key, refunded_reference, amount)
                VALUES ('page', 're_page', \(payment.attemptID), \(captures[1]), 350)
                """)
            try await hooks.deliver(hooks.refund("re_page", of: captures[1], 350))
            try await hooks.work()
            #expect(try await hooks.stored() == ["done"])
            #expect(
                try await world.texts("SELECT amount || ' ' || amount_refunded FROM captures ORDER BY amount")
                    == ["400 0", "600 350"])
            #expect(try await world.violations().isEmpty)
        }
    }

    @Test("a refund of ours whose answer was lost is finished by the news of it") func ours() async throws {
        try await withWebhooks { hooks, world in
            let payment: PaymentRecord = try await world.paid(world.payer())
            world.provider.turn(.booksAndVanishes)
            #expect(try await world.refund(payment.id, 300).status == 202)
            world.provider.turn(.well)
            let ids: [String] = try await world.texts("SELECT id FROM refunds")
            let id = RefundID(unchecked: ids[0])
            try await hooks.deliver(hooks.refund("re_\(id)", of: "ch_\(payment.attemptID)", 300, ours: id))
            try await hooks.deliver(hooks.refund("re_\(id)", of: "ch_\(payment.attemptID)", 300))
            try await hooks.work()
            try await hooks.work()
            #expect(try await hooks.stored() == ["done", "done"])
            #expect(try await world.texts("SELECT status FROM refunds") == ["succeeded"])
            #expect(try await world.booked(payment.id) == ["payment", "refund"])
            #expect(try await world.violations().isEmpty)
        }
    }

    @Test("a refund that the provider does not know, or of a charge that is not known here, is parked")
    func unknown() async throws {
        try await withWebhooks { hooks, world in
            let payment: PaymentRecord = try await world.paid(world.payer())
            try await hooks.deliver(hooks.refund("re_forged", of: "ch_\(payment.attemptID)", 300))
            try await world.execute(
                """
                INSERT INTO sandbox_charges (provider, idempotency_key, reference, amount, currency, outcome, captured)
                VALUES ('sandbox', 'other', 'ch_other', 500, 'USD', 'succeeded', 500)
                """)
            try await world.execute(
                """
                INSERT INTO sandbox_refunds (idempotency_key, reference, charge_key, amount)
                VALUES ('page', 're_other', 'other', 500)
                """)
            try await hooks.deliver(hooks.refund("re_other", of: "ch_other", 500))
            try await hooks.work()
            #expect(
                try await hooks.stored() == [
                    "parked the provider knows no refund re_forged", #"parked chargeUnknown("ch_other")"#,
                ])
            #expect(try await world.number("SELECT count(*) FROM refunds") == 0)
        }
    }

    @Test("a refund under way at the provider is not booked; one over more than is left waits") func notYet()
        async throws
    {
        try await withWebhooks { hooks, world in
            let payment: PaymentRecord = try await world.paid(world.payer(), amount: 1_000)
            // Ours holds the amount, and the provider has not heard of it.
            world.provider.turn(.away)
            #expect(try await world.refund(payment.id, 800).status == 202)
            world.provider.turn(.well)
            let taken: String = try await hooks.refundAtProvider("re_page", of: payment, 500)
            try await hooks.deliver(hooks.refund("re_page", of: taken, 500))
            _ = try await hooks.process.pass()
            #expect(try await hooks.stored() == ["waiting tooMuch(left: 200)"])
            // The sweeper finds that ours is refused: what it held is free.
            try await world.work.sweep.pass()
            try await hooks.work()
            #expect(try await hooks.stored() == ["done"])
            #expect(
                try await world.texts("SELECT status || ' ' || amount FROM refunds ORDER BY amount")
                    == ["succeeded 500", "failed 800"])
            #expect(try await world.payment(payment.id).amountRefunded == 500)
            #expect(try await world.violations().isEmpty)
        }
    }

    @Test("a refund that failed after it was booked is undone once, in whatever order and however often it is told")
    func bounced() async throws {
        try await withWebhooks { hooks, world in
            let payment: PaymentRecord = try await world.paid(world.payer())
            let page: String = try await hooks.refundAtProvider("re_page", of: payment, 200)
            try await hooks.deliver(hooks.refund("re_page", of: page, 200))
            try await hooks.work()
            _ = try await world.refund(payment.id, 300)
            let ours: [String] = try await world.texts(
                "SELECT provider_reference FROM refunds WHERE provider_reference <> 're_page'")
            try await world.execute(
                "UPDATE sandbox_refunds SET failure_code = 'account_closed', failed_at = \(PaymentWorld.start)")
            for reference in [ours[0], "re_page"] {
                let amount: Int64 = reference == "re_page" ? 200 : 300
                for state in ["failed", "succeeded", "failed"] {
                    try await hooks.deliver(hooks.refund(reference, of: page, amount, state: state))
                }
            }
            try await hooks.work()
            #expect(try await hooks.stored() == Array(repeating: "done", count: 7))
            #expect(
                try await world.texts("SELECT status || ' ' || failure_code FROM refunds")
                    == ["failed account_closed", "failed account_closed"])
            #expect(try await world.payment(payment.id).amountRefunded == 0)
            #expect(
                try await world.booked(payment.id)
                    == ["payment", "refund", "refund", "refund_failure", "refund_failure"])
            #expect(
                try await world.number(
                    "SELECT coalesce(sum(amount), 0)::bigint FROM journal_lines WHERE account = 'contra_income:customer_refunds'"
                ) == 0)
            #expect(try await world.published("payment.refunded.v1") == 2)
            // Either may be undone first.
            let left: [String] = try await world.texts(
                "SELECT body::jsonb->>'refunded_total' FROM outbox WHERE type = 'payment.refund_failed.v1' ORDER BY seq"
            )
            #expect(left == ["200", "0"] || left == ["300", "0"])
            #expect(try await world.violations().isEmpty)
            // All of it can be given back again.
            #expect(try await world.refund(payment.id, nil).status == 201)
            #expect(try await world.violations().isEmpty)
        }
    }

    @Test("a failed refund of a capture is free in that capture; one reversed by hand is for a person")
    func bouncedOfCapture() async throws {
        try await withWebhooks { hooks, world in
            let payment: PaymentRecord = try await world.authorized(world.payer(), amount: 1_000)
            try await world.capture(payment.id, 600)
            _ = try await world.refund(payment.id, 350)
            _ = try await world.refund(payment.id, 100)
            let refunds: [String] = try await world.texts("SELECT provider_reference FROM refunds ORDER BY amount")
            try await world.execute(
                "UPDATE sandbox_refunds SET failure_code = 'expired_card', failed_at = \(PaymentWorld.start)")
            try await world.database.transaction { db in
                let id: JournalEntryID? = try db.first(
                    "SELECT e.id FROM journal_entries e JOIN refunds r ON r.id = e.reference WHERE r.amount = 100"
                ) { row in try row.next() }
                guard let id else { throw PaymentWorld.Absent() }
                _ = try BookByHand.reverse(id, reason: "bounced", actor: "ada", at: PaymentWorld.start, in: db)
            }
            try await hooks.deliver(hooks.refund(refunds[1], of: "ch_x", 350, state: "failed"))
            try await hooks.deliver(hooks.refund(refunds[0], of: "ch_x", 100, state: "failed"))
            try await hooks.work()
            let stored: [String] = try await hooks.stored()
            #expect(stored[0] == "done")
            #expect(stored[1].hasPrefix("parked") && stored[1].contains("reversed by hand"), "\(stored)")
            #expect(try await world.texts("SELECT amount_refunded::text FROM captures") == ["100"])
            #expect(
                try await world.texts("SELECT status || ' ' || amount FROM refunds ORDER BY amount")
                    == ["succeeded 100", "failed 350"])
        }
    }

    @Test("news that a booked refund failed is believed only when the provider confirms it") func failed() async throws
    {
        try await withWebhooks { hooks, world in
            let payment: PaymentRecord = try await world.paid(world.payer())
            _ = try await world.refund(payment.id, 300)
            let ids: [String] = try await world.texts("SELECT provider_reference FROM refunds")
            try await hooks.deliver(hooks.refund(ids[0], of: "ch_\(payment.attemptID)", 300, state: "failed"))
            try await hooks.work()
            #expect(try await hooks.stored() == ["done"])
            #expect(try await world.texts("SELECT status FROM refunds") == ["succeeded"])
        }
    }
}
