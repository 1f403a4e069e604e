import BillingCore
import SubscriptionDomain
import Testing

@Suite("Billing periods") struct PeriodTests {
    func ends(_ subscription: Subscription, count: Int) -> [Instant] {
        var subscription: Subscription = subscription
        return (0..<count).map { _ in
            subscription.payOpen(at: subscription.period.start)
            let end: Instant = subscription.period.end
            subscription.act()
            return end
        }
    }

    @Test("the 31st bills on the last day of short months and comes back") func monthEnds() {
        let found = ends(signUp(at: day("2024-01-31")), count: 4)
        #expect(found == [day("2024-02-29"), day("2024-03-31"), day("2024-04-30"), day("2024-05-31")])
    }

    @Test("intervals advance as other billing systems do (billing_day-19)") func advance() {
        #expect(ends(signUp(at: day("2016-04-08")), count: 7).last == day("2016-11-08"))
        #expect(ends(signUp(plan(every: 30, .day), at: day("2016-04-08")), count: 7).last == day("2016-11-04"))
        #expect(ends(signUp(plan(every: 1, .week), at: day("2016-04-08")), count: 7).last == day("2016-05-27"))
    }

    @Test("29 February bills yearly on the 28th and comes back in leap years") func leapYears() {
        let found = ends(signUp(plan(every: 1, .year), at: day("2024-02-29")), count: 4)
        #expect(found == [day("2025-02-28"), day("2026-02-28"), day("2027-02-28"), day("2028-02-29")])
    }

    @Test("the time of day stays the customer's through changes of the clocks") func clockChanges() {
        let berlin = zone("Europe/Berlin")
        let subscription = signUp(zone: berlin, at: time("2027-03-15T09:00:00Z"))
        #expect(ends(subscription, count: 2) == [time("2027-04-15T08:00:00Z"), time("2027-05-15T08:00:00Z")])
        #expect(
            ends(signUp(plan(every: 1, .day), zone: berlin, at: time("2027-03-27T01:30:00Z")), count: 3) == [
                time("2027-03-28T01:30:00Z"), time("2027-03-29T00:30:00Z"), time("2027-03-30T00:30:00Z"),
            ])
    }

    @Test("the billing day is counted in the customer's zone") func zones() {
        let auckland = signUp(zone: zone("Pacific/Auckland"), at: time("2027-01-30T11:30:00Z"))
        #expect(auckland.anchor.date.description == "2027-01-31")
        #expect(auckland.period.end == time("2027-02-27T11:30:00Z"))
    }

    @Test("a trial ends so many days later at the same local time, and billing is anchored there") func trial() {
        var subscription = signUp(plan(trial: 14), zone: zone("Europe/Berlin"), at: time("2027-03-20T09:15:30.5Z"))
        #expect(subscription.status == .trialing && subscription.trialEnd == time("2027-04-03T08:15:30Z"))
        subscription.act()
        #expect(subscription.open?.reason == .trialEnd)
        #expect(subscription.open?.period.start == time("2027-04-03T08:15:30Z"))
        #expect(subscription.open?.period.end == time("2027-05-03T08:15:30Z"))
    }

    @Test(
        "periods join without gaps for years, in zones with odd rules",
        arguments: [
            "America/New_York", "Australia/Lord_Howe", "Pacific/Apia", "Asia/Kathmandu",
        ])
    func noGaps(_ name: String) {
        var subscription = signUp(plan(every: 1, .day), zone: zone(name), at: time("2011-10-29T05:00:00Z"))
        var previous: Instant = subscription.period.start
        for _ in 0..<900 {
            subscription.payOpen(at: subscription.period.start)
            #expect(subscription.period.start == previous && subscription.period.end > previous)
            previous = subscription.period.end
            subscription.act()
        }
    }
}
