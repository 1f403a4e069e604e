import AnalyticsDomain
import BillingCore
import TestKit
import Testing

@Suite("Movements of recurring revenue") struct MRRMovementsTests {
    private let month: Month = Month.epoch.adding(684)

    private func step(_ previous: Int64, _ current: Int64, seen: Bool = false, customers: Int64 = 1) -> CustomerStep {
        CustomerStep(
            month: month, currency: .usd, previous: previous, current: current, seenBefore: seen, customers: customers)
    }

    private func added(_ steps: CustomerStep...) throws -> MRRMonth {
        var total = MRRMonth(month: month, currency: .usd)
        for step in steps { try total.add(step) }
        return total
    }

    @Test("a customer never seen before is new") func new() throws {
        let total = try added(step(0, 999))
        #expect((total.new, total.end) == (999, 999))
    }

    @Test("one seen before, but not last month, is reactivated") func reactivation() throws {
        let total = try added(step(0, 999, seen: true))
        #expect((total.new, total.reactivation, total.end) == (0, 999, 999))
    }

    @Test("more is expansion, less contraction, nothing churn") func rest() throws {
        let total = try added(step(500, 800, seen: true), step(800, 500, seen: true), step(999, 0, seen: true))
        #expect((total.expansion, total.contraction, total.churn) == (300, 300, 999))
        #expect((total.start, total.end) == (2_299, 1_300))
    }

    @Test("who stays the same moves nothing; who never paid counts nowhere") func same() throws {
        let total = try added(step(500, 500, seen: true), step(0, 0))
        #expect((total.start, total.end, total.new, total.churn, total.expansion) == (500, 500, 0, 0, 0))
    }

    @Test("customers who did the same count together") func together() throws {
        let total = try added(step(0, 999, customers: 30), step(999, 0, seen: true, customers: 2))
        #expect((total.new, total.churn) == (29_970, 1_998))
    }

    @Test("a total beyond 64 bits is refused and changes nothing") func overflow() throws {
        var total = MRRMonth(month: month, currency: .usd)
        try total.add(step(0, .max))
        #expect(throws: MoneyError.overflow) { try total.add(step(0, 1)) }
        #expect(throws: MoneyError.overflow) { try total.add(step(0, .max / 2, customers: 3)) }
        #expect(total.end == .max)
    }

    @Test("a month without steps still has a row for each currency asked for") func empty() throws {
        let series = try MRRMonth.series(from: month, through: month.adding(2), steps: [], currencies: [.eur, .usd])
        #expect(series.map(\.currency.code) == ["EUR", "USD", "EUR", "USD", "EUR", "USD"])
        #expect(series.allSatisfy { $0.start == 0 && $0.end == 0 })
        #expect(try MRRMonth.series(from: month, through: month.adding(-1), steps: [], currencies: [.usd]).isEmpty)
    }

    /// Random customers over 24 months; the expected movements are found the long way, customer by customer.
    @Test("start, movements and end agree exactly for generated histories") func generated() throws {
        var random = Seeded()
        for _ in 0..<40 {
            let months = 24
            var histories: [[Int64]] = []
            for _ in 0..<Int.random(in: 1...60, using: &random) {
                var value: Int64 = 0
                histories.append(
                    (0..<months).map { _ in
                        if Int.random(in: 0..<4, using: &random) == 0 {
                            value = Bool.random(using: &random) ? 0 : Int64.random(in: 1...50_000, using: &random)
                        }
                        return value
                    })
            }
            let steps: [CustomerStep] = histories.flatMap { history in
                (0..<months).map { index in
                    CustomerStep(
                        month: month.adding(index), currency: .usd, previous: index == 0 ? 0 : history[index - 1],
                        current: history[index], seenBefore: history[..<index].contains { $0 > 0 }, customers: 1)
                }
            }
            let series = try MRRMonth.series(
                from: month, through: month.adding(months - 1), steps: steps.shuffled(using: &random), currencies: [])
            var previousEnd: Int64 = 0
            for (index, row) in series.enumerated() {
                let end: Int64 = histories.reduce(0) { $0 + $1[index] }
                #expect(row.start == previousEnd, "seed \(random.seed)")
                #expect(row.end == end, "seed \(random.seed)")
                let moved: Int64 = row.start + row.new + row.reactivation + row.expansion - row.contraction - row.churn
                #expect(moved == end, "seed \(random.seed)")
                let returned: Int64 = histories.reduce(0) { sum, history in
                    let wasGone: Bool = index > 0 && history[index - 1] == 0 && history[..<index].contains { $0 > 0 }
                    return wasGone ? sum + history[index] : sum
                }
                #expect(row.reactivation == returned, "seed \(random.seed)")
                previousEnd = end
            }
        }
    }
}
