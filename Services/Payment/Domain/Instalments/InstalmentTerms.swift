public import BillingCore

/// How many payments a purchase is split into, beside a down payment.
public enum InstalmentCount: Int, CaseIterable, Sendable {
    /// Pay in 3.
    case three = 3
    /// Pay in 4.
    case four = 4
    /// Pay in 6.
    case six = 6
    /// Pay in 12.
    case twelve = 12
}

/// How far instalments are apart.
public enum InstalmentInterval: String, CaseIterable, Sendable {
    /// A calendar month, on the day of the purchase or the month's last.
    case month
    /// Fourteen days.
    case twoWeeks = "two_weeks"

    /// The billing period between two instalments.
    var rule: BillingPeriodRule {
        switch self {
        case .month: BillingPeriodRule(interval: .month)
        case .twoWeeks: BillingPeriodRule(interval: .week, count: 2)
        }
    }

    /// How many make a year by Directive (EU) 2023/2225, Annex III, remark (c): 12 equal months, 52 weeks.
    public var perYear: Int {
        switch self {
        case .month: 12
        case .twoWeeks: 26
        }
    }
}

/// When the first instalment is paid.
public enum FirstInstalment: String, CaseIterable, Sendable {
    /// On the day of the purchase.
    case atPurchase = "at_purchase"
    /// One interval later.
    case afterInterval = "after_interval"
}

/// What the customer pays for paying later.
public enum InstalmentCharge: Hashable, Sendable {
    /// Nothing.
    case none
    /// One fee for the plan, spread over the instalments.
    case flatFee(Money)
    /// Interest by a nominal annual rate, 0.1299 for 12.99 %; a period's rate is the annual one over the periods of a
    /// year (``InstalmentInterval/perYear``).
    case interest(nominalAnnualRate: ExactDecimal)
}

/// What a late instalment costs, and when the plan is given up.
public struct LatePolicy: Hashable, Sendable {
    /// The price of being late, taken once for each instalment.
    public enum Fee: Hashable, Sendable {
        /// None.
        case none
        /// The same for every instalment.
        case fixed(Money)
        /// A share of the overdue amount, 0.05 for 5 %, rounded half up, at most the cap.
        case percentage(ExactDecimal, cap: Money?)
    }

    /// What being late costs.
    public let fee: Fee
    /// Days after the due day on which nothing happens yet; the instalment is late on the day after them.
    public let graceDays: Int
    /// Days after the due day that the plan survives with an unpaid instalment; on the next one it is in default.
    public let defaultAfterDays: Int

    /// A policy. The default comes after the grace period: anything else is a programming error.
    public init(fee: Fee = .none, graceDays: Int = 3, defaultAfterDays: Int = 90) {
        precondition(graceDays >= 0 && defaultAfterDays > graceDays, "a plan is late before it is in default")
        self.fee = fee
        self.graceDays = graceDays
        self.defaultAfterDays = defaultAfterDays
    }

    /// The fee for an overdue amount; never negative.
    public func fee(on overdue: Money) throws(MoneyError) -> Money {
        switch fee {
        case .none: return .zero(overdue.currency)
        case .fixed(let amount): return amount
        case .percentage(let share, let cap):
            let fee: Money = try overdue.multiplied(by: share, rounding: .halfUp)
            guard let cap, cap.minor < fee.minor else { return fee }
            return cap
        }
    }
}

/// The terms of a plan: everything about it that does not depend on the purchase.
public struct InstalmentTerms: Hashable, Sendable {
    /// The number of instalments.
    public let count: InstalmentCount
    /// The distance between them.
    public let interval: InstalmentInterval
    /// When the first one is due.
    public let first: FirstInstalment
    /// What the customer pays for it.
    public let charge: InstalmentCharge
    /// Paid on the day of the purchase, on top of the instalments; carries no charge. `nil` for none.
    public let downPayment: Money?
    /// What happens when an instalment is not paid.
    public let late: LatePolicy

    /// Terms; they are checked when an offer is made.
    public init(
        count: InstalmentCount, interval: InstalmentInterval, first: FirstInstalment = .afterInterval,
        charge: InstalmentCharge = .none, downPayment: Money? = nil, late: LatePolicy = LatePolicy()
    ) {
        self.count = count
        self.interval = interval
        self.first = first
        self.charge = charge
        self.downPayment = downPayment
        self.late = late
    }
}

/// Why there is no such plan, or why it does not take a step.
public enum InstalmentError: Error, Equatable, Sendable {
    /// A purchase, a fee or a refund is above zero.
    case notPositive
    /// An amount of the terms is in another currency than the purchase.
    case wrongCurrency(Currency)
    /// A down payment is at least one unit and leaves something to finance.
    case invalidDownPayment
    /// A rate is above 0 and at most 1 (100 % a year), with at most 8 decimals; a late share is from 0 to 1.
    case invalidRate
    /// Too little for so many parts: a part would be empty, or all charge and no principal.
    case tooSmall
    /// The charge is out of proportion to the credit: there is no effective annual rate to show for it.
    case chargeTooHigh
    /// There is no instalment of this number.
    case unknownInstalment(Int)
    /// The step does not exist in this state.
    case notAllowed(InstalmentStatus.Step, in: InstalmentStatus)
    /// A payment is above zero and at most what is owed; one that pays off the plan is exactly that.
    case wrongAmount(owed: Money)
    /// More than is open of the purchase.
    case refundTooLarge(left: Money)
    /// Events come in the order of their days.
    case outOfOrder(after: CivilDate)
}
