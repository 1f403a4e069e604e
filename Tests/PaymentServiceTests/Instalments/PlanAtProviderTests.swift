import BillingCore
import PaymentContract
import PaymentDomain
import PaymentInstalments
import PaymentRecords
import PaymentService
import Postgres
import TestKit
import Testing

@Suite("Plans whose customer is on a provider's page") struct PlanAtProviderTests {
    /// A plan whose payment waits on a page of the provider's.
    private func onPage(_ world: InstalmentWorld) async throws -> (plan: InstalmentPlanID, payment: PaymentRecord) {
        let customer: CustomerID = try await world.payments.payer(InstalmentWorld.challenges)
        let plan: InstalmentPlanID = try await world.running(customer, "pay_in_3", 10_000)
        try await move(world)
        let id = PaymentID(unchecked: try await world.payments.texts("SELECT id FROM payments")[0])
        return (plan, try await world.payments.payment(id))
    }

    private func move(_ world: InstalmentWorld) async throws {
        try await world.payments.execute(
            """
            UPDATE payment_attempts a SET provider = 'pages', provider_reference = 'pg_1' FROM payments p
            WHERE p.attempt_id = a.id AND p.status = 'requires_action'
            """)
        try await world.payments.execute(
            """
            UPDATE payments SET provider = 'pages', provider_reference = 'pg_1', look_at = now() + interval '1 hour',
                next_action = \(NextAction.redirect(url: "https://pages.example/1").stored)::jsonb
            WHERE status = 'requires_action'
            """)
    }

    @Test("a plan cannot be canceled while its customer may still pay") func canceled() async throws {
        try await withPayments(beside: [PagesProvider()]) { payments in
            let world = try InstalmentWorld(payments)
            let (plan, payment) = try await onPage(world)
            await #expect(throws: ChangePlan.Failure.underWay(.pending)) { try await world.cancel(plan) }
            #expect(try await payments.payment(payment.id).status == .requiresAction)
            #expect(try await payments.cancel(payment.id).status == .canceled, "the payment can: it is released first")
            try await world.rest()
            #expect(try await world.status(plan) == "failed")
            #expect(try await world.violations().isEmpty)
        }
    }

    @Test("one that is not finished in time is released first; who has paid has the plan", arguments: [false, true])
    func late(isPaid: Bool) async throws {
        let pages = PagesProvider()
        try await withPayments(beside: [pages]) { payments in
            let world = try InstalmentWorld(payments)
            let (plan, payment) = try await onPage(world)
            if isPaid {
                pages.settle(payment.attemptID, .captured(ProviderCharge(reference: "pg_1")))
                pages.refuseReleases()
            }
            payments.clock.advance(by: .seconds(24 * 3_600))
            #expect(try await world.runDue() == 1)
            #expect(try await payments.payment(payment.id).status == .canceling)
            #expect(try await world.status(plan) == "pending", "its outcome is to come")
            try await world.rest()
            #expect(try await payments.payment(payment.id).status == (isPaid ? .succeeded : .canceled))
            #expect(try await world.status(plan) == (isPaid ? "active" : "failed"))
            #expect(try await world.violations().isEmpty)
        }
    }

    @Test("money for a settlement that was given up goes back, and the schedule goes on") func lateSettlement()
        async throws
    {
        try await withInstalments { world in
            let customer: CustomerID = try await world.payments.payer()
            let plan: InstalmentPlanID = try await world.running(customer, "pay_in_3", 10_000)
            try await world.payments.attach(InstalmentWorld.poor, to: customer)
            _ = try await world.settle(plan)
            try await world.rest()
            #expect(try await world.payments.texts("SELECT status FROM instalment_settlements") == ["failed"])
            let id: String = try await world.payments.texts("SELECT id FROM payments ORDER BY id DESC LIMIT 1")[0]
            let payment: PaymentRecord = try await world.payments.payment(PaymentID(unchecked: id))
            #expect(payment.status == .canceled)
            // The provider's books say otherwise.
            try await world.payments.execute(
                """
                UPDATE sandbox_charges SET outcome = 'succeeded', decline_code = NULL, captured = amount
                WHERE idempotency_key = \(payment.attemptID)
                """)
            let attempt = ApprovedAttempt(
                paymentID: payment.id, provider: "sandbox",
                request: ChargeRequest(
                    idempotencyKey: payment.attemptID, paymentID: payment.id,
                    source: .stored(token: "tok_sandbox_success", providerCustomer: nil), amount: payment.amount))
            try await world.payments.work.outcomes(
                Outcome(
                    attempt: attempt,
                    answer: .captured(ProviderCharge(reference: "ch_\(payment.attemptID)"))))
            try await world.rest()
            #expect(
                try await world.payments.texts("SELECT concat_ws(' ', reason, status) FROM refunds")
                    == ["paid_beyond_what_was_owed succeeded"])
            #expect(try await world.status(plan) == "active")
            #expect(try await world.violations().isEmpty)
        }
    }
}
