import BillingCore
import HTTPKit
import JSON
import PaymentContract
import PaymentDomain
import PaymentInstalments
import PaymentRecords
import PaymentService
import Postgres
import TestKit
import Testing

/// Pay in 4 is due 14 days after 15 January 2027, and tried again 1, 3, 5 and 7 days later.
@Suite("Instalments whose card's network wants patience") struct NetworkWaitTests {
    private static let mastercard = "5555555555554444"

    private func attempts(_ world: InstalmentWorld) async throws -> [String] {
        try await world.payments.texts(
            """
            SELECT concat_ws(' ', a.number, a.status, a.decline_code)
            FROM payment_attempts a JOIN payments p ON p.id = a.payment_id
            WHERE p.off_session AND p.instalment_id IS NOT NULL ORDER BY a.payment_id, a.number
            """)
    }

    /// The bank says no, with the network's advice.
    private func refuse(_ world: InstalmentWorld, advice: String?) {
        world.payments.provider.refuse(
            with: ProviderDecline(code: "insufficient_funds", networkCode: "51", networkAdvice: advice))
    }

    /// An invoice that is collected with the card on the day before the instalment's, and refused.
    private func refuseInvoice(
        _ world: InstalmentWorld, of customer: CustomerID, advice: String
    ) async throws {
        try await world.go(days: 13)
        refuse(world, advice: advice)
        await world.payments.deliver([world.payments.finalized(.new(at: world.now), customer)])
        try await world.rest()
        world.payments.provider.refuse(with: nil)
    }

    /// A plan that is charged to a card of its own, whatever the default is.
    private func named(_ world: InstalmentWorld, of customer: CustomerID) async throws {
        let method: String = try #require(
            try await world.payments.attach(Self.mastercard, to: customer)["id"]?.stringValue)
        _ = try await world.agree(customer, "pay_in_4", 40_000, method: method)
        try await world.rest()
    }

    @Test("the next try is at the later of its day and the moment from which the network allows it") func advised()
        async throws
    {
        try await withInstalments { world in
            let customer: CustomerID = try await world.payments.payer(Self.mastercard)
            let id: InstalmentPlanID = try await world.running(customer, "pay_in_4", 40_000)
            refuse(world, advice: "26")
            try await world.go(days: 14)
            let next: JSONValue? = try await world.read(id).list("schedule")[1]["next_attempt_on"]
            #expect(next?.stringValue == "2027-01-31")
            refuse(world, advice: nil)
            try await world.go(days: 15)
            world.payments.clock.set(world.now.adding(.seconds(86_399)))
            try await world.rest()
            #expect(try await attempts(world) == ["1 failed insufficient_funds"])
            try await world.go(days: 16)
            #expect(
                try await attempts(world) == ["1 failed insufficient_funds", "2 failed insufficient_funds"])
            world.payments.provider.refuse(with: nil)
            try await world.go(days: 17)
            #expect(try await attempts(world).last == "3 succeeded")
            #expect(try await world.parts(id) == ["paid", "paid", "scheduled", "scheduled"])
            #expect(try await world.balance(InstalmentLedger.lateFees) == 0)
            #expect(try await world.violations().isEmpty)
        }
    }

    @Test("a try that the network does not allow is made once it does, also after the last of the plan's days")
    func forbidden() async throws {
        try await withInstalments { world in
            let customer: CustomerID = try await world.payments.payer(Self.mastercard)
            let id: InstalmentPlanID = try await world.running(customer, "pay_in_4", 40_000)
            try await refuseInvoice(world, of: customer, advice: "30")
            for day in [14, 15, 17, 19, 21, 22] {
                try await world.go(days: day)
                #expect(try await attempts(world) == ["1 failed retry_later"], "day \(day)")
            }
            #expect(try await world.status(id) == "late", "days go on meanwhile")
            try await world.go(days: 23)
            #expect(try await attempts(world) == ["1 failed retry_later", "2 succeeded"])
            #expect(world.payments.provider.charges == 3, "the first part, the invoice and this one")
            #expect(try await world.read(id).list("schedule")[1].int("paid") == 10_500)
            #expect(try await world.violations().isEmpty)
        }
    }

    @Test("a card that is never to be tried again waits for another, as after a hard decline") func forGood()
        async throws
    {
        try await withInstalments { world in
            let customer: CustomerID = try await world.payments.payer(Self.mastercard)
            let id: InstalmentPlanID = try await world.running(customer, "pay_in_4", 40_000)
            try await refuseInvoice(world, of: customer, advice: "03")
            try await world.go(days: 17)
            #expect(try await attempts(world) == ["1 failed do_not_try_again"])
            try await world.payments.attach(InstalmentWorld.good, to: customer)
            try await world.rest()
            #expect(try await attempts(world) == ["1 failed do_not_try_again", "2 succeeded"])
            #expect(try await world.parts(id) == ["paid", "paid", "scheduled", "scheduled"])
        }
    }

    @Test(
        "a new default method that nobody could be asked with is tried until somebody can be, after the plan's days, too"
    )
    func unasked() async throws {
        try await withInstalments { world in
            let customer: CustomerID = try await world.payments.payer()
            let id: InstalmentPlanID = try await world.running(customer, "pay_in_3", 10_000)
            try await world.payments.attach(InstalmentWorld.expired, to: customer)
            try await world.go(days: 51)
            #expect(try await attempts(world) == ["1 failed expired_card"])
            let now: Instant = world.now
            try await world.payments.attach(InstalmentWorld.good, to: customer)
            world.payments.provider.turn(.unreachable)
            _ = try await world.hear(at: now)
            _ = try await world.runDue()
            #expect(try await world.assess() == 1)
            try await eventually(within: .seconds(10), "it is known that nothing was sent") {
                try await world.payments.number("SELECT count(*) FROM payment_attempts WHERE unsent") == 1
            }
            // Ids of a process never go back in time, and this one's have seen other tests: the end is put where it belongs.
            let begun: [String] = try await world.payments.texts("SELECT id FROM payment_attempts WHERE unsent")
            let madeAt: Instant = try #require(begun.first.flatMap { AttemptID(unchecked: $0).madeAt })
            world.payments.clock.set(max(now, madeAt).adding(.seconds(121)))
            try await world.payments.work.sweep.pass()
            world.payments.clock.set(now)
            let again: Instant = now.adding(.seconds(900))
            try await world.payments.execute(
                "UPDATE payment_attempts SET retry_at = \(again)::timestamptz WHERE retry_at IS NOT NULL")
            world.payments.provider.turn(.well)
            let tried: [String] = ["1 failed expired_card", "2 failed processing_error"]
            for wait: Int64 in [0, 899] {
                world.payments.clock.set(now.adding(.seconds(wait)))
                try await world.rest()
                #expect(try await attempts(world) == tried, "after \(wait) s")
            }
            world.payments.clock.set(again)
            try await world.rest()
            #expect(try await attempts(world) == tried + ["3 succeeded"])
            #expect(try await world.parts(id) == ["paid", "paid", "scheduled"])
            #expect(try await world.violations().isEmpty)
        }
    }

    @Test("a new default method does not wait for what another card's network asks for") func another() async throws {
        try await withInstalments { world in
            let customer: CustomerID = await world.payments.customer()
            try await named(world, of: customer)
            refuse(world, advice: "30")
            try await world.go(days: 14)
            #expect(try await attempts(world) == ["1 failed insufficient_funds"])
            world.payments.provider.refuse(with: nil)
            try await world.payments.attach(InstalmentWorld.good, to: customer)
            try await world.rest()
            #expect(try await attempts(world) == ["1 failed insufficient_funds", "2 succeeded"])
            let started: [String] = try await world.payments.texts(
                """
                SELECT body::jsonb->>'customer_started' FROM outbox WHERE type = 'payment.created.v1'
                    AND body::jsonb->>'attempt' = '2'
                """)
            #expect(started == ["true"], "somebody brought the other card")
            #expect(try await world.violations().isEmpty)
        }
    }

    @Test(
        "one that comes while the card is being tried is tried right after it, also where the plan follows the default",
        arguments: [true, false])
    func anotherMeanwhile(isNamed: Bool) async throws {
        try await withInstalments { world in
            let customer: CustomerID = await world.payments.customer()
            if isNamed {
                try await named(world, of: customer)
            } else {
                try await world.payments.attach(Self.mastercard, to: customer)
                _ = try await world.running(customer, "pay_in_4", 40_000)
            }
            world.wake(on: CivilDate(dayNumber: InstalmentWorld.today + 14))
            #expect(try await world.runDue() == 1)
            try await world.payments.attach(InstalmentWorld.good, to: customer)
            try await world.payments.execute(
                "UPDATE payment_methods SET default_since = \(world.now) WHERE is_default")
            #expect(try await world.hear(at: world.now) == 1)
            refuse(world, advice: "30")
            #expect(try await world.assess() == 1)
            try await world.settlePayments()
            world.payments.provider.refuse(with: nil)
            try await world.rest()
            #expect(try await attempts(world) == ["1 failed insufficient_funds", "2 succeeded"])
            #expect(try await world.violations().isEmpty)
        }
    }
}
