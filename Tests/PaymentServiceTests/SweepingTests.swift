import PaymentContract
import PaymentRecords
import BillingCore
import HTTPKit
import Logging
import PaymentDomain
import PaymentService
import Postgres
import ServiceKit
import TestKit
import Testing

@Suite("Moving on what stopped") struct SweepingTests {
    @Test("the provider booked and the process died: the outcome is read back and recorded once") func lostOutcome()
        async throws
    {
        try await withPayments { world in
            let customer: CustomerID = try await world.payer()
            world.provider.turn(.booksAndVanishes)
            let payment: PaymentRecord = try await world.created(customer)
            await world.decide(payment)
            try await eventually(within: .seconds(10), "the provider has booked") {
                try await world.number("SELECT count(*) FROM sandbox_charges") == 1
            }
            try await world.work.sweep.pass()
            #expect(try await world.payment(payment.id).status == .processing, "nothing is guessed")
            #expect(
                try await world.violations() == [
                    "1 charges at the sandbox provider that are not booked",
                    "1 currencies in which the sandbox provider's books and the ledger differ",
                ])
            // Another process, which knows nothing of the first.
            let other = PaymentWorld(world.database)
            try await other.work.sweep.pass()
            try await other.work.sweep.pass()
            #expect(try await world.payment(payment.id).status == .succeeded)
            #expect(other.provider.charges == 0, "it is read back, not asked for again")
            #expect(try await world.booked(payment.id) == ["payment"])
            #expect(try await world.published("payment.succeeded.v1") == 1)
            #expect(try await world.violations().isEmpty)
        }
    }

    @Test("the provider never heard of it: it is asked again under the same key") func lostQuestion() async throws {
        try await withPayments { world in
            let customer: CustomerID = try await world.payer()
            world.provider.turn(.away)
            let payment: PaymentRecord = try await world.created(customer)
            await world.decide(payment)
            try await eventually(within: .seconds(10), "it is asked in vain") { world.provider.readInVain == 1 }
            world.provider.turn(.well)
            try await withThrowingTaskGroup(of: Void.self) { group in
                for _ in 0..<4 { group.addTask { try await PaymentWorld(world.database).work.sweep.pass() } }
                try await group.waitForAll()
            }
            #expect(try await world.settled(payment.id).status == .succeeded)
            #expect(
                try await world.texts("SELECT idempotency_key FROM sandbox_charges") == [payment.attemptID.rawValue])
            #expect(try await world.booked(payment.id) == ["payment"])
            #expect(try await world.violations().isEmpty)
        }
    }

    /// A policy, what it says, and what becomes of a customer's payment and of a renewal.
    private static let silences: [(FraudFallback, String, PaymentStatus, PaymentStatus)] = [
        (.rules, "approve", .succeeded, .succeeded), (.approve, "approve", .succeeded, .succeeded),
        (.review, "review", .authorized, .succeeded), (.block, "block", .failed, .failed),
    ]

    @Test(
        "when Fraud is silent the policy decides, and says so; no renewal is held for a person",
        arguments: 0..<silences.count)
    func silentFraud(index: Int) async throws {
        let (policy, decision, status, renewed) = Self.silences[index]
        try await withPayments(fallback: policy) { world in
            let customer: CustomerID = try await world.payer()
            let payment: PaymentRecord = try await world.created(customer)
            let invoice = InvoiceID.new(at: PaymentWorld.start)
            await world.deliver([world.finalized(invoice, customer, reason: "cycle")])
            try await world.work.sweep.pass()
            for (id, expected) in [(payment.id, status), (try await world.payment(of: invoice).id, renewed)] {
                let settled: PaymentRecord = try await world.settled(id)
                #expect(settled.status == expected)
                #expect(settled.reviewStatus == (expected == .authorized ? .pending : nil))
                #expect(settled.riskDecision == decision && settled.riskScore == (policy == .rules ? "0.0200" : nil))
                let counted: [String] = policy == .rules ? ["velocity_unavailable"] : []
                #expect(settled.riskReasons == ["fraud_silent"] + counted)
            }
            #expect(try await queue(world) == (status == .authorized ? [payment.id] : []))
            await world.decide(payment, status == .failed ? "approve" : "block")
            #expect(try await world.payment(payment.id).status == status, "Fraud's word comes too late")
            #expect(try await world.violations().isEmpty)
        }
    }

    /// What waits for a person's review.
    private func queue(_ world: PaymentWorld) async throws -> [PaymentID] {
        try await world.database.transaction(readOnly: true) { db in
            try PaymentStore.inReview(after: nil, limit: 10, in: db).map(\.id)
        }
    }

    @Test("by the rules an amount that Fraud would have a person look at is held") func silentFraudAndAmounts()
        async throws
    {
        try await withPayments { world in
            let payment: PaymentRecord = try await world.created(try await world.payer(), amount: 600_000)
            try await world.work.sweep.pass()
            let held: PaymentRecord = try await world.settled(payment.id)
            #expect(held.status == .authorized && held.reviewStatus == .pending)
            #expect(held.riskScore == "0.5500" && held.riskDecision == "review")
            #expect(held.riskReasons == ["fraud_silent", "amount_high", "velocity_unavailable"])
            #expect(try await queue(world) == [payment.id])
        }
    }

    @Test(
        "who has just signed up, or brought another card, waits for Fraud, and is held, as with a payment; a renewal has longer"
    )
    func silentFraudAndCustomers() async throws {
        try await withPayments { world in
            let customer: CustomerID = try await world.payer()
            let invoices: [InvoiceID] = (0..<3).map { _ in .new(at: PaymentWorld.start) }
            await world.deliver(
                zip(invoices, ["signup", "cycle", "cycle"]).map { world.finalized($0, customer, reason: $1) })
            await world.decide(try await world.payment(of: invoices[1]), "block")
            await world.deliver([world.due(invoices[1], customer, reason: "new_payment_method")])
            let work = PaymentUseCases(
                pool: world.database, providers: PaymentProviders([world.provider]), clock: world.clock,
                policy: SweepPolicy(
                    silenceSeconds: 0, offSessionSilenceSeconds: 60, lostSeconds: 60, fallback: .review),
                logger: world.logger)
            try await work.sweep.pass()
            for invoice in invoices.prefix(2) {
                let payment: PaymentRecord = try await world.payment(of: invoice)
                #expect(payment.offSession && payment.riskReasons == ["fraud_silent"])
                let held: PaymentRecord = try await world.settled(payment.id)
                #expect(held.status == .authorized && held.reviewStatus == .pending)
            }
            #expect(try await world.payment(of: invoices[2]).status == .created)
            #expect(try await world.violations().isEmpty)
        }
    }

    /// Work that takes nothing for stopped before a minute is over.
    private static func patient(_ world: PaymentWorld) -> PaymentUseCases {
        PaymentUseCases(
            pool: world.database, providers: PaymentProviders([world.provider]), clock: SystemClock(),
            policy: SweepPolicy(silenceSeconds: 60, offSessionSilenceSeconds: 60, lostSeconds: 60, fallback: .block),
            logger: world.logger)
    }

    /// How long ago the last look was, in seconds, and whether that brings another one.
    private static let waits: [(seconds: Int, isOver: Bool)] = [
        (61, true), (61, false), (121, true), (121, false), (241, true), (241, false),
    ]

    @Test("a provider that goes on failing is asked ever more rarely about a charge, and by whoever wants to know")
    func failingLookUps() async throws {
        try await withPayments { world in
            let customer: CustomerID = try await world.payer()
            world.provider.turn(.away)
            let payment: PaymentRecord = try await world.created(customer)
            await world.decide(payment)
            try await eventually(within: .seconds(10), "it is asked") { world.provider.asked.count == 2 }
            let patient: PaymentUseCases = Self.patient(world)
            var asked = 2
            for wait in Self.waits {
                try await world.execute(
                    "UPDATE payments SET stepped_at = now() - make_interval(secs => \(wait.seconds))")
                try await patient.sweep.pass()
                try await patient.sweep.pass()
                if wait.isOver { asked += 1 }
                #expect(world.provider.asked.count == asked, "\(wait)")
            }
            #expect(try await world.inFlight() == 1, "time does not go on without it")
            world.provider.turn(.well)
            #expect(try await patient.sync(payment.id).payment.status == .succeeded)
            #expect(try await world.booked(payment.id) == ["payment"])
        }
    }

    @Test("captures and refunds are asked about ever more rarely, too") func failingFollowUps() async throws {
        try await withPayments { world in
            let customer: CustomerID = try await world.payer()
            let held: PaymentRecord = try await world.authorized(customer)
            let paid: PaymentRecord = try await world.paid(customer)
            world.provider.turn(.away)
            #expect(try await world.capture(held.id).status == 202)
            #expect(try await world.refund(paid.id, 300).status == 202)
            let patient: PaymentUseCases = Self.patient(world)
            let tables: [SQL] = ["captures", "refunds"]
            func step(back seconds: Int) async throws {
                for table in tables {
                    try await world.execute(
                        "UPDATE \(table) SET stepped_at = now() - make_interval(secs => \(seconds))")
                }
            }
            for wait in Self.waits {
                try await step(back: wait.seconds)
                try await patient.sweep.pass()
                for table in tables {
                    let taken: Int = try await world.number(
                        "SELECT count(*) FROM \(table) WHERE stepped_at > now() - interval '1 minute'")
                    #expect(taken == (wait.isOver ? 1 : 0), "\(table) \(wait)")
                }
            }
            world.provider.turn(.well)
            try await step(back: 481)
            try await patient.sweep.pass()
            #expect(
                try await world.texts("SELECT status FROM captures UNION ALL SELECT status FROM refunds") == [
                    "succeeded", "succeeded",
                ])
        }
    }

    @Test("so are releases, of which none is told to be overdue for that") func failingReleases() async throws {
        try await withPayments { world in
            let held: PaymentRecord = try await world.authorized(world.payer())
            world.provider.turn(.away)
            #expect(try await world.cancel(held.id).status == .canceling)
            let patient: PaymentUseCases = Self.patient(world)
            func step(back seconds: Int) async throws {
                try await world.execute("UPDATE payments SET stepped_at = now() - make_interval(secs => \(seconds))")
            }
            for wait in Self.waits {
                try await step(back: wait.seconds)
                try await patient.sweep.pass()
                let taken: Int = try await world.number(
                    "SELECT count(*) FROM payments WHERE stepped_at > now() - interval '1 minute'")
                #expect(taken == (wait.isOver ? 1 : 0), "\(wait)")
            }
            let violations: [String] = try await world.violations()
            #expect(!violations.contains { $0.contains("whose time is over") })
            world.provider.turn(.well)
            try await step(back: 481)
            try await patient.sweep.pass()
            #expect(try await world.payment(held.id).status == .canceled)
        }
    }

    @Test("a provider that does not say whether it closes a page whose time is over is asked ever more rarely")
    func failingExpiries() async throws {
        let pages = PagesProvider()
        try await withPayments(beside: [pages]) { world in
            let (payment, _, _) = try await world.onPage()
            let patient = PaymentUseCases(
                pool: world.database, providers: world.providers, clock: world.clock,
                policy: SweepPolicy(
                    silenceSeconds: 60, offSessionSilenceSeconds: 60, lostSeconds: 60, fallback: .block),
                logger: world.logger)
            world.clock.set(PaymentWorld.start.adding(.seconds(86_401)))
            pages.goAway(true)
            // The customer is looked for at another time.
            let late: SQL = "look_at = now() + interval '1 hour', stepped_at = now() - interval '61 seconds'"
            for seconds: Int in [60, 120, 240] {
                let asked: Int = pages.asked
                try await world.execute("UPDATE payments SET expire_at = now(), \(late)")
                try await patient.sweep.pass()
                #expect(pages.asked == asked + 1)
                #expect(
                    try await world.number("SELECT extract(epoch FROM expire_at - stepped_at)::int FROM payments")
                        == seconds)
                try await world.execute("UPDATE payments SET \(late)")
                try await patient.sweep.pass()
                #expect(pages.asked == asked + 1, "it is not yet time")
            }
            pages.goAway(false)
            try await world.execute("UPDATE payments SET expire_at = now(), \(late)")
            try await patient.sweep.pass()
            #expect(try await world.payment(payment.id).decline == .actionExpired)
        }
    }

    @Test("whoever is not late is left alone") func notLate() async throws {
        try await withPayments { world in
            let customer: CustomerID = try await world.payer()
            let payment: PaymentRecord = try await world.created(customer)
            let patient: PaymentUseCases = Self.patient(world)
            try await patient.sweep.pass()
            #expect(try await world.payment(payment.id).status == .created)
            try await world.execute("UPDATE payments SET stepped_at = now() - interval '61 seconds'")
            try await patient.sweep.pass()
            #expect(try await world.payment(payment.id).status == .failed)
        }
    }

    @Test("a refund lost in between is finished once, and one that cannot be made fails and holds up no other")
    func lostRefunds()
        async throws
    {
        try await withPayments { world in
            let customer: CustomerID = try await world.payer()
            let stuck: PaymentRecord = try await world.paid(customer)
            let payment: PaymentRecord = try await world.paid(customer)
            world.provider.turn(.away)
            #expect(try await world.refund(stuck.id, nil).status == 202)
            world.provider.turn(.booksAndVanishes)
            #expect(try await world.refund(payment.id, 300).status == 202)
            #expect(try await world.payment(payment.id).amountRefunded == 300, "the amount is reserved")
            // The provider's books no longer know the first charge: its refund can never be made.
            try await world.execute(
                "UPDATE sandbox_charges SET captured = 0 WHERE idempotency_key = \(stuck.attemptID)")
            world.provider.turn(.well)
            for _ in 0..<3 { try await world.work.sweep.pass() }
            #expect(try await world.texts("SELECT status FROM refunds ORDER BY id") == ["failed", "succeeded"])
            #expect(try await world.payment(stuck.id).amountRefunded == 0, "it can be refunded again")
            #expect(try await world.booked(payment.id) == ["payment", "refund"])
            #expect(try await world.number("SELECT count(*) FROM sandbox_refunds") == 1)
            #expect(try await world.published("payment.refunded.v1") == 1)
        }
    }

    @Test("a provider that does not answer holds up nothing that Fraud is silent about") func silentProvider()
        async throws
    {
        try await withPayments(fallback: .block) { world in
            let customer: CustomerID = try await world.payer()
            world.provider.turn(.away)
            let lost: PaymentRecord = try await world.created(customer)
            await world.decide(lost)
            try await eventually(within: .seconds(10), "it is asked in vain") { world.provider.readInVain == 1 }
            world.provider.turn(.silent)
            let loops: [BackgroundLoop] = Looks(world.work.sweep.looks, world.database).loops
            let sweeper = Task { await BackgroundLoop.run(loops, on: OffsetClock(), world.logger) }
            try await eventually(within: .seconds(10), "the sweeper waits for the provider") {
                world.provider.waiting == 1
            }
            let silent: PaymentRecord = try await world.created(customer)
            #expect(try await world.settled(silent.id).status == .failed)
            #expect(try await world.payment(lost.id).status == .processing)
            sweeper.cancel()
            await sweeper.value
        }
    }
}
