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

extension ProviderCapabilities.Method {
    /// A method that is charged with its customer and without.
    static func anytime(
        _ type: String, currencies: Set<String>? = nil, countries: Set<String>? = nil,
        amounts: [String: ClosedRange<Int64>] = [:]
    ) -> Self {
        Self(
            type: type, currencies: currencies, countries: countries, amounts: amounts, separateCapture: true,
            partialCapture: true, multipleCapture: false, partialRefund: true, offSession: true)
    }
}

@Suite("Plans that the provider of their method cannot charge") struct UnsupportedPlanTests {
    private static var pages: PagesProvider {
        PagesProvider(methods: [
            .anytime("card"), .anytime("sepa_debit", currencies: ["EUR"]),
            .anytime("venmo", currencies: ["USD"], countries: ["US"]),
            .anytime("twint", amounts: ["EUR": 1...2_999]),
            ProviderCapabilities.Method(
                type: "klarna", separateCapture: true, partialCapture: true, multipleCapture: false,
                partialRefund: true, offSession: false),
        ])
    }

    /// What a problem names, as `param code`; nothing where nothing is refused.
    private func refusal(_ body: () async throws -> Void) async throws -> [String] {
        do {
            try await body()
            return []
        } catch let failure as any ProblemConvertible {
            #expect(failure.problem.status == 422)
            return failure.problem.errors.map { "\($0.param) \($0.code)" }
        }
    }

    private func use(_ type: String, _ world: InstalmentWorld) async throws {
        try await world.payments.execute("UPDATE payment_methods SET provider = 'pages', type = \(type)")
    }

    @Test(
        "are not agreed, by the capability matrix, and nothing is stored",
        arguments: [
            ("sepa_debit", "USD", ["currency unsupported_currency"]), ("sepa_debit", "EUR", []),
            ("venmo", "EUR", ["currency unsupported_currency"]),
            ("venmo", "USD", ["payment_method_id unsupported_country"]),
            ("klarna", "EUR", ["payment_method_id unsupported_off_session"]),
            ("twint", "EUR", ["amount unsupported_amount"]), ("twint", "USD", []),
            ("ideal", "EUR", ["payment_method_id unsupported_method"]), ("card", "USD", []),
        ] as [(String, String, [String])])
    func agreed(type: String, currency: String, expected: [String]) async throws {
        try await withInstalments(beside: [Self.pages]) { world in
            let customer: CustomerID = try await world.payments.payer()
            try await use(type, world)
            let named: [String] = try await refusal {
                _ = try await world.agree(customer, "pay_in_3", 9_000, currency: currency)
            }
            #expect(named == expected)
            let stored: Int = expected.isEmpty ? 1 : 0
            #expect(try await world.payments.number("SELECT count(*) FROM instalment_plans") == stored)
            #expect(try await world.payments.number("SELECT count(*) FROM payments") == stored)
            #expect(try await world.payments.number("SELECT count(*) FROM journal_entries") == 0)
        }
    }

    @Test("are not paid off with it, either; one that only its customer can pay with pays them off")
    func settled() async throws {
        try await withInstalments(beside: [Self.pages]) { world in
            let customer: CustomerID = try await world.payments.payer()
            let plan: InstalmentPlanID = try await world.running(customer, "pay_in_3", 9_000)
            for (type, expected) in [
                ("venmo", "unsupported_currency"), ("twint", "unsupported_amount"), ("ideal", "unsupported_method"),
            ] {
                try await use(type, world)
                let named: [String] = try await refusal { _ = try await world.settle(plan) }
                #expect(named == ["payment_method_id \(expected)"])
            }
            #expect(try await world.payments.number("SELECT count(*) FROM payments") == 1)
            #expect(try await world.payments.number("SELECT count(*) FROM instalment_settlements") == 0)
            try await use("klarna", world)
            #expect(try await world.settle(plan)["settlement"]?.int("amount") == 6_000)
        }
    }
}
