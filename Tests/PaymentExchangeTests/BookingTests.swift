import BillingCore
import PaymentDomain
import PaymentExchange
import PaymentLedger
import PaymentRecords
import Postgres
import TestKit
import Testing

@Suite("Payments settled in another currency") struct BookingTests {
    private static let policy = SettlementPolicy(["stripe": .usd])
    private static let position = ExchangeLedger.position

    private static func movement(
        _ payment: PaymentID, _ minor: Int64, _ reference: String, _ currency: Currency = .gbp,
        provider: String = "stripe"
    ) -> ExchangeMovement {
        ExchangeMovement(
            reference: reference, paymentID: payment, amount: Money(minor: minor, currency: currency),
            provider: provider)
    }

    private static func settlement(
        _ payment: PaymentID, _ given: Int64, _ settled: Int64, _ reference: String, rate: String? = nil
    ) throws -> ProviderSettlement {
        ProviderSettlement(
            reference: reference, paymentID: payment, provider: "stripe", given: Money(minor: given, currency: .gbp),
            settled: Money(minor: settled, currency: .usd), rate: try rate.map { try ExactDecimal(parsing: $0) })
    }

    @Test("a capture is booked in both currencies, a later refund closes it, and the rate's way is a gain or a loss")
    func example() async throws {
        try await withExchange { world in
            try await world.give("1.25", .gbp, .usd)
            let payment: PaymentID = try await world.payment(Money(minor: 10_000, currency: .gbp))
            _ = try await world.book(.capture, Self.movement(payment, 10_000, "cap_1"), Self.policy)
            #expect(
                try await world.balances() == [
                    "assets:provider:stripe USD": 12_500, "\(Self.position) GBP": 10_000,
                    "\(Self.position) USD": -12_500, "income:customer_payments GBP": -10_000,
                ])
            #expect(
                try await world.number("SELECT settlement_amount FROM payments WHERE settlement_currency = 'USD'")
                    == 12_500)
            // The provider made a little less of it, at a rate of its own.
            #expect(try await world.settle(Self.settlement(payment, 10_000, 12_480, "cap_1", rate: "1.248")).count == 2)
            #expect(try await world.number("SELECT settlement_amount FROM payments") == 12_480)
            #expect(
                try await world.number(
                    "SELECT count(*) FROM payments p JOIN exchange_rates r ON r.id = p.exchange_rate_id WHERE r.source = 'provider:stripe' AND r.numerator = 1.248"
                ) == 1)
            // The pound has risen: giving it back costs more than it brought.
            try await world.give("1.30", .gbp, .usd)
            _ = try await world.book(.refund, Self.movement(payment, 10_000, "re_1"), Self.policy)
            let balances: [String: Int64] = try await world.balances()
            #expect(balances["\(Self.position) GBP"] == 0 && balances["\(Self.position) USD"] == 0)
            #expect(balances["assets:provider:stripe USD"] == -520)
            #expect(balances["expense:exchange_loss USD"] == 520)
            let known: [String: PaymentSettlement] = try await world.database.transaction(readOnly: true) { db in
                try PaymentSettlementStore.find(movements: ["cap_1", "re_1", "re_2"], in: db)
            }
            #expect(
                known == [
                    "cap_1": PaymentSettlement(amount: Money(minor: 12_480, currency: .usd), rate: "1.248", fee: nil),
                    "re_1": PaymentSettlement(amount: Money(minor: 13_000, currency: .usd), rate: "1.3", fee: nil),
                ])
        }
    }

    @Test("a rate that was given the other way round is told as what one unit of the payment's currency is worth")
    func turnedRate() async throws {
        try await withExchange { world in
            try await world.give("0.8", .usd, .gbp)
            let payment: PaymentID = try await world.payment(Money(minor: 10_000, currency: .gbp))
            _ = try await world.book(.capture, Self.movement(payment, 10_000, "cap_1"), Self.policy)
            _ = try await world.book(.refund, Self.movement(payment, 4_000, "re_1"), Self.policy)
            let (whole, parts) = try await world.database.transaction(readOnly: true) { db in
                (
                    try PaymentSettlementStore.find([payment], in: db),
                    try PaymentSettlementStore.find(movements: ["cap_1", "re_1"], in: db)
                )
            }
            let captured = PaymentSettlement(amount: Money(minor: 12_500, currency: .usd), rate: "1.25", fee: nil)
            let refunded = PaymentSettlement(amount: Money(minor: 5_000, currency: .usd), rate: "1.25", fee: nil)
            #expect(whole == [payment: captured])
            #expect(parts == ["cap_1": captured, "re_1": refunded])
        }
    }

    @Test("what a provider keeps for converting is foreseen: a capture that is settled so books neither gain nor loss")
    func spread() async throws {
        try await withExchange { world in
            try await world.give("1.25", .gbp, .usd)
            let policy = SettlementPolicy(["stripe": .usd], spreads: ["stripe": 200, "paypal": 300])
            let payment: PaymentID = try await world.payment(Money(minor: 10_000, currency: .gbp))
            _ = try await world.book(.capture, Self.movement(payment, 10_000, "cap_1"), policy)
            #expect(try await world.number("SELECT settlement_amount FROM payments") == 12_250)
            #expect(try await world.number("SELECT spread_basis_points::bigint FROM exchange_movements") == 200)
            let difference: [Posting] = try await world.settle(Self.settlement(payment, 10_000, 12_250, "cap_1"))
            #expect(difference.isEmpty)
            let settled: [String: Int64] = try await world.balances()
            #expect(settled["assets:provider:stripe USD"] == 12_250)
            #expect(settled["expense:exchange_loss USD", default: 0] == 0)
            #expect(settled["income:exchange_gain USD", default: 0] == 0)
            // Nothing more is kept of what goes back.
            _ = try await world.book(.refund, Self.movement(payment, 10_000, "re_1"), policy)
            let balances: [String: Int64] = try await world.balances()
            #expect(balances["\(Self.position) GBP"] == 0 && balances["\(Self.position) USD"] == 0)
            #expect(balances["assets:provider:stripe USD"] == -250)
            #expect(balances["expense:exchange_loss USD"] == 250)
            #expect(try await world.database.transaction { db in try ExchangeChecks.violations(in: db) }.isEmpty)
        }
    }

    @Test(
        "a refund that failed leaves the books as they were before it, its settlement included",
        arguments: [false, true])
    func undone(isSettled: Bool) async throws {
        try await withExchange { world in
            try await world.give("1.25", .gbp, .usd)
            let payment: PaymentID = try await world.payment(Money(minor: 10_000, currency: .gbp))
            _ = try await world.book(.capture, Self.movement(payment, 10_000, "cap_1"), Self.policy)
            try await world.give("1.30", .gbp, .usd)
            let before: [String: Int64] = try await world.balances().filter { $0.value != 0 }
            _ = try await world.book(.refund, Self.movement(payment, 4_000, "re_1"), Self.policy)
            if isSettled { _ = try await world.settle(Self.settlement(payment, -4_000, -5_100, "re_1", rate: "1.275")) }
            try await world.database.transaction { db in
                #expect(try LedgerStore.undo(refund: "re_1", of: payment, at: ExchangeWorld.start, in: db))
                try BookExchange.undo(refund: "re_1", in: db)
            }
            #expect(try await world.balances().filter { $0.value != 0 } == before)
            #expect(try await world.database.transaction { db in try ExchangeChecks.violations(in: db) }.isEmpty)
            // The next one takes its part of the capture as if there had been none.
            _ = try await world.book(.refund, Self.movement(payment, 10_000, "re_2"), Self.policy)
            let after: [String: Int64] = try await world.balances()
            #expect(after["\(Self.position) GBP"] == 0 && after["\(Self.position) USD"] == 0)
        }
    }

    @Test("the same currency, and a provider that settles as it is paid, are booked as ever") func plain() async throws
    {
        try await withExchange { world in
            let payment: PaymentID = try await world.payment(Money(minor: 500, currency: .usd))
            for movement in [
                Self.movement(payment, 500, "cap_1", .usd), Self.movement(payment, 300, "cap_2", provider: "paypal"),
            ] {
                let lines: [Posting] = try await world.book(.capture, movement, Self.policy)
                #expect(try lines == Ledger.capture(movement.amount, provider: movement.provider))
            }
            let back = Self.movement(payment, 500, "re_1", .usd)
            #expect(
                try await world.book(.refund, back, Self.policy) == Ledger.refund(back.amount, provider: "stripe"))
            #expect(try await world.number("SELECT count(*) FROM exchange_movements") == 0)
            #expect(try await world.number("SELECT count(settlement_amount) FROM payments") == 0)
        }
    }

    @Test("without a rate in force nothing waits and nothing is guessed; the provider's word sets it right")
    func noRate()
        async throws
    {
        try await withExchange { world in
            let payment: PaymentID = try await world.payment(Money(minor: 10_000, currency: .gbp))
            let capture = Self.movement(payment, 10_000, "cap_1")
            #expect(
                try await world.book(.capture, capture, Self.policy)
                    == Ledger.capture(capture.amount, provider: "stripe"))
            _ = try await world.settle(Self.settlement(payment, 10_000, 12_480, "cap_1"))
            let balances: [String: Int64] = try await world.balances()
            #expect(balances["assets:provider:stripe GBP"] == 0 && balances["assets:provider:stripe USD"] == 12_480)
            #expect(balances["\(Self.position) GBP"] == 10_000 && balances["\(Self.position) USD"] == -12_480)
            #expect(try await world.number("SELECT settlement_amount FROM payments") == 12_480)
            _ = try await world.book(.refund, Self.movement(payment, 10_000, "re_1"), Self.policy)
            _ = try await world.settle(Self.settlement(payment, -10_000, -12_500, "re_1"))
            let after: [String: Int64] = try await world.balances()
            #expect(after["\(Self.position) GBP"] == 0 && after["\(Self.position) USD"] == 0)
            #expect(after["expense:exchange_loss USD"] == 20)
        }
    }

    @Test(
        "an absurd rate counts as none: money that has moved is booked, in its own currency or at what it came in at",
        arguments: ["99999999999999999999", "400000000"])
    func absurd(rate: String) async throws {
        try await withExchange { world in
            try await world.give("1.25", .gbp, .usd)
            let amount: Int64 = 10_000_000_000
            let payment: PaymentID = try await world.payment(Money(minor: 2 * amount, currency: .gbp))
            _ = try await world.book(.capture, Self.movement(payment, amount, "cap_1"), Self.policy)
            try await world.give(rate, .gbp, .usd)
            let capture = Self.movement(payment, amount, "cap_2")
            #expect(
                try await world.book(.capture, capture, Self.policy)
                    == Ledger.capture(capture.amount, provider: "stripe"))
            _ = try await world.book(.refund, Self.movement(payment, amount, "re_1"), Self.policy)
            let balances: [String: Int64] = try await world.balances()
            #expect(balances["\(Self.position) GBP"] == 0 && balances["\(Self.position) USD"] == 0)
            #expect(balances["assets:provider:stripe USD"] == 0)
            #expect(balances["assets:provider:stripe GBP"] == amount)
        }
    }

    @Test("what a dispute takes beyond the captures stays as it was settled; the rest leaves at their value")
    func beyond() async throws {
        try await withExchange { world in
            let payment: PaymentID = try await world.payment(Money(minor: 2_000, currency: .gbp))
            _ = try await world.book(.capture, Self.movement(payment, 2_000, "cap_1"), Self.policy)
            _ = try await world.settle(Self.settlement(payment, 2_000, 2_500, "cap_1"))
            _ = try await world.settle(Self.settlement(payment, -2_100, -2_730, "dp_1/taken"))
            let taken: [String: Int64] = try await world.balances()
            #expect(taken["expense:exchange_loss USD"] == 100)
            #expect(taken["\(Self.position) GBP"] == -100 && taken["\(Self.position) USD"] == 130)
            // It is won, and all of it comes again at the same rate.
            let back = ProviderSettlement(
                reference: "dp_1/won", paymentID: payment, provider: "stripe",
                given: Money(minor: 2_100, currency: .gbp), isReturn: true,
                settled: Money(minor: 2_730, currency: .usd), rate: nil)
            _ = try await world.settle(back)
            let won: [String: Int64] = try await world.balances()
            #expect(won["\(Self.position) GBP"] == 2_000 && won["\(Self.position) USD"] == -2_500)
            #expect(won["income:exchange_gain USD"] == -100)
            #expect(try await world.database.transaction { db in try ExchangeChecks.violations(in: db) }.isEmpty)
        }
    }

    @Test("a refund of which not all was exchanged on the way in is booked whole in its own currency until settled")
    func partlyExchanged() async throws {
        try await withExchange { world in
            let payment: PaymentID = try await world.payment(Money(minor: 10_000, currency: .gbp))
            _ = try await world.book(.capture, Self.movement(payment, 4_000, "cap_1"), Self.policy)
            _ = try await world.settle(Self.settlement(payment, 4_000, 5_000, "cap_1"))
            _ = try await world.book(.capture, Self.movement(payment, 6_000, "cap_2"), Self.policy)
            let refund = Self.movement(payment, 6_000, "re_1")
            let lines: [Posting] = try await world.book(.refund, refund, Self.policy)
            #expect(try lines == Ledger.refund(refund.amount, provider: "stripe"))
            _ = try await world.settle(Self.settlement(payment, -6_000, -7_800, "re_1"))
            _ = try await world.settle(Self.settlement(payment, 6_000, 7_500, "cap_2"))
            let balances: [String: Int64] = try await world.balances()
            #expect(balances["assets:provider:stripe GBP"] == 0 && balances["assets:provider:stripe USD"] == 4_700)
            #expect(balances["\(Self.position) GBP"] == 4_000 && balances["\(Self.position) USD"] == -5_000)
            #expect(balances["expense:exchange_loss USD"] == 300)
            #expect(try await world.database.transaction { db in try ExchangeChecks.violations(in: db) }.isEmpty)
        }
    }

    @Test("captures that became two currencies have no sum: each tells its own, their payment nothing")
    func twoPolicies() async throws {
        try await withExchange { world in
            try await world.give("1.25", .gbp, .usd)
            try await world.give("1.2", .gbp, .eur)
            let payment: PaymentID = try await world.payment(Money(minor: 17_000, currency: .gbp))
            _ = try await world.book(.capture, Self.movement(payment, 10_000, "cap_1"), Self.policy)
            let euros = SettlementPolicy(["stripe": .eur])
            _ = try await world.book(.capture, Self.movement(payment, 5_000, "cap_2"), euros)
            _ = try await world.settle(Self.settlement(payment, 10_000, 12_480, "cap_1"))
            _ = try await world.book(.capture, Self.movement(payment, 2_000, "cap_3"), euros)
            let (whole, parts) = try await world.database.transaction(readOnly: true) { db in
                (
                    try PaymentSettlementStore.find([payment], in: db),
                    try PaymentSettlementStore.find(movements: ["cap_1", "cap_2", "cap_3"], in: db)
                )
            }
            #expect(whole.isEmpty)
            #expect(
                parts.mapValues(\.amount) == [
                    "cap_1": Money(minor: 12_480, currency: .usd), "cap_2": Money(minor: 6_000, currency: .eur),
                    "cap_3": Money(minor: 2_400, currency: .eur),
                ])
        }
    }

    @Test("a settlement counts once; another word on it is refused and books nothing") func once() async throws {
        try await withExchange { world in
            try await world.give("1.25", .gbp, .usd)
            let payment: PaymentID = try await world.payment(Money(minor: 10_000, currency: .gbp))
            _ = try await world.book(.capture, Self.movement(payment, 10_000, "cap_1"), Self.policy)
            await #expect(throws: SettleExchange.Failure.mismatch(booked: Money(minor: 10_000, currency: .gbp))) {
                try await world.settle(Self.settlement(payment, 9_999, 12_400, "cap_1"))
            }
            let word: ProviderSettlement = try Self.settlement(payment, 10_000, 12_480, "cap_1")
            let booked: Int = try await withThrowingTaskGroup(of: Int.self) { group in
                for _ in 0..<4 { group.addTask { try await world.settle(word).count } }
                return try await group.reduce(0, +)
            }
            #expect(booked == 2)
            await #expect(throws: SettleExchange.Failure.settledOtherwise(Money(minor: 12_480, currency: .usd))) {
                try await world.settle(Self.settlement(payment, 10_000, 12_479, "cap_1"))
            }
            #expect(try await world.number("SELECT count(*) FROM journal_entries WHERE kind = 'settlement'") == 1)
        }
    }

    @Test(
        "whatever is captured, refunded and settled at whatever rates, every currency sums to zero and nothing is left over",
        arguments: 0..<4)
    func history(run: Int) async throws {
        try await withExchange { world in
            var random = Seeded()
            var (settled, number): ([ProviderSettlement], Int) = ([], 0)
            for _ in 0..<12 {
                // At times there is no rate, or one that is too old.
                world.clock.advance(by: .seconds(86_400 * Int.random(in: 0...2, using: &random)))
                let today = CivilDate(dayNumber: Int(world.clock.now.seconds / 86_400))
                if Bool.random(using: &random) {
                    let rate: Int = Int.random(in: 11_000...14_000, using: &random)
                    try await world.give("1.\(rate)", .gbp, .usd, on: today)
                }
                let total = Int64.random(in: 3...50_000, using: &random)
                let payment: PaymentID = try await world.payment(Money(minor: total, currency: .gbp))
                for (kind, sign) in [(JournalEntry.Kind.capture, Int64(1)), (.refund, -1)] {
                    var left: Int64 = total
                    while left > 0 {
                        let part: Int64 =
                            Bool.random(using: &random) ? left : Int64.random(in: 1...left, using: &random)
                        left -= part
                        number += 1
                        _ = try await world.book(kind, Self.movement(payment, part, "m_\(number)"), Self.policy)
                        let worth = Int64.random(in: 90...140, using: &random) * part / 100 + 1
                        let word: ProviderSettlement = try Self.settlement(
                            payment, sign * part, sign * worth, "m_\(number)")
                        _ = try await world.settle(word)
                        settled.append(word)
                    }
                }
            }
            let balances: [String: Int64] = try await world.balances()
            for word in settled.shuffled(using: &random) {
                #expect(try await world.settle(word).isEmpty, "told again, nothing happens; seed \(random.seed)")
            }
            #expect(try await world.balances() == balances, "seed \(random.seed)")
            for currency in ["GBP", "USD"] {
                #expect(balances["\(Self.position) \(currency)", default: 0] == 0, "seed \(random.seed)")
                let sum: Int64 = balances.filter { $0.key.hasSuffix(currency) }.values.reduce(0, +)
                #expect(sum == 0, "seed \(random.seed)")
            }
            #expect(balances["assets:provider:stripe GBP", default: 0] == 0, "seed \(random.seed)")
            let held: Int64 = settled.reduce(0) { $0 + $1.settled.minor }
            #expect(balances["assets:provider:stripe USD"] == held, "our books are the provider's; seed \(random.seed)")
            let violations: [String] = try await world.database.transaction { db in
                try LedgerChecks.violations(in: db) + ExchangeChecks.violations(in: db)
            }
            #expect(violations.isEmpty, "seed \(random.seed)")
        }
    }
}
