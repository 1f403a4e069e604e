import BillingCore
import HTTPKit
import JSON
import Logging
import PaymentContract
import PaymentDisputes
import PaymentDomain
import PaymentInbound
import PaymentInstalments
import PaymentReconciliation
import PaymentRecords
import PaymentRouting
import PaymentSandbox
import PaymentService
import Postgres
import ServiceKit
import Synchronization
import TestKit
import Testing

@Suite("Looks that are asked for together") struct LookTests {
    /// Disputes at the sandbox, which is asked for news only when it has some.
    private static func disputes(_ world: PaymentWorld) -> FollowDisputes {
        let due = SandboxDue(
            pool: world.database, clock: world.clock, of: ["sandbox", SandboxLocalProvider.name])
        return Disputes(
            providers: world.providers, pool: world.database, clock: world.clock, lostSeconds: 60, news: due.disputes,
            logger: world.logger
        ).follow
    }

    private static func book(_ world: PaymentWorld) -> RoutingBook {
        let catalogue = ProviderCatalogue([
            ProviderProfile(name: "sandbox", capabilities: world.provider.capabilities)
        ])
        let health = ProviderHealth(
            catalogue, redis: nil, instance: "test", clock: world.clock, logger: world.logger)
        return RoutingBook(catalogue: catalogue, health: health, logger: world.logger)
    }

    private static func instalments(_ world: PaymentWorld) throws -> Look {
        InstalmentPart(
            try InstalmentWorld.committed(), providers: world.providers, pool: world.database,
            clock: OffsetClock(system: world.clock), logger: world.logger
        ).look
    }

    /// Every look that the service has in sandbox mode, with a policy that takes nothing for stopped before a minute is over.
    private static func all(_ world: PaymentWorld) throws -> Looks {
        let work = PaymentUseCases(
            pool: world.database, providers: world.providers, clock: world.clock,
            policy: SweepPolicy(silenceSeconds: 60, offSessionSilenceSeconds: 60, lostSeconds: 60, fallback: .block),
            logger: world.logger)
        let others: [Look] = [
            book(world).look(world.database), world.sandboxWords.look, try instalments(world),
            world.reconciliation().look,
        ]
        let looks: [[Look]] = [
            work.sweep.looks, disputes(world).looks, WebhookWorld(world).process.looks, others,
        ]
        return Looks(Array(looks.joined()), world.database)
    }

    @Test("a service that has done its work has nothing to do, and one transaction says so") func atRest() async throws
    {
        try await withPayments { world in
            let customer: CustomerID = try await world.payer()
            let paid: PaymentRecord = try await world.paid(customer)
            #expect(try await world.refund(paid.id, 300).status == 201)
            let held: PaymentRecord = try await world.authorized(customer)
            try await world.capture(held.id)
            _ = try await world.authorized(customer)
            let looks: Looks = try Self.all(world)
            #expect(try await looks.due() == ["routing_rules"], "they are read once")
            try await looks.pass()
            #expect(try await looks.due() == [])
            #expect(try await world.number("SELECT count(*) FROM dispute_cursors") == 0, "the sandbox is left alone")
            #expect(try await world.violations().isEmpty)
        }
        try await withPayments { world in
            let looks: Looks = try Self.all(world)
            let before: Int = world.database.statistics.transactions
            _ = try await looks.due()
            #expect(world.database.statistics.transactions == before + 1)
        }
    }

    @Test("what comes up is found among all others, and is over once it is looked at") func found() async throws {
        try await withWebhooks { hooks, world in
            let looks: Looks = try Self.all(world)
            try await looks.pass()
            let silent: PaymentRecord = try await world.created(try await world.payer())
            #expect(try await looks.due() == [], "Fraud still has time")
            try await world.execute("UPDATE payments SET stepped_at = now() - interval '61 seconds'")
            #expect(try await looks.due() == ["sweep: silent fraud"])
            try await looks.pass()
            #expect(try await world.payment(silent.id).status == .failed)
            #expect(try await looks.due() == [])
            try await hooks.deliver(hooks.charge(try await world.paid(try await world.payer())))
            #expect(try await looks.due() == ["webhooks: sandbox"])
            try await looks.pass()
            #expect(try await hooks.stored() == ["done"])
            #expect(try await looks.due() == [])
        }
    }

    @Test("the sandbox is asked for news of disputes when it has some") func disputes() async throws {
        try await withPayments { world in
            let payment: PaymentRecord = try await world.paid(world.payer(Disputing.fraudulent), amount: 2_000)
            let looks = Looks(Self.disputes(world).looks, world.database)
            world.clock.advance(by: .seconds(86_399))
            #expect(try await looks.due() == [])
            world.clock.advance(by: .seconds(1))
            #expect(try await looks.due() == ["disputes at sandbox"])
            try await looks.pass()
            #expect(try await looks.due() == [], "it was read in the same pass")
            let dispute: DisputeRecord = try #require(try await world.disputes(of: payment.id).first)
            #expect(dispute.status == .needsResponse)
            try await world.contest(dispute.id)
            #expect(try await looks.due() == ["responses to disputes: sandbox"])
            try await looks.pass()
            #expect(try await looks.due() == ["disputes at sandbox"], "it tells of the answer")
            try await looks.pass()
            #expect(try await looks.due() == [])
            // The bank thinks for an hour.
            world.clock.advance(by: .seconds(3_600))
            #expect(try await looks.due() == ["disputes at sandbox"])
            try await looks.pass()
            #expect(try await world.status(dispute.id) == .won)
            #expect(try await looks.due() == [])
            #expect(try await world.violations().isEmpty)
        }
    }

    @Test("a provider that is asked every minute has its turn every minute") func polled() async throws {
        try await withPayments { world in
            let looks = Looks(
                Disputes(
                    providers: PaymentProviders([SlowlyPolled(sandbox: world.provider.sandbox)]), pool: world.database,
                    clock: world.clock, lostSeconds: 60, logger: world.logger
                ).follow.looks, world.database)
            #expect(try await looks.due() == ["disputes at sandbox"], "it has never been asked")
            try await looks.pass()
            #expect(try await looks.due() == [])
            try await world.execute("UPDATE dispute_cursors SET polled_at = now() - interval '61 seconds'")
            #expect(try await looks.due() == ["disputes at sandbox"])
        }
    }

    @Test("rules, and providers taken out or in, are read when another instance has changed them") func routing()
        async throws
    {
        try await withPayments { world in
            let (own, other): (RoutingBook, RoutingBook) = (Self.book(world), Self.book(world))
            let looks = Looks([own.look(world.database)], world.database)
            func change(_ make: () async throws -> Void) async throws {
                #expect(try await looks.due() == [])
                try await make()
                #expect(try await looks.due() == ["routing_rules"])
                try await looks.pass()
            }
            try await looks.pass()
            try await change {
                try await world.database.transaction { db in
                    _ = try other.replace(
                        with: RoutingDocument(order: .listed(["sandbox"])), replaces: nil, at: PaymentWorld.start,
                        by: "key_test", in: db)
                }
            }
            for provider in ["sandbox", "sandbox_b"] {
                try await change {
                    try await world.execute(
                        """
                        INSERT INTO providers_down (provider, since, taken_out_by)
                        VALUES (\(provider), \(PaymentWorld.start), 'key_test')
                        """)
                }
            }
            try await change {
                try await world.execute("UPDATE providers_down SET provider = 'sandbox_c' WHERE provider = 'sandbox_b'")
            }
            try await change { try await world.execute("DELETE FROM providers_down WHERE provider = 'sandbox_c'") }
            #expect(try await looks.due() == [])
        }
    }

    @Test("plans hear of their payments, and charge what is due") func plans() async throws {
        try await withInstalments { world in
            let looks = Looks([try Self.instalments(world.payments)], world.database)
            let agreed: JSONValue = try await world.agree(try await world.payments.payer(), "pay_in_4", 40_000)
            let plan: InstalmentPlanID = try world.id(agreed)
            #expect(try await looks.due() == [], "its first payment waits for Fraud")
            _ = try await world.assess()
            try await world.settlePayments()
            #expect(try await looks.due() == ["instalments"])
            try await looks.pass()
            #expect(try await world.status(plan) == "active")
            #expect(try await looks.due() == [])
            world.wake(on: CivilDate(dayNumber: InstalmentWorld.today + 14))
            #expect(try await looks.due() == ["instalments"])
            try await looks.pass()
            #expect(try await world.payments.number("SELECT count(*) FROM payments") == 2)
            #expect(try await looks.due() == [])
        }
    }

    @Test("a day that is over is reconciled as soon as it is") func days() async throws {
        try await withPayments { world in
            let reconcile: ReconcileProviders = world.reconciliation()
            let looks = Looks([reconcile.look], world.database)
            try await reconcile.pass()
            _ = try await world.paid(world.payer())
            #expect(try await looks.due() == [])
            world.advance(days: 1)
            // Sets the test clock to this world's time.
            _ = try await world.inFlight()
            #expect(try await looks.due() == ["reconcile what is due"])
            try await looks.pass()
            #expect(try await world.lines().contains { $0.hasSuffix("matched own_reference") })
            #expect(try await looks.due() == [])
        }
    }

    @Test("in loops a look that goes on and on holds up no other, and one without anything to do is never at work")
    func loops() async throws {
        try await withPayments { world in
            let (stuck, free, faulty, resting, idle) = (Tally(), Tally(), Tally(), Tally(), Tally())
            let stopped = Tally()
            let clock = OffsetClock(system: world.clock)
            let looks = Looks(
                [
                    Look(name: "stuck", when: { "true" }) {
                        stuck.add()
                        try await Task.sleep(for: .seconds(3_600))
                    },
                    Look(name: "free", rest: .milliseconds(1), when: { "true" }) { free.add() },
                    Look(name: "faulty", rest: .milliseconds(1), when: { "true" }) {
                        faulty.add()
                        throw PaymentWorld.Absent()
                    },
                    Look(name: "stopped", rest: .zero, restAfterFault: .seconds(3_600), when: { "true" }) {
                        stopped.add()
                        throw PaymentWorld.Absent()
                    },
                    Look(name: "resting", rest: .seconds(3_600), when: { "1 = \(1)" }) { resting.add() },
                    Look(name: "idle", when: { "false" }) { idle.add() },
                ], world.database)
            let running = Task { await BackgroundLoop.run(looks.loops, on: clock, world.logger) }
            defer { running.cancel() }
            try await eventually(within: .seconds(10), "the others go on") {
                stuck.count == 1 && free.count >= 3 && faulty.count >= 2
            }
            #expect(resting.count == 1, "it rests")
            try await eventually(within: .seconds(10), "a jump of the clock ends the rest") {
                clock.poke()
                return resting.count >= 2
            }
            #expect(stopped.count == 1, "a fault rests as long as it says, whatever the clock does")
            #expect(idle.count == 0)
            running.cancel()
            await running.value
        }
    }
}

/// Counts how often a look was at work.
private final class Tally: Sendable {
    private let number = Atomic<Int>(0)
    var count: Int { number.load(ordering: .relaxed) }
    func add() { number.add(1, ordering: .relaxed) }
}

/// The sandbox, asked for news of disputes every minute as outside providers are.
private struct SlowlyPolled: ProviderDisputes {
    let name = "sandbox"
    let sandbox: SandboxProvider
    let disputesPolledEvery: Duration = .seconds(60)
    var capabilities: ProviderCapabilities { sandbox.capabilities }

    func charge(_ request: ChargeRequest) async throws(ProviderFault) -> ChargeAnswer {
        try await sandbox.charge(request)
    }

    func outcome(of request: ChargeRequest) async throws(ProviderFault) -> ChargeAnswer {
        try await sandbox.outcome(of: request)
    }

    func capture(_ request: CaptureRequest) async throws(ProviderFault) -> CaptureAnswer {
        try await sandbox.capture(request)
    }

    func release(_ request: ReleaseRequest) async throws(ProviderFault) -> ReleaseAnswer {
        try await sandbox.release(request)
    }

    func refund(_ request: RefundRequest) async throws(ProviderFault) -> RefundAnswer {
        try await sandbox.refund(request)
    }

    func readDispute(_ reference: String) async throws(ProviderFault) -> ProviderDispute? {
        try await sandbox.readDispute(reference)
    }

    func submitEvidence(_ request: EvidenceRequest) async throws(ProviderFault) -> DisputeAnswer {
        try await sandbox.submitEvidence(request)
    }

    func acceptDispute(_ request: DisputeAcceptance) async throws(ProviderFault) -> DisputeAnswer {
        try await sandbox.acceptDispute(request)
    }

    func changedDisputes(since cursor: String?) async throws(ProviderFault) -> ChangedDisputes {
        try await sandbox.changedDisputes(since: cursor)
    }
}
