import BillingCore
import SubscriptionDomain
import Testing

/// A small generator whose runs can be repeated.
struct Dice: RandomNumberGenerator {
    var state: UInt64

    mutating func next() -> UInt64 {
        state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
        return (state >> 33) ^ (state << 31)
    }
}

@Suite("Whatever happens, in whatever order") struct InvariantTests {
    let plans: [Plan] = [
        plan("basic", 999), plan("pro", 2_499), plan("max", 9_999), plan("weekly", 299, every: 1, .week),
        plan("yearly", 9_900, every: 1, .year), plan("tiny", 19, every: 1, .week),
    ]

    @Test("credit, lines, periods and the schedule stay right", arguments: 0..<200) func random(_ seed: Int) throws {
        var dice = Dice(state: UInt64(seed) &* 7_919 &+ 17)
        var now: Instant = start
        var subscription = signUp(plans[seed % 3], trial: seed % 4 == 0 ? 7 : 0)
        var billings: [BillingID: Billing] = [:]
        for _ in 0..<150 {
            now = now.adding(.seconds(Int64.random(in: 1...400_000, using: &dice)))
            step(&subscription, &dice, now)
            let effects: SubscriptionEffects = subscription.takeEffects()
            billings.merge(effects.billings) { _, new in new }
            try check(subscription, billings)
        }
    }

    private func step(_ subscription: inout Subscription, _ dice: inout Dice, _ now: Instant) {
        switch Int.random(in: 0..<13, using: &dice) {
        case 0...2: subscription.payOpen(at: now)
        case 3: subscription.failOpen(.soft, with: Bool.random(using: &dice) ? pageMethod : nil, at: now)
        case 4: subscription.failOpen(DeclineClass.allCases.randomElement(using: &dice) ?? .hard, at: now)
        case 5: subscription.methodAttached(at: now, policy: policy, now: now)
        case 6, 7:
            let target: Plan = plans.randomElement(using: &dice) ?? plans[0]
            // A refusal is one of the outcomes.
            _ = try? subscription.changePlanNow(to: target, at: now)
        case 8: _ = try? subscription.changePlanAtPeriodEnd(to: plans.randomElement(using: &dice) ?? plans[0])
        case 9 where Int.random(in: 0..<20, using: &dice) == 0: subscription.cancelAtPeriodEnd(at: now)
        case 10:
            let attempt: Int64 = (subscription.open?.attempts ?? 1) + Int64.random(in: -1...1, using: &dice)
            if Bool.random(using: &dice) {
                subscription.pageBegun(attempt: attempt, at: now)
            } else {
                subscription.attemptBegun(invoice, attempt: attempt, at: now)
            }
        default: subscription.performDue(policy: policy, at: now)
        }
    }

    private func check(_ subscription: Subscription, _ billings: [BillingID: Billing]) throws {
        #expect(subscription.credit > -collectable[.usd].least)
        #expect(subscription.period.end > subscription.period.start)
        let open: [Billing] = billings.values.filter { $0.status == .open }
        #expect(open.count == (subscription.open == nil ? 0 : 1))
        for billing in billings.values {
            #expect(billing.amount.minor == billing.lines.reduce(0) { $0 + $1.amount })
            #expect(billing.amount.minor == 0 || billing.amount.minor >= collectable[.usd].least)
        }
        let counted: [Billing] = billings.values.filter { $0.status != .withdrawn }
        #expect(subscription.credit == counted.reduce(0) { $0 + $1.creditAdded - $1.creditApplied })
        let whole: [Instant] = billings.values.filter { $0.reason != .upgrade }.map(\.period.start)
        #expect(Set(whole).count == whole.count)
        if subscription.status.isFinal {
            #expect(subscription.nextActionAt == nil && subscription.open == nil)
        } else if subscription.open?.isCollecting == true {
            #expect(subscription.nextActionAt == nil || subscription.status == .incomplete)
        } else {
            #expect(subscription.nextActionAt != nil)
        }
    }
}
