import PaymentRecords
import BillingCore
import HTTPKit
import JSON
import PaymentContract
import PaymentDomain
import PaymentService
import Postgres
import TestKit
import Testing

@Suite("Authorizing, capturing and releasing") struct CaptureTests {
    @Test("what is held is captured whole, booked once and told") func whole() async throws {
        try await withPayments { world in
            let payment: PaymentRecord = try await world.authorized(world.payer())
            #expect(payment.status == .authorized)
            #expect(payment.authorizationExpiresAt == Instant(seconds: PaymentWorld.start.seconds + 7 * 86_400))
            #expect(try await world.booked(payment.id).isEmpty, "money that is held is not ours")
            let reply = try await world.capture(payment.id)
            #expect(reply.status == 201)
            #expect(try parseJSON(reply.body)["status"]?.stringValue == "succeeded")
            let done: PaymentRecord = try await world.payment(payment.id)
            #expect(done.status == .succeeded)
            #expect(done.amountCaptured == 1_299)
            #expect(try await world.booked(payment.id) == ["capture"])
            for type in ["payment.authorized.v1", "payment.captured.v1", "payment.succeeded.v1"] {
                #expect(try await world.published(type) == 1, "\(type)")
            }
            #expect(try await world.violations().isEmpty)
        }
    }

    @Test("parts are captured until the last, which lets the rest go; each part can be given back") func parts()
        async throws
    {
        try await withPayments { world in
            let payment: PaymentRecord = try await world.authorized(world.payer())
            await #expect(throws: RefundPayment.Failure.notRefundable(.authorized)) {
                try await world.refund(payment.id, 1)
            }
            for amount: Int64 in [300, 400] { try await world.capture(payment.id, amount, final: false) }
            #expect(try await world.payment(payment.id).status == .authorized)
            try await world.capture(payment.id, 200)
            let done: PaymentRecord = try await world.payment(payment.id)
            #expect(done.status == .succeeded)
            #expect(done.amountCaptured == 900)
            #expect(try await world.number("SELECT count(*) FROM sandbox_charges WHERE held_until IS NOT NULL") == 0)
            await #expect(throws: RefundPayment.Failure.spansCaptures(most: 400)) {
                try await world.refund(payment.id, 500)
            }
            for amount: Int64 in [400, 200, 250, 50] {
                #expect(try await world.refund(payment.id, amount).status == 201)
            }
            await #expect(throws: RefundPayment.Failure.tooMuch(left: 0)) { try await world.refund(payment.id, nil) }
            #expect(try await world.payment(payment.id).amountRefunded == 900)
            #expect(try await world.violations().isEmpty)
        }
    }

    @Test("a part that was captured is given back while the rest is held, which can be captured or let go then")
    func refundedPart() async throws {
        try await withPayments { world in
            let customer: CustomerID = try await world.payer()
            for isCaptured: Bool in [true, false] {
                let payment: PaymentRecord = try await world.authorized(customer)
                try await world.capture(payment.id, 400, final: false)
                await #expect(throws: RefundPayment.Failure.tooMuch(left: 400)) {
                    try await world.refund(payment.id, 401)
                }
                #expect(try await world.refund(payment.id, 300).status == 201)
                #expect(try await world.refund(payment.id, nil).status == 201)
                let held: PaymentRecord = try await world.payment(payment.id)
                #expect(held.status == .authorized && held.amountRefunded == 400)
                #expect(held.amountCapturable == 899)
                if isCaptured {
                    try await world.capture(payment.id, 899)
                    #expect(try await world.refund(payment.id, 899).status == 201)
                } else {
                    try await world.cancel(payment.id)
                }
                let done: PaymentRecord = try await world.payment(payment.id)
                #expect(done.status == .succeeded)
                #expect(done.amountCaptured == (isCaptured ? 1_299 : 400))
                #expect(done.amountRefunded == done.amountCaptured)
                #expect(try await world.violations().isEmpty)
            }
        }
    }

    @Test("what was captured of an invoice's payment elsewhere is not given back while the rest is held")
    func refundedPartOfInvoice() async throws {
        try await withPayments { world in
            let payment: PaymentRecord = try await world.authorized(world.payer())
            try await world.capture(payment.id, 400, final: false)
            try await world.execute("UPDATE payments SET invoice_id = 'inv_held' WHERE id = \(payment.id)")
            await #expect(throws: RefundPayment.Failure.notRefundable(.authorized)) {
                try await world.refund(payment.id, 1)
            }
            #expect(try await world.number("SELECT count(*) FROM refunds") == 0)
        }
    }

    @Test("capturing all of what is left is final, whatever the caller said") func exhausted() async throws {
        try await withPayments { world in
            let payment: PaymentRecord = try await world.authorized(world.payer())
            try await world.capture(payment.id, 1_299, final: false)
            #expect(try await world.payment(payment.id).status == .succeeded)
        }
    }

    @Test("more than is held, or of what is not held, is refused and nothing is stored") func refused() async throws {
        try await withPayments { world in
            let customer: CustomerID = try await world.payer()
            let payment: PaymentRecord = try await world.authorized(customer)
            try await world.capture(payment.id, 1_000, final: false)
            for amount: Int64 in [300, 1_299, 1_000_000_000_000] {
                await #expect(throws: CapturePayment.Failure.tooMuch(left: 299)) {
                    try await world.capture(payment.id, amount)
                }
            }
            let paid: PaymentRecord = try await world.paid(customer)
            let created: PaymentRecord = try await world.created(customer)
            for (other, status) in [(paid, PaymentStatus.succeeded), (created, .created)] {
                await #expect(throws: CapturePayment.Failure.notAuthorized(status)) {
                    try await world.capture(other.id, key: "k")
                }
            }
            let unknown = PaymentID.new(at: PaymentWorld.start)
            await #expect(throws: CapturePayment.Failure.notFound(unknown)) { try await world.capture(unknown) }
            #expect(try await world.number("SELECT count(*) FROM captures") == 1)
            #expect(try await world.number("SELECT count(*) FROM idempotency_keys") == 0)
        }
    }

    @Test("an invoice's payment is captured whole, or not at all") func ofInvoice() async throws {
        try await withPayments { world in
            let payment: PaymentRecord = try await world.authorized(world.payer())
            try await world.execute("UPDATE payments SET invoice_id = 'inv_held' WHERE id = \(payment.id)")
            for (amount, final) in [(1_000, true), (1_298, false), (nil, false)] as [(Int64?, Bool)] {
                await #expect(throws: CapturePayment.Failure.partOfInvoice) {
                    try await world.capture(payment.id, amount, final: final)
                }
            }
            #expect(try await world.number("SELECT count(*) FROM captures") == 0)
            try await world.capture(payment.id)
            #expect(try await world.payment(payment.id).status == .succeeded)
        }
    }

    @Test("what its provider captures once is not taken in parts: the wish is refused and nothing is stored")
    func once() async throws {
        let pages = PagesProvider()
        pages.begin(with: .authorized(ProviderCharge(reference: "pg_1")))
        try await withPayments(beside: [pages]) { world in
            let customer: CustomerID = await world.customer()
            let body: String =
                #"{"amount":1299,"currency":"EUR","customer_id":"\#(customer)","payment_method_type":"#
                + #""klarna","return_url":"https://shop.example/back","payer":{"country":"DE"},"#
                + #""capture_method":"manual"}"#
            let made: Reply<PaymentResource> = try await world.work.create(
                world.call("/v1/payments", body: body), world.read(body))
            let payment: PaymentRecord = try await world.payment(world.id(made))
            await world.decide(payment)
            #expect(try await world.settled(payment.id).status == .authorized)
            await #expect(throws: CapturePayment.Failure.singleCapture) {
                try await world.capture(payment.id, 500, final: false)
            }
            let refused: Problem = CapturePayment.Failure.singleCapture.problem
            #expect(refused.status == 422 && refused.param == "final")
            #expect(try await world.number("SELECT count(*) FROM captures") == 0)
            #expect(pages.captures == 0)
            try await world.capture(payment.id, 500)
            let done: PaymentRecord = try await world.payment(payment.id)
            #expect(done.status == .succeeded && done.amountCaptured == 500)
        }
    }

    @Test("a repeat under the same key gets the first answer and captures nothing more") func repeats() async throws {
        try await withPayments { world in
            let payment: PaymentRecord = try await world.authorized(world.payer())
            let first = try await world.capture(payment.id, 100, final: false, key: "k")
            let again = try await world.capture(payment.id, 100, final: false, key: "k")
            #expect(again.body == first.body)
            #expect(try await world.payment(payment.id).amountCaptured == 100)
            await #expect(throws: Problem.self) { try await world.capture(payment.id, 200, final: false, key: "k") }
        }
    }

    @Test("cancelling releases what is held; what was captured before stays") func cancelling() async throws {
        try await withPayments { world in
            let customer: CustomerID = try await world.payer()
            let whole: PaymentRecord = try await world.authorized(customer)
            #expect(try await world.cancel(whole.id).status == .canceled)
            #expect(try await world.published("payment.canceled.v1") == 1)
            await #expect(throws: CapturePayment.Failure.notAuthorized(.canceled)) {
                try await world.capture(whole.id)
            }
            let part: PaymentRecord = try await world.authorized(customer)
            try await world.capture(part.id, 500, final: false)
            let ended: PaymentRecord = try await world.cancel(part.id)
            #expect(ended.status == .succeeded)
            #expect(ended.amountCaptured == 500)
            #expect(try await world.number("SELECT count(*) FROM sandbox_charges WHERE held_until IS NOT NULL") == 0)
            #expect(try await world.violations().isEmpty)
        }
    }

    @Test("an authorization whose time is over ends by itself; a late capture fails and says why") func expiry()
        async throws
    {
        try await withPayments { world in
            let customer: CustomerID = try await world.payer()
            let payment: PaymentRecord = try await world.authorized(customer)
            world.clock.set(Instant(seconds: PaymentWorld.start.seconds + 7 * 86_400 - 1))
            try await world.work.sweep.pass()
            #expect(try await world.payment(payment.id).status == .authorized)
            world.clock.set(Instant(seconds: PaymentWorld.start.seconds + 7 * 86_400))
            let late = try parseJSON(try await world.capture(payment.id).body)
            #expect(late["status"]?.stringValue == "failed")
            #expect(late["failure_code"]?.stringValue == "authorization_expired")
            try await world.work.sweep.pass()
            #expect(try await world.payment(payment.id).status == .canceled)
            #expect(try await world.violations().isEmpty)
        }
    }
}
