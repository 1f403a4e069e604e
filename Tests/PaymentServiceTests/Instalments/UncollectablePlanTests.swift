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

@Suite("Instalments that no provider would charge") struct UncollectablePlanTests {
    /// Providers that count amounts as Stripe and PayPal do.
    private static var providers: [any PaymentProvider] {
        [
            PagesProvider(name: "stripe", methods: [.anytime("card")], refusal: StripeAmount.refusal),
            PagesProvider(name: "paypal", methods: [.anytime("card")], refusal: PayPalAmount.refusal),
        ]
    }

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
        try await withInstalments(beside: Self.providers) { world in
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
                    _ = try AgreePlan(settings: settings, providers: world.payments.providers)(order, at: now, in: db)
                }
            }
            try await expectRefused { try await agree(refused) }
            #expect(try await world.payments.number("SELECT count(*) FROM instalment_plans") == 0)
            try await agree(taken)
            #expect(try await world.payments.number("SELECT count(*) FROM payments") == 1)
        }
    }

    @Test("are not agreed where the fee for coming late makes them so") func late() async throws {
        try await withInstalments(beside: Self.providers) { world in
            let customer: CustomerID = try await world.payments.payer()
            try await world.payments.execute("UPDATE payment_methods SET provider = 'paypal'")
            let now: Instant = world.now
            let name = "payment.instalments.terms.any"
            for (fee, isTaken) in [("150", false), ("200", true)] {
                let settings = try InstalmentSettings([
                    "\(name).count": "3", "\(name).currencies.HUF": "100,1000000", "\(name).late_fee.HUF": fee,
                ])
                let order = PlanOrder(
                    customerID: customer, paymentMethodID: nil,
                    amount: Money(minor: 30_000, currency: try #require(Currency("HUF"))),
                    terms: "any", offer: nil, description: nil, metadata: "{}")
                let agree: @Sendable () async throws -> Void = {
                    try await world.database.transaction { db in
                        _ = try AgreePlan(settings: settings, providers: world.payments.providers)(
                            order, at: now, in: db)
                    }
                }
                if isTaken { try await agree() } else { try await expectRefused(agree) }
            }
        }
    }

    @Test("are not asked for as a whole") func settled() async throws {
        try await withInstalments(beside: Self.providers) { world in
            let customer: CustomerID = try await world.payments.payer()
            let plan: InstalmentPlanID = try await world.running(customer, "pay_in_3", 9_000)
            try await world.payments.execute("UPDATE payment_methods SET provider = 'stripe'")
            try await world.payments.execute("UPDATE instalments SET paid = principal - 20 WHERE number > 1")
            do {
                _ = try await world.settle(plan)
                Issue.record("it was asked for")
            } catch let failure as any ProblemConvertible {
                #expect(failure.problem.status == 409 && failure.problem.code == "settlement_not_collectable")
            }
            #expect(try await world.payments.number("SELECT count(*) FROM payments") == 1)
            try await world.payments.execute("UPDATE payment_methods SET provider = 'sandbox'")
            #expect(try await world.settle(plan)["id"] != nil)
        }
    }

    @Test("a payment of what its provider never charges is refused, and nothing is stored") func single() async throws {
        try await withPayments(beside: Self.providers) { world in
            let customer: CustomerID = try await world.payer()
            for (provider, amount, currency, isTaken) in [
                ("stripe", 49, "EUR", false), ("stripe", 1_234, "KWD", false), ("paypal", 150, "HUF", false),
                ("stripe", 50, "EUR", true), ("paypal", 300, "HUF", true), ("sandbox", 1, "EUR", true),
            ] {
                try await world.execute("UPDATE payment_methods SET provider = \(provider)")
                let body = #"{"amount":\#(amount),"currency":"\#(currency)","customer_id":"\#(customer)"}"#
                let before: Int = try await world.number("SELECT count(*) FROM payments")
                do {
                    let call: Call = world.call("/v1/payments", body: body)
                    _ = try await world.work.create(call, world.read(body))
                    #expect(isTaken, "\(provider) \(amount) \(currency)")
                } catch let failure as any ProblemConvertible {
                    #expect(!isTaken && failure.problem.status == 422)
                    let named: [String] = failure.problem.errors.map { "\($0.param) \($0.code)" }
                    #expect(named == ["amount unsupported_amount"], "\(named)")
                }
                let after: Int = try await world.number("SELECT count(*) FROM payments")
                #expect(after - before == (isTaken ? 1 : 0))
            }
        }
    }

    @Test("are not left by what is taken off a plan") func reduced() async throws {
        try await withInstalments(beside: Self.providers) { world in
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
