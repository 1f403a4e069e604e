import BillingCore
import HTTPKit
import PaymentContract
import PaymentDomain
import PaymentRecords
import PaymentService
import Postgres
import TestKit
import Testing

@Suite("Money that comes after a payment has ended") struct LateOutcomeTests {
    @Test(
        "captured money that nobody waits for is booked, told, and given back once",
        arguments: [PaymentStatus.failed, .canceled])
    func captured(status: PaymentStatus) async throws {
        try await withPayments { world in
            let payment: PaymentRecord = try await world.created(world.payer())
            let attempt: ApprovedAttempt = try await world.ended(payment, as: status)
            let answer: ChargeAnswer = try await world.provider.charge(world.asked(payment))
            for _ in 0..<3 { try await world.work.outcomes(Outcome(attempt: attempt, answer: answer)) }
            let done: PaymentRecord = try await world.payment(payment.id)
            #expect(done.status == .succeeded && done.amountCaptured == 1_299 && done.declineCode == nil)
            #expect(try await world.published("payment.succeeded.v1") == 1)
            for _ in 0..<2 { try await world.work.sweep.pass() }
            #expect(
                try await world.texts("SELECT concat_ws(' ', reason, status, amount) FROM refunds")
                    == ["paid_after_it_had_ended succeeded 1299"])
            #expect(try await world.booked(payment.id) == ["payment", "refund"])
            #expect(try await world.texts("SELECT status FROM payment_attempts") == ["succeeded"])
            #expect(try await world.violations() == [])
        }
    }

    @Test("an invoice's counts as its payment and stays: the invoice says what becomes of it") func ofInvoice()
        async throws
    {
        try await withPayments { world in
            let customer: CustomerID = try await world.payer()
            let invoice = InvoiceID.new(at: PaymentWorld.start)
            await world.deliver([world.finalized(invoice, customer)])
            let payment: PaymentRecord = try await world.payment(of: invoice)
            let attempt: ApprovedAttempt = try await world.ended(payment)
            let answer: ChargeAnswer = try await world.provider.charge(world.asked(payment))
            try await world.work.outcomes(Outcome(attempt: attempt, answer: answer))
            #expect(try await world.payment(payment.id).status == .succeeded)
            await world.deliver([world.due(invoice, customer)])
            #expect(try await world.payment(payment.id).attempts == 1, "it is not collected again")
            #expect(try await world.number("SELECT count(*) FROM refunds") == 0)
            #expect(try await world.booked(payment.id) == ["payment"])
            #expect(try await world.violations() == [])
        }
    }

    @Test("once another attempt has begun, what the earlier one took is a payment of its own, and given back")
    func earlier() async throws {
        try await withPayments { world in
            let customer: CustomerID = try await world.payer()
            let invoice = InvoiceID.new(at: PaymentWorld.start)
            await world.deliver([world.finalized(invoice, customer)])
            let payment: PaymentRecord = try await world.payment(of: invoice)
            let attempt: ApprovedAttempt = try await world.ended(payment)
            await world.deliver([world.due(invoice, customer)])
            let answer: ChargeAnswer = try await world.provider.charge(world.asked(payment))
            for _ in 0..<3 { try await world.work.outcomes(Outcome(attempt: attempt, answer: answer)) }
            #expect(try await world.payment(payment.id).status == .created)
            await world.decide(try await world.payment(payment.id))
            #expect(try await world.settled(payment.id).status == .succeeded)
            for _ in 0..<2 { try await world.work.sweep.pass() }
            #expect(
                try await world.texts(
                    """
                    SELECT concat_ws('|', p.description, p.status, p.amount_captured, p.amount_refunded, a.asked_number)
                    FROM payments p JOIN payment_attempts a ON a.payment_id = p.id AND a.id = p.attempt_id
                    WHERE p.id <> \(payment.id)
                    """) == ["Charged beside \(payment.id)|succeeded|1299|1299|1"])
            #expect(
                try await world.texts("SELECT concat_ws(' ', reason, status, amount) FROM refunds")
                    == ["paid_after_it_had_ended succeeded 1299"])
            #expect(try await world.booked(payment.id) == ["payment"], "the second attempt's")
            #expect(try await world.published("payment.succeeded.v1") == 2)
            #expect(try await world.violations() == [])
        }
    }

    @Test("what an earlier attempt holds is released, whatever has become of the payment") func earlierHold()
        async throws
    {
        try await withPayments { world in
            let customer: CustomerID = try await world.payer()
            let invoice = InvoiceID.new(at: PaymentWorld.start)
            await world.deliver([world.finalized(invoice, customer)])
            let payment: PaymentRecord = try await world.payment(of: invoice)
            let attempt: ApprovedAttempt = try await world.ended(payment, capture: false)
            await world.deliver([world.due(invoice, customer)])
            let answer: ChargeAnswer = try await world.provider.charge(world.asked(payment, capture: false))
            try await world.work.outcomes(Outcome(attempt: attempt, answer: answer))
            try await world.execute("UPDATE payment_attempts SET release_at = now() WHERE release_at IS NOT NULL")
            await world.decide(try await world.payment(payment.id))
            #expect(try await world.settled(payment.id).status == .succeeded)
            try await world.work.sweep.pass()
            #expect(try await world.texts("SELECT 'held' FROM sandbox_charges WHERE held_until IS NOT NULL").isEmpty)
            #expect(try await world.violations() == [])
        }
    }

    @Test("held money is released, the payment stays as it is; until then the consistency check shows it") func held()
        async throws
    {
        try await withPayments { world in
            let customer: CustomerID = try await world.payer()
            let body =
                #"{"amount":1299,"currency":"USD","customer_id":"\#(customer)","capture_method":"manual"}"#
            let reply: Reply<PaymentResource> = try await world.work.create(
                world.call("/v1/payments", body: body), world.read(body))
            let payment: PaymentRecord = try await world.payment(world.id(reply))
            let attempt: ApprovedAttempt = try await world.ended(payment, capture: false)
            let answer: ChargeAnswer = try await world.provider.charge(world.asked(payment, capture: false))
            try await world.work.outcomes(Outcome(attempt: attempt, answer: answer))
            let shown = ["1 attempts whose payment has ended and for which a provider holds money"]
            #expect(try await world.violations() == shown)
            world.provider.turn(.away)
            try await world.work.sweep.pass()
            #expect(try await world.violations() == shown)
            world.provider.turn(.well)
            try await world.work.sweep.pass()
            #expect(try await world.violations() == shown, "it is not yet time to ask again")
            try await world.execute("UPDATE payment_attempts SET release_at = now()")
            try await world.work.sweep.pass()
            #expect(try await world.texts("SELECT 'held' FROM sandbox_charges WHERE held_until IS NOT NULL").isEmpty)
            #expect(try await world.payment(payment.id).status == .failed)
            #expect(try await world.violations() == [])
        }
    }

    @Test("a late hold that somebody captures at the provider is held no more: a person is told once") func takenHold()
        async throws
    {
        let garbled = GarbledProvider("garbled_late_hold")
        garbled.pages.begin(with: .declined(ProviderDecline(code: "generic_decline", reference: "pg_1")))
        garbled.pages.refuseReleases()
        garbled.pages.hold(true)
        try await withPayments(beside: [garbled.alarmed()]) { world in
            let body =
                #"{"amount":1299,"currency":"EUR","customer_id":"\#(await world.customer())","#
                + #""payment_method_type":"klarna","return_url":"https://shop.example/","payer":{"country":"DE"}}"#
            let reply: Reply<PaymentResource> = try await world.work.create(
                world.call("/v1/payments", body: body), world.read(body))
            let payment: PaymentRecord = try await world.payment(world.id(reply))
            await world.decide(payment)
            #expect(try await world.settled(payment.id).status == .failed)
            let due: SQL = "UPDATE payment_attempts SET release_at = now(), provider_reference = 'pg_1'"
            let held: SQL = "SELECT count(*) FROM payment_attempts WHERE release_at IS NOT NULL"
            try await world.execute(due)
            try await world.work.sweep.pass()
            #expect(try await world.number(held) == 1)
            // Before the release reaches the provider.
            garbled.pages.hold(nil)
            let amount = Money(minor: 1_299, currency: .eur)
            garbled.pages.take(
                ProviderTakings(taken: [ProviderTakings.Taking(reference: "pg_1", amount: amount)], isHeld: false))
            try await world.execute(due)
            for _ in 0..<2 { try await world.work.sweep.pass() }
            #expect(try await world.number(held) == 0)
            #expect(garbled.alarms(.capture) == 1)
            // News of the charge goes on, and to the provider it stays an authorization.
            garbled.pages.tell(.authorized(ProviderCharge(reference: "pg_1")))
            for _ in 0..<2 {
                try await world.work.news.charge(payment.attemptID, known: "pg_1", at: garbled.name)
                #expect(try await world.number(held) == 0)
                try await world.work.sweep.pass()
            }
            #expect(garbled.alarms(.capture) == 1)
            // Another hold for the same attempt is released as the first.
            garbled.pages.tell(.authorized(ProviderCharge(reference: "pg_2")))
            try await world.work.news.charge(payment.attemptID, known: "pg_2", at: garbled.name)
            #expect(try await world.number(held) == 1)
        }
    }
}
