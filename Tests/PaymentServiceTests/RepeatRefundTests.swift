import BillingCore
import BillingEvents
import HTTPKit
import PaymentContract
import PaymentDisputes
import PaymentDomain
import PaymentRecords
import PaymentService
import Postgres
import TestKit
import Testing

@Suite("Money that nobody owes and whose refund is refused") struct RepeatRefundTests {
    /// A payment whose money came when it had ended.
    private func late(_ world: PaymentWorld) async throws -> PaymentRecord {
        let payment: PaymentRecord = try await world.created(world.payer())
        let attempt: ApprovedAttempt = try await world.ended(payment)
        let answer: ChargeAnswer = try await world.provider.charge(world.asked(payment))
        try await world.work.outcomes(Outcome(attempt: attempt, answer: answer))
        return try await world.payment(payment.id)
    }

    /// A paid payment of an invoice.
    private func collected(_ world: PaymentWorld, _ card: String) async throws -> (
        payment: PaymentRecord, word: InvoiceVoidedV1
    ) {
        let customer: CustomerID = try await world.payer(card)
        let invoice = InvoiceID.new(at: PaymentWorld.start)
        await world.deliver([world.finalized(invoice, customer)])
        let payment: PaymentRecord = try await world.payment(of: invoice)
        await world.decide(payment)
        return (try await world.settled(payment.id), world.voided(invoice, customer))
    }

    /// The refunds there are, oldest first.
    private func refunds(_ world: PaymentWorld) async throws -> [String] {
        try await world.texts("SELECT concat_ws('|', amount, status, reason) FROM refunds ORDER BY id")
    }

    /// The time of the next try comes, and the sweeper looks.
    private func tryAgain(_ world: PaymentWorld) async throws {
        try await world.execute("UPDATE refunds_to_repeat SET next_at = now() WHERE next_at <> 'infinity'")
        for _ in 0..<2 { try await world.work.sweep.pass() }
    }

    /// How many payments have money that is to be given back again.
    private func waiting(_ world: PaymentWorld) async throws -> Int {
        try await world.number("SELECT count(*) FROM refunds_to_repeat")
    }

    @Test("it is asked for again after waits that double, and given back once, when the provider takes the refund")
    func again() async throws {
        try await withPayments { world in
            let payment: PaymentRecord = try await late(world)
            world.provider.refuse([.refunds])
            let quarters: SQL = "SELECT round(extract(epoch FROM next_at - now()) / 900)::int FROM refunds_to_repeat"
            for _ in 0..<3 { try await world.work.sweep.pass() }
            #expect(try await refunds(world) == ["1299|failed|paid_after_it_had_ended"])
            #expect(try await world.number(quarters) == 1)
            try await tryAgain(world)
            #expect(try await world.number(quarters) == 2)
            try await world.execute("UPDATE refunds_to_repeat SET tries = 15")
            try await tryAgain(world)
            #expect(try await world.number(quarters) == 96)
            #expect(try await world.payment(payment.id).amountRefunded == 0)
            world.provider.refuse([])
            try await tryAgain(world)
            let failed: [String] = Array(repeating: "1299|failed|paid_after_it_had_ended", count: 3)
            #expect(try await refunds(world) == failed + ["1299|succeeded|paid_after_it_had_ended"])
            #expect(try await world.booked(payment.id) == ["payment", "refund"])
            #expect(try await world.published("payment.refunded.v1") == 1)
            try await tryAgain(world)
            #expect(try await waiting(world) == 0)
            #expect(try await world.payment(payment.id).amountRefunded == 1_299)
            #expect(try await world.violations() == [])
        }
    }

    @Test("of two processes that look at once one asks") func atOnce() async throws {
        try await withPayments(connections: 8) { world in
            world.provider.refuse([.refunds])
            let payment: PaymentRecord = try await late(world)
            try await world.work.sweep.pass()
            world.provider.refuse([])
            try await world.execute("UPDATE refunds_to_repeat SET next_at = now()")
            async let one: Void = world.work.sweep.pass()
            async let other: Void = world.work.sweep.pass()
            _ = try await (one, other)
            try await world.work.sweep.pass()
            let expected = ["1299|failed|paid_after_it_had_ended", "1299|succeeded|paid_after_it_had_ended"]
            #expect(try await refunds(world) == expected)
            #expect(try await world.booked(payment.id) == ["payment", "refund"])
        }
    }

    @Test("what somebody has given back by hand meanwhile is not given back again") func byHand() async throws {
        try await withPayments { world in
            world.provider.refuse([.refunds])
            let payment: PaymentRecord = try await late(world)
            try await world.work.sweep.pass()
            // This one is refused, too, and changes nothing.
            #expect(try await world.refund(payment.id, 700).status == 201)
            world.provider.refuse([])
            #expect(try await world.refund(payment.id, 500).status == 201)
            try await tryAgain(world)
            #expect(
                try await refunds(world) == [
                    "1299|failed|paid_after_it_had_ended", "700|failed", "500|succeeded",
                    "799|succeeded|paid_after_it_had_ended",
                ])
            try await tryAgain(world)
            #expect(try await waiting(world) == 0)
            #expect(try await world.violations() == [])
        }
    }

    /// A payment of a withdrawn invoice that a person has given back after the service's refund was refused.
    private func givenBack(_ world: PaymentWorld, hasLooked: Bool) async throws -> (PaymentRecord, RefundID) {
        // Refunds of this card come back a day later.
        let (payment, word) = try await collected(world, "4000000000005126")
        world.provider.refuse([.refunds])
        await world.deliver([word])
        for _ in 0..<2 { try await world.work.sweep.pass() }
        world.provider.refuse([])
        #expect(try await world.refund(payment.id, nil).status == 201)
        #expect(try await refunds(world) == ["1299|failed|invoice_voided", "1299|succeeded"])
        if hasLooked { try await tryAgain(world) }
        #expect(try await waiting(world) == (hasLooked ? 0 : 1))
        let made: [String] = try await world.texts("SELECT id FROM refunds WHERE status = 'succeeded'")
        return (payment, RefundID(unchecked: made[0]))
    }

    @Test(
        "one that a person made comes back after it had counted: nothing follows by itself, and it stays noted",
        arguments: [true, false])
    func byHandComesBack(hasLooked: Bool) async throws {
        try await withPayments { world in
            let (payment, _) = try await givenBack(world, hasLooked: hasLooked)
            world.clock.advance(by: .seconds(86_400))
            try await world.sandboxWords.pass()
            try await tryAgain(world)
            #expect(try await refunds(world) == ["1299|failed|invoice_voided", "1299|failed"])
            let noted: SQL = "SELECT concat_ws('|', reason, next_at) FROM refunds_to_repeat"
            #expect(try await world.texts(noted) == ["invoice_voided|infinity"])
            #expect(try await world.payment(payment.id).amountRefunded == 0)
            #expect(try await world.violations() == [])
        }
    }

    @Test("what was a dispute's withdrawal and no refund is looked at again, as all that a dispute has")
    func withdrawn()
        async throws
    {
        try await withPayments { world in
            let (payment, refund) = try await givenBack(world, hasLooked: true)
            try await world.database.transaction { db in
                _ = try BounceRefund.undo(refund, code: RefundRepeats.disputed, at: PaymentWorld.start, in: db)
                _ = try db.execute("UPDATE payments SET amount_disputed = 1299 WHERE id = \(payment.id)")
            }
            #expect(try await world.number("SELECT count(*) FROM refunds_to_repeat WHERE next_at <= now()") == 1)
            try await tryAgain(world)
            #expect(try await refunds(world) == ["1299|failed|invoice_voided", "1299|failed"])
            let patient: SQL = "SELECT count(*) FROM refunds_to_repeat WHERE next_at > now() AND next_at <> 'infinity'"
            #expect(try await world.number(patient) == 1)
        }
    }

    @Test("beyond what a plan was owed nothing goes back again by itself: a person gives it back") func ofPlan()
        async throws
    {
        try await withPayments { world in
            let payment: PaymentRecord = try await world.paid(world.payer())
            world.provider.refuse([.refunds])
            try await world.database.transaction { db in
                let locked: PaymentRecord? = try PaymentStore.lock(payment.id, in: db)
                _ = try RefundStore.reserveRest(
                    of: try #require(locked), atMost: 300, reason: OwnRefund.ofOverpaidPlan, at: PaymentWorld.start,
                    in: db)
            }
            try await world.work.sweep.pass()
            world.provider.refuse([])
            try await tryAgain(world)
            #expect(try await refunds(world) == ["300|failed|paid_beyond_what_was_owed"])
            #expect(try await world.payment(payment.id).amountRefunded == 0)
        }
    }

    @Test("what is refused for a fortnight is left to a person") func tired() async throws {
        try await withPayments { world in
            world.provider.refuse([.refunds])
            _ = try await late(world)
            try await world.work.sweep.pass()
            try await world.execute("UPDATE refunds_to_repeat SET tries = 19")
            for _ in 0..<3 { try await tryAgain(world) }
            #expect(try await refunds(world).count == 2)
            #expect(try await world.number("SELECT count(*) FROM refunds_to_repeat WHERE next_at = 'infinity'") == 1)
        }
    }

    @Test("a refund that comes back after it had counted is followed by none: the next one would, too") func bounced()
        async throws
    {
        try await withPayments { world in
            // Refunds of this card come back a day later.
            let (payment, word) = try await collected(world, "4000000000005126")
            await world.deliver([word])
            for _ in 0..<2 { try await world.work.sweep.pass() }
            #expect(try await refunds(world) == ["1299|succeeded|invoice_voided"])
            world.clock.advance(by: .seconds(86_400))
            try await world.sandboxWords.pass()
            try await tryAgain(world)
            #expect(try await refunds(world) == ["1299|failed|invoice_voided"])
            #expect(try await world.booked(payment.id) == ["payment", "refund", "refund_failure"])
        }
    }

    @Test("what a dispute takes meanwhile is given back once it is won, and only then") func disputed() async throws {
        try await withPayments { world in
            let (payment, word) = try await collected(world, Disputing.fraudulent)
            world.provider.refuse([.refunds])
            await world.deliver([word])
            for _ in 0..<2 { try await world.work.sweep.pass() }
            #expect(try await refunds(world) == ["1299|failed|invoice_voided"])
            world.provider.refuse([])
            try await world.pass(days: 1)
            let dispute: DisputeRecord = try #require(try await world.disputes(of: payment.id).first)
            try await tryAgain(world)
            #expect(try await refunds(world) == ["1299|failed|invoice_voided"], "the bank has it")
            try await world.contest(dispute.id)
            try await world.pass()
            try await world.pass(hours: 1)
            #expect(try await world.payment(payment.id).amountDisputed == 0)
            try await tryAgain(world)
            #expect(try await refunds(world) == ["1299|failed|invoice_voided", "1299|succeeded|invoice_voided"])
            #expect(try await world.violations() == [])
        }
    }

    @Test("waiting for a dispute counts for no try, and what it gives back is asked for at once") func patient()
        async throws
    {
        try await withPayments { world in
            let (payment, word) = try await collected(world, Disputing.fraudulent)
            world.provider.refuse([.refunds])
            await world.deliver([word])
            for _ in 0..<2 { try await world.work.sweep.pass() }
            try await world.pass(days: 1)
            let dispute: DisputeRecord = try #require(try await world.disputes(of: payment.id).first)
            try await world.execute("UPDATE refunds_to_repeat SET tries = 18")
            for _ in 0..<2 { try await tryAgain(world) }
            let waiting: SQL = "SELECT tries FROM refunds_to_repeat WHERE next_at > now() + interval '2 days'"
            #expect(try await world.number(waiting) == 18)
            try await world.contest(dispute.id)
            try await world.pass()
            try await world.pass(hours: 1)
            try await world.work.sweep.pass()
            #expect(try await refunds(world) == Array(repeating: "1299|failed|invoice_voided", count: 2))
            world.provider.refuse([])
            try await tryAgain(world)
            #expect(try await refunds(world).last == "1299|succeeded|invoice_voided")
            #expect(try await world.payment(payment.id).amountRefunded == 1_299)
            #expect(try await world.violations() == [])
        }
    }

    @Test("what another refund sets free is looked at at once") func setFree() async throws {
        try await withPayments { world in
            let payment: PaymentRecord = try await late(world)
            world.provider.refuse([.refunds])
            for _ in 0..<3 { try await world.work.sweep.pass() }
            try await world.execute("UPDATE refunds_to_repeat SET next_at = now() + interval '30 days'")
            try await world.database.transaction { db in
                let id = RefundID.new(at: PaymentWorld.start)
                let locked: PaymentRecord = try #require(try PaymentStore.lock(payment.id, in: db))
                try RefundStore.reserve(id, 299, of: locked, capture: nil, reason: nil, at: PaymentWorld.start, in: db)
                _ = try RefundStore.free(id, as: .failed, code: "refused", in: db)
            }
            #expect(try await world.number("SELECT count(*) FROM refunds_to_repeat WHERE next_at <= now()") == 1)
        }
    }

    @Test("a refund that somebody has taken back is not asked for again", arguments: ["canceled", "CANCELLED"])
    func takenBack(code: String) async throws {
        try await withPayments { world in
            let payment: PaymentRecord = try await late(world)
            try await world.database.transaction { db in
                let found: String? = try db.first("SELECT id FROM refunds") { row in try row.next() }
                let id = RefundID(unchecked: try #require(found))
                _ = try RefundStore.lock(id, in: db)
                _ = try RefundStore.free(id, as: .failed, code: code, in: db)
            }
            try await tryAgain(world)
            #expect(try await refunds(world) == ["1299|failed|paid_after_it_had_ended"])
            #expect(try await world.payment(payment.id).amountRefunded == 0)
        }
    }

    @Test("where the provider says to have made what it had refused, a person looks before anything goes back again")
    func contradicted() async throws {
        try await withPayments { world in
            world.provider.refuse([.refunds])
            let payment: PaymentRecord = try await late(world)
            try await world.work.sweep.pass()
            world.provider.refuse([])
            let failed: String = try await world.texts("SELECT id FROM refunds")[0]
            let noted: Bool = try await world.database.transaction { db in
                try RefundStore.noteMade(RefundID(unchecked: failed), reference: "re_made", in: db)
            }
            #expect(noted)
            try await tryAgain(world)
            #expect(try await refunds(world) == ["1299|failed|paid_after_it_had_ended"])
            #expect(try await world.payment(payment.id).amountRefunded == 0)
        }
    }
}
