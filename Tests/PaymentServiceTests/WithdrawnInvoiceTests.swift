import BillingCore
import BillingEvents
import HTTPKit
import JSON
import PaymentContract
import PaymentDisputes
import PaymentDomain
import PaymentRecords
import PaymentService
import Postgres
import ServiceKit
import TestKit
import Testing

@Suite("What was taken for withdrawn invoices") struct WithdrawnInvoiceTests {
    /// The refunds there are, oldest first.
    private func refunds(_ world: PaymentWorld) async throws -> [String] {
        try await world.texts("SELECT concat_ws('|', amount, status, reason) FROM refunds ORDER BY id")
    }

    /// Subscription says that an invoice was paid after the end of what it was for.
    private func refundDue(_ invoice: InvoiceID, _ customer: CustomerID) -> SubscriptionRefundDueV1 {
        SubscriptionRefundDueV1(
            subscriptionID: .new(at: PaymentWorld.start), customerID: customer,
            billingID: .new(at: PaymentWorld.start), invoiceID: invoice)
    }

    private func collected(_ world: PaymentWorld, _ invoice: InvoiceID, _ customer: CustomerID) async throws
        -> PaymentRecord
    {
        await world.deliver([world.finalized(invoice, customer)])
        return try await world.payment(of: invoice)
    }

    @Test("it is given back once, whether the word of the invoice comes before or after the provider's")
    func givenBack() async throws {
        for isTold: Bool in [true, false] {
            try await withPayments { world in
                let customer: CustomerID = try await world.payer()
                let invoice = InvoiceID.new(at: PaymentWorld.start)
                let payment: PaymentRecord = try await collected(world, invoice, customer)
                if isTold {
                    world.provider.turn(.booksAndVanishes)
                    await world.decide(payment)
                    try await eventually(within: .seconds(10), "it is asked in vain") { world.provider.readInVain == 1 }
                    await world.deliver([world.voided(invoice, customer)])
                    #expect(try await world.payment(payment.id).status == .processing)
                    world.provider.turn(.well)
                } else {
                    await world.decide(payment)
                    #expect(try await world.settled(payment.id).status == .succeeded)
                    await world.deliver([world.voided(invoice, customer)])
                }
                for _ in 0..<3 { try await world.work.sweep.pass() }
                #expect(try await world.payment(payment.id).status == .succeeded)
                #expect(try await refunds(world) == ["1299|succeeded|invoice_voided"])
                #expect(try await world.booked(payment.id) == ["payment", "refund"])
                #expect(try await world.published("payment.refunded.v1") == 1)
                #expect(try await world.violations() == [])
                let paid: JSONValue? = try await world.database.transaction { db in
                    try PaymentConsistency.facts(in: db).facts.first { $0.0 == "paid_invoices" }?.1
                }
                #expect(paid?["count"]?.intValue == 0, "the invoice is void, as Invoice has it")
            }
        }
    }

    @Test("what paid an invoice when its subscription had just ended is given back once; the invoice stays paid")
    func endedSubscription() async throws {
        try await withPayments { world in
            let customer: CustomerID = try await world.payer()
            let invoice = InvoiceID.new(at: PaymentWorld.start)
            let payment: PaymentRecord = try await collected(world, invoice, customer)
            await world.decide(payment)
            #expect(try await world.settled(payment.id).status == .succeeded)
            for _ in 0..<2 {
                await world.deliver([refundDue(invoice, customer)])
            }
            for _ in 0..<3 { try await world.work.sweep.pass() }
            #expect(try await refunds(world) == ["1299|succeeded|invoice_voided"])
            #expect(try await world.published("payment.refunded.v1") == 1)
            #expect(try await world.violations() == [])
            let paid: JSONValue? = try await world.database.transaction { db in
                try PaymentConsistency.facts(in: db).facts.first { $0.0 == "paid_invoices" }?.1
            }
            #expect(paid?["count"]?.intValue == 1, "the invoice is paid, as Invoice has it")
        }
    }

    @Test(
        "what a refund by hand held that comes back after the word of the end is given back, however often it is told")
    func returnedByHand() async throws {
        try await withPayments { world in
            // Refunds of this card come back a day later.
            let customer: CustomerID = try await world.payer("4000000000005126")
            let invoice = InvoiceID.new(at: PaymentWorld.start)
            let payment: PaymentRecord = try await collected(world, invoice, customer)
            await world.decide(payment)
            #expect(try await world.settled(payment.id).status == .succeeded)
            #expect(try await world.refund(payment.id, nil).status == 201)
            let told = world.message(refundDue(invoice, customer))
            await world.deliver([told])
            try await world.work.sweep.pass()
            #expect(try await refunds(world) == ["1299|succeeded"], "nothing is left to give back")
            world.clock.advance(by: .seconds(86_400))
            try await world.sandboxWords.pass()
            #expect(try await refunds(world) == ["1299|failed"])
            await world.deliver([told, world.message(refundDue(invoice, customer))])
            for _ in 0..<3 { try await world.work.sweep.pass() }
            #expect(try await refunds(world) == ["1299|failed", "1299|succeeded|invoice_voided"])
            #expect(try await world.booked(payment.id) == ["payment", "refund", "refund_failure", "refund"])
            #expect(try await world.published("payment.refund_failed.v1") == 1)
            #expect(try await world.published("payment.refunded.v1") == 2)
            #expect(try await world.violations() == [])
        }
    }

    @Test(
        "what a refund by hand held that is refused after the word of the end follows the rest, however often it is told"
    )
    func refusedByHand() async throws {
        try await withPayments { world in
            let customer: CustomerID = try await world.payer()
            let invoice = InvoiceID.new(at: PaymentWorld.start)
            let payment: PaymentRecord = try await collected(world, invoice, customer)
            await world.decide(payment)
            #expect(try await world.settled(payment.id).status == .succeeded)
            world.provider.turn(.away)
            #expect(try await world.refund(payment.id, 500).status == 202)
            world.provider.turn(.well)
            // The sandbox's books know of a refund made behind our back, and refuse ours.
            try await world.execute(
                """
                INSERT INTO sandbox_refunds (idempotency_key, reference, charge_key, amount)
                VALUES ('elsewhere', 're_elsewhere', \(payment.attemptID.rawValue), 500)
                """)
            let told = world.message(refundDue(invoice, customer))
            await world.deliver([told])
            try await world.work.sweep.pass()
            #expect(try await refunds(world) == ["500|failed", "799|succeeded|invoice_voided"])
            // That one came back.
            try await world.execute("DELETE FROM sandbox_refunds WHERE idempotency_key = 'elsewhere'")
            await world.deliver([told, world.message(refundDue(invoice, customer))])
            for _ in 0..<3 { try await world.work.sweep.pass() }
            #expect(
                try await refunds(world)
                    == ["500|failed", "799|succeeded|invoice_voided", "500|succeeded|invoice_voided"])
            #expect(try await world.booked(payment.id) == ["payment", "refund", "refund"])
            #expect(try await world.published("payment.refunded.v1") == 2)
            #expect(try await world.violations() == [])
        }
    }

    @Test("what was given back by hand is not given back again; what a review's capture took is refunded from it")
    func whatIsLeft() async throws {
        try await withPayments { world in
            let customer: CustomerID = try await world.payer()
            let invoice = InvoiceID.new(at: PaymentWorld.start)
            let payment: PaymentRecord = try await collected(world, invoice, customer)
            await world.decide(payment, "review")
            #expect(try await world.settled(payment.id).status == .authorized)
            let body = #"{"decision":"approve"}"#
            _ = try await world.work.review(
                world.call("/v1/payments/\(payment.id)/review", body: body), payment.id, world.read(body))
            #expect(try await world.refund(payment.id, 300).status == 201)
            await world.deliver([world.voided(invoice, customer)])
            for _ in 0..<3 { try await world.work.sweep.pass() }
            #expect(try await refunds(world) == ["300|succeeded", "999|succeeded|invoice_voided"])
            #expect(try await world.number("SELECT amount - amount_refunded FROM captures") == 0)
            #expect(try await world.violations() == [])
        }
    }

    @Test(
        "a refund that the provider does not answer is finished later; one that it refuses is not asked for again at once"
    )
    func unanswered() async throws {
        try await withPayments { world in
            let customer: CustomerID = try await world.payer()
            let (slow, refused): (InvoiceID, InvoiceID) = (
                .new(at: PaymentWorld.start), .new(at: PaymentWorld.start)
            )
            for invoice: InvoiceID in [slow, refused] {
                await world.decide(try await collected(world, invoice, customer))
                #expect(try await world.settled(try await world.payment(of: invoice).id).status == .succeeded)
            }
            await world.deliver([world.voided(slow, customer)])
            world.provider.turn(.away)
            try await world.work.sweep.pass()
            #expect(try await refunds(world) == ["1299|processing|invoice_voided"])
            world.provider.turn(.well)
            try await world.work.sweep.pass()
            #expect(try await refunds(world) == ["1299|succeeded|invoice_voided"])
            // The sandbox's books know of a refund made behind our back, and refuse ours.
            let payment: PaymentRecord = try await world.payment(of: refused)
            try await world.execute(
                """
                INSERT INTO sandbox_refunds (idempotency_key, reference, charge_key, amount)
                VALUES ('elsewhere', 're_elsewhere', \(payment.attemptID.rawValue), 1299)
                """)
            await world.deliver([world.voided(refused, customer)])
            for _ in 0..<3 { try await world.work.sweep.pass() }
            #expect(
                try await refunds(world) == ["1299|succeeded|invoice_voided", "1299|failed|invoice_voided"])
            #expect(try await world.payment(payment.id).amountRefunded == 0)
        }
    }

    @Test("what is held is released once the capture that was under way is refused") func refusedCapture() async throws
    {
        let pages = PagesProvider()
        try await withPayments(beside: [pages]) { world in
            let payment: PaymentRecord = try await CaptureReviewTests.reviewed(world, pages)
            let invoice = InvoiceID.new(at: PaymentWorld.start)
            try await world.execute("UPDATE payments SET invoice_id = \(invoice)")
            await world.deliver([world.voided(invoice, payment.customerID)])
            #expect(try await world.payment(payment.id).status == .authorized, "the capture's outcome comes first")
            pages.capture(as: .refused(code: "DECLINED"))
            try await world.execute("UPDATE captures SET look_at = now()")
            for _ in 0..<2 { try await world.work.sweep.pass() }
            #expect(try await world.payment(payment.id).status == .canceled)
            #expect(try await world.published("payment.canceled.v1") == 1)
        }
    }

    @Test(
        "what a dispute holds is given back once it is won, and only then: of withdrawn and of late paid invoices",
        arguments: [true, false])
    func disputed(isVoided: Bool) async throws {
        try await withPayments { world in
            let customer: CustomerID = try await world.payer(Disputing.fraudulent)
            let invoice = InvoiceID.new(at: PaymentWorld.start)
            let payment: PaymentRecord = try await collected(world, invoice, customer)
            await world.decide(payment)
            #expect(try await world.settled(payment.id).status == .succeeded)
            try await world.pass(days: 1)
            let dispute: DisputeRecord = try #require(try await world.disputes(of: payment.id).first)
            if isVoided {
                await world.deliver([world.voided(invoice, customer)])
            } else {
                await world.deliver([refundDue(invoice, customer)])
            }
            for _ in 0..<2 { try await world.work.sweep.pass() }
            #expect(try await refunds(world).isEmpty, "the bank has it")
            try await world.contest(dispute.id)
            try await world.pass()
            try await world.pass(hours: 1)
            #expect(try await world.payment(payment.id).amountDisputed == 0)
            for _ in 0..<2 { try await world.work.sweep.pass() }
            #expect(try await refunds(world) == ["1299|succeeded|invoice_voided"])
            #expect(try await world.violations() == [])
        }
    }
}
