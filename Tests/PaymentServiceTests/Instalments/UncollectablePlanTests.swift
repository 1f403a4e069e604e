import BillingCore
import HTTPKit
import JSON
import PaymentInstalments
import PaymentRecords
import Postgres
import TestKit
import Testing

@Suite("Instalments that no provider would charge") struct UncollectablePlanTests {
    private func expectRefused(
        sourceLocation: SourceLocation = #_sourceLocation, _ body: () async throws -> Void
    ) async throws {
        do {
            try await body()
            Issue.record("nothing was refused", sourceLocation: sourceLocation)
        } catch let failure as any ProblemConvertible {
            let problem: Problem = failure.problem
            #expect(problem.status == 422, sourceLocation: sourceLocation)
            #expect(
                problem.errors.map { "\($0.param) \($0.code)" } == ["amount instalment_not_collectable"],
                sourceLocation: sourceLocation)
        }
    }

    @Test(
        "are not agreed: parts below the provider's least amount, or of digits that it does not take",
        arguments: [
            ("stripe", "EUR", 149, 150), ("stripe", "KWD", 1_000, 900), ("paypal", "HUF", 10_000, 30_000),
        ] as [(String, String, Int64, Int64)])
    func agreed(provider: String, currency: String, refused: Int64, taken: Int64) async throws {
        try await withInstalments { world in
            let customer: CustomerID = try await world.payments.payer()
            try await world.payments.execute("UPDATE payment_methods SET provider = \(provider)")
            let money: Currency = try #require(Currency(currency))
            let name = "payment.instalments.terms.any"
            let settings = try InstalmentSettings([
                "\(name).count": "3", "\(name).currencies.\(currency)": "100,1000000",
            ])
            let now: Instant = world.now
            func agree(_ minor: Int64) async throws {
                let order = PlanOrder(
                    customerID: customer, paymentMethodID: nil, amount: Money(minor: minor, currency: money),
                    terms: "any", offer: nil, description: nil, metadata: "{}")
                try await world.database.transaction { db in
                    _ = try AgreePlan(settings: settings)(order, at: now, in: db)
                }
            }
            try await expectRefused { try await agree(refused) }
            #expect(try await world.payments.number("SELECT count(*) FROM instalment_plans") == 0)
            try await agree(taken)
            #expect(try await world.payments.number("SELECT count(*) FROM payments") == 1)
        }
    }

    @Test("are not left by what is taken off a plan") func reduced() async throws {
        try await withInstalments { world in
            let customer: CustomerID = try await world.payments.payer()
            let plan: InstalmentPlanID = try await world.running(customer, "pay_in_3", 9_000)
            try await world.payments.execute("UPDATE payment_methods SET provider = 'stripe'")
            try await expectRefused { try await world.reduce(plan, by: 5_980) }
            #expect(try await world.read(plan).int("amount_owed") == 6_000, "nothing has changed")
            try await world.reduce(plan, by: 5_950)
            #expect(try await world.parts(plan) == ["paid", "scheduled", "canceled"])
            try await world.payments.execute("UPDATE payment_methods SET provider = 'sandbox'")
            try await world.go(days: 90)
            #expect(try await world.status(plan) == "completed")
            #expect(try await world.read(plan).int("amount_paid") == 3_050)
            #expect(try await world.violations().isEmpty)
        }
    }
}
