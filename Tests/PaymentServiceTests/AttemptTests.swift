import PaymentContract
import PaymentRecords
import BillingCore
import BillingEvents
import HTTPKit
import JSON
import PaymentDomain
import PaymentService
import Postgres
import TestKit
import Testing

@Suite("An attempt at a payment") struct AttemptTests {
    @Test(
        "each test card leads where it should, with its event and its booking",
        arguments: [
            ("4242424242424242", PaymentStatus.succeeded, String?.none, "payment.succeeded.v1"),
            ("4000000000009995", .failed, "insufficient_funds", "payment.failed.v1"),
            ("4000000000000002", .failed, "do_not_honor", "payment.failed.v1"),
            ("4000000000000069", .failed, "expired_card", "payment.failed.v1"),
            ("4000000000000341", .failed, "generic_decline", "payment.failed.v1"),
            ("4000002500003155", .requiresAction, nil, "payment.requires_action.v1"),
            ("4000009900000020", .succeeded, nil, "payment.succeeded.v1"),
        ])
    func cards(card: String, status: PaymentStatus, decline: String?, event: String) async throws {
        try await withPayments { world in
            let before: PaymentRecord = try await world.created(world.payer(card))
            #expect(before.status == .created && before.riskDecision == nil)
            await world.decide(before)
            let payment: PaymentRecord = try await world.settled(before.id)
            #expect(payment.status == status && payment.declineCode == decline)
            #expect(payment.riskDecision == "approve" && payment.riskScore == "0.1000")
            #expect(try await world.booked(payment.id) == (status == .succeeded ? ["payment"] : []))
            #expect(try await world.published(event) == 1)
            #expect(try await world.number("SELECT count(*) FROM outbox WHERE type LIKE 'payment.%'") == 2)
            let attempts: [String] = try await world.texts("SELECT status FROM payment_attempts")
            #expect(attempts == [status.rawValue])
            #expect(try await world.violations().isEmpty)
        }
    }

    @Test(
        "the network's advice is kept with the attempt, and dunning goes by what the card's own network means by it",
        arguments: [
            ("5555555555554444", "03", "do_not_try_again", "hard"),
            ("5555555555554444", "21", "revocation_of_authorization", "hard"),
            ("5555555555554444", "04", "other_data_required", "action"),
            ("5555555555554444", "24", "insufficient_funds", "soft"),
            ("5555555555554444", nil, "insufficient_funds", "soft"),
            ("4242424242424242", "03", "do_not_try_again", "hard"),
            ("4242424242424242", "04", "insufficient_funds", "soft"),
        ] as [(String, String?, String, String)])
    func advised(_ card: String, _ advice: String?, _ code: String, _ declineClass: String) async throws {
        try await withPayments { world in
            let customer: CustomerID = try await world.payer(card)
            world.provider.refuse(
                with: ProviderDecline(code: "insufficient_funds", networkCode: "51", networkAdvice: advice))
            let invoice = InvoiceID.new(at: PaymentWorld.start)
            await world.deliver([world.finalized(invoice, customer)])
            let payment: PaymentRecord = try await world.payment(of: invoice)
            await world.decide(payment)
            #expect(try await world.settled(payment.id).declineCode == code)
            #expect(
                try await world.texts(
                    "SELECT concat_ws(' ', status, decline_code, network_code, advice_code) FROM payment_attempts")
                    == [["failed", code, "51", advice].compactMap { $0 }.joined(separator: " ")])
            #expect(
                try await world.texts(
                    "SELECT body::jsonb->>'decline_class' FROM outbox WHERE type = 'payment.failed.v1'")
                    == [declineClass])
        }
    }

    @Test("a block fails the payment and nobody asks the provider") func blocked() async throws {
        try await withPayments { world in
            let payment: PaymentRecord = try await world.created(world.payer())
            await world.decide(payment, "block")
            let failed: PaymentRecord = try await world.payment(payment.id)
            #expect(failed.status == .failed && failed.decline == .blockedByRisk)
            #expect(failed.decline?.declineClass == .fraud)
            #expect(world.provider.charges == 0)
            #expect(try await world.violations().isEmpty)
        }
    }

    @Test("repeated, contradicting and late verdicts change nothing") func verdicts() async throws {
        try await withPayments { world in
            let first: PaymentRecord = try await world.created(world.payer("4000000000009995"))
            await world.deliver([world.verdict(first), world.verdict(first, "block"), world.verdict(first)])
            let failed: PaymentRecord = try await world.settled(first.id)
            #expect(failed.decline == .insufficientFunds, "the first word counts")
            await world.decide(first)
            await world.decide(first, "block")
            #expect(try await world.payment(first.id).decline == .insufficientFunds)
            #expect(world.provider.charges == 1)
            #expect(try await world.published("payment.failed.v1") == 1)

            let challenged: PaymentRecord = try await world.created(world.payer("4000002500003155"))
            await world.decide(challenged)
            #expect(try await world.settled(challenged.id).status == .requiresAction)
            let next: PaymentRecord = try await world.confirm(challenged.id, passed: true)
            await world.decide(challenged, "block")
            #expect(
                try await world.payment(next.id).status == .created, "a word on the earlier attempt is not one on this")
            await world.decide(next)
            let done: PaymentRecord = try await world.settled(next.id)
            #expect(done.status == .succeeded && done.attempts == 2 && done.authenticated)
            #expect(try await world.violations().isEmpty)
        }
    }

    @Test("an unknown decision is a review: the money is held until somebody has looked") func unknownDecision()
        async throws
    {
        try await withPayments { world in
            let payment: PaymentRecord = try await world.created(world.payer())
            await world.decide(payment, "shrug")
            let held: PaymentRecord = try await world.settled(payment.id)
            #expect(held.status == .authorized && held.riskDecision == "review" && held.reviewStatus == .pending)
            #expect(try await world.booked(payment.id).isEmpty)
        }
    }

    @Test(
        "a high score has a present customer authenticate, holds an absent one's money, and the highest is blocked",
        arguments: [("0.4999", false), ("0.5000", false), ("0.7499", false), ("0.7500", true), ("0.9499", true)])
    func scores(score: String, stepsUp: Bool) async throws {
        try await withPayments { world in
            let payment: PaymentRecord = try await world.created(world.payer())
            await world.decide(payment, "approve", score: score)
            let first: PaymentRecord = try await world.settled(payment.id)
            #expect(first.status == (stepsUp ? .requiresAction : score < "0.5" ? .succeeded : .authorized))
            if stepsUp {
                let next: PaymentRecord = try await world.confirm(payment.id, passed: true)
                await world.decide(next, "approve", score: score)
                #expect(try await world.settled(payment.id).status == .succeeded)
            }
            let invoice = InvoiceID.new(at: PaymentWorld.start)
            await world.deliver([world.finalized(invoice, payment.customerID)])
            let renewal: PaymentRecord = try await world.payment(of: invoice)
            await world.decide(renewal, "approve", score: score)
            #expect(try await world.settled(renewal.id).status == (score < "0.5" ? .succeeded : .authorized))
            let blocked: PaymentRecord = try await world.created(payment.customerID)
            await world.decide(blocked, "approve", score: "0.9500")
            #expect(try await world.payment(blocked.id).decline == .blockedByRisk)
            #expect(try await world.violations().isEmpty)
        }
    }

    @Test("a failed challenge fails the payment, and it can be confirmed later; off session it fails at once")
    func challenge() async throws {
        try await withPayments { world in
            let customer: CustomerID = try await world.payer("4000002500003155")
            let payment: PaymentRecord = try await world.created(customer)
            await world.decide(payment)
            _ = try await world.settled(payment.id)
            let failed: PaymentRecord = try await world.confirm(payment.id, passed: false)
            #expect(failed.status == .failed && failed.decline == .authenticationFailed)
            let again: PaymentRecord = try await world.confirm(payment.id, passed: true)
            await world.decide(again)
            #expect(try await world.settled(again.id).status == .succeeded)
            await #expect(throws: ContinuePayment.Failure.notWaiting(.succeeded)) {
                try await world.confirm(payment.id, passed: true)
            }
            let invoice = InvoiceID.new(at: PaymentWorld.start)
            await world.deliver([world.finalized(invoice, customer)])
            let renewal: PaymentRecord = try await world.payment(of: invoice)
            await world.decide(renewal)
            let waiting: PaymentRecord = try await world.settled(renewal.id)
            #expect(waiting.status == .failed && waiting.decline == .authenticationRequired)
            await world.decide(try await world.confirm(renewal.id, passed: true))
            #expect(try await world.settled(renewal.id).status == .succeeded)
            #expect(try await world.violations().isEmpty)
        }
    }

    @Test("cancelling works until money may have moved, and twice is as once") func cancel() async throws {
        try await withPayments { world in
            let customer: CustomerID = try await world.payer()
            let open: PaymentRecord = try await world.created(customer)
            #expect(try await world.cancel(open.id).status == .canceled)
            #expect(try await world.cancel(open.id).status == .canceled)
            #expect(try await world.published("payment.canceled.v1") == 1)
            await world.decide(open)
            #expect(try await world.payment(open.id).status == .canceled)
            #expect(try await world.texts("SELECT status FROM payment_attempts") == ["canceled"])
            let done: PaymentRecord = try await world.paid(customer)
            await #expect(throws: CancelPayment.Failure.notPossible(.succeeded)) { try await world.cancel(done.id) }
            #expect(world.provider.charges == 1)
        }
    }

    @Test("an outcome is recorded once, and one of an earlier attempt not at all") func outcomes() async throws {
        try await withPayments { world in
            let customer: CustomerID = try await world.payer()
            world.provider.turn(.away)
            let payment: PaymentRecord = try await world.created(customer)
            await world.decide(payment)
            try await eventually(within: .seconds(10), "it is asked for") { world.provider.charges == 1 }
            let request = ChargeRequest(
                idempotencyKey: payment.attemptID, paymentID: payment.id,
                source: .stored(token: "tok_sandbox_success", providerCustomer: nil),
                amount: payment.amount, authenticated: false)
            let attempt = ApprovedAttempt(paymentID: payment.id, provider: "sandbox", request: request)
            let stale = ApprovedAttempt(
                paymentID: payment.id, provider: "sandbox",
                request: ChargeRequest(
                    idempotencyKey: .new(at: PaymentWorld.start), paymentID: payment.id,
                    source: .stored(token: "tok_sandbox_success", providerCustomer: nil), amount: payment.amount,
                    authenticated: false))
            try await world.work.outcomes(Outcome(attempt: stale, answer: .declined(ProviderDecline(code: "stale"))))
            #expect(try await world.payment(payment.id).status == .processing)
            world.provider.turn(.well)
            let answer: ChargeAnswer = try await world.provider.charge(request)
            try await withThrowingTaskGroup(of: Void.self) { group in
                for index in 0..<30 {
                    let outcome: Outcome =
                        index % 3 == 0
                        ? Outcome(attempt: stale, answer: .declined(ProviderDecline(code: "stale")))
                        : Outcome(attempt: attempt, answer: answer)
                    group.addTask { try await world.work.outcomes(outcome) }
                }
                try await group.waitForAll()
            }
            try await world.work.outcomes(Outcome(attempt: attempt, answer: .declined(ProviderDecline(code: "late"))))
            #expect(try await world.payment(payment.id).status == .succeeded)
            #expect(try await world.booked(payment.id) == ["payment"])
            #expect(try await world.published("payment.succeeded.v1") == 1)
            #expect(try await world.balances() == ["assets:provider:sandbox 1299", "income:customer_payments -1299"])
            #expect(try await world.violations().isEmpty)
        }
    }
}
