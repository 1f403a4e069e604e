public import BillingCore

/// What a customer can subscribe to: a fixed price for each billing period. A plan never changes once it exists.
public struct Plan: Hashable, Sendable {
    /// What no price, and no amount that settings name, goes beyond, in minor units: sums of many then always fit 64 bits.
    /// The API takes less (`InputFields.largestAmount`).
    public static let maxPriceMinor: Int64 = 999_999_999_999_999
    /// The longest trial that can be given, in days.
    public static let maxTrialDays: Int64 = 730
    /// The most intervals one billing period may have.
    public static let maxIntervalCount: Int64 = 365

    /// Its id.
    public let id: PlanID
    /// Printed on invoices.
    public let name: String
    /// Price of one billing period, not of one interval: a plan of 3 months costs this much every 3 months.
    public let price: Money
    /// How long a billing period is.
    public let rule: BillingPeriodRule
    /// Free days at the start, unless the subscription says otherwise.
    public let trialDays: Int

    /// Makes a plan out of checked parts.
    public init(id: PlanID, name: String, price: Money, rule: BillingPeriodRule, trialDays: Int) {
        self.id = id
        self.name = name
        self.price = price
        self.rule = rule
        self.trialDays = trialDays
    }
}
