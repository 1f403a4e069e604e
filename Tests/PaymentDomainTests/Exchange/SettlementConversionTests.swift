import BillingCore
import PaymentDomain
import TestKit
import Testing

@Suite("Both sides of an exchange between balances") struct SettlementConversionTests {
    private static func line(
        _ id: String, _ minor: Int64, _ currency: Currency, own: String? = nil, source: String? = nil,
        taken: String? = "CAP1", fee: Int64 = 0, kind: SettlementLine.Kind = .adjustment
    ) throws -> SettlementLine {
        let money: (Int64) -> Money = { Money(minor: $0, currency: currency) }
        return try SettlementLine(
            provider: "paypal", id: id, kind: kind, gross: money(minor), fee: money(fee), net: money(minor - fee),
            references: SettlementLine.References(own: own, source: source ?? id, taken: taken),
            occurredAt: Settle.day)
    }

    private static func found(_ lines: [SettlementLine]) -> [[String]] {
        SettlementConversion.find(in: lines).map { $0.lines.map(\.id) }
    }

    @Test("two that name one thing, one taking a currency and one giving another, in whatever order they come")
    func pairs() throws {
        var random = Seeded()
        let lines: [SettlementLine] = [
            try Self.line("a1", -970, .gbp), try Self.line("a2", 1_210, .usd),
            try Self.line("b1", -500, .eur, taken: "CAP2"), try Self.line("b0", 540, .usd, taken: "CAP2"),
            try Self.line("c", 1_000, .gbp, own: "att_1", taken: nil, kind: .charge),
        ]
        for _ in 0..<10 {
            #expect(Self.found(lines.shuffled(using: &random)) == [["a1", "a2"], ["b1", "b0"]])
        }
    }

    @Test("nothing is taken for a conversion that may be another thing") func others() throws {
        let taking: SettlementLine = try Self.line("a1", -970, .gbp)
        let giving: SettlementLine = try Self.line("a2", 1_210, .usd)
        #expect(Self.found([taking]).isEmpty)
        for other in [
            try Self.line("x", 1_210, .gbp), try Self.line("x", -1_210, .usd),
            try Self.line("x", 1_210, .usd, taken: "CAP2"), try Self.line("x", 1_210, .usd, taken: nil),
            try Self.line("x", 1_210, .usd, own: "re_1"), try Self.line("x", 1_210, .usd, source: "re_1"),
            try Self.line("x", 1_210, .usd, fee: 10), try Self.line("x", 1_210, .usd, kind: .charge),
        ] {
            #expect(Self.found([taking, other]).isEmpty, "\(other)")
        }
        let third: SettlementLine = try Self.line("a3", 1_300, .usd)
        #expect(Self.found([taking, giving, third]).isEmpty, "which two belong together nobody knows")
    }
}
