import BillingCore
import HTTPKit
import PaymentContract
import PaymentDisputes
import PaymentDomain
import PaymentRecords
import PaymentService
import Postgres
import TestKit
import Testing

@Suite("Payments of which one capture is disputed") struct DisputedCaptureTests {
    /// A payment of two captures, and what the provider calls the smaller one.
    private func captured(_ world: PaymentWorld) async throws -> (payment: PaymentRecord, name: String) {
        let payment: PaymentRecord = try await world.authorized(world.payer())
        try await world.capture(payment.id, 400, final: false)
        try await world.capture(payment.id, 600)
        let names: [String] = try await world.texts("SELECT provider_reference FROM captures WHERE amount = 400")
        return (try await world.payment(payment.id), try #require(names.first))
    }

    /// The provider's word on a dispute over all of a capture.
    private func told(_ payment: PaymentRecord, over name: String, _ stage: DisputeStatus) -> ProviderDispute {
        ProviderDispute(
            reference: "dp_1", taken: name, paymentID: payment.id, amount: Money(minor: 400, currency: .usd), fee: nil,
            reason: "fraudulent", stage: stage, openedAt: PaymentWorld.start,
            evidenceDueBy: stage.takesEvidence ? PaymentWorld.start + .seconds(86_400) : nil)
    }

    /// How much of which capture is given back.
    private func refunds(_ world: PaymentWorld) async throws -> [String] {
        try await world.texts(
            """
            SELECT concat_ws(' of ', r.amount, c.amount) FROM refunds r JOIN captures c ON c.id = r.capture_id
            ORDER BY r.amount
            """)
    }

    @Test("a refund is taken from the other one", arguments: [DisputeStatus.needsResponse, .underReview, .lost])
    func other(stage: DisputeStatus) async throws {
        try await withPayments { world in
            let (payment, name) = try await captured(world)
            try await world.hear(told(payment, over: name, stage))
            #expect(try await world.refund(payment.id, 250).status == 201)
            #expect(try await world.refund(payment.id, nil).status == 201)
            #expect(try await refunds(world) == ["250 of 600", "350 of 600"])
            await #expect(throws: RefundPayment.Failure.tooMuch(left: 0)) { try await world.refund(payment.id, 1) }
        }
    }

    @Test("all that the service gives back by itself is the other one") func rest() async throws {
        try await withPayments { world in
            let (payment, name) = try await captured(world)
            try await world.hear(told(payment, over: name, .needsResponse))
            let stored: [RefundID] = try await world.database.transaction { db in
                let locked: PaymentRecord? = try PaymentStore.lock(payment.id, in: db)
                return try RefundStore.reserveRest(
                    of: try #require(locked), reason: OwnRefund.ofWithdrawnInvoice, at: PaymentWorld.start, in: db)
            }
            #expect(stored.count == 1)
            #expect(try await refunds(world) == ["600 of 600"])
        }
    }

    @Test("it can be given back, too, once the dispute is won") func won() async throws {
        try await withPayments { world in
            let (payment, name) = try await captured(world)
            try await world.hear(told(payment, over: name, .needsResponse))
            await #expect(throws: RefundPayment.Failure.tooMuch(left: 600)) {
                try await world.refund(payment.id, 700)
            }
            try await world.hear(told(payment, over: name, .won))
            await #expect(throws: RefundPayment.Failure.spansCaptures(most: 600)) {
                try await world.refund(payment.id, 700)
            }
            #expect(try await world.refund(payment.id, 400).status == 201)
            #expect(try await refunds(world) == ["400 of 400"])
        }
    }
}
