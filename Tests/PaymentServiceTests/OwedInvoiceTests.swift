import BillingCore
import HTTPKit
import JSON
import PaymentContract
import PaymentDomain
import PaymentRecords
import PaymentService
import Postgres
import TestKit
import Testing

@Suite("Payments of invoices that are still due") struct OwedInvoiceTests {
    private func decline(_ world: PaymentWorld, _ id: PaymentID) async throws {
        try await review(world, id, "decline")
    }

    private func review(_ world: PaymentWorld, _ id: PaymentID, _ decision: String) async throws {
        #expect(try await world.review(id, decision) == 200)
    }

    /// A further attempt, asked for and approved.
    private func again(_ world: PaymentWorld, _ invoice: InvoiceID, _ customer: CustomerID) async throws {
        await world.deliver([world.due(invoice, customer)])
        let next: PaymentRecord = try await world.payment(of: invoice)
        #expect(next.status == .created && next.attempts == 2)
        #expect(next.captureMethod == .automatic && next.reviewStatus == nil, "what was held for the last one is over")
        await world.decide(next)
        #expect(try await world.settled(next.id).status == .succeeded)
        #expect(try await world.booked(next.id) == ["payment"])
        #expect(try await world.violations() == [])
    }

    @Test("a declined review fails the payment, is told, and another card pays it") func declinedReview() async throws {
        try await withPayments { world in
            let customer: CustomerID = try await world.payer()
            let invoice = InvoiceID.new(at: PaymentWorld.start)
            let payment: PaymentRecord = try await world.heldForReview(invoice, customer)
            try await decline(world, payment.id)
            let failed: PaymentRecord = try await world.payment(payment.id)
            #expect(failed.status == .failed && failed.decline == .reviewDeclined)
            #expect(failed.decline?.declineClass == .fraud, "dunning waits for another card")
            #expect(try await world.published("payment.canceled.v1") == 0)
            #expect(
                try await world.texts(
                    """
                    SELECT concat_ws(' ', body::jsonb->>'invoice_id', body::jsonb->>'decline_class',
                        body::jsonb->>'decline_code')
                    FROM outbox WHERE type = 'payment.failed.v1'
                    """) == ["\(invoice) fraud review_declined"])
            #expect(try await world.texts("SELECT 'held' FROM sandbox_charges WHERE held_until IS NOT NULL").isEmpty)
            try await world.attach("5555555555554444", to: customer)
            try await again(world, invoice, customer)
        }
    }

    @Test(
        "a hold that lapses, or that the provider lets go of without a word, fails the payment softly",
        arguments: [true, false])
    func lapsed(byTime: Bool) async throws {
        try await withPayments { world in
            let customer: CustomerID = try await world.payer()
            let invoice = InvoiceID.new(at: PaymentWorld.start)
            let payment: PaymentRecord = try await world.heldForReview(invoice, customer)
            if byTime {
                world.clock.set(Instant(seconds: PaymentWorld.start.seconds + 7 * 86_400))
            } else {
                try await world.execute("UPDATE sandbox_charges SET held_until = NULL")
                try await world.work.sweep.pass()
                #expect(try await world.payment(payment.id).status == .authorized, "it is not yet time to look")
                try await world.execute("UPDATE payments SET look_at = now()")
            }
            try await world.work.sweep.pass()
            let failed: PaymentRecord = try await world.payment(payment.id)
            #expect(failed.status == .failed && failed.decline == .holdReleased)
            #expect(failed.decline?.declineClass == .soft)
            #expect(try await world.published("payment.failed.v1") == 1)
            #expect(try await world.published("payment.canceled.v1") == 0)
            try await again(world, invoice, customer)
        }
    }

    @Test("a hold that is still there is looked at ever more rarely, and stays") func stillHeld() async throws {
        try await withPayments { world in
            let payment: PaymentRecord = try await world.authorized(world.payer())
            let days: SQL = "SELECT round(extract(epoch FROM look_at - now()) / 86400)::int FROM payments"
            #expect(try await world.number(days) == 3)
            for expected: Int in [1, 2, 4, 8, 8] {
                try await world.execute("UPDATE payments SET look_at = now()")
                try await world.work.sweep.pass()
                #expect(try await world.number(days) == expected)
            }
            #expect(try await world.payment(payment.id).status == .authorized)
            #expect(try await world.cancel(payment.id).status == .canceled, "the time of a look holds up no release")
        }
    }

    @Test("an approved hold that cannot be captured is released: the payment fails softly, once, and is tried again")
    func refusedCapture() async throws {
        try await withPayments { world in
            let customer: CustomerID = try await world.payer()
            let invoice = InvoiceID.new(at: PaymentWorld.start)
            let payment: PaymentRecord = try await world.heldForReview(invoice, customer)
            world.provider.refuse([.captures])
            try await review(world, payment.id, "approve")
            let failed: PaymentRecord = try await world.payment(payment.id)
            #expect(failed.status == .failed && failed.decline == .holdReleased)
            #expect(try await world.published("payment.failed.v1") == 1)
            #expect(try await world.texts("SELECT 'held' FROM sandbox_charges WHERE held_until IS NOT NULL").isEmpty)
            world.provider.refuse([])
            try await again(world, invoice, customer)
        }
    }

    @Test(
        "a hold that nobody wants and that the provider does not let go of is released when it is time to look again",
        arguments: [("approve", Decline.holdReleased), ("decline", .reviewDeclined)])
    func refusedRelease(_ decision: String, _ decline: Decline) async throws {
        try await withPayments { world in
            let customer: CustomerID = try await world.payer()
            let invoice = InvoiceID.new(at: PaymentWorld.start)
            let payment: PaymentRecord = try await world.heldForReview(invoice, customer)
            world.provider.refuse([.captures, .releases])
            try await review(world, payment.id, decision)
            #expect(try await world.payment(payment.id).status == .authorized)
            world.provider.refuse([])
            for _ in 0..<2 { try await world.work.sweep.pass() }
            #expect(try await world.payment(payment.id).status == .authorized, "it is not yet time to look")
            try await world.execute("UPDATE payments SET look_at = now()")
            for _ in 0..<2 { try await world.work.sweep.pass() }
            let failed: PaymentRecord = try await world.payment(payment.id)
            #expect(failed.status == .failed && failed.decline == decline)
            #expect(try await world.published("payment.failed.v1") == 1)
            #expect(try await world.texts("SELECT 'held' FROM sandbox_charges WHERE held_until IS NOT NULL").isEmpty)
        }
    }

    @Test("a customer who left their bank's page comes back with the same method; a page that is used once is over")
    func leftPage() async throws {
        let pages = PagesProvider()
        try await withPayments(beside: [pages]) { world in
            let (payment, _, _) = try await world.onPage()
            world.clock.set(PaymentWorld.start.adding(.seconds(86_401)))
            try await world.work.sweep.pass()
            #expect(try await world.payment(payment.id).decline == .actionExpired)
            await #expect(throws: ContinuePayment.Failure.notWaiting(.failed)) {
                try await world.confirm(payment.id, passed: nil)
            }
            // As one that is kept at the provider.
            try await world.execute("UPDATE payment_methods SET single_use = false")
            let next: PaymentRecord = try await world.confirm(payment.id, passed: nil)
            #expect(next.status == .created && next.attempts == 2 && !next.offSession)
            await world.decide(next)
            #expect(try await world.settled(next.id).status == .requiresAction)
            let waiting: PaymentRecord = try await world.payment(next.id)
            pages.settle(waiting.attemptID, .captured(ProviderCharge(reference: "pg_back")))
            #expect(try await world.work.sync(next.id).payment.status == .succeeded)
        }
    }

    @Test("a customer who has seen to their card at the bank comes back with it; data that are wrong stay so")
    func lifted()
        async throws
    {
        try await withPayments { world in
            let customer: CustomerID = try await world.payer("4000000000009995")
            let invoice = InvoiceID.new(at: PaymentWorld.start)
            await world.deliver([world.finalized(invoice, customer)])
            let payment: PaymentRecord = try await world.payment(of: invoice)
            await world.decide(payment)
            #expect(try await world.settled(payment.id).decline == .insufficientFunds)
            await #expect(throws: ContinuePayment.Failure.notWaiting(.failed)) {
                try await world.confirm(payment.id, passed: nil)
            }
            let failed: SQL = "UPDATE payments SET decline_class = 'action', decline_code = "
            try await world.execute("\(failed)'other_data_required'")
            await #expect(throws: ContinuePayment.Failure.notWaiting(.failed)) {
                try await world.confirm(payment.id, passed: nil)
            }
            try await world.execute("\(failed)'blocked_by_cardholder'")
            let next: PaymentRecord = try await world.confirm(payment.id, passed: nil)
            #expect(next.status == .created && next.attempts == 2 && !next.offSession)
            #expect(next.paymentMethodID == payment.paymentMethodID)
        }
    }

    @Test("it cannot be canceled by request, whatever it waits for, until the invoice is voided") func notByRequest()
        async throws
    {
        try await withPayments { world in
            let customer: CustomerID = try await world.payer("4000000000009995")
            let invoice = InvoiceID.new(at: PaymentWorld.start)
            await world.deliver([world.finalized(invoice, customer)])
            let payment: PaymentRecord = try await world.payment(of: invoice)
            await #expect(throws: CancelPayment.Failure.ofInvoice) { try await world.cancel(payment.id) }
            world.provider.turn(.away)
            await world.decide(payment)
            try await eventually(within: .seconds(10), "it is asked in vain") { world.provider.readInVain == 1 }
            await world.deliver([world.voided(invoice, customer)])
            world.provider.turn(.well)
            try await world.work.sweep.pass()
            #expect(try await world.settled(payment.id).status == .canceled, "its outcome was awaited")
            #expect(try await world.published("payment.canceled.v1") == 1)
            let other = InvoiceID.new(at: PaymentWorld.start)
            await world.deliver([world.finalized(other, customer)])
            let failed: PaymentRecord = try await world.payment(of: other)
            await world.decide(failed)
            #expect(try await world.settled(failed.id).status == .failed)
            await #expect(throws: CancelPayment.Failure.ofInvoice) { try await world.cancel(failed.id) }
            #expect(CancelPayment.Failure.ofInvoice.problem.status == 409)
            #expect(try await world.payment(failed.id).status == .failed)
        }
    }

    @Test("the release of an earlier attempt does not end the next one, whose money is still held") func lateRelease()
        async throws
    {
        try await withPayments { world in
            let customer: CustomerID = try await world.payer()
            let invoice = InvoiceID.new(at: PaymentWorld.start)
            let payment: PaymentRecord = try await world.heldForReview(invoice, customer)
            try await decline(world, payment.id)
            #expect(try await world.payment(payment.id).status == .failed)
            await world.deliver([world.due(invoice, customer)])
            await world.decide(try await world.payment(of: invoice), "review")
            #expect(try await world.settled(payment.id).status == .authorized)
            // The first one's release is still under way when the second one begins.
            let second: PaymentRecord = try await world.payment(payment.id)
            let canceling: SQL = "UPDATE payments SET status = 'canceling', look_at = NULL, attempt_id = "
            world.provider.whileReleasing {
                try? await world.execute("\(canceling)\(second.attemptID) WHERE id = \(payment.id)")
            }
            try await world.execute("\(canceling)\(payment.attemptID) WHERE id = \(payment.id)")
            try await world.work.cancel.finish(payment.id)
            #expect(try await world.payment(payment.id).status == .canceling, "what holds now is to be released")
            try await world.work.sweep.pass()
            #expect(try await world.payment(payment.id).status == .failed)
            #expect(try await world.texts("SELECT 'held' FROM sandbox_charges WHERE held_until IS NOT NULL").isEmpty)
        }
    }

    @Test("the hold of a voided invoice is released at the provider, and the payment is over for good")
    func voidedHold()
        async throws
    {
        try await withPayments { world in
            let customer: CustomerID = try await world.payer()
            let invoice = InvoiceID.new(at: PaymentWorld.start)
            let payment: PaymentRecord = try await world.heldForReview(invoice, customer)
            await world.deliver([world.voided(invoice, customer)])
            #expect(try await world.payment(payment.id).status == .canceling)
            await world.deliver([world.voided(invoice, customer)])
            #expect(try await world.payment(payment.id).status == .canceling, "only the provider's word ends it")
            try await world.work.sweep.pass()
            #expect(try await world.payment(payment.id).status == .canceled)
            #expect(try await world.published("payment.canceled.v1") == 1)
            #expect(try await world.published("payment.failed.v1") == 0)
            #expect(try await world.texts("SELECT 'held' FROM sandbox_charges WHERE held_until IS NOT NULL").isEmpty)
        }
    }

    @Test(
        "a voided invoice's payment that waits on a provider's page is released there; one that was paid is booked and given back",
        arguments: [false, true])
    func voidedPage(isPaid: Bool) async throws {
        let pages = PagesProvider()
        try await withPayments(beside: [pages]) { world in
            let (payment, invoice, customer) = try await world.onPage()
            if isPaid {
                pages.settle(payment.attemptID, .captured(ProviderCharge(reference: "pg_paid")))
                pages.refuseReleases()
            }
            await world.deliver([world.voided(invoice, customer)])
            #expect(try await world.payment(payment.id).status == .canceling)
            for _ in 0..<2 { try await world.work.sweep.pass() }
            try await world.work.sweep.pass()
            #expect(try await world.payment(payment.id).status == (isPaid ? .succeeded : .canceled))
            #expect(try await world.booked(payment.id) == (isPaid ? ["payment", "refund"] : []))
            #expect(try await world.violations() == [])
        }
    }

    @Test("a review that a failed attempt never came to does not hold the next one") func failedBeforeReview()
        async throws
    {
        try await withPayments { world in
            let customer: CustomerID = try await world.payer("4000000000009995")
            let invoice = InvoiceID.new(at: PaymentWorld.start)
            await world.deliver([world.finalized(invoice, customer)])
            let first: PaymentRecord = try await world.payment(of: invoice)
            await world.decide(first, "review")
            let failed: PaymentRecord = try await world.settled(first.id)
            #expect(failed.status == .failed && failed.reviewStatus == .pending && failed.captureMethod == .manual)
            try await world.attach("4242424242424242", to: customer)
            try await again(world, invoice, customer)
            // What is heard of the first one later is asked about as what it was.
            #expect(
                try await world.texts("SELECT coalesce(capture_method, '-') FROM payment_attempts ORDER BY number")
                    == ["manual", "-"])
        }
    }

    @Test(
        "one that is with its provider when its invoice is withdrawn is given up as soon as its outcome is known",
        arguments: [("4000002500003155", "approve"), ("4242424242424242", "review")])
    func voidedUnderWay(_ card: String, _ decision: String) async throws {
        try await withPayments { world in
            let customer: CustomerID = try await world.payer(card)
            let invoice = InvoiceID.new(at: PaymentWorld.start)
            await world.deliver([world.finalized(invoice, customer)])
            let payment: PaymentRecord = try await world.payment(of: invoice)
            world.provider.turn(.away)
            await world.decide(payment, decision)
            try await eventually(within: .seconds(10), "it is asked in vain") { world.provider.readInVain == 1 }
            await world.deliver([world.voided(invoice, customer)])
            world.provider.turn(.well)
            for _ in 0..<2 { try await world.work.sweep.pass() }
            try await eventually(within: .seconds(10), "it is given up") {
                try await world.work.sweep.pass()
                return try await world.payment(payment.id).status == .canceled
            }
            #expect(try await world.texts("SELECT 'held' FROM sandbox_charges WHERE held_until IS NOT NULL").isEmpty)
            await #expect(throws: ContinuePayment.Failure.notWaiting(.canceled)) {
                try await world.confirm(payment.id, passed: true)
            }
            #expect(try await world.violations() == [])
        }
    }

    @Test("a provider that would not let go for a withdrawn invoice is asked again when it is time to look")
    func askedAgain() async throws {
        try await withPayments { world in
            let customer: CustomerID = try await world.payer()
            let invoice = InvoiceID.new(at: PaymentWorld.start)
            let payment: PaymentRecord = try await world.heldForReview(invoice, customer)
            await world.deliver([world.voided(invoice, customer)])
            // As after a refusal.
            try await world.execute("UPDATE payments SET status = 'authorized', look_at = now() + interval '1 day'")
            for _ in 0..<2 { try await world.work.sweep.pass() }
            #expect(try await world.payment(payment.id).status == .authorized)
            try await world.execute("UPDATE payments SET look_at = now()")
            for _ in 0..<2 { try await world.work.sweep.pass() }
            #expect(try await world.payment(payment.id).status == .canceled)
        }
    }
}

extension PaymentWorld {
    /// A renewal whose money is held until a person has looked.
    func heldForReview(_ invoice: InvoiceID, _ customer: CustomerID) async throws -> PaymentRecord {
        await deliver([finalized(invoice, customer)])
        await decide(try await payment(of: invoice), "review")
        let held: PaymentRecord = try await settled(try await payment(of: invoice).id)
        #expect(held.status == .authorized && held.reviewStatus == .pending)
        return held
    }

    /// A person decides over a payment.
    /// - Returns: The status of the answer.
    func review(_ id: PaymentID, _ decision: String) async throws -> Int {
        let body = #"{"decision":"\#(decision)"}"#
        return try await work.review(call("/v1/payments/\(id)/review", body: body), id, read(body)).status
    }
}
