import BillingCore
import JSON
import PaymentContract
import PaymentDomain
import PaymentInstalments
import PaymentRecords
import PaymentService
import Postgres
import TestKit
import Testing

/// The first plan day is 15 January 2027; the parts are due then and 14 and 28 days later.
@Suite("Plans that are paid off where the provider counts coarser than the currency") struct RoundedPlanTests {
    /// PayPal takes whole forints, of which we count hundredths.
    private static func payPal() -> PagesProvider {
        let pages = PagesProvider(
            name: "paypal", methods: [.anytime("card")], refusal: PayPalAmount.refusal,
            refusalOfPart: PayPalAmount.refusal)
        pages.begin(with: .captured(ProviderCharge(reference: "pg_1")))
        return pages
    }

    /// Plans agreed by one customer: 30,000.00 in three, with a fee of 300.00.
    private func agreed(_ count: Int, _ world: InstalmentWorld) async throws -> [InstalmentPlanID] {
        let customer: CustomerID = try await world.payments.payer()
        try await world.payments.execute("UPDATE payment_methods SET provider = 'paypal'")
        let name = "payment.instalments.terms.any"
        let settings = try InstalmentSettings([
            "\(name).count": "3", "\(name).interval": "two_weeks", "\(name).fee.HUF": "30000",
            "\(name).currencies.HUF": "1000000,10000000",
        ])
        let order = PlanOrder(
            customerID: customer, paymentMethodID: nil,
            amount: Money(minor: 3_000_000, currency: try #require(Currency("HUF"))), terms: "any", offer: nil,
            description: nil, metadata: "{}")
        let now: Instant = world.now
        var plans: [InstalmentPlanID] = []
        for _ in 0..<count {
            let plan: InstalmentPlanID = try await world.database.transaction { db in
                try AgreePlan(settings: settings, providers: world.payments.providers)(order, at: now, in: db).id
            }
            plans.append(plan)
        }
        try await world.rest()
        return plans
    }

    @Test("on every day of a period: what it does not count is given up, and the books are even") func everyDay()
        async throws
    {
        try await withInstalments(beside: [Self.payPal()]) { world in
            var givenUp = 0
            for (day, plan) in try await agreed(14, world).enumerated() {
                try await world.go(days: day)
                let settling: JSONValue = try await world.settle(plan)
                let settlement: JSONValue = try #require(settling["settlement"])
                // 100.00 are earned in fourteen days.
                let earned: Int = 10_000 * day / 14
                givenUp += earned % 100
                #expect(settlement.int("amount") == Int64(2_000_000 + earned - earned % 100), "day \(day)")
                #expect(settlement.int("amount") + settlement.int("rebate") == 2_020_000, "day \(day)")
                try await world.rest()
                #expect(try await world.status(plan) == "settled", "day \(day)")
                #expect(try await world.read(plan).int("amount_paid") == 1_010_000 + settlement.int("amount"))
            }
            #expect(try await world.balance(InstalmentLedger.writeOff) == givenUp)
            #expect(try await world.balance(InstalmentLedger.receivable) == 0)
            #expect(try await world.balance(InstalmentLedger.unearned) == 0)
            #expect(try await world.payments.published("instalment_plan.settled.v1") == 14)
            #expect(try await world.violations().isEmpty)
        }
    }

    @Test("while an instalment is confirmed: what was paid of it twice goes back, in amounts that the provider takes")
    func paidTwice() async throws {
        let payPal: PagesProvider = Self.payPal()
        try await withInstalments(beside: [payPal]) { world in
            let plan: InstalmentPlanID = try await agreed(1, world)[0]
            payPal.begin(with: .declined(ProviderDecline(code: "authentication_required")))
            try await world.go(days: 14)
            #expect(try await world.parts(plan) == ["paid", "due", "scheduled"])
            payPal.begin(with: .captured(ProviderCharge(reference: "pg_2")))
            try await world.go(days: 15)
            let wanted = PaymentID(
                unchecked: try await world.read(plan).list("schedule")[1]["payment_id"]?.stringValue ?? "")
            let settling: JSONValue = try await world.settle(plan)
            #expect(settling["settlement"]?.int("amount") == 2_010_700)
            #expect(settling["settlement"]?.int("rebate") == 9_300)
            await world.payments.decide(try await world.payments.confirm(wanted, passed: nil))
            #expect(try await world.payments.settled(wanted).status == .succeeded)
            #expect(try await world.hear(at: world.now) == 1)
            #expect(try await world.parts(plan) == ["paid", "paid", "scheduled"])
            try await world.rest()
            let ended: JSONValue = try await world.read(plan)
            #expect(ended["status"]?.stringValue == "settled")
            #expect(ended.int("amount_refunded") == 1_010_000 && ended.int("amount_overpaid") == 1_010_000)
            #expect(try await world.balance(InstalmentLedger.writeOff) == 14)
            #expect(try await world.violations().isEmpty)
        }
    }
}
