import BillingCore
import HTTPKit
import PaymentContract
import PaymentDomain
import PaymentRecords
import PaymentService
import Postgres
import TestKit
import Testing

@Suite("Another card that comes while an invoice's attempt is under way") struct NewCardTests {
    private func decline(_ world: PaymentWorld, _ id: PaymentID) async throws {
        #expect([200, 202].contains(try await world.review(id, "decline")))
    }

    @Test("it is charged once the review of what is held is declined, or the hold lapses; nobody hears of a failure")
    func whileHeld() async throws {
        for isDeclined: Bool in [true, false] {
            try await withPayments { world in
                let customer: CustomerID = try await world.payer()
                let invoice = InvoiceID.new(at: PaymentWorld.start)
                let payment: PaymentRecord = try await world.heldForReview(invoice, customer)
                try await world.attach("5555555555554444", to: customer)
                await world.deliver([world.due(invoice, customer, reason: "new_payment_method")])
                #expect(try await world.payment(payment.id).status == .authorized, "the hold may still be captured")
                if isDeclined {
                    try await decline(world, payment.id)
                } else {
                    world.clock.set(Instant(seconds: PaymentWorld.start.seconds + 7 * 86_400))
                    try await world.work.sweep.pass()
                }
                let next: PaymentRecord = try await world.payment(payment.id)
                #expect(next.status == .created && next.attempts == 2)
                #expect(next.paymentMethodID != payment.paymentMethodID)
                #expect(try await world.published("payment.failed.v1") == 0)
                await world.decide(next)
                #expect(try await world.settled(payment.id).status == .succeeded)
                let holds: [String] = try await world.texts(
                    "SELECT 'held' FROM sandbox_charges WHERE held_until IS NOT NULL")
                #expect(holds.isEmpty)
                #expect(try await world.violations() == [])
            }
        }
    }

    @Test("the card that a review has declined is not tried again") func sameCard() async throws {
        try await withPayments { world in
            let customer: CustomerID = try await world.payer()
            let invoice = InvoiceID.new(at: PaymentWorld.start)
            let payment: PaymentRecord = try await world.heldForReview(invoice, customer)
            await world.deliver([world.due(invoice, customer, reason: "new_payment_method")])
            try await decline(world, payment.id)
            let failed: PaymentRecord = try await world.payment(payment.id)
            #expect(failed.status == .failed && failed.decline == .reviewDeclined && failed.attempts == 1)
            #expect(try await world.published("payment.failed.v1") == 1)
        }
    }

    @Test(
        "it is charged once the provider has declined the attempt; a planned retry that comes meanwhile begins nothing")
    func whileProcessing() async throws {
        for isNew: Bool in [true, false] {
            try await withPayments { world in
                let customer: CustomerID = try await world.payer("4000000000009995")
                let invoice = InvoiceID.new(at: PaymentWorld.start)
                await world.deliver([world.finalized(invoice, customer)])
                let payment: PaymentRecord = try await world.payment(of: invoice)
                world.provider.turn(.away)
                await world.decide(payment)
                try await eventually(within: .seconds(10), "it is asked in vain") { world.provider.readInVain == 1 }
                try await world.attach("4242424242424242", to: customer)
                let reason: String = isNew ? "new_payment_method" : "retry"
                await world.deliver([world.due(invoice, customer, reason: reason)])
                #expect(try await world.payment(payment.id).status == .processing)
                world.provider.turn(.well)
                try await world.work.sweep.pass()
                try await eventually(within: .seconds(10), "its outcome is booked") {
                    try await world.payment(payment.id).status != .processing
                }
                let next: PaymentRecord = try await world.payment(payment.id)
                #expect(next.attempts == (isNew ? 2 : 1))
                #expect(try await world.published("payment.failed.v1") == (isNew ? 0 : 1))
                guard isNew else { return }
                await world.decide(next)
                #expect(try await world.settled(payment.id).status == .succeeded)
                #expect(try await world.violations() == [])
            }
        }
    }
}
