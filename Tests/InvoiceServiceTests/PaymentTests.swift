import BillingCore
import BillingEvents
import InvoiceService
import JSON
import Messaging
import Postgres
import TestKit
import Testing

extension InvoiceWorld {
    /// Issues invoices and returns their ids.
    func issue(_ count: Int = 1) async throws -> [InvoiceID] {
        try await bill((0..<count).map { _ in Sample.billed() })
        return try await published(InvoiceFinalizedV1.self).map(\.invoiceID).suffix(count)
    }
}

@Suite("Paying invoices") struct PayingTests {
    @Test("a payment of the total settles the invoice") func paid() async throws {
        try await withInvoices { world in
            let id = try #require(try await world.issue().first)
            let payment = Sample.succeeded(id)
            try await world.receive(payment)
            let invoice = try await world.invoice()
            #expect(invoice["status"]?.stringValue == "paid")
            #expect(invoice["payment_id"]?.stringValue == payment.paymentID.rawValue)
            #expect(invoice["paid_at"]?.stringValue == payment.succeededAt.rfc3339)
            #expect(invoice["amount_paid"]?.intValue == 1_299)
            let event = try #require(try await world.published(InvoicePaidV1.self).first)
            #expect(event.paymentID == payment.paymentID)
            #expect(event.amount == Sample.price)
            #expect(try await world.violations().isEmpty)
        }
    }

    @Test("a batch settles each of its invoices once, also when a payment is told twice") func batch() async throws {
        try await withInvoices { world in
            let ids = try await world.issue(3)
            let payments = ids.map { Sample.succeeded($0) }
            try await world.receive(payments[0], payments[1], payments[0], payments[2])
            try await world.receive(payments[1])
            #expect(try await world.published(InvoicePaidV1.self).map(\.invoiceID) == ids)
            #expect(try await world.violations().isEmpty)
        }
    }

    @Test("payments that are not for an invoice are ignored, for an unknown one parked") func foreign() async throws {
        try await withInvoices { world in
            try await world.receive(Sample.succeeded(nil))
            try await world.receive(Sample.failed(nil))
            try await world.receive(Sample.refunded(nil, 1, of: .new(at: Sample.start)))
            #expect(try await world.publishedTypes().isEmpty)
            let unknown = InvoiceID.new(at: Sample.start)
            await #expect(throws: Refusal.self) { try await world.receive(Sample.succeeded(unknown)) }
            await #expect(throws: Refusal.self) { try await world.receive(Sample.failed(unknown)) }
            await #expect(throws: Refusal.self) {
                try await world.receive(Sample.refunded(unknown, 1, of: .new(at: Sample.start)))
            }
        }
    }

    @Test("money an invoice cannot accept is set aside and shown until it has gone back") func setAside() async throws {
        try await withInvoices { world in
            let ids = try await world.issue(3)
            let less = Sample.succeeded(ids[0], Money(minor: 1_000, currency: .usd))
            let euros = Sample.succeeded(ids[1], Money(minor: 1_299, currency: .eur))
            let (first, second) = (Sample.succeeded(ids[2]), Sample.succeeded(ids[2]))
            try await world.receive(less, euros, first, second)
            #expect(try await world.published(InvoicePaidV1.self).map(\.invoiceID) == [ids[2]])
            let shown = try await world.violations()
            #expect(shown.count == 1)
            for payment in [less, euros, second] { #expect(shown.first?.contains(payment.paymentID.rawValue) == true) }
            #expect(shown.first?.contains(first.paymentID.rawValue) == false)
            try await world.receive(Sample.refunded(ids[2], 1_299, of: second.paymentID))
            try await world.receive(Sample.refunded(ids[0], 400, of: less.paymentID))
            try await world.receive(Sample.refunded(ids[0], 600, of: less.paymentID))
            #expect(try await world.published(InvoiceRefundedV1.self).isEmpty)
            #expect(try await world.violations().first?.contains(less.paymentID.rawValue) == false)
            await #expect(throws: Refusal.self) {
                try await world.receive(Sample.refunded(ids[0], 1, of: less.paymentID))
            }
        }
    }

    @Test("a failed attempt is passed on while the invoice is due, and only then") func failed() async throws {
        try await withInvoices { world in
            let ids = try await world.issue(2)
            let method = PaymentMethodID.new(at: Sample.start)
            let failure = Sample.failed(
                ids[0], attempt: 2, with: method, retryAt: world.now.adding(.seconds(172_800)))
            try await world.receive(failure)
            let event = try #require(try await world.published(InvoicePaymentFailedV1.self).first)
            #expect(event.invoiceID == ids[0])
            #expect(event.paymentID == failure.paymentID)
            #expect(event.attempt == 2)
            #expect(event.declineCode == "insufficient_funds")
            #expect(event.declineClass == "soft")
            #expect(event.failedAt == failure.failedAt)
            #expect(event.paymentMethodID == method)
            #expect(event.retryAt == world.now.adding(.seconds(172_800)))
            try await world.receive(Sample.succeeded(ids[1]))
            try await world.receive(Sample.failed(ids[1]))
            #expect(try await world.published(InvoicePaymentFailedV1.self).count == 1)
        }
    }
}

@Suite("Refunding and voiding invoices") struct RefundingTests {
    @Test("refunds add up, each counts once, and never more goes back than came in") func refunds() async throws {
        try await withInvoices { world in
            let id = try #require(try await world.issue().first)
            let payment = Sample.succeeded(id)
            try await world.receive(payment)
            let first = Sample.refunded(id, 300, of: payment.paymentID)
            try await world.receive(first, first, Sample.refunded(id, 200, of: payment.paymentID))
            try await world.receive(first)
            #expect(try await world.published(InvoiceRefundedV1.self).map(\.refundedTotal) == [300, 500])
            await #expect(throws: Refusal.self) {
                try await world.receive(
                    Sample.refunded(id, 700, of: payment.paymentID), Sample.refunded(id, 100, of: payment.paymentID))
            }
            let invoice = try await world.invoice()
            #expect(invoice["amount_refunded"]?.intValue == 500)
            #expect(invoice["status"]?.stringValue == "paid")
            #expect(try await world.facts()["refunded_amount"]?["USD"]?.intValue == 500)
            #expect(try await world.violations().isEmpty)
        }
    }

    @Test("a refund that failed counts no more, however often and in whatever order that is heard") func failedRefund()
        async throws
    {
        try await withInvoices { world in
            let ids = try await world.issue(2)
            let payment = Sample.succeeded(ids[0])
            try await world.receive(payment)
            let counts = Sample.refunded(ids[0], 300, of: payment.paymentID)
            let fails = Sample.refunded(ids[0], 200, of: payment.paymentID)
            let unheard = Sample.refunded(ids[0], 100, of: payment.paymentID)
            try await world.receive(world.failure(of: unheard))
            try await world.receive(counts, fails, unheard)
            try await world.receive(world.failure(of: fails))
            try await world.receive(world.failure(of: fails))
            try await world.receive(fails, unheard)
            #expect(try await world.published(InvoiceRefundedV1.self).map(\.refundedTotal) == [300, 500])
            #expect(try await world.published(InvoiceRefundFailedV1.self).map(\.refundedTotal) == [300])
            #expect(try await world.facts()["refunded_amount"]?["USD"]?.intValue == 300)
            #expect(try await world.violations().isEmpty)
            // What is left of the payment can go back again.
            try await world.receive(Sample.refunded(ids[0], 999, of: payment.paymentID))
            #expect(try await world.violations().isEmpty)
        }
    }

    @Test("money that was set aside and came back is to be given back again") func failedSetAside() async throws {
        try await withInvoices { world in
            let id = try #require(try await world.issue().first)
            let less = Sample.succeeded(id, Money(minor: 1_000, currency: .usd))
            try await world.receive(less)
            let refund = Sample.refunded(id, 1_000, of: less.paymentID)
            try await world.receive(refund)
            #expect(try await world.violations().isEmpty)
            try await world.receive(world.failure(of: refund))
            try await world.receive(world.failure(of: refund))
            #expect(try await world.violations().first?.contains(less.paymentID.rawValue) == true)
            try await world.receive(Sample.refunded(id, 1_000, of: less.paymentID))
            #expect(try await world.violations().isEmpty)
            #expect(try await world.published(InvoiceRefundFailedV1.self).isEmpty)
        }
    }

    @Test("a withdrawn billing's invoice is void, keeps its number, and takes no payment any more")
    func withdrawn() async throws {
        try await withInvoices { world in
            let billed = Sample.billed()
            try await world.receive(billed)
            try await world.receive(Sample.withdrawn(billed.billingID), Sample.withdrawn(billed.billingID))
            let event = try await world.published(InvoiceVoidedV1.self)
            #expect(event.map(\.billingID) == [billed.billingID])
            #expect(event.first?.reason == "upgrade_failed")
            let late = Sample.succeeded(event.first?.invoiceID)
            try await world.receive(late)
            let invoice = try await world.invoice()
            #expect(invoice["status"]?.stringValue == "void")
            #expect(invoice["number"]?.stringValue == "INV-000001")
            #expect(try await world.published(InvoicePaidV1.self).isEmpty)
            #expect(try await world.violations().first?.contains(late.paymentID.rawValue) == true)
        }
    }

    @Test("an invoice that was paid in the meantime stays paid") func paidFirst() async throws {
        try await withInvoices { world in
            let billed = Sample.billed()
            try await world.receive(billed)
            let id = try await world.published(InvoiceFinalizedV1.self).first?.invoiceID
            try await world.receive(Sample.succeeded(id))
            try await world.receive(Sample.withdrawn(billed.billingID))
            #expect(try await world.invoice()["status"]?.stringValue == "paid")
            #expect(try await world.published(InvoiceVoidedV1.self).isEmpty)
        }
    }

    @Test("a billing nobody knows is parked") func unknown() async throws {
        try await withInvoices { world in
            await #expect(throws: Refusal.self) { try await world.receive(Sample.withdrawn(.new(at: Sample.start))) }
        }
    }

    @Test("payments and withdrawals of the same invoices, in opposite order and at once, never deadlock")
    func locks() async throws {
        try await withInvoices(connections: 8) { world in
            let bills = (0..<40).map { _ in Sample.billed() }
            try await world.bill(bills)
            let ids = try await world.published(InvoiceFinalizedV1.self).map(\.invoiceID)
            let pay = PaymentSucceededConsumer(logger: world.logger)
            let withdraw = BillingWithdrawnConsumer(logger: world.logger)
            let payments = world.envelopes(ids.map { Sample.succeeded($0) })
            let reversed = world.envelopes(bills.reversed().map { Sample.withdrawn($0.billingID) })
            try await withThrowingTaskGroup(of: Void.self) { group in
                for _ in 0..<10 {
                    group.addTask {
                        try await world.database.transaction { db in try pay.handle(payments, in: db, at: world.now) }
                    }
                    group.addTask {
                        try await world.database.transaction { db in
                            try withdraw.handle(reversed, in: db, at: world.now)
                        }
                    }
                }
                try await group.waitForAll()
            }
            let paid = try await world.published(InvoicePaidV1.self).count
            let voided = try await world.published(InvoiceVoidedV1.self).count
            #expect(paid + voided == 40)
        }
    }
}
