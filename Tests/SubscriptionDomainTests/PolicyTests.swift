import BillingCore
import SubscriptionDomain
import Testing

@Suite("Dunning policy") struct PolicyTests {
    let failed = day("2027-03-01")

    @Test("soft declines are retried 1, 3, 5 and 7 days after the first failure, then no more")
    func softSchedule() {
        let end: Instant = failed.adding(days(14))
        let expected: [(Int, DunningPolicy.Step)] = [
            (0, .retry(at: failed.adding(days(1)))), (1, .retry(at: failed.adding(days(3)))),
            (2, .retry(at: failed.adding(days(3)))), (3, .retry(at: failed.adding(days(5)))),
            (5, .retry(at: failed.adding(days(7)))), (7, .exhausted(endsAt: end)), (9, .exhausted(endsAt: end)),
        ]
        for (day, step) in expected {
            #expect(policy.step(after: .soft, firstFailedAt: failed, now: failed.adding(days(day))) == step)
        }
    }

    @Test("a provider's own time holds the next attempt back, beyond the last that is planned, but not to the end")
    func notBefore() {
        let end: Instant = failed.adding(days(14))
        let expected: [(failedOn: Int, notBefore: Int, step: DunningPolicy.Step)] = [
            (0, 0, .retry(at: failed.adding(days(1)))), (0, 1, .retry(at: failed.adding(days(1)))),
            (0, 2, .retry(at: failed.adding(days(2)))), (5, 6, .retry(at: failed.adding(days(7)))),
            (5, 9, .retry(at: failed.adding(days(9)))), (7, 9, .retry(at: failed.adding(days(9)))),
            (7, 6, .exhausted(endsAt: end)), (7, 14, .exhausted(endsAt: end)), (0, 20, .exhausted(endsAt: end)),
        ]
        for (day, notBefore, step) in expected {
            let found = policy.step(
                after: .soft, firstFailedAt: failed, now: failed.adding(days(day)),
                notBefore: failed.adding(days(notBefore)))
            #expect(found == step, "failed on day \(day), not before day \(notBefore)")
        }
        let hard = policy.step(after: .hard, firstFailedAt: failed, now: failed, notBefore: failed.adding(days(2)))
        #expect(hard == .waitForMethod(endsAt: end))
    }

    @Test(
        "hard, fraud and unfinished authentication wait for a new payment method",
        arguments: [
            DeclineClass.hard, .fraud, .action,
        ])
    func hard(_ decline: DeclineClass) {
        for day in [0, 1, 7, 13] {
            let step = policy.step(after: decline, firstFailedAt: failed, now: failed.adding(days(day)))
            #expect(step == .waitForMethod(endsAt: failed.adding(days(14))))
        }
    }
}

@Suite("Monthly recurring revenue") struct RevenueTests {
    @Test(
        "normalises by the length of the period, half up",
        arguments: [
            (BillingInterval.month, 1, Int64(999), Int64(999)), (.month, 3, 1_000, 333), (.month, 6, 999, 167),
            (.year, 1, 11_988, 999), (.year, 1, 100, 8), (.year, 2, 12, 1), (.year, 1, 6, 1), (.year, 1, 5, 0),
            (.week, 1, 300, 1_300), (.week, 2, 100, 217), (.day, 1, 12, 365), (.day, 30, 1_000, 1_014),
            (.year, 1, 8_388_608, 699_051),
        ])
    func table(_ interval: BillingInterval, _ count: Int, _ price: Int64, _ expected: Int64) throws {
        let rule = BillingPeriodRule(interval: interval, count: count)
        #expect(try MonthlyRecurringRevenue.monthly(usd(price), every: rule).minor == expected)
    }
}
