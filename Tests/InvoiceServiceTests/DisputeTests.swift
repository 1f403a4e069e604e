import BillingCore
import BillingEvents
import InvoiceService
import JSON
import Messaging
import TestKit
import Testing

@Suite("Disputes of invoices' payments") struct DisputeTests {
    private let later: Instant = Sample.end.adding(.seconds(86_400))

    @Test("what is lost shows on the invoice, which stays paid; the last word counts") func shown() async throws {
        try await withInvoices { world in
            let id = try #require(try await world.issue().first)
            let payment = Sample.succeeded(id)
            try await world.receive(payment)
            func disputed() async throws -> Int64? { try await world.invoice()["amount_disputed"]?.intValue }
            #expect(try await disputed() == 0)
            let (first, second) = (DisputeID.new(at: Sample.start), DisputeID.new(at: Sample.start))
            let part = Money(minor: 300, currency: .usd)
            try await world.receive(Sample.dispute("lost", of: payment.paymentID, id, part, id: first))
            try await world.receive(
                Sample.dispute("lost", of: payment.paymentID, id, Money(minor: 200, currency: .usd), id: second))
            try await world.receive(Sample.dispute("closed", of: payment.paymentID, id, part))
            #expect(try await disputed() == 500)
            try await world.receive(Sample.dispute("won", of: payment.paymentID, id, part, id: first, at: later))
            try await world.receive(Sample.dispute("lost", of: payment.paymentID, id, part, id: first))
            #expect(try await disputed() == 200, "an older word that is told again changes nothing")
            let invoice = try await world.invoice()
            #expect(invoice["status"]?.stringValue == "paid" && invoice["amount_refunded"]?.intValue == 0)
            #expect(try await world.violations().isEmpty)
        }
    }

    @Test("money set aside that a dispute took is not to be given back any more, until an appeal turns it")
    func setAside() async throws {
        try await withInvoices { world in
            let billed = Sample.billed()
            try await world.receive(billed)
            try await world.receive(Sample.withdrawn(billed.billingID))
            let id = try #require(try await world.published(InvoiceVoidedV1.self).first?.invoiceID)
            let late = Sample.succeeded(id)
            try await world.receive(late)
            let refund = Sample.refunded(id, 1_299, of: late.paymentID)
            try await world.receive(refund)
            try await world.receive(world.failure(of: refund))
            #expect(try await world.violations().count == 1)
            try await world.receive(Sample.refunded(id, 299, of: late.paymentID))
            let dispute = DisputeID.new(at: Sample.start)
            let rest = Money(minor: 1_000, currency: .usd)
            try await world.receive(Sample.dispute("lost", of: late.paymentID, id, rest, id: dispute))
            #expect(try await world.violations().isEmpty)
            #expect(try await world.invoice()["amount_disputed"]?.intValue == 0, "the invoice never had it")
            try await world.receive(Sample.dispute("won", of: late.paymentID, id, rest, id: dispute, at: later))
            #expect(try await world.violations().first?.contains(late.paymentID.rawValue) == true)
        }
    }

    @Test("those of other payments are ignored, an unknown outcome is parked") func foreign() async throws {
        try await withInvoices { world in
            let payment = PaymentID.new(at: Sample.start)
            try await world.receive(Sample.dispute("lost", of: payment, nil))
            let id = try #require(try await world.issue().first)
            try await world.receive(Sample.succeeded(id))
            #expect(try await world.invoice()["amount_disputed"]?.intValue == 0)
            await #expect(throws: Refusal.self) { try await world.receive(Sample.dispute("drawn", of: payment, id)) }
        }
    }
}
