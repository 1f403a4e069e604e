import BillingCore
import HTTPKit
import JSON
import PaymentContract
import PaymentDisputes
import PaymentDomain
import PaymentRecords
import PaymentSandbox
import PaymentService
import Postgres
import TestKit
import Testing

@Suite("Disputes at the sandbox provider") struct DisputeTests {
    @Test("a disputing card disputes a day after the charge: the money is taken back, with a fee, and told of once")
    func opened() async throws {
        try await withPayments { world in
            let payment: PaymentRecord = try await world.paid(world.payer(Disputing.notReceived), amount: 2_000)
            try await world.pass(hours: 23)
            #expect(try await world.disputes().isEmpty)
            #expect(try await world.inFlight() == 0)
            world.clock.advance(by: .seconds(3_600))
            try await world.pass()
            let dispute: DisputeRecord = try #require(try await world.disputes(of: payment.id).first)
            #expect(dispute.status == .needsResponse && dispute.reason == "product_not_received")
            #expect(dispute.standing.amount.minor == 2_000)
            #expect(dispute.openedAt == PaymentWorld.start + .seconds(86_400))
            #expect(dispute.evidenceDueBy == dispute.openedAt + .seconds(7 * 86_400))
            #expect(try await world.payment(payment.id).amountDisputed == 2_000)
            #expect(try await world.booked(payment.id) == ["payment", "dispute"])
            #expect(
                try await world.balances() == [
                    "assets:disputed_funds 2000", "assets:provider:sandbox -1500", "expense:dispute_fees 1500",
                    "income:customer_payments -2000",
                ])
            try await world.pass()
            #expect(try await world.published("payment.disputed.v1") == 1)
            #expect(try await world.violations().isEmpty)
        }
    }

    @Test("an acquirer tells of its own charges' disputes alone") func ofAnotherAcquirer() async throws {
        try await withPayments { world in
            let (_, dispute) = try await world.disputed()
            let other = SandboxProvider(
                pool: world.database, clock: world.clock, acquirer: SandboxAcquirer("sandbox_b"))
            #expect(try await other.changedDisputes(since: nil).references.isEmpty)
            #expect(try await other.readDispute(dispute.reference) == nil)
            let own: ChangedDisputes = try await world.provider.sandbox.changedDisputes(since: nil)
            #expect(own.references == [dispute.reference])
        }
    }

    @Test("what ends it decides where the money is", arguments: ["winning_evidence", "losing_evidence", "accept", ""])
    func ended(how: String) async throws {
        try await withPayments { world in
            let (payment, dispute) = try await world.disputed()
            switch how {
            case "accept": try await world.accept(dispute.id)
            case "": try await world.pass(days: 7)
            default:
                try await world.contest(dispute.id, how)
                #expect(try await world.inFlight() > 0)
                try await world.pass()
                #expect(try await world.status(dispute.id) == .underReview)
                #expect(try await world.inFlight() == 0)
            }
            try await world.pass(hours: 1)
            let isWon: Bool = how == "winning_evidence"
            #expect(try await world.status(dispute.id) == (isWon ? .won : .lost))
            #expect(try await world.payment(payment.id).amountDisputed == (isWon ? 0 : 2_000))
            let won: [String] = [
                "assets:disputed_funds 0", "assets:provider:sandbox 2000", "expense:dispute_fees 0",
                "income:customer_payments -2000",
            ]
            let lost: [String] = [
                "assets:disputed_funds 0", "assets:provider:sandbox -1500", "expense:dispute_fees 1500",
                "expense:dispute_losses 2000", "income:customer_payments -2000",
            ]
            #expect(try await world.balances() == (isWon ? won : lost))
            #expect(try await world.published("payment.dispute_closed.v1") == 1)
            #expect(try await world.disputes().first?.closedAt != nil)
            #expect(try await world.violations().isEmpty)
        }
    }

    @Test("evidence of no known worth stays with the bank") func undecided() async throws {
        try await withPayments { world in
            let (_, dispute) = try await world.disputed()
            try await world.contest(dispute.id, "the parcel was signed for")
            for days: Int64 in [0, 30] { try await world.pass(days: days) }
            #expect(try await world.status(dispute.id) == .underReview)
            #expect(try await world.violations().isEmpty)
        }
    }

    @Test("an inquiry moves no money, closes by itself or by evidence, or becomes a dispute") func inquiry()
        async throws
    {
        try await withPayments { world in
            let (payment, first) = try await world.disputed(Disputing.inquiry)
            #expect(first.status == .inquiry && payment.amountDisputed == 0)
            await #expect(throws: RespondToDispute.Failure.state(.inquiry)) { try await world.accept(first.id) }
            #expect(try await world.refund(payment.id, 500).status == 201)
            try await world.pass(days: 7)
            #expect(try await world.status(first.id) == .closed)
            #expect(try await world.booked(payment.id) == ["payment", "refund"])
            let (_, answered) = try await world.disputed(Disputing.inquiry)
            try await world.contest(answered.id)
            try await world.pass(hours: 1)
            try await world.pass(hours: 1)
            #expect(try await world.status(answered.id) == .closed)
            let (escalated, third) = try await world.disputed(Disputing.inquiry)
            try await world.contest(third.id, "escalate_inquiry_evidence")
            try await world.pass(hours: 1)
            try await world.pass(hours: 1)
            #expect(try await world.status(third.id) == .needsResponse)
            #expect(try await world.payment(escalated.id).amountDisputed == 2_000)
            #expect(try await world.published("payment.disputed.v1") == 4, "told again when it escalates")
            #expect(try await world.published("payment.dispute_closed.v1") == 2)
            #expect(try await world.violations().isEmpty)
        }
    }

    @Test(
        "an inquiry that escalates takes what was not refunded meanwhile, and is closed when nothing is left",
        arguments: [Int64(500), 2_000])
    func escalatedAfterRefund(_ refunded: Int64) async throws {
        try await withPayments { world in
            let (payment, inquiry) = try await world.disputed(Disputing.inquiry)
            try await world.contest(inquiry.id, "escalate_inquiry_evidence")
            try await world.pass()
            #expect(try await world.refund(payment.id, refunded).status == 201)
            try await world.pass(hours: 2)
            let isOver: Bool = refunded == payment.amount.minor
            #expect(try await world.status(inquiry.id) == (isOver ? .closed : .needsResponse))
            #expect(try await world.payment(payment.id).amountDisputed == (isOver ? 0 : 1_500))
            #expect(
                try await world.booked(payment.id)
                    == (isOver ? ["payment", "refund"] : ["payment", "refund", "dispute"]))
            #expect(try await world.violations().isEmpty)
        }
    }

    @Test("a refund and a dispute together never give back more than was taken") func refunds() async throws {
        try await withPayments { world in
            let payment: PaymentRecord = try await world.paid(world.payer(Disputing.fraudulent), amount: 2_000)
            _ = try await world.refund(payment.id, 500)
            try await world.pass(days: 1)
            let dispute: DisputeRecord = try #require(try await world.disputes().first)
            #expect(dispute.standing.amount.minor == 1_500, "the bank disputes what is left")
            for amount: Int64? in [nil, 1, 1_500] {
                await #expect(throws: RefundPayment.Failure.tooMuch(left: 0)) {
                    try await world.refund(payment.id, amount)
                }
            }
            let past = RefundRequest(
                idempotencyKey: .new(at: PaymentWorld.start), reference: "ch_\(payment.attemptID)",
                amount: Money(minor: 1, currency: .usd))
            #expect(try await world.provider.refund(past) == .refused(code: "charge_disputed"))
            try await world.contest(dispute.id)
            try await world.pass(hours: 1)
            try await world.pass(hours: 1)
            #expect(try await world.refund(payment.id, 1_500).status == 201, "a won dispute gives the money back to us")
            #expect(try await world.violations().isEmpty)
        }
    }

    @Test("what is captured by hand is disputed as far as it was captured; what never was is not")
    func captures() async throws {
        try await withPayments { world in
            let customer: CustomerID = try await world.payer(Disputing.fraudulent)
            let held: PaymentRecord = try await world.authorized(customer, amount: 2_000)
            let given: PaymentRecord = try await world.authorized(customer, amount: 700)
            try await world.cancel(given.id)
            try await world.capture(held.id, 900, final: false)
            try await world.pass(days: 1)
            #expect(try await world.disputes().map(\.standing.amount.minor) == [900])
            #expect(try await world.payment(held.id).amountDisputed == 900)
            #expect(try await world.inFlight() == 0)
            #expect(try await world.violations().isEmpty)
        }
    }

    @Test("every kind of tampering with disputes is reported") func tampered() async throws {
        try await withPayments { world in
            _ = try await world.disputed()
            #expect(try await world.violations().isEmpty)
            // What nobody but the owner can do: the guards are taken away first.
            for guarded: SQL in [
                "ALTER TABLE journal_lines DISABLE TRIGGER USER", "ALTER TABLE journal_entries DISABLE TRIGGER USER",
            ] { try await world.execute(guarded) }
            let tampering: [(SQL, String)] = [
                ("DELETE FROM disputes", "dispute bookings without a dispute"),
                ("DELETE FROM disputes", "the sandbox provider's books and ours differ"),
                ("UPDATE disputes SET status = 'lost'", "disputes that are not booked as they stand"),
                ("UPDATE disputes SET amount = amount - 1", "disputes that are not booked as they stand"),
                ("UPDATE disputes SET fee = 0", "disputes that are not booked as they stand"),
                ("UPDATE sandbox_disputes SET status = 'won'", "the sandbox provider's books and ours differ"),
                ("UPDATE sandbox_disputes SET fee = 0", "the sandbox provider's books and the ledger differ"),
                ("DELETE FROM sandbox_disputes", "the sandbox provider's books and the ledger differ"),
                ("UPDATE payments SET amount_disputed = 0", "payments whose disputes do not add up"),
                (
                    "DELETE FROM journal_lines WHERE account = 'expense:dispute_fees'",
                    "disputes that are not booked as they stand"
                ),
            ]
            for (statement, sentence) in tampering {
                let found: [String] = try await world.found(after: statement)
                #expect(found.contains { $0.contains(sentence) }, "\(sentence): \(found)")
            }
            #expect(try await world.violations().isEmpty)
        }
    }
}
