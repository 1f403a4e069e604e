import AnalyticsDomain
import BillingCore
import Testing

@Suite("Changes of a subscription") struct SubscriptionChangeTests {
    private func change(
        _ kind: SubscriptionChange.Kind, at seconds: Int64, status: SubscriptionStatus = .active,
        of subscription: SubscriptionID = SubscriptionID(unchecked: "sub_a"), amount: Int64 = 1_200
    ) throws -> SubscriptionChange {
        try SubscriptionChange(
            eventID: EventID.new(at: Instant(seconds: seconds)), kind: kind, subscriptionID: subscription,
            customerID: CustomerID(unchecked: "cus_a"), planID: PlanID(unchecked: "plan_a"),
            amount: Money(minor: amount, currency: .usd), interval: .year, intervalCount: 1, status: status,
            effectiveAt: Instant(seconds: 500), toldAt: Instant(seconds: seconds))
    }

    @Test("only an active or past due subscription earns", arguments: SubscriptionStatus.allCases)
    func earning(status: SubscriptionStatus) throws {
        let earns: Bool = [.active, .pastDue].contains(status)
        #expect(status.earns == earns)
        #expect(try change(.status, at: 0, status: status).monthlyValue.minor == (earns ? 100 : 0))
    }

    @Test("a price without a monthly value is refused even while nothing is earned") func refused() {
        #expect(throws: MonthlyValue.Failure.negative) { try change(.created, at: 0, status: .trialing, amount: -1) }
    }

    @Test("a clock that lags a little does not put a change before the one it follows") func skew() throws {
        let settled: [SubscriptionChange] = SubscriptionChange.settle([
            try change(.created, at: 1_000), try change(.status, at: 995), try change(.plan, at: 940),
        ])
        #expect(settled.map(\.toldAt.microseconds) == [1_000_000_000, 1_000_000_000, 1_000_000_000])
    }

    @Test("a change far back arrived late and keeps its place") func late() throws {
        let settled: [SubscriptionChange] = SubscriptionChange.settle([
            try change(.status, at: 1_000), try change(.status, at: 939), try change(.status, at: 990),
        ])
        #expect(settled.map(\.toldAt.microseconds) == [1_000_000_000, 939_000_000, 1_000_000_000])
    }

    @Test("a creation is never moved") func creation() throws {
        let settled: [SubscriptionChange] = SubscriptionChange.settle([
            try change(.status, at: 1_000), try change(.created, at: 999),
        ])
        #expect(settled.map(\.toldAt.microseconds) == [1_000_000_000, 999_000_000])
    }

    @Test("subscriptions do not move one another") func apart() throws {
        let other = SubscriptionID(unchecked: "sub_b")
        let settled: [SubscriptionChange] = SubscriptionChange.settle([
            try change(.status, at: 1_000), try change(.status, at: 999, of: other),
        ])
        #expect(settled.map(\.toldAt.microseconds) == [1_000_000_000, 999_000_000])
    }
}
