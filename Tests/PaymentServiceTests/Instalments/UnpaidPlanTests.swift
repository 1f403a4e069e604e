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

/// The first plan day is 15 January 2027; pay in 4 is due then and 14, 28 and 42 days later.
@Suite("Instalments that are not paid") struct UnpaidPlanTests {
    private func attempts(_ world: InstalmentWorld) async throws -> [String] {
        try await world.payments.texts(
            "SELECT a.number || ' ' || a.status FROM payment_attempts a JOIN payments p ON p.id = a.payment_id WHERE p.off_session ORDER BY a.payment_id, a.number"
        )
    }

    @Test("a soft decline is tried again on the configured days; what is paid then includes the late fee")
    func softDecline() async throws {
        try await withInstalments { world in
            let customer: CustomerID = try await world.payments.payer()
            let id: InstalmentPlanID = try await world.running(customer, "pay_in_4", 40_000)
            try await world.payments.attach(InstalmentWorld.poor, to: customer)
            try await world.go(days: 14)
            #expect(try await attempts(world) == ["1 failed"])
            #expect(try await world.parts(id) == ["paid", "due", "scheduled", "scheduled"])
            for (day, tried) in [(15, 2), (16, 2), (17, 3), (18, 3)] {
                try await world.go(days: day)
                #expect(try await attempts(world).count == tried, "day \(day)")
            }
            #expect(try await world.status(id) == "late")
            #expect(try await world.parts(id)[1] == "late")
            #expect(try await world.payments.published("instalment_plan.instalment_late.v1") == 1)
            #expect(try await world.read(id).list("schedule")[1].int("late_fee") == 500)
            try await world.go(days: 19)
            #expect(try await attempts(world).count == 4)
            try await world.payments.attach(InstalmentWorld.good, to: customer)
            try await world.rest()
            #expect(try await attempts(world).last == "5 succeeded", "a new default method is tried at once")
            #expect(try await world.status(id) == "active")
            #expect(try await world.parts(id)[1] == "paid")
            #expect(try await world.read(id).list("schedule")[1].int("paid") == 10_500)
            #expect(try await world.balance(InstalmentLedger.lateFees) == -500)
            #expect(try await world.violations().isEmpty)
            try await world.go(days: 100)
            #expect(try await world.status(id) == "completed")
            #expect(try await world.payments.number("SELECT count(*) FROM payments") == 4)
            #expect(try await world.violations().isEmpty)
        }
    }

    @Test("a hard decline waits for another method and is not tried again with the same") func hardDecline()
        async throws
    {
        try await withInstalments { world in
            let customer: CustomerID = try await world.payments.payer()
            let id: InstalmentPlanID = try await world.running(customer, "pay_in_3", 10_000)
            try await world.payments.attach(InstalmentWorld.expired, to: customer)
            try await world.go(days: 31)
            try await world.go(days: 60)
            #expect(try await attempts(world) == ["1 failed", "1 failed"], "one try for each that came due")
            #expect(try await world.status(id) == "late")
            try await world.payments.attach(InstalmentWorld.good, to: customer)
            try await world.rest()
            #expect(try await world.status(id) == "completed")
            #expect(try await attempts(world) == ["1 failed", "2 succeeded", "1 failed", "2 succeeded"])
            #expect(try await world.violations().isEmpty)
        }
    }

    /// The day of the next attempt at the second part.
    private func next(_ world: InstalmentWorld, _ plan: InstalmentPlanID) async throws -> String? {
        try await world.read(plan).list("schedule")[1]["next_attempt_on"]?.stringValue
    }

    @Test("a new default method makes up for no retry day that has passed; those to come are left to it")
    func anotherThatIsPoor() async throws {
        try await withInstalments { world in
            let customer: CustomerID = try await world.payments.payer()
            let id: InstalmentPlanID = try await world.running(customer, "pay_in_4", 40_000)
            try await world.payments.attach(InstalmentWorld.expired, to: customer)
            for day in [14, 20] { try await world.go(days: day) }
            #expect(try await world.status(id) == "late")
            try await world.payments.attach(InstalmentWorld.poor, to: customer)
            try await world.rest()
            #expect(try await attempts(world) == ["1 failed", "2 failed"])
            #expect(try await next(world, id) == "2027-02-05")
            for day in [21, 27] {
                try await world.go(days: day)
                #expect(try await attempts(world) == ["1 failed", "2 failed", "3 failed"], "day \(day)")
            }
            #expect(try await world.violations().isEmpty)
        }
    }

    @Test("nor does what a customer confirms days later, and the bank refuses", arguments: [true, nil] as [Bool?])
    func confirmedInVain(passed: Bool?) async throws {
        try await withInstalments { world in
            let customer: CustomerID = try await world.payments.payer()
            let id: InstalmentPlanID = try await world.running(customer, "pay_in_4", 40_000)
            try await world.payments.attach(InstalmentWorld.challenges, to: customer)
            for day in [14, 20] { try await world.go(days: day) }
            let payment: PaymentID = try #require(
                try await world.read(id).list("schedule")[1]["payment_id"]?.stringValue.flatMap { PaymentID($0) })
            world.payments.provider.refuse(with: ProviderDecline(code: "insufficient_funds"))
            _ = try await world.payments.confirm(payment, passed: passed)
            try await world.rest()
            #expect(try await world.payments.payment(payment).attempts == 2)
            #expect(try await next(world, id) == "2027-02-05")
            world.payments.provider.refuse(with: nil)
            #expect(try await world.violations().isEmpty)
        }
    }

    @Test("a new default method that was tried before plans heard of it is not tried again at once") func heardLate()
        async throws
    {
        try await withInstalments { world in
            let customer: CustomerID = try await world.payments.payer()
            _ = try await world.running(customer, "pay_in_4", 40_000)
            try await world.payments.attach(InstalmentWorld.poor, to: customer)
            world.wake(on: CivilDate(dayNumber: InstalmentWorld.today + 14))
            #expect(try await world.runDue() == 1)
            #expect(try await world.assess() == 1)
            try await world.settlePayments()
            #expect(try await attempts(world) == ["1 failed"])
            try await world.rest()
            #expect(try await attempts(world) == ["1 failed"])
            try await world.payments.attach(InstalmentWorld.good, to: customer)
            try await world.rest()
            #expect(try await attempts(world) == ["1 failed", "2 succeeded"])
            #expect(try await world.violations().isEmpty)
        }
    }

    @Test("the method a plan was agreed with is charged, whatever the default is") func namedMethod() async throws {
        try await withInstalments { world in
            let customer: CustomerID = await world.payments.customer()
            let named: String = try #require(
                try await world.payments.attach(InstalmentWorld.good, to: customer)["id"]?.stringValue)
            let plan: JSONValue = try await world.agree(customer, "pay_in_3", 10_000, method: named)
            try await world.rest()
            try await world.payments.attach(InstalmentWorld.poor, to: customer)
            try await world.go(days: 90)
            #expect(try await world.status(world.id(plan)) == "completed")
            #expect(try await world.violations().isEmpty)
        }
    }

    @Test("beyond the limit the plan is in default: what is owed is written off, and settling recovers it")
    func defaulted() async throws {
        try await withInstalments { world in
            let customer: CustomerID = try await world.payments.payer()
            let id: InstalmentPlanID = try await world.running(customer, "pay_in_12", 120_000)
            try await world.payments.attach(InstalmentWorld.poor, to: customer)
            try await world.go(days: 31)
            try await world.go(days: 300)
            #expect(try await world.status(id) == "defaulted")
            #expect(try await world.payments.published("instalment_plan.defaulted.v1") == 1)
            #expect(try await world.balance(InstalmentLedger.receivable) == 0)
            #expect(try await world.balance(InstalmentLedger.unearned) == 0)
            let lost: Int = try await world.balance(InstalmentLedger.writeOff)
            #expect(lost > 108_000)
            #expect(try await world.violations().isEmpty)
            try await world.payments.attach(InstalmentWorld.good, to: customer)
            try await world.rest()
            #expect(try await world.status(id) == "defaulted", "a plan that was given up is not charged by itself")
            let settling: JSONValue = try await world.settle(id)
            #expect(settling["settlement"]?.int("amount") == Int64(lost))
            try await world.rest()
            #expect(try await world.status(id) == "completed")
            #expect(try await world.balance(InstalmentLedger.writeOff) == 0)
            #expect(try await world.payments.published("instalment_plan.completed.v1") == 1)
            #expect(try await world.violations().isEmpty)
        }
    }

    @Test("a challenged instalment that the customer confirms after it is late pays all of it, the fee included")
    func confirmed() async throws {
        try await withInstalments { world in
            let customer: CustomerID = try await world.payments.payer()
            let id: InstalmentPlanID = try await world.running(customer, "pay_in_4", 40_000)
            try await world.payments.attach(InstalmentWorld.challenges, to: customer)
            try await world.go(days: 14)
            try await world.go(days: 20)
            #expect(try await attempts(world) == ["1 failed"])
            #expect(try await world.status(id) == "late")
            let payment: PaymentID = try #require(
                try await world.read(id).list("schedule")[1]["payment_id"]?.stringValue.flatMap { PaymentID($0) })
            #expect(try await world.payments.payment(payment).amount == Money(minor: 10_500, currency: .eur))
            _ = try await world.payments.confirm(payment, passed: true)
            try await world.rest()
            #expect(try await world.status(id) == "active")
            #expect(try await world.parts(id)[1] == "paid")
            #expect(try await world.violations().isEmpty)
        }
    }

    @Test("while what the customer has confirmed is under way no day counts, and the plan cannot be changed")
    func confirmedInTime() async throws {
        try await withInstalments { world in
            let customer: CustomerID = try await world.payments.payer()
            let id: InstalmentPlanID = try await world.running(customer, "pay_in_4", 40_000)
            try await world.payments.attach(InstalmentWorld.challenges, to: customer)
            try await world.go(days: 14)
            let payment: PaymentID = try #require(
                try await world.read(id).list("schedule")[1]["payment_id"]?.stringValue.flatMap { PaymentID($0) })
            _ = try await world.payments.confirm(payment, passed: true)
            for _ in 0..<2 {
                let busy: ChangePlan.Failure = .underWay(.active)
                await #expect(throws: busy) { _ = try await world.settle(id) }
                await #expect(throws: busy) { _ = try await world.cancel(id) }
                await #expect(throws: busy) { _ = try await world.reduce(id, by: 1_000) }
                world.wake(on: CivilDate(dayNumber: InstalmentWorld.today + 20))
                try await world.runDue()
            }
            #expect(try await world.runDue() == 0, "it waits for the outcome")
            #expect(try await world.parts(id) == ["paid", "due", "scheduled", "scheduled"])
            try await world.rest()
            #expect(try await world.parts(id) == ["paid", "paid", "scheduled", "scheduled"])
            #expect(try await world.read(id).list("schedule")[1].int("paid") == 10_000)
            #expect(try await world.balance(InstalmentLedger.lateFees) == 0)
            #expect(try await world.violations().isEmpty)
        }
    }

    @Test("a new default method that is kept only while an attempt with the old one is under way is tried after it")
    func keptMeanwhile() async throws {
        let pages = PagesProvider()
        pages.begin(with: .captured(ProviderCharge(reference: "pg_1")))
        pages.save(as: .actionRequired(reference: "seti_1", .redirect(url: "https://pages.example/3ds")))
        try await withInstalments(beside: [pages]) { world in
            let payments: PaymentWorld = world.payments
            let customer: CustomerID = try await payments.payer()
            let plan: InstalmentPlanID = try await world.running(customer, "pay_in_4", 40_000)
            let body =
                #"{"customer_id":"\#(customer)","type":"sepa_debit","provider":"pages","token":"pm_1","#
                + #""acceptance":{"ip_address":"192.0.2.1","user_agent":"x"}}"#
            let reply: Reply<PaymentMethodResource> = try await payments.work.attach(
                payments.call("/v1/payment_methods", body: body), payments.read(body))
            let kept = PaymentMethodID(unchecked: try parseJSON(reply.body)["id"]?.stringValue ?? "")
            world.wake(on: CivilDate(dayNumber: InstalmentWorld.today + 14))
            #expect(try await world.runDue() == 1)
            pages.save(
                as: .saved(
                    SavedMethod(
                        token: "sepa_debit/pm_1/mandate_1", customer: "cus_p", brand: nil, last4: "3000",
                        expMonth: nil, expYear: nil, fingerprint: "f1")))
            _ = try await payments.work.keep.sync(kept)
            _ = try await world.hear(at: world.now)
            payments.provider.refuse(with: ProviderDecline(code: "expired_card"))
            try await world.rest()
            #expect(try await world.parts(plan) == ["paid", "paid", "scheduled", "scheduled"])
            #expect(
                try await payments.texts(
                    "SELECT provider || ' ' || status FROM payment_attempts WHERE started_at > \(PaymentWorld.start) ORDER BY number"
                ) == ["sandbox failed", "pages succeeded"])
        }
    }

    @Test("what comes in for an instalment after the default makes the loss smaller") func recoveredInPart()
        async throws
    {
        try await withInstalments { world in
            let customer: CustomerID = try await world.payments.payer()
            let id: InstalmentPlanID = try await world.running(customer, "pay_in_4", 40_000)
            try await world.payments.attach(InstalmentWorld.challenges, to: customer)
            try await world.go(days: 14)
            try await world.go(days: 200)
            #expect(try await world.status(id) == "defaulted")
            let lost: Int = try await world.balance(InstalmentLedger.writeOff)
            let payment: PaymentID = try #require(
                try await world.read(id).list("schedule")[1]["payment_id"]?.stringValue.flatMap { PaymentID($0) })
            _ = try await world.payments.confirm(payment, passed: true)
            try await world.rest()
            #expect(try await world.status(id) == "defaulted")
            #expect(try await world.parts(id) == ["paid", "paid", "defaulted", "defaulted"])
            #expect(try await world.balance(InstalmentLedger.writeOff) == lost - 10_500)
            #expect(try await world.violations().isEmpty)
        }
    }

    @Test("without any method left the instalment waits and is late; money that comes later pays it") func noMethod()
        async throws
    {
        try await withInstalments { world in
            let customer: CustomerID = try await world.payments.payer()
            let id: InstalmentPlanID = try await world.running(customer, "pay_in_3", 10_000)
            try await world.payments.execute("UPDATE payment_methods SET is_default = false")
            try await world.go(days: 31)
            try await world.go(days: 40)
            #expect(try await world.status(id) == "late")
            try await world.payments.attach(InstalmentWorld.good, to: customer)
            try await world.go(days: 60)
            #expect(try await world.status(id) == "completed")
            #expect(try await world.violations().isEmpty)
        }
    }
}
