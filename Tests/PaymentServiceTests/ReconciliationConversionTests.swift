import BillingCore
import PaymentDomain
import PaymentExchange
import PaymentReconciliation
import PaymentRecords
import PaymentService
import Postgres
import ServiceKit
import TestKit
import Testing

@Suite("What a provider exchanges between our balances there") struct ReconciliationConversionTests {
    private typealias Exchange = ReconciliationExchangeTests
    private static let today = CivilDate(dayNumber: 20_833)

    private static func line(
        _ id: String, _ kind: SettlementLine.Kind, _ minor: Int64, _ currency: Currency, fee: Int64 = 0,
        own: String? = nil, taken: String? = nil, after seconds: Int64 = 60
    ) throws -> SettlementLine {
        let money: (Int64) -> Money = { Money(minor: $0, currency: currency) }
        return try SettlementLine(
            provider: "sandbox", id: id, kind: kind, gross: money(minor), fee: money(fee), net: money(minor - fee),
            references: SettlementLine.References(own: own, source: id, taken: taken),
            occurredAt: PaymentWorld.start + .seconds(seconds))
    }

    private static func expectConverted(_ world: PaymentWorld, by rule: String = "booked_from_line") async throws {
        #expect(
            try await world.lines() == ["CAP1 matched own_reference", "CV1 matched \(rule)", "CV2 matched \(rule)"])
        #expect(try await Exchange.held(world, "assets:provider:sandbox", "GBP") == 0)
        #expect(try await Exchange.held(world, "assets:provider:sandbox", "USD") == 12_100)
        #expect(try await Exchange.held(world, Exchange.position, "GBP") == 9_700)
        #expect(try await Exchange.held(world, Exchange.position, "USD") == -12_100)
        #expect(try await Exchange.violations(world) == [])
    }

    @Test("a conversion moves the exchange account, and the books of both balances are the provider's")
    func converted() async throws {
        try await withPayments { world in
            let paid: PaymentRecord = try await Exchange.pounds(world, 10_000)
            let provider = ScriptedSettlements()
            provider.report([
                try Self.line("CAP1", .charge, 10_000, .gbp, fee: 300, own: paid.attemptID.rawValue),
                try Self.line("CV1", .adjustment, -9_700, .gbp, taken: "CAP1", after: 61),
                try Self.line("CV2", .adjustment, 12_100, .usd, taken: "CAP1", after: 61),
            ])
            world.advance(days: 2)
            for _ in 0..<2 { try await world.reconciliation([provider]).pass() }
            try await Self.expectConverted(world)
            #expect(try await world.cases().isEmpty)
            let balances = Set(try await world.settled(Self.today))
            #expect(balances == ["GBP 0 0 0 0 0 0", "USD 12100 12100 0 0 0 0"])
        }
    }

    @Test("one that a person has booked, each side by itself, is matched and not booked again") func booked()
        async throws
    {
        try await withPayments { world in
            let paid: PaymentRecord = try await Exchange.pounds(world, 10_000)
            try await world.adjust(by: -9_700, "GBP", against: Exchange.position)
            try await world.adjust(by: 12_100, "USD", against: Exchange.position)
            let provider = ScriptedSettlements()
            let reconcile: ReconcileProviders = world.reconciliation([provider])
            provider.report([
                try Self.line("CAP1", .charge, 10_000, .gbp, fee: 300, own: paid.attemptID.rawValue),
                try Self.line("CV1", .adjustment, -9_700, .gbp, taken: "CAP1", after: 61),
                try Self.line("CV2", .adjustment, 12_100, .usd, taken: "CAP1", after: 61),
            ])
            world.advance(days: 2)
            try await reconcile.pass()
            world.advance(days: 6)
            for _ in 0..<2 { try await reconcile.pass() }
            try await Self.expectConverted(world, by: "amount_and_time")
            #expect(try await world.cases().isEmpty)
        }
    }

    @Test("one side alone is a case, which the other side ends") func halves() async throws {
        try await withPayments { world in
            let paid: PaymentRecord = try await Exchange.pounds(world, 10_000)
            let provider = ScriptedSettlements()
            let reconcile: ReconcileProviders = world.reconciliation([provider])
            provider.report([
                try Self.line("CAP1", .charge, 10_000, .gbp, fee: 300, own: paid.attemptID.rawValue),
                try Self.line("CV1", .adjustment, -9_700, .gbp, taken: "CAP1", after: 61),
            ])
            world.advance(days: 2)
            try await reconcile.pass()
            #expect(try await world.lines() == ["CAP1 matched own_reference", "CV1 unmatched"])
            #expect(try await world.cases() == ["not_booked open -9700"])
            provider.report([try Self.line("CV2", .adjustment, 12_100, .usd, taken: "CAP1", after: 3 * 86_400)])
            world.advance(days: 2)
            try await reconcile.pass()
            try await Self.expectConverted(world)
            #expect(try await world.cases() == ["not_booked resolved -9700"])
        }
    }

    @Test("both sides are found however many lines wait between them") func farApart() async throws {
        try await withPayments { world in
            // Reports are read from the first booking on.
            _ = try await world.paid(world.payer())
            let provider = ScriptedSettlements(pageSize: 1_000)
            let reconcile: ReconcileProviders = world.reconciliation([provider])
            provider.report([try Self.line("CV1", .adjustment, -9_700, .gbp, taken: "CAP1", after: 61)])
            world.advance(days: 2)
            try await reconcile.pass()
            provider.report([try Self.line("CV2", .adjustment, 12_100, .usd, taken: "CAP1", after: 3 * 86_400)])
            provider.report(
                try (1...500).map { try Self.line("F\($0)", .fee, -1, .usd, after: 3 * 86_400 + Int64($0)) })
            world.advance(days: 2)
            try await reconcile.pass()
            #expect(
                try await world.texts("SELECT DISTINCT state || ' ' || rule FROM settlement_lines")
                    == ["matched booked_from_line"])
            #expect(try await Exchange.held(world, "assets:provider:sandbox", "GBP") == -9_700)
        }
    }

    @Test("a settlement currency is refused for a provider that exchanges between balances")
    func configured() throws {
        let error = #expect(throws: ServiceConfiguration.Invalid.self) {
            try SettlementPolicy(tunables: [
                "payment.settlement_currency.paypal": "USD", "payment.settlement_currency.stripe": "USD",
                "payment.settlement_currency.sandbox": "dollars",
            ])
        }
        #expect(
            error?.faults == [
                "payment.settlement_currency.paypal must not be set: paypal settles each payment in its own currency",
                "payment.settlement_currency.sandbox must be a currency code and not dollars",
            ])
        _ = try SettlementPolicy(tunables: ["payment.settlement_currency.stripe": "USD"])
    }

    @Test("a spread is a part of less than the whole, of a provider that converts")
    func configuredSpread() throws {
        let name = "payment.exchange_spread_basis_points."
        let error = #expect(throws: ServiceConfiguration.Invalid.self) {
            try SettlementPolicy(tunables: [
                "payment.settlement_currency.stripe": "USD", "\(name)paypal": "200", "\(name)sandbox": "-1",
                "\(name)stripe": "10000",
            ])
        }
        #expect(
            error?.faults == [
                "\(name)paypal needs payment.settlement_currency.paypal",
                "\(name)sandbox must be a whole number from 0 to 9999",
                "\(name)stripe must be a whole number from 0 to 9999",
            ])
        _ = try SettlementPolicy(tunables: [
            "payment.settlement_currency.stripe": "USD", "\(name)stripe": "200", "\(name)paypal": "0",
        ])
    }
}
