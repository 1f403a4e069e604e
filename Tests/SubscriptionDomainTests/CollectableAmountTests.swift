import BillingCore
import SubscriptionDomain
import TestKit
import Testing

@Suite("Amounts that cannot be collected") struct CollectableAmountTests {
    // A period of 30 days, cut in its middle.
    let begin = day("2025-04-01")
    let middle = day("2025-04-16")

    /// 1,000 a month, and an upgrade that comes to 20 cents and is paid for by carrying them.
    func carrying() throws -> Subscription {
        var subscription: Subscription = .active(plan("basic", 1_000), at: begin)
        try subscription.changePlanNow(to: plan("plus", 1_040), at: middle)
        subscription.payOpen(at: middle)
        _ = subscription.takeEffects()
        return subscription
    }

    @Test("an upgrade of 20 cents asks for nothing now; the next bill asks for them") func upgrade() throws {
        var subscription: Subscription = .active(plan("basic", 1_000), at: begin)
        try subscription.changePlanNow(to: plan("plus", 1_040), at: middle)
        let billing = try #require(subscription.open)
        #expect(billing.amount == usd(0) && billing.lines.map(\.amount) == [-500, 520, -20])
        #expect(billing.lines.last?.description == "Carried to the next bill" && subscription.credit == -20)
        subscription.payOpen(at: middle)
        subscription.act()
        #expect(subscription.open?.amount == usd(1_060) && subscription.open?.lines.map(\.amount) == [1_040, 20])
        #expect(subscription.open?.lines.last?.description == "Carried from earlier bills")
        #expect(subscription.credit == 0)
    }

    @Test("what credit leaves of a renewal is carried when it is too small") func afterCredit() throws {
        var subscription: Subscription = .active(plan("pro", 1_520), at: begin)
        try subscription.changePlanNow(to: plan("lite", 520), at: middle)
        subscription.payOpen(at: middle)
        #expect(subscription.credit == 500)
        subscription.act()
        #expect(subscription.open?.amount == usd(0) && subscription.open?.lines.map(\.amount) == [520, -500, -20])
        subscription.payOpen(at: middle)
        subscription.act()
        #expect(subscription.open?.amount == usd(540) && subscription.credit == 0)
    }

    @Test("a plan of 20 cents is collected every third month") func cheapPlan() {
        var subscription: Subscription = signUp(plan("tiny", 20), at: begin)
        var amounts: [Int64] = []
        for _ in 0..<6 {
            amounts.append(subscription.open?.amount.minor ?? -1)
            subscription.payOpen(at: begin)
            #expect(subscription.status == .active)
            subscription.act()
        }
        #expect(amounts == [0, 0, 60, 0, 0, 60])
    }

    @Test("credit from a change pays what was carried first") func creditPays() throws {
        var subscription = try carrying()
        try subscription.changePlanNow(to: plan("lite", 900), at: middle)
        #expect(subscription.open?.lines.map(\.amount) == [-520, 450, 20, 50] && subscription.credit == 50)
        #expect(subscription.open?.amount == usd(0))
    }

    @Test("an upgrade that is not paid leaves what was carried where it was") func revert() throws {
        var subscription = try carrying()
        try subscription.changePlanNow(to: plan("pro", 2_040), at: middle)
        let billing = try #require(subscription.open)
        #expect(billing.amount == usd(520) && subscription.credit == 0)
        subscription.failOpen(.hard, at: middle)
        #expect(subscription.credit == -20 && subscription.plan.id.rawValue == "plus")
        var late: Subscription = subscription
        late.paidLate(
            try #require(subscription.effects.billings[billing.id]), invoiceID: invoice, at: middle)
        #expect(late.credit == 500)
        subscription.act()
        #expect(subscription.open?.amount == usd(1_060))
    }

    @Test("what is carried when a subscription ends stays on record") func ended() throws {
        var subscription = try carrying()
        subscription.cancelNow(at: middle)
        #expect(subscription.credit == -20 && subscription.open == nil)
    }

    @Test("the least amount itself is asked for, one unit less is carried, in every currency", arguments: Currency.all)
    func boundary(_ currency: Currency) {
        let rule: CollectableAmounts.Rule = collectable[currency]
        let minor: Int64 = max(rule.least, rule.multiple)
        let whole: Subscription = signUp(plan("least", minor, currency: currency))
        #expect(whole.open?.amount.minor == minor && whole.credit == 0)
        guard minor > 1 else { return }
        let under: Subscription = signUp(plan("under", minor - 1, currency: currency))
        #expect(under.open?.amount.minor == 0 && under.credit == 1 - minor)
    }

    @Test("last digits that no provider takes are asked for once they have added up", arguments: ["KWD", "HUF", "MGA"])
    func lastDigits(_ code: String) throws {
        let currency = try #require(Currency(code))
        let multiple: Int64 = collectable[currency].multiple
        let price: Int64 = 1_000 * multiple + 4 * multiple / 10
        var subscription: Subscription = signUp(plan("odd", price, currency: currency), at: begin)
        var amounts: [Int64] = []
        for _ in 0..<6 {
            amounts.append((subscription.open?.amount.minor ?? -1) / multiple)
            #expect((subscription.open?.amount.minor ?? 1) % multiple == 0)
            subscription.payOpen(at: begin)
            subscription.act()
        }
        #expect(amounts == [1_000, 1_000, 1_001, 1_000, 1_001, 1_000])
        #expect(subscription.open?.lines.first?.amount == price, "what is priced is told to the unit")
    }

    @Test("drawn lines and balances: nothing is lost, and nothing that cannot be collected is asked for") func drawn() {
        var random = Seeded()
        for currency in Currency.all {
            let rule: CollectableAmounts.Rule = collectable[currency]
            let floor: Int64 = max(rule.least, rule.multiple)
            var (balance, priced, asked): (Int64, Int64, Int64) = (0, 0, 0)
            for _ in 0..<200 {
                let reach: Int64 = [floor + 2, 3 * floor + 10, 1_000_000].randomElement(using: &random) ?? 10
                let line = Int64.random(in: -reach...reach, using: &random)
                let change = BalanceChange(priced: line, balance: balance, rule: rule)
                #expect(change.before == balance && change.due + change.before - change.after == line)
                #expect(change.due == 0 || change.due >= floor, "\(currency) \(line) \(balance)")
                #expect(change.due % rule.multiple == 0, "\(currency) \(line) \(balance)")
                #expect(change.due == 0 || (change.after <= 0 && change.after > -rule.multiple))
                #expect(change.after > -floor, "\(currency) \(line) \(balance)")
                (balance, priced, asked) = (change.after, priced + line, asked + change.due)
            }
            #expect(asked - balance == priced, "\(currency)")
        }
    }

    @Test("drawn lives: the bills, and what is carried or kept, come to all that was priced") func lives() {
        var random = Seeded()
        for round in 0..<60 { live(round, &random) }
    }

    private func live(_ round: Int, _ random: inout Seeded) {
        let currency: Currency =
            Currency.all.filter { collectable[$0] != .init() }.randomElement(using: &random) ?? .usd
        let rule: CollectableAmounts.Rule = collectable[currency]
        let floor: Int64 = max(rule.least, rule.multiple)
        let plans: [Plan] = (0..<5).map { number in
            plan("p\(number)", Int64.random(in: 1...(2 * floor), using: &random), currency: currency)
        }
        var (subscription, now) = (signUp(plans[0], at: begin), begin)
        var billings: [BillingID: Billing] = [:]
        for _ in 0..<120 {
            now = now.adding(.seconds(Int64.random(in: 1...1_000_000, using: &random)))
            switch Int.random(in: 0..<8, using: &random) {
            case 0...2: subscription.payOpen(at: now)
            // An invoice of nothing is paid without a payment and cannot fail.
            case 3 where subscription.open?.amount.isZero == false: subscription.failOpen(.soft, at: now)
            case 4, 5: _ = try? subscription.changePlanNow(to: plans.randomElement(using: &random) ?? plans[1], at: now)
            default: subscription.performDue(policy: policy, at: now)
            }
            billings.merge(subscription.takeEffects().billings) { _, new in new }
        }
        let balanceLines: Set = [
            "Carried to the next bill", "Carried from earlier bills", "Credit balance used", "Kept as credit balance",
        ]
        let counted: [Billing] = billings.values.filter { $0.status != .withdrawn }
        let priced: Int64 = counted.flatMap(\.lines).filter { !balanceLines.contains($0.description) }
            .reduce(0) { $0 + $1.amount }
        let asked: Int64 = counted.reduce(0) { $0 + $1.amount.minor }
        #expect(asked - subscription.credit == priced, "\(currency), round \(round), seed \(random.seed)")
        #expect(billings.values.allSatisfy { $0.amount.isZero || $0.amount.minor >= floor }, "round \(round)")
        #expect(billings.values.allSatisfy { $0.amount.minor % rule.multiple == 0 }, "round \(round)")
    }
}
