public import BillingCore

/// One part of a plan as agreed.
public struct PlannedInstalment: Hashable, Sendable {
    /// 0 is the down payment, instalments count from 1.
    public let number: Int
    /// The day from which its charge is earned: the due day before, or the purchase.
    public let start: CivilDate
    /// The day it is to be paid on.
    public let due: CivilDate
    /// What it repays of the purchase.
    public let principal: Money
    /// What it pays of the interest or the fee.
    public let charge: Money

    /// What is to be paid.
    public func amount() throws(MoneyError) -> Money { try principal.adding(charge) }
}

/// A plan for a purchase, as shown to the customer before it is agreed.
///
/// The instalments differ by at most one minor unit, the earlier ones being the larger, and add up exactly to the
/// financed amount and the whole charge.
public struct InstalmentOffer: Hashable, Sendable {
    /// What is bought, in full.
    public let purchase: Money
    /// The day it is bought on.
    public let date: CivilDate
    /// The terms.
    public let terms: InstalmentTerms
    /// The down payment, if any, and the instalments, by number.
    public let schedule: [PlannedInstalment]
    /// The whole interest or fee.
    public let charge: Money
    /// The purchase and the charge.
    public let totalPayable: Money
    /// The effective annual rate in percent, two decimals: ``EffectiveAnnualRate``.
    public let annualPercentageRate: ExactDecimal

    /// Works out a plan.
    /// - Throws: ``InstalmentError`` when there is no such plan, ``MoneyError`` when its numbers do not fit.
    public init(purchase: Money, on date: CivilDate, terms: InstalmentTerms) throws {
        try terms.validate(for: purchase)
        let down: Money = terms.downPayment ?? .zero(purchase.currency)
        let financed: Money = try purchase.subtracting(down)
        let parts: [InstalmentParts] = try terms.parts(of: financed)
        let calendar = BillingCalendar(anchor: date, rule: terms.interval.rule, zone: .utc)
        let offset: Int = terms.firstPeriod
        var schedule: [PlannedInstalment] = []
        if down.isPositive {
            let nothing: Money = .zero(purchase.currency)
            schedule.append(PlannedInstalment(number: 0, start: date, due: date, principal: down, charge: nothing))
        }
        for (index, part) in parts.enumerated() {
            let period: Int = index + offset
            let start: CivilDate = calendar.date(max(0, period - 1))
            schedule.append(
                PlannedInstalment(
                    number: index + 1, start: start, due: calendar.date(period), principal: part.principal,
                    charge: part.charge))
        }
        var charge: Money = .zero(purchase.currency)
        for part in parts { charge = try charge.adding(part.charge) }
        self.purchase = purchase
        self.date = date
        self.terms = terms
        self.schedule = schedule
        self.charge = charge
        totalPayable = try purchase.adding(charge)
        annualPercentageRate = try terms.annualPercentageRate(of: financed, parts: parts)
    }
}

/// The two halves of an instalment.
struct InstalmentParts {
    let principal: Money
    let charge: Money
}

extension InstalmentTerms {
    /// How many intervals after the purchase the first instalment is due.
    var firstPeriod: Int { first == .atPurchase ? 0 : 1 }

    /// The most decimals of a nominal rate.
    private static let rateDecimals = 8

    func validate(for purchase: Money) throws(InstalmentError) {
        guard purchase.isPositive else { throw .notPositive }
        if let downPayment {
            guard downPayment.currency == purchase.currency else { throw .wrongCurrency(downPayment.currency) }
            guard downPayment.isPositive, downPayment.minor < purchase.minor else { throw .invalidDownPayment }
        }
        switch charge {
        case .none: break
        case .flatFee(let fee): try Self.validate(fee, for: purchase)
        case .interest(let rate):
            guard rate > .zero, rate <= .one, rate.scale <= Self.rateDecimals else { throw .invalidRate }
        }
        switch late.fee {
        case .none: break
        case .fixed(let fee): try Self.validate(fee, for: purchase)
        case .percentage(let share, let cap):
            guard share >= .zero, share <= .one else { throw .invalidRate }
            if let cap { try Self.validate(cap, for: purchase) }
        }
    }

    private static func validate(_ fee: Money, for purchase: Money) throws(InstalmentError) {
        guard fee.currency == purchase.currency else { throw .wrongCurrency(fee.currency) }
        guard fee.isPositive else { throw .notPositive }
    }

    /// Splits the financed amount and the charge: equal payments by largest remainder, and within them the charge by
    /// largest remainder of what each period costs.
    func parts(of financed: Money) throws -> [InstalmentParts] {
        let total: Money
        let weights: [Int64]
        let equal: [Int64] = Array(repeating: 1, count: count.rawValue)
        switch charge {
        case .none: (total, weights) = (.zero(financed.currency), equal)
        case .flatFee(let fee): (total, weights) = (fee, equal)
        case .interest(let rate):
            let annuity = try Annuity(
                count: count.rawValue, firstPeriod: firstPeriod, nominalAnnualRate: rate, perYear: interval.perYear)
            (total, weights) = (try annuity.interest(on: financed), annuity.interestWeights)
        }
        let payments: [Money] = try financed.adding(total).allocate(by: equal)
        let charges: [Money] = try total.allocate(by: weights)
        var parts: [InstalmentParts] = []
        for (payment, charge) in zip(payments, charges) {
            let principal: Money = try payment.subtracting(charge)
            guard principal.isPositive else { throw InstalmentError.tooSmall }
            parts.append(InstalmentParts(principal: principal, charge: charge))
        }
        return parts
    }

    func annualPercentageRate(of financed: Money, parts: [InstalmentParts]) throws -> ExactDecimal {
        var repayments: [(period: Int, amount: Money)] = []
        for (index, part) in parts.enumerated() {
            repayments.append((index + firstPeriod, try part.principal.adding(part.charge)))
        }
        do {
            return try EffectiveAnnualRate.percent(credit: financed, repayments: repayments, perYear: interval.perYear)
        } catch .overflow {
            throw InstalmentError.chargeTooHigh
        }
    }
}
