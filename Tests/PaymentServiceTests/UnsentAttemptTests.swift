import BillingCore
import JSON
import PaymentContract
import PaymentDomain
import PaymentRecords
import PaymentService
import Postgres
import TestKit
import Testing

extension PaymentWorld {
    /// Holds the only payment to have been charged once, by a second attempt that was made at this time or later: the first
    /// one's key had become too old to be sent.
    func isChargedAnew(_ paid: PaymentRecord, since time: Instant) async throws {
        #expect(paid.status == .succeeded && paid.attempts == 2)
        #expect(try #require(paid.attemptID.madeAt) >= time)
        #expect(try await texts("SELECT idempotency_key FROM sandbox_charges") == [paid.attemptID.rawValue])
        #expect(
            try await texts("SELECT concat_ws(' ', status, decline_code) FROM payment_attempts ORDER BY number")
                == ["failed outage", "succeeded"])
        #expect(try await booked(paid.id) == ["payment"])
        #expect(try await published("payment.failed.v1") == 0)
        #expect(try await violations() == [])
    }
}

@Suite("Charges that were not sent") struct UnsentAttemptTests {
    /// A renewal whose provider cannot be reached.
    private func unsent(_ world: PaymentWorld, reason: String? = nil) async throws -> PaymentRecord {
        let invoice = InvoiceID.new(at: PaymentWorld.start)
        await world.deliver([world.finalized(invoice, try await world.payer(), reason: reason)])
        let payment: PaymentRecord = try await world.payment(of: invoice)
        world.provider.turn(.unreachable)
        await world.decide(payment)
        try await eventually(within: .seconds(10), "it is known that nothing was sent") {
            try await world.number("SELECT count(*) FROM payment_attempts WHERE unsent") == 1
        }
        return payment
    }

    /// Lets hours pass since an attempt was made: its key is too old to be sent.
    private func letHoursPass(_ world: PaymentWorld, _ payment: PaymentRecord) throws -> Instant {
        // Ids of a process never go back in time, and this one's have seen other tests.
        let madeAt: Instant = max(PaymentWorld.start, try #require(payment.attemptID.madeAt))
        let now: Instant = madeAt.adding(.seconds(6 * 3_600))
        world.clock.set(now)
        return now
    }

    @Test("are made once somebody can be asked, hours later too, under a key that providers still know")
    func hoursLater() async throws {
        try await withPayments { world in
            let payment: PaymentRecord = try await unsent(world)
            try await world.work.sweep.pass()
            #expect(try await world.payment(payment.id).status == .processing)
            let sixHoursLater: Instant = try letHoursPass(world, payment)
            world.provider.turn(.forgetful)
            try await world.work.sweep.pass()
            let paid: PaymentRecord = try await world.payment(payment.id)
            #expect(world.provider.asked.count == world.provider.charges, "there is nothing to read back")
            try await world.isChargedAnew(paid, since: sixHoursLater)
        }
    }

    @Test("stay the same attempt while its key is young") func soon() async throws {
        try await withPayments { world in
            let payment: PaymentRecord = try await unsent(world)
            world.provider.turn(.forgetful)
            try await world.work.sweep.pass()
            let paid: PaymentRecord = try await world.payment(payment.id)
            #expect(paid.status == .succeeded && paid.attemptID == payment.attemptID)
            #expect(try await world.booked(payment.id) == ["payment"])
        }
    }

    @Test("are not made for an invoice that was withdrawn meanwhile") func withdrawn() async throws {
        try await withPayments { world in
            let payment: PaymentRecord = try await unsent(world)
            try await world.execute("UPDATE payments SET invoice_voided = true")
            world.provider.turn(.well)
            try await world.work.sweep.pass()
            #expect(try await world.payment(payment.id).status == .canceled)
            #expect(try await world.number("SELECT count(*) FROM sandbox_charges") == 0)
            #expect(try await world.booked(payment.id) == [])
            #expect(try await world.violations() == [])
        }
    }

    /// Takes the payment's method off its customer.
    private func detach(_ payment: PaymentRecord, in world: PaymentWorld) async throws {
        let method: PaymentMethodID = try #require(payment.paymentMethodID)
        _ = try await world.database.transaction { db in
            try world.work.remove.detach(method, at: PaymentWorld.start, in: db)
        }
    }

    /// Asks for what is unpaid of a payment's invoice, and has it decided.
    private func collect(_ world: PaymentWorld, _ payment: PaymentRecord) async throws -> PaymentRecord {
        let invoice: InvoiceID = try #require(payment.invoiceID)
        await world.deliver([world.due(invoice, payment.customerID, reason: "new_payment_method")])
        await world.decide(try await world.payment(payment.id))
        return try await world.settled(payment.id)
    }

    @Test("are not made with a card that was taken off its customer meanwhile; the invoice is paid with another")
    func takenOff() async throws {
        try await withPayments { world in
            let payment: PaymentRecord = try await unsent(world)
            world.provider.turn(.well)
            try await detach(payment, in: world)
            try await withThrowingTaskGroup(of: Void.self) { group in
                for _ in 0..<4 { group.addTask { try await world.work.sweep.pass() } }
                try await group.waitForAll()
            }
            let failed: PaymentRecord = try await world.payment(payment.id)
            #expect(failed.status == .failed && failed.declineCode == "processing_error" && failed.attempts == 1)
            #expect(try await world.published("payment.failed.v1") == 1)
            #expect(try await world.number("SELECT count(*) FROM sandbox_charges") == 0)
            try await world.attach("5555555555554444", to: payment.customerID)
            let paid: PaymentRecord = try await collect(world, payment)
            #expect(paid.status == .succeeded && paid.attempts == 2)
            #expect(paid.paymentMethodID != payment.paymentMethodID)
            #expect(try await world.number("SELECT count(*) FROM sandbox_charges") == 1)
            #expect(try await world.violations() == [])
        }
    }

    @Test("are read back once they may have been sent, although the card was taken off since") func takenOffTooLate()
        async throws
    {
        try await withPayments { world in
            let payment: PaymentRecord = try await unsent(world)
            world.provider.turn(.booksAndVanishes)
            try await world.work.sweep.pass()
            try await detach(payment, in: world)
            try await world.attach("5555555555554444", to: payment.customerID)
            world.provider.turn(.well)
            try await world.work.sweep.pass()
            let paid: PaymentRecord = try await world.payment(payment.id)
            #expect(paid.status == .succeeded && paid.attempts == 1)
            #expect(try await world.booked(payment.id) == ["payment"])
            #expect(try await world.violations() == [])
        }
    }

    @Test("give way to another card that is the default now; where that was asked for, it is tried at once")
    func replacedOnRequest() async throws {
        try await withPayments { world in
            let payment: PaymentRecord = try await unsent(world)
            let invoice: InvoiceID = try #require(payment.invoiceID)
            world.provider.turn(.well)
            try await world.attach("5555555555554444", to: payment.customerID)
            await world.deliver([world.due(invoice, payment.customerID, reason: "new_payment_method")])
            #expect(try await world.payment(payment.id).attempts == 1, "it is under way")
            try await world.work.sweep.pass()
            let next: PaymentRecord = try await world.payment(payment.id)
            #expect(next.status == .created && next.attempts == 2)
            #expect(next.paymentMethodID != payment.paymentMethodID)
            #expect(try await world.published("payment.failed.v1") == 0, "nobody takes it for the other card's end")
            #expect(try await world.number("SELECT count(*) FROM sandbox_charges") == 0)
            await world.decide(next)
            #expect(try await world.settled(payment.id).status == .succeeded)
            #expect(
                try await world.texts(
                    "SELECT concat_ws(' ', status, decline_code) FROM payment_attempts ORDER BY number")
                    == ["failed processing_error", "succeeded"])
            #expect(try await world.booked(payment.id) == ["payment"])
            #expect(try await world.violations() == [])
        }
    }

    @Test("give way to it where nobody has asked yet, too: whoever collects hears of a failure") func replaced()
        async throws
    {
        try await withPayments { world in
            let payment: PaymentRecord = try await unsent(world)
            world.provider.turn(.well)
            try await world.attach("5555555555554444", to: payment.customerID)
            try await world.work.sweep.pass()
            let failed: PaymentRecord = try await world.payment(payment.id)
            #expect(failed.status == .failed && failed.declineCode == "processing_error" && failed.attempts == 1)
            #expect(try await world.published("payment.failed.v1") == 1)
            #expect(try await world.number("SELECT count(*) FROM sandbox_charges") == 0)
            let paid: PaymentRecord = try await collect(world, payment)
            #expect(paid.status == .succeeded && paid.attempts == 2)
            #expect(try await world.violations() == [])
        }
    }

    /// A link's payment whose provider cannot be reached; Fraud has let it pass.
    private func unsentOnPage(_ world: PaymentWorld) async throws -> (visit: Visit, payment: PaymentRecord) {
        let visit = Visit(world.code(try await world.link(await world.customer())))
        let seen: JSONValue = try await world.pay(visit, try await world.card(visit))
        let id = PaymentID(unchecked: seen["payment"]?["id"]?.stringValue ?? "")
        world.provider.turn(.unreachable)
        await world.decide(try await world.payment(id))
        try await eventually(within: .seconds(10), "it is known that nothing was sent") {
            try await world.number("SELECT count(*) FROM payment_attempts WHERE unsent") == 1
        }
        return (visit, try await world.payment(id))
    }

    @Test("are given up on a link's page at once, and the link is paid in another way", arguments: [false, true])
    func givenUp(byMerchant: Bool) async throws {
        try await withPayments { world in
            let (visit, payment): (Visit, PaymentRecord) = try await unsentOnPage(world)
            #expect(try await world.look(visit)["payment"]?["cancelable"] == .bool(true))
            if byMerchant {
                #expect(try await world.cancel(payment.id).status == .canceled)
            } else {
                let seen: JSONValue = try await world.giveUp(visit)
                #expect(seen["payment"]?["status"]?.stringValue == "canceled")
            }
            world.provider.turn(.well)
            try await world.work.sweep.pass()
            #expect(try await world.payment(payment.id).status == .canceled)
            #expect(try await world.number("SELECT count(*) FROM sandbox_charges") == 0)
            let paid: PaymentRecord = try await world.payNow(visit)
            #expect(paid.status == .succeeded && paid.id != payment.id)
            #expect(try await world.violations() == [])
        }
    }

    @Test("fail where somebody has just signed up, who is not charged hours later; a renewal is made") func signedUp()
        async throws
    {
        for (reason, expected) in [("signup", PaymentStatus.failed), ("upgrade", .failed), ("cycle", .succeeded)] {
            try await withPayments { world in
                let payment: PaymentRecord = try await unsent(world, reason: reason)
                _ = try letHoursPass(world, payment)
                world.provider.turn(.well)
                try await world.work.sweep.pass()
                #expect(try await world.settled(payment.id).status == expected, "\(reason)")
                let charged: Int = try await world.number("SELECT count(*) FROM sandbox_charges")
                #expect(charged == (expected == .failed ? 0 : 1))
            }
        }
    }

    @Test("fail with a new card, too, and say when to ask again; dunning's own is then made, however late")
    func newCard()
        async throws
    {
        try await withPayments { world in
            let invoice = InvoiceID.new(at: PaymentWorld.start)
            let customer: CustomerID = try await world.payer("4000000000000069")
            await world.deliver([world.finalized(invoice, customer)])
            let payment: PaymentRecord = try await world.payment(of: invoice)
            await world.decide(payment)
            #expect(try await world.settled(payment.id).declineCode == "expired_card")
            try await world.attach("5555555555554444", to: customer)
            world.provider.turn(.unreachable)
            var until: [String] = ["1"]
            for (number, reason) in [(1, "new_payment_method"), (2, "retry")] {
                world.clock.set(PaymentWorld.start)
                await world.deliver([world.due(invoice, customer, reason: reason)])
                let begun: PaymentRecord = try await world.payment(payment.id)
                #expect(begun.status == .created && begun.attempts == number + 1)
                await world.decide(begun)
                try await eventually(within: .seconds(10), "it is known that nothing was sent") {
                    try await world.number("SELECT count(*) FROM payment_attempts WHERE unsent") == number
                }
                let now: Instant = try letHoursPass(world, begun)
                if reason == "retry" { world.provider.turn(.forgetful) }
                try await world.work.sweep.pass()
                if reason == "new_payment_method" { until.append("2 \(now.adding(.seconds(900)).rfc3339)") }
                let told: [String] = try await world.texts(
                    """
                    SELECT concat_ws(' ', body::jsonb->>'attempt', body::jsonb->>'retry_at') FROM outbox
                    WHERE type = 'payment.failed.v1' ORDER BY xid, seq
                    """)
                #expect(told == until, "\(reason)")
            }
            let paid: PaymentRecord = try await world.payment(payment.id)
            #expect(paid.status == .succeeded && paid.attempts == 4, "the third attempt's key was too old")
            #expect(try await world.booked(payment.id) == ["payment"])
            #expect(try await world.violations() == [])
        }
    }

    @Test("fail where their customer is there, and nobody is charged hours later") func leftByCustomer() async throws {
        try await withPayments { world in
            let (visit, payment): (Visit, PaymentRecord) = try await unsentOnPage(world)
            _ = try letHoursPass(world, payment)
            world.provider.turn(.well)
            try await world.work.sweep.pass()
            let failed: PaymentRecord = try await world.payment(payment.id)
            #expect(failed.status == .failed && failed.declineCode == "processing_error" && failed.attempts == 1)
            #expect(try await world.number("SELECT count(*) FROM sandbox_charges") == 0)
            #expect(try await world.number("SELECT count(*) FROM payment_attempts WHERE retry_at IS NOT NULL") == 0)
            // Other tests may have brought the ids, and so this clock, beyond the end of the card.
            world.clock.set(PaymentWorld.start)
            #expect(try await world.payNow(visit).status == .succeeded)
            #expect(try await world.number("SELECT count(*) FROM sandbox_charges") == 1)
            #expect(try await world.violations() == [])
        }
    }

    @Test("are sent once: one whose answer is lost is read back from then on, whoever looks") func lostAnswer()
        async throws
    {
        try await withPayments { world in
            let payment: PaymentRecord = try await unsent(world)
            _ = try letHoursPass(world, payment)
            world.provider.turn(.booksAndVanishes)
            let before: Int = world.provider.charges
            for _ in 0..<3 { try await world.work.sweep.pass() }
            #expect(world.provider.charges == before + 1)
            #expect(try await world.payment(payment.id).status == .processing)
            world.provider.turn(.well)
            try await withThrowingTaskGroup(of: Void.self) { group in
                for _ in 0..<4 { group.addTask { try await world.work.sweep.pass() } }
                try await group.waitForAll()
            }
            #expect(try await world.settled(payment.id).status == .succeeded)
            #expect(world.provider.charges == before + 1)
            #expect(try await world.number("SELECT count(*) FROM sandbox_charges") == 1)
            #expect(try await world.violations() == [])
        }
    }

    @Test(
        "are not asked about by who still holds one that another has taken the place of: the payment is charged once",
        arguments: [ScriptedProvider.Mood.forgetful, .booksAndVanishes])
    func leftBehind(_ mood: ScriptedProvider.Mood) async throws {
        try await withMigratedDatabase(service: "Payment") { lent in
            let world = PaymentWorld(lent.pool)
            let payment: PaymentRecord = try await unsent(world)
            _ = try letHoursPass(world, payment)
            var configuration: PostgresConfiguration = lent.configuration
            configuration.connections = 1
            configuration.queueTimeout = .seconds(30)
            let narrow = PostgresPool(configuration, logger: world.logger)
            let late = PaymentWorld(narrow, clock: world.clock)
            // The other instance finds the attempt in one transaction and takes it in the next. What waits for its only
            // connection gets it in turn, so that it holds the attempt as long as the second gate is closed.
            let (first, second) = (Gate(), Gate())
            func waiting(_ count: Int) async throws {
                try await eventually(within: .seconds(5)) { narrow.statistics.queueDepth == count }
            }
            let before = Task { try await narrow.transaction { _ in first.pass() } }
            try await first.awaitVisitor()
            let look = Task { try await late.work.sync(payment.id) }
            try await waiting(1)
            let between = Task { try await narrow.transaction { _ in second.pass() } }
            try await waiting(2)
            first.open()
            try await second.awaitVisitor()
            try await waiting(1)
            world.provider.turn(mood)
            try await world.work.sweep.pass()
            let moved: PaymentRecord = try await world.payment(payment.id)
            #expect(moved.attempts == 2 && moved.attemptID != payment.attemptID)
            second.open()
            #expect(try await look.value.payment.status == moved.status)
            #expect(late.provider.asked.isEmpty)
            world.provider.turn(.well)
            try await world.work.sweep.pass()
            #expect(try await world.payment(payment.id).status == .succeeded)
            #expect(
                try await world.texts("SELECT idempotency_key FROM sandbox_charges") == [moved.attemptID.rawValue])
            #expect(try await world.booked(payment.id) == ["payment"])
            #expect(try await world.violations() == [])
            for task in [before, between] { try await task.value }
            await narrow.shutdown()
        }
    }
}
