import BillingCore
import HTTPKit
import JSON
import PaymentContract
import PaymentDisputes
import PaymentDomain
import PaymentPayPal
import PaymentRecords
import PaymentService
import Postgres
import ServiceKit
import TestKit
import Testing

@Suite("News of disputes") struct DisputeNewsTests {
    @Test("late and repeated news changes nothing; a lost dispute is won on appeal") func late() async throws {
        try await withPayments { world in
            let payment: PaymentRecord = try await world.paid(world.payer(), amount: 2_000)
            for stage: DisputeStatus in [.needsResponse, .needsResponse, .lost, .underReview, .needsResponse, .lost] {
                try await world.hear(world.told(payment, stage))
            }
            #expect(try await world.disputes().map(\.status) == [.lost])
            #expect(try await world.published("payment.disputed.v1") == 1)
            #expect(try await world.published("payment.dispute_closed.v1") == 1)
            try await world.hear(world.told(payment, .won, fee: 0))
            try await world.hear(world.told(payment, .lost))
            #expect(try await world.disputes().map(\.status) == [.won])
            #expect(try await world.published("payment.dispute_closed.v1") == 2)
            #expect(try await world.payment(payment.id).amountDisputed == 0)
            #expect(
                try await world.balances() == [
                    "assets:disputed_funds 0", "assets:provider:sandbox 2000", "expense:dispute_fees 0",
                    "expense:dispute_losses 0", "income:customer_payments -2000",
                ])
        }
    }

    @Test("what was lost is told again with another amount, so that whoever adds it up has the last") func amount()
        async throws
    {
        try await withPayments { world in
            let payment: PaymentRecord = try await world.paid(world.payer(), amount: 2_000)
            for (minor, second) in [(Int64(2_000), Int64(1)), (1_500, 2), (1_500, 3)] {
                let at = Instant(seconds: PaymentWorld.start.seconds + second)
                try await world.hear(world.told(payment, .lost, amount: minor, changedAt: at))
            }
            let told: [String] = try await world.texts(
                """
                SELECT body::json->>'amount' FROM outbox
                WHERE type = 'payment.dispute_closed.v1' ORDER BY seq
                """)
            #expect(told == ["2000", "1500"])
            let facts: [(String, JSONValue)] = try await world.database.transaction { db in
                try PaymentConsistency.facts(in: db).facts
            }
            let lost: JSONValue? = facts.first { $0.0 == "lost_disputes" }?.1
            #expect(lost?.description == #"{"USD":{"count":1,"amount":1500}}"#)
        }
    }

    @Test("the same news in any order and any number, at once, ends in the same books", arguments: 0..<3)
    func anyOrder(run: Int) async throws {
        try await withPayments(connections: 8) { world in
            var random = Seeded()
            let customer: CustomerID = try await world.payer()
            let stages: [DisputeStatus] = [.inquiry, .needsResponse, .underReview, .needsResponse, .lost, .won]
            let length: Int = .random(in: 1...stages.count, using: &random)
            var ends: Set<String> = []
            for index in 0..<6 {
                let payment: PaymentRecord = try await world.paid(customer, amount: 2_000)
                let news: [ProviderDispute] = stages.prefix(length).enumerated().map { step, stage in
                    let fee: Int64 = stage == .inquiry || stage == .won ? 0 : 1_500
                    return world.told(
                        payment, stage, reference: "dp_\(index)", fee: fee,
                        changedAt: Instant(seconds: PaymentWorld.start.seconds + Int64(step)))
                }
                let order: [ProviderDispute] = (news + news.filter { _ in Bool.random(using: &random) })
                    .shuffled(using: &random)
                try await withThrowingTaskGroup(of: Void.self) { group in
                    for told in order { group.addTask { try await world.hear(told) } }
                    try await group.waitForAll()
                }
                let dispute: DisputeRecord = try #require(try await world.disputes(of: payment.id).first)
                let books: [String] = try await world.texts(
                    """
                    SELECT l.account || ' ' || sum(l.amount) FROM journal_lines l JOIN journal_entries e ON e.id = l.entry_id
                    WHERE e.payment_id = \(payment.id) GROUP BY l.account HAVING sum(l.amount) <> 0 ORDER BY l.account
                    """)
                let disputed: Int64 = try await world.payment(payment.id).amountDisputed
                ends.insert("\(dispute.status) \(disputed) \(dispute.evidenceDueBy != nil) \(books)")
            }
            #expect(ends.count == 1, "seed \(random.seed): \(ends)")
        }
    }

    @Test("what cannot be is refused and nothing is stored") func refused() async throws {
        try await withPayments { world in
            let customer: CustomerID = try await world.payer()
            let payment: PaymentRecord = try await world.paid(customer, amount: 2_000)
            let other: PaymentRecord = try await world.paid(customer, amount: 2_000)
            func told(
                taken: String? = nil, paymentID: PaymentID?, amount: Money = Money(minor: 2_000, currency: .usd),
                reference: String = "dp_1"
            ) -> ProviderDispute {
                ProviderDispute(
                    reference: reference, taken: taken ?? "ch_\(payment.attemptID)", paymentID: paymentID,
                    amount: amount, fee: nil, reason: "fraudulent", stage: .needsResponse, openedAt: PaymentWorld.start,
                    evidenceDueBy: nil)
            }
            let unknown = PaymentID.new(at: PaymentWorld.start)
            let cases: [(ProviderDispute, RecordDispute.Refusal)] = [
                (told(taken: "ch_forged", paymentID: nil), .notOurs),
                (told(paymentID: unknown), .unknownPayment(unknown)),
                (told(paymentID: other.id), .anotherCharge),
                (told(taken: "ch_forged", paymentID: payment.id), .anotherCharge),
                (
                    told(paymentID: payment.id, amount: Money(minor: 2_000, currency: .eur)),
                    .contradiction("the amount is 20.00 EUR")
                ),
                (
                    told(paymentID: payment.id, amount: Money(minor: 0, currency: .usd)),
                    .contradiction("the amount is 0.00 USD")
                ),
                (
                    told(paymentID: payment.id, amount: Money(minor: 2_501, currency: .usd)),
                    .contradiction("more is disputed than was captured")
                ),
            ]
            for (news, refusal) in cases {
                await #expect(throws: refusal) { try await world.hear(news) }
            }
            #expect(try await world.disputes().isEmpty)
            try await world.hear(told(paymentID: payment.id))
            await #expect(throws: RecordDispute.Refusal.contradiction("more is disputed than was captured")) {
                try await world.hear(told(paymentID: payment.id, reference: "dp_2"))
            }
            #expect(try await world.payment(payment.id).amountDisputed == 2_000)
        }
    }

    /// What PayPal tells of a dispute that names no payment.
    /// - Parameter more: Further members.
    private static func payPal(
        _ status: String, _ cycle: String, taken: String, id: String = "PP-D-1", _ more: String = ""
    ) throws -> ProviderDispute {
        let event = #"""
            {"id":"WH-1","event_type":"CUSTOMER.DISPUTE.UPDATED","create_time":"2027-01-02T00:00:00Z","resource":{
            "dispute_id":"\#(id)","create_time":"2027-01-01T00:00:00Z","update_time":"2027-01-02T00:00:00Z",
            "disputed_transactions":[{"seller_transaction_id":"\#(taken)"}],"reason":"UNAUTHORISED",
            "status":"\#(status)","dispute_life_cycle_stage":"\#(cycle)",
            "dispute_amount":{"currency_code":"USD","value":"20.00"}\#(more)}}
            """#
        guard case .dispute(let told) = try PayPalNews().news(in: Array(event.utf8)) else {
            throw PaymentWorld.Absent()
        }
        return told
    }

    @Test("one that names no payment is of the payment whose charge, or capture, is disputed") func unnamed()
        async throws
    {
        try await withPayments { world in
            let customer: CustomerID = try await world.payer()
            let charged: PaymentRecord = try await world.paid(customer, amount: 2_000)
            let held: PaymentRecord = try await world.authorized(customer, amount: 2_000)
            try await world.capture(held.id, 2_000)
            let captures: [String] = try await world.texts(
                "SELECT provider_reference FROM captures WHERE payment_id = \(held.id)")
            let capture: String = try #require(captures.first)
            let cases: [(PaymentRecord, String, String)] = [
                (charged, "ch_\(charged.attemptID)", "PP-D-1"), (held, capture, "PP-D-2"),
            ]
            for (payment, taken, id) in cases {
                let told: ProviderDispute = try Self.payPal("UNDER_REVIEW", "CHARGEBACK", taken: taken, id: id)
                #expect(told.paymentID == nil)
                #expect(try await world.hear(told).paymentID == payment.id)
                #expect(try await world.payment(payment.id).amountDisputed == 2_000)
            }
        }
    }

    @Test("an inquiry that ends with a refund moves the money once") func refundedInquiry() async throws {
        let end = #"""
            ,"dispute_outcome":{"outcome_code":"RESOLVED_BUYER_FAVOUR",
            "amount_refunded":{"currency_code":"USD","value":"20.00"}}
            """#
        try await withPayments { world in
            let payment: PaymentRecord = try await world.paid(world.payer(), amount: 2_000)
            let taken = "ch_\(payment.attemptID)"
            try await world.hear(Self.payPal("WAITING_FOR_SELLER_RESPONSE", "INQUIRY", taken: taken))
            #expect(try await world.refund(payment.id, 2_000).status == 201)
            for _ in 0..<2 { try await world.hear(Self.payPal("RESOLVED", "INQUIRY", taken: taken, end)) }
            #expect(try await world.disputes().map(\.status) == [.closed])
            #expect(try await world.booked(payment.id) == ["payment", "refund"])
            #expect(try await world.balances().contains("assets:provider:sandbox 0"))
            let after: PaymentRecord = try await world.payment(payment.id)
            #expect(after.amountRefunded == 2_000 && after.amountDisputed == 0)
        }
    }

    @Test("one over a little more than was captured, as rates change, is booked over what was captured") func beyond()
        async throws
    {
        try await withPayments { world in
            let payment: PaymentRecord = try await world.paid(world.payer(), amount: 2_000)
            for stage in [ProviderDispute.Stage.needsResponse, .lost] {
                try await world.hear(
                    ProviderDispute(
                        reference: "dp_1", taken: "ch_\(payment.attemptID)", paymentID: payment.id,
                        amount: Money(minor: 2_026, currency: .usd), fee: nil, reason: "fraudulent", stage: stage,
                        openedAt: PaymentWorld.start, evidenceDueBy: nil))
                #expect(try await world.payment(payment.id).amountDisputed == 2_000)
                #expect(try await world.balances().contains("assets:provider:sandbox 0"))
            }
        }
    }

    @Test("one that takes nothing stands beside another that has taken all, whenever it is told; to take it is refused")
    func besideAnother() async throws {
        try await withPayments { world in
            let payment: PaymentRecord = try await world.paid(world.payer(), amount: 2_000)
            try await world.hear(world.told(payment, .needsResponse, fee: nil))
            for stage: DisputeStatus in [.inquiry, .closed, .won, .won] {
                try await world.hear(world.told(payment, stage, reference: "dp_\(stage)", fee: nil))
            }
            let statuses: [String] = try await world.disputes().map(\.status.rawValue)
            #expect(statuses.sorted() == ["closed", "inquiry", "needs_response", "won"])
            await #expect(throws: RecordDispute.Refusal.contradiction("more is disputed than was captured")) {
                try await world.hear(world.told(payment, .lost, reference: "dp_won", fee: nil))
            }
            #expect(try await world.payment(payment.id).amountDisputed == 2_000)
            #expect(
                try await world.balances() == [
                    "assets:disputed_funds 2000", "assets:provider:sandbox 0", "income:customer_payments -2000",
                ])
        }
    }

    @Test("one that was cut to what another had left stays so when it is won") func cutAndWon() async throws {
        try await withPayments { world in
            let payment: PaymentRecord = try await world.paid(world.payer(), amount: 2_000)
            try await world.hear(world.told(payment, .needsResponse, amount: 500, fee: nil))
            for (stage, disputed): (DisputeStatus, Int64) in [(.needsResponse, 2_000), (.won, 500)] {
                let second: DisputeRecord = try await world.hear(
                    world.told(payment, stage, reference: "dp_2", amount: 1_600, fee: nil))
                #expect(second.standing.status == stage && second.standing.amount.minor == 1_500)
                #expect(try await world.payment(payment.id).amountDisputed == disputed)
            }
        }
    }

    @Test("a dispute of a charge whose outcome is not known waits for it") func early() async throws {
        try await withPayments { world in
            let payment: PaymentRecord = try await world.created(world.payer(Disputing.fraudulent), amount: 2_000)
            world.provider.turn(.booksAndVanishes)
            await world.decide(payment)
            try await eventually(within: .seconds(10), "the answer is lost") { world.provider.readInVain == 1 }
            world.provider.turn(.well)
            try await world.pass(days: 1)
            #expect(try await world.disputes().isEmpty)
            #expect(try await world.texts("SELECT fault FROM dispute_readings") == ["anotherCharge"])
            #expect(try await !world.violations().isEmpty)
            try await world.work.sweep.pass()
            try await world.pass()
            #expect(try await world.disputes(of: payment.id).map(\.status) == [.needsResponse])
            #expect(try await world.number("SELECT count(*) FROM dispute_readings") == 0)
            #expect(try await world.violations().isEmpty)
        }
    }

    @Test("a provider that is away tells later; nothing is passed over") func away() async throws {
        try await withPayments { world in
            let payment: PaymentRecord = try await world.paid(world.payer(Disputing.fraudulent), amount: 2_000)
            for mood: ScriptedProvider.Mood in [.away, .booksAndVanishes] {
                world.provider.turn(mood)
                try await world.pass(days: 1)
                #expect(try await world.disputes().isEmpty)
                #expect(try await world.inFlight() > 0, "the test clock waits for it")
            }
            world.provider.turn(.well)
            try await world.pass()
            #expect(try await world.disputes(of: payment.id).count == 1)
            #expect(try await world.inFlight() == 0)
            #expect(try await world.violations().isEmpty)
        }
    }

    @Test("several instances read every dispute once, and miss none") func instances() async throws {
        try await withPayments(connections: 8) { world in
            let customer: CustomerID = try await world.payer(Disputing.fraudulent)
            for _ in 0..<20 { _ = try await world.paid(customer, amount: 2_000) }
            world.clock.advance(by: .seconds(86_400))
            let now: Instant = world.clock.now
            try await withThrowingTaskGroup(of: Void.self) { group in
                for _ in 0..<4 {
                    group.addTask {
                        let other = PaymentWorld(world.database)
                        other.clock.advance(by: now - other.clock.now)
                        for _ in 0..<3 { try await other.disputes.follow.pass() }
                    }
                }
                try await group.waitForAll()
            }
            try await world.pass()
            #expect(try await world.disputes().count == 20)
            #expect(try await world.published("payment.disputed.v1") == 20)
            #expect(try await world.violations().isEmpty)
        }
    }
}
