import BillingCore
import PaymentDomain
import TestKit
import Testing

@Suite("Ordering candidates") struct RoutingOrderTests {
    private func firsts(
        _ order: RoutingOrder, _ candidates: [RoutingCandidate], payments: Int64 = 20_000, seed: UInt64 = 0
    ) throws -> [String: Int] {
        let rules = try Given.rules(order: order, attempts: 4, seed: seed)
        var counts: [String: Int] = [:]
        for number in 0..<payments {
            let cascade = rules.decide(Given.request(number: number), among: candidates).cascade
            counts[cascade[0], default: 0] += 1
        }
        return counts
    }

    private static let shares: [VolumeShare] = [
        VolumeShare(provider: "a", weight: 70), VolumeShare(provider: "b", weight: 20),
        VolumeShare(provider: "c", weight: 10), VolumeShare(provider: "d", weight: 0),
    ]

    @Test("a split deals payments by weight, and one of weight zero is only fallen back to") func split() throws {
        let counts = try firsts(.volumeSplit(Self.shares), Given.candidates("abcd"))
        #expect((13_700...14_300).contains(counts["a"] ?? 0), "\(counts)")
        #expect((3_700...4_300).contains(counts["b"] ?? 0), "\(counts)")
        #expect((1_800...2_200).contains(counts["c"] ?? 0), "\(counts)")
        #expect(counts["d"] == nil)
    }

    @Test("the same payment always goes the same way, and an outage moves nobody else's payments") func stable() throws
    {
        let rules = try Given.rules(order: .volumeSplit(Self.shares), attempts: 4)
        for number in 0..<2_000 as Range<Int64> {
            let request = Given.request(number: number)
            let whole = rules.decide(request, among: Given.candidates("abcd")).cascade
            #expect(rules.decide(request, among: Given.candidates("dcba")).cascade == whole)
            #expect(rules.decide(request, among: Given.candidates("acd")).cascade == whole.filter { $0 != "b" })
            #expect(whole.last == "d")
        }
    }

    @Test("another seed deals anew, in the same shares") func seeds() throws {
        let one = try Given.rules(order: .volumeSplit(Self.shares), seed: 1)
        let two = try Given.rules(order: .volumeSplit(Self.shares), seed: 2)
        var moved = 0
        for number in 0..<2_000 as Range<Int64> {
            let request = Given.request(number: number)
            let candidates = Given.candidates("abcd")
            if one.decide(request, among: candidates).cascade != two.decide(request, among: candidates).cascade {
                moved += 1
            }
        }
        #expect((600...1_800).contains(moved), "\(moved)")
        let counts = try firsts(.volumeSplit(Self.shares), Given.candidates("abcd"), seed: 77)
        #expect((13_700...14_300).contains(counts["a"] ?? 0), "\(counts)")
    }

    @Test("the explanation of a split has the weight and the sum") func splitBasis() throws {
        let decision = try Given.rules(order: .volumeSplit(Self.shares), attempts: 1)
            .decide(Given.request(), among: Given.candidates("ad"))
        #expect(decision.cascade == ["a"])
        #expect(Given.verdict(decision, "a") == .chosen(place: 1, .split(weight: 70, of: 100)))
        #expect(Given.verdict(decision, "d") == .spare(place: 2, .split(weight: 0, of: 100)))
    }

    @Test("least cost is exact to the billionth of a minor unit") func leastCost() throws {
        func fees(_ rate: String, _ fixed: Int64) throws -> FeeModel {
            try FeeModel(rate: ExactDecimal(parsing: rate), fixed: [.eur: fixed])
        }
        let candidates: [RoutingCandidate] = [
            Given.candidate("a", fees: try fees("0.029", 30)), Given.candidate("b", fees: try fees("0.03", 25)),
            Given.candidate("c"), Given.candidate("d", fees: try fees("0.025", 60)),
        ]
        let rules = try Given.rules(order: .leastCost, attempts: 4)
        // 0.029 x + 30 against 0.03 x + 25 against 0.025 x + 60: they cross at 5,000, 7,000 and 7,500.
        let table: [(Int64, [String])] = [
            (4_999, ["b", "a", "d", "c"]), (5_000, ["a", "b", "d", "c"]), (5_001, ["a", "b", "d", "c"]),
            (6_999, ["a", "b", "d", "c"]), (7_001, ["a", "d", "b", "c"]), (7_499, ["a", "d", "b", "c"]),
            (7_500, ["a", "d", "b", "c"]), (7_501, ["d", "a", "b", "c"]), (.max, ["d", "a", "b", "c"]),
        ]
        for (minor, cascade) in table {
            #expect(rules.decide(Given.request(minor), among: candidates).cascade == cascade, "\(minor)")
        }
        let elsewhere = rules.decide(Given.request(100, .usd), among: candidates)
        #expect(elsewhere.cascade == ["a", "b", "c", "d"])
        #expect(Given.verdict(elsewhere, "a") == .chosen(place: 1, .cost(nil)))
        let cost = try #require(try fees("0.029", 30).cost(of: Money(minor: 4_999, currency: .eur)))
        #expect(cost.billionths == 174_971_000_000)
    }

    @Test("fee models that cannot be are refused") func fees() throws {
        for rate in ["-0.01", "1.000000001", "0.0000000001"] {
            #expect(throws: FeeFault.rate) { try FeeModel(rate: ExactDecimal(parsing: rate), fixed: [:]) }
        }
        #expect(throws: FeeFault.fixed) { try FeeModel(rate: .zero, fixed: [.eur: -1]) }
        let most = try FeeModel(rate: .one, fixed: [.eur: .max])
        let cost = try #require(most.cost(of: Money(minor: .max, currency: .eur)))
        #expect(cost.billionths == Int128(Int64.max) * 2_000_000_000)
    }

    private static let successes: [RoutingCandidate] = [
        Given.candidate("a", success: SuccessCounts(succeeded: 900, tried: 1_000)),
        Given.candidate("b", success: SuccessCounts(succeeded: 950, tried: 1_000)),
        Given.candidate("c", success: SuccessCounts(succeeded: 1, tried: 1)),
        Given.candidate("d"),
    ]

    @Test("the best rate goes first, and every other keeps its floor") func bandit() throws {
        let counts = try firsts(.successRate(floor: 500), Self.successes)
        // 5 % of 20,000 each; five standard deviations are about 150.
        for provider in ["a", "c", "d"] { #expect((850...1_150).contains(counts[provider] ?? 0), "\(counts)") }
        #expect((16_700...17_300).contains(counts["b"] ?? 0), "\(counts)")
    }

    @Test("without a floor the order is that of the estimates, and the explanation says so") func greedy() throws {
        for number in 0..<200 as Range<Int64> {
            let decision = try Given.rules(order: .successRate(floor: 0), attempts: 4)
                .decide(Given.request(number: number), among: Self.successes)
            #expect(decision.cascade == ["b", "a", "c", "d"])
            let basis = RoutingBasis.success(SuccessCounts(succeeded: 950, tried: 1_000), explored: false)
            #expect(Given.verdict(decision, "b") == .chosen(place: 1, basis))
        }
    }

    @Test("exploring puts one first and leaves the order of the rest; only that one is marked") func explored() throws {
        let rules = try Given.rules(order: .successRate(floor: 2_000), attempts: 4)
        var explored = 0
        for number in 0..<1_000 as Range<Int64> {
            let decision = rules.decide(Given.request(number: number), among: Self.successes)
            let first = decision.cascade[0]
            #expect(Array(decision.cascade.dropFirst()) == ["b", "a", "c", "d"].filter { $0 != first })
            var marked: [String] = []
            for explanation in decision.explanations {
                if case .chosen(_, .success(_, true)) = explanation.verdict { marked.append(explanation.provider) }
            }
            #expect(marked == (first == "b" ? [] : [first]))
            explored += marked.count
        }
        #expect((500...700).contains(explored), "\(explored)")
    }

    @Test("a floor above an equal share is an equal share; one candidate is simply first") func highFloor() throws {
        let counts = try firsts(.successRate(floor: 5_000), Self.successes)
        for provider in ["a", "b", "c", "d"] { #expect((4_700...5_300).contains(counts[provider] ?? 0), "\(counts)") }
        #expect(try firsts(.successRate(floor: 5_000), [Self.successes[0]], payments: 50) == ["a": 50])
    }

    @Test("two arms learned as they go: the better one takes over, the other keeps its floor") func learning() throws {
        var random = Seeded(20_270_131)
        let rules = try Given.rules(order: .successRate(floor: 1_000))
        let chances: [String: Int] = ["a": 70, "b": 90]
        var seen: [String: SuccessCounts] = [:]
        var late: [String: Int] = [:]
        for number in 0..<4_000 as Range<Int64> {
            let candidates: [RoutingCandidate] = ["a", "b"].map {
                Given.candidate($0, success: seen[$0] ?? SuccessCounts())
            }
            let first = rules.decide(Given.request(number: number), among: candidates).cascade[0]
            let isGood: Bool = Int.random(in: 0..<100, using: &random) < chances[first] ?? 0
            let one = SuccessCounts(succeeded: isGood ? 1 : 0, tried: 1)
            seen[first] = (seen[first] ?? SuccessCounts()).merging(one)
            if number >= 2_000 { late[first, default: 0] += 1 }
        }
        #expect((1_720...1_880).contains(late["b"] ?? 0), "\(late)")
    }

    @Test("counts that cannot be are cut down") func counts() {
        #expect(SuccessCounts(succeeded: 5, tried: 3) == SuccessCounts(succeeded: 3, tried: 3))
        #expect(SuccessCounts(succeeded: -1, tried: -1) == SuccessCounts())
        let most = SuccessCounts(succeeded: .max, tried: .max)
        #expect(most.merging(most) == most)
    }
}
