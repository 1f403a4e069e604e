import BillingCore

/// What is asked for when priced lines meet a subscription's balance, and what the balance is then.
///
/// Credit is used up first, and what was carried here is added. What cannot be collected of the rest, too little or last
/// digits, is carried to the next billing, as Stripe Billing does with small amounts. Nothing is lost: what the lines come to
/// is always ``due`` and the fall of the balance together.
public struct BalanceChange: Hashable, Sendable {
    /// Minor units to ask for: nothing, or what can be collected.
    public let due: Int64
    /// The balance before.
    public let before: Int64
    /// The balance after it.
    public let after: Int64

    /// Settles lines against a balance.
    /// - Parameters:
    ///   - priced: What the lines come to, minor units; negative when more is given back than charged.
    ///   - balance: Above zero the customer's credit, below zero what was carried here.
    ///   - rule: What can be asked for.
    public init(priced: Int64, balance: Int64, rule: CollectableAmounts.Rule) {
        let owed: Int64 = priced - balance
        before = balance
        due = rule.collectable(of: owed)
        after = due - owed
    }

    /// The lines that say so, for people; together they come to what the balance rose by.
    func lines(in period: BillingPeriod) -> [BillingLine] {
        let credit: Int64 = max(after, 0) - max(before, 0)
        let carried: Int64 = max(-before, 0) - max(-after, 0)
        let texts: [(text: String, amount: Int64)] = [
            ("Carried from earlier bills", max(carried, 0)), ("Credit balance used", min(credit, 0)),
            ("Kept as credit balance", max(credit, 0)), ("Carried to the next bill", min(carried, 0)),
        ]
        return texts.filter { $0.amount != 0 }.map { line in
            BillingLine(
                description: line.text, amount: line.amount, periodStart: period.start, periodEnd: period.end,
                proration: false)
        }
    }
}

extension Subscription {
    /// Opens a billing of priced lines, settles it against the balance and tells of it; from here the outcome is awaited.
    mutating func openBilling(
        _ reason: BillingReason, of priced: [BillingLine], for paidFor: BillingPeriod, origin: UpgradeOrigin? = nil,
        collectable: CollectableAmounts, at now: Instant
    ) {
        precondition(open == nil, "a subscription has one open billing at most")
        let currency: Currency = plan.price.currency
        let change = BalanceChange(
            priced: priced.reduce(0) { $0 + $1.amount }, balance: credit, rule: collectable[currency])
        let billing = Billing(
            id: BillingID.new(at: now), reason: reason, amount: Money(minor: change.due, currency: currency),
            lines: priced + change.lines(in: paidFor), period: paidFor,
            creditApplied: max(change.before - change.after, 0), creditAdded: max(change.after - change.before, 0),
            origin: origin, billedAt: now)
        credit = change.after
        open = billing
        latestBillingID = billing.id
        nextActionAt = nil
        effects.billings[billing.id] = billing
        effects.events.append(.billed(billing))
    }
}
