import AnalyticsDomain
import BillingCore
import TestKit
import Testing

@Suite("The monthly value of a price") struct MonthlyValueTests {
    private func value(_ minor: Int64, _ count: Int64, _ interval: BillingInterval) throws -> Int64 {
        try MonthlyValue.of(Money(minor: minor, currency: .usd), every: count, interval).minor
    }

    @Test(
        "follows the rule of each interval",
        arguments: [
            (999, 1, BillingInterval.month, 999), (3_000, 3, .month, 1_000), (999, 2, .month, 500),
            (12_000, 1, .year, 1_000), (9_999, 1, .year, 833), (10_000, 2, .year, 417),
            (300, 1, .week, 1_300), (100, 1, .week, 433), (1_000, 2, .week, 2_167),
            (12, 1, .day, 365), (100, 1, .day, 3_042), (3_000, 30, .day, 3_042), (0, 1, .month, 0),
        ] as [(Int64, Int64, BillingInterval, Int64)])
    func rule(amount: Int64, count: Int64, interval: BillingInterval, expected: Int64) throws {
        #expect(try value(amount, count, interval) == expected)
    }

    @Test("rounds an exact half up and anything less down") func halves() throws {
        #expect(try value(1, 2, .month) == 1)
        #expect(try value(3, 2, .month) == 2)
        #expect(try value(6, 1, .year) == 1)
        #expect(try value(5, 1, .year) == 0)
        #expect(try value(1, 3, .month) == 0)
        #expect(try value(2, 3, .month) == 1)
    }

    @Test("is never further than half a unit from the exact value") func property() throws {
        var random = Seeded()
        for _ in 0..<20_000 {
            let amount = Int64.random(in: 0...1_000_000_000, using: &random)
            let count = Int64.random(in: 1...60, using: &random)
            let interval: BillingInterval = BillingInterval.allCases.randomElement(using: &random) ?? .month
            let (up, down): (Int64, Int64) =
                switch interval {
                case .day: (365, 12 * count)
                case .week: (13, 3 * count)
                case .month: (1, count)
                case .year: (1, 12 * count)
                }
            let error: Int64 = 2 * (try value(amount, count, interval) * down - amount * up)
            #expect(-down < error && error <= down, "seed \(random.seed): \(amount) every \(count) \(interval)")
        }
    }

    @Test("keeps the currency") func currency() throws {
        #expect(
            try MonthlyValue.of(Money(minor: 1_200, currency: .jpy), every: 1, .year)
                == Money(minor: 100, currency: .jpy))
    }

    @Test("refuses counts out of range, negative prices and what does not fit") func refusals() {
        #expect(throws: MonthlyValue.Failure.intervalCount(0)) { try value(100, 0, .month) }
        #expect(throws: MonthlyValue.Failure.intervalCount(-1)) { try value(100, -1, .month) }
        #expect(throws: MonthlyValue.Failure.intervalCount(.max)) { try value(100, .max, .month) }
        #expect(throws: MonthlyValue.Failure.negative) { try value(-1, 1, .month) }
        #expect(throws: MonthlyValue.Failure.overflow) { try value(.max, 1, .day) }
        #expect(throws: MonthlyValue.Failure.overflow) { try value(.max, 1, .week) }
        #expect((try? value(.max, 1, .month)) == .max)
    }
}
