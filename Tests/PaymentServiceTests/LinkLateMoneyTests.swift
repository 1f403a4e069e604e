import BillingCore
import HTTPKit
import JSON
import PaymentContract
import PaymentDomain
import PaymentLinks
import PaymentRecords
import PaymentService
import Postgres
import TestKit
import Testing

/// A charge that goes on at the provider though its payment has failed.
struct UnheardCharge: Sendable {
    let request: ChargeRequest
    let attempt: ApprovedAttempt
}

extension PaymentWorld {
    /// Has a payment fail by the provider's first word, while the charge goes on there.
    func failUnheard(_ id: PaymentID) async throws -> UnheardCharge {
        let payment: PaymentRecord = try await payment(id)
        provider.turn(.away)
        let before: Int = provider.readInVain
        await decide(payment)
        try await eventually(within: .seconds(10), "it is asked for in vain") { provider.readInVain == before + 1 }
        let request = ChargeRequest(
            idempotencyKey: payment.attemptID, paymentID: id,
            source: .stored(token: "tok_sandbox_success", providerCustomer: nil), amount: payment.amount,
            capture: true, authenticated: false)
        let attempt = ApprovedAttempt(paymentID: id, provider: "sandbox", request: request)
        try await work.outcomes(Outcome(attempt: attempt, answer: .declined(ProviderDecline(code: "generic_decline"))))
        provider.turn(.well)
        #expect(try await self.payment(id).status == .failed)
        return UnheardCharge(request: request, attempt: attempt)
    }

    /// Has the provider take the money of such a payment after all.
    func takeLate(_ charge: UnheardCharge) async throws {
        let answer: ChargeAnswer = try await provider.charge(charge.request)
        try await work.outcomes(Outcome(attempt: charge.attempt, answer: answer))
        #expect(try await payment(charge.request.paymentID).status == .succeeded)
    }
}

@Suite("Links whose money comes late, or goes back") struct LinkLateMoneyTests {
    /// Begins a payment on a link's page.
    private func begun(_ world: PaymentWorld, _ visit: Visit) async throws -> PaymentID {
        let seen: JSONValue = try await world.pay(visit, try await world.card(visit))
        return PaymentID(unchecked: seen["payment"]?["id"]?.stringValue ?? "")
    }

    @Test("late money that is given back leaves the link to be paid, once, by anybody", arguments: [false, true])
    func late(byAnother: Bool) async throws {
        try await withPayments { world in
            let visit = Visit(world.code(try await world.link(await world.customer())))
            let first: PaymentID = try await begun(world, visit)
            let charge: UnheardCharge = try await world.failUnheard(first)
            try await world.takeLate(charge)
            #expect(try await world.status(visit.code) == .completed, "the money is not back yet")
            try await world.work.sweep.pass()
            #expect(try await world.payment(first).amountRefunded == 4_900)
            #expect(try await world.status(visit.code) == .active)
            #expect(try await world.look(visit)["payment"] == .null, "nothing was paid here")
            let paid: PaymentRecord = try await world.payNow(byAnother ? Visit(visit.code) : visit)
            #expect(paid.status == .succeeded && paid.id != first)
            #expect(try await world.status(visit.code) == .completed)
            #expect(await world.refusal { try await world.card(Visit(visit.code)) } == "payment_link_state")
            #expect(try await world.violations() == [])
        }
    }

    @Test("late money beside a payment that went through is given back, and the books agree") func beside() async throws
    {
        try await withPayments { world in
            let visit = Visit(world.code(try await world.link(await world.customer())))
            let first: PaymentID = try await begun(world, visit)
            let charge: UnheardCharge = try await world.failUnheard(first)
            try await world.execute("UPDATE payments SET status = 'canceled' WHERE id = \(first)")
            let paid: PaymentRecord = try await world.payNow(visit)
            #expect(paid.status == .succeeded && paid.id != first)
            try await world.takeLate(charge)
            #expect(try await world.violations() == [])
            #expect(try await world.look(visit)["payment"]?["id"]?.stringValue == paid.id.rawValue)
            try await world.work.sweep.pass()
            #expect(try await world.violations() == [])
        }
    }

    @Test(
        "late money whose refund the provider refuses is the customer's payment of the link, until it goes back after all"
    )
    func kept() async throws {
        try await withPayments { world in
            let visit = Visit(world.code(try await world.link(await world.customer())))
            let first: PaymentID = try await begun(world, visit)
            let charge: UnheardCharge = try await world.failUnheard(first)
            try await world.takeLate(charge)
            #expect(await world.refusal { try await world.card(Visit(visit.code)) } == "payment_link_state")
            // The sandbox's books know of a refund made behind our back, and refuse ours.
            try await world.execute(
                """
                INSERT INTO sandbox_refunds (idempotency_key, reference, charge_key, amount)
                VALUES ('elsewhere', 're_elsewhere', \(charge.request.idempotencyKey.rawValue), 4900)
                """)
            try await world.work.sweep.pass()
            #expect(try await world.texts("SELECT status FROM refunds") == ["failed"])
            #expect(try await world.status(visit.code) == .completed)
            #expect(try await world.look(visit)["payment"]?["status"]?.stringValue == "succeeded")
            #expect(await world.refusal { try await world.card(Visit(visit.code)) } == "payment_link_state")
            #expect(try await world.number("SELECT count(*) FROM payments") == 1)
            try await world.execute("DELETE FROM sandbox_refunds WHERE idempotency_key = 'elsewhere'")
            try await world.execute("UPDATE refunds_to_repeat SET next_at = now()")
            for _ in 0..<2 { try await world.work.sweep.pass() }
            #expect(try await world.texts("SELECT status FROM refunds ORDER BY id") == ["failed", "succeeded"])
            #expect(try await world.status(visit.code) == .active)
            #expect(try await world.violations() == [])
        }
    }

    @Test("what the merchant refunds was paid: the link stays used", arguments: [nil, OwnRefund.ofOverpaidPlan])
    func refunded(rest: String?) async throws {
        try await withPayments { world in
            let visit = Visit(world.code(try await world.link(await world.customer())))
            let paid: PaymentRecord = try await world.payNow(visit)
            _ = try await world.refund(paid.id, rest == nil ? nil : 2_000)
            if let rest {
                try await world.database.transaction { db in
                    let payment: PaymentRecord? = try PaymentStore.lock(paid.id, in: db)
                    _ = try RefundStore.reserveRest(
                        of: try #require(payment), reason: rest, at: PaymentWorld.start, in: db)
                }
                try await world.work.sweep.pass()
            }
            #expect(try await world.payment(paid.id).amountRefunded == 4_900)
            #expect(try await world.status(visit.code) == .completed)
            #expect(try await world.look(visit)["payment"]?["status"]?.stringValue == "succeeded")
            #expect(await world.refusal { try await world.card(Visit(visit.code)) } == "payment_link_state")
        }
    }
}
