import BillingCore
import PaymentDomain
import TestKit
import Testing

@Suite("Lines that cancel each other out") struct SettlementOffsetTests {
    /// `taken+given` of every pair.
    private static func pairs(_ lines: [SettlementLine], waitingSince seconds: Int64 = 1_000_000) -> [String] {
        SettlementOffset.find(in: lines, waitingSince: Settle.day + .seconds(seconds))
            .map { "\($0.taken.id)+\($0.given.id)" }.sorted()
    }

    private func taken(
        _ id: String, _ kind: SettlementLine.Kind = .refund, _ gross: Int64 = -400, of source: String? = "re_1",
        shown: Int64? = nil, after seconds: Int64 = 0
    ) throws -> SettlementLine {
        try Settle.line(id, kind, gross, source: source, taken: "pi_1", presentment: euros(shown), after: seconds)
    }

    private func given(
        _ id: String, _ kind: SettlementLine.Kind = .adjustment, _ gross: Int64 = 400, of source: String? = "re_1",
        naming taken: String? = "pi_1", shown: Int64? = nil, after seconds: Int64 = 60
    ) throws -> SettlementLine {
        try Settle.line(id, kind, gross, source: source, taken: taken, presentment: euros(shown), after: seconds)
    }

    private func euros(_ minor: Int64?) -> SettlementLine.Presentment? {
        minor.map { SettlementLine.Presentment(amount: Money(minor: $0, currency: .eur), rate: nil) }
    }

    @Test("a refund that failed and a dispute that was won are pairs, by what the provider calls them") func named()
        throws
    {
        let table: [(String, [SettlementLine], [String])] = [
            ("failed refund", [try taken("a"), try given("b")], ["a+b"]),
            (
                "won dispute",
                [try taken("a", .dispute, of: "dp_1"), try given("b", .disputeReversal, of: "dp_1")], ["a+b"]
            ),
            (
                "what is given back names what was taken",
                [try taken("a", .dispute, of: "T1"), try given("b", .disputeReversal, of: "T2", naming: "T1")], ["a+b"]
            ),
            ("at one moment, whatever the ids", [try taken("b"), try given("a", after: 0)], ["b+a"]),
            (
                "converted at two rates",
                [try taken("a", shown: -370), try given("b", .adjustment, 410, shown: 370)], ["a+b"]
            ),
            (
                "taken again", [try taken("a"), try given("b"), try taken("c", after: 120)], ["a+b"]
            ),
            (
                "taken and given back twice",
                [try taken("a"), try given("b"), try taken("c", after: 120), try given("d", after: 180)],
                ["a+b", "c+d"]
            ),
            (
                "by amount",
                [
                    try taken("a", .refund, -300), try taken("b", after: 1), try given("c"),
                    try given("d", .adjustment, 300),
                ], ["a+d", "b+c"]
            ),
            (
                "failed debit",
                [try taken("a", .charge, 400, of: "py_1"), try given("b", .adjustment, -400, of: "py_1")], ["a+b"]
            ),
            (
                "failed debit, known by its payment",
                [try taken("a", .charge, 400, of: "py_1"), try given("b", .adjustment, -400, of: "pyr_1")], ["a+b"]
            ),
            (
                "the debit that failed, of two for a payment",
                [
                    try taken("a", .charge, 400, of: "py_1"), try taken("b", .charge, 400, of: "py_2", after: 10),
                    try given("c", .adjustment, -400, of: "py_1"),
                ], ["a+c"]
            ),
            ("the last before it", [try taken("a"), try taken("b", after: 10), try given("c")], ["b+c"]),
        ]
        for (name, lines, expected) in table { #expect(Self.pairs(lines) == expected, "\(name)") }
    }

    @Test("whatever leaves a doubt is no pair") func doubtful() throws {
        let table: [(String, [SettlementLine])] = [
            ("another amount", [try taken("a"), try given("b", .adjustment, 399)]),
            ("another thing", [try taken("a"), try given("b", of: "re_2")]),
            ("only the charge in common", [try taken("a", of: "T1"), try given("b", of: "T2")]),
            ("no names", [try taken("a", of: nil), try given("b", of: nil, naming: nil)]),
            ("given before it was taken", [try taken("a", after: 61), try given("b")]),
            ("a refund is not given back by a decision", [try taken("a"), try given("b", .disputeReversal)]),
            ("both take", [try taken("a"), try given("b", .adjustment, -400)]),
            (
                "a charge and its conversion",
                [
                    try Settle.line("a", .charge, 400, source: "T1"),
                    try given("b", .adjustment, -400, of: "T2", naming: "T1"),
                ]
            ),
            ("a charge and its refund", [try taken("a", .charge, 400, of: "py_1"), try taken("b", after: 60)]),
            ("another currency shown", [try taken("a"), try given("b", shown: 400)]),
            ("another amount shown", [try taken("a", shown: -370), try given("b", shown: 371)]),
            ("an amount without an opposite", [try taken("a", shown: -370), try given("b", shown: .min)]),
        ]
        for (name, lines) in table { #expect(Self.pairs(lines) == [], "\(name)") }
        let late = [try taken("a"), try given("b", after: 60)]
        #expect(Self.pairs(late, waitingSince: 59) == [], "there may be news yet")
        #expect(Self.pairs(late, waitingSince: 60) == ["a+b"])
        let again = late + [try given("c", after: 50)]
        #expect(Self.pairs(again, waitingSince: 59) == ["a+c"], "the first that gives it back")
    }

    /// Things that are taken and given back again and again, some lines of which are missing.
    private func drawn(_ random: inout Seeded) throws -> [SettlementLine] {
        var lines: [SettlementLine] = []
        for thing in 0..<Int.random(in: 1...4, using: &random) {
            let isDispute: Bool = Bool.random(using: &random)
            var seconds: Int64 = .random(in: 0...50, using: &random)
            for turn in 0..<Int.random(in: 1...6, using: &random) {
                seconds += .random(in: 0...40, using: &random)
                let amount: Int64 = .random(in: 1...2, using: &random) * 100
                let id = "\(thing).\(turn).\(Int.random(in: 0...9, using: &random))"
                guard Int.random(in: 0..<6, using: &random) > 0 else { continue }
                lines.append(
                    turn.isMultiple(of: 2)
                        ? try taken(id, isDispute ? .dispute : .refund, -amount, of: "x\(thing)", after: seconds)
                        : try given(
                            id, isDispute ? .disputeReversal : .adjustment, amount, of: "x\(thing)", after: seconds))
            }
        }
        return lines
    }

    @Test("pairs sum to nothing, no line is in two, none is left out, and order does not matter") func properties()
        throws
    {
        var random = Seeded()
        var found = 0
        for _ in 0..<3_000 {
            let lines: [SettlementLine] = try drawn(&random)
            let deadline: Instant = Settle.day + .seconds(.random(in: 0...200, using: &random))
            let pairs: [SettlementOffset] = SettlementOffset.find(in: lines, waitingSince: deadline)
            let shuffled = SettlementOffset.find(in: lines.shuffled(using: &random), waitingSince: deadline)
            #expect(Set(pairs) == Set(shuffled), "seed \(random.seed)")
            let used: [String] = pairs.flatMap { [$0.taken.id, $0.given.id] }
            #expect(Set(used).count == used.count, "seed \(random.seed)")
            for pair in pairs {
                #expect(try pair.taken.net.adding(pair.given.net).isZero, "seed \(random.seed)")
                #expect(pair.taken.references.source == pair.given.references.source, "seed \(random.seed)")
                #expect(
                    pair.taken.occurredAt <= pair.given.occurredAt && pair.given.occurredAt <= deadline,
                    "seed \(random.seed)")
            }
            // With nothing left to wait for, no two lines are left that could be a pair.
            let all: [SettlementOffset] = SettlementOffset.find(in: lines, waitingSince: Settle.day + .seconds(9_999))
            let rest: [SettlementLine] = lines.filter { line in !all.contains { $0.taken == line || $0.given == line } }
            #expect(SettlementOffset.find(in: rest, waitingSince: Settle.day + .seconds(9_999)).isEmpty)
            #expect(Set(pairs).isSubset(of: all), "seed \(random.seed)")
            found += pairs.count
        }
        #expect(found > 1_500, "the cases are worth something")
    }
}
