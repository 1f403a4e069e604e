import BillingCore

/// Equal payments that repay a credit with interest.
///
/// With the discount factor v of one period and n payments from period f on, the payment is P / (v^f + ... +
/// v^(f+n-1)); a payment after which r are still to come, itself included, holds payment × (1 - v^r) of interest.
/// Factors have 18 decimals, rounded half to even; money is rounded once, half up.
struct Annuity {
    /// Digits after the point of a factor: two factors below one multiply within 38 digits.
    static let scale = 18

    /// How the interest spreads over the payments, in units of 10^-18 of a payment.
    let interestWeights: [Int64]
    /// The present value of payments of one.
    private let discountSum: ExactDecimal

    /// The rate is above zero.
    init(
        count: Int, firstPeriod: Int, nominalAnnualRate: ExactDecimal, perYear: Int
    ) throws(MoneyError) {
        let periods = ExactDecimal(Int64(perYear))
        let growth: ExactDecimal = try periods.adding(nominalAnnualRate)
        let discount: ExactDecimal = try periods.divided(by: growth, scale: Self.scale, rounding: .halfEven)
        var powers: [ExactDecimal] = [.one]
        for _ in 0..<count {
            let next: ExactDecimal = try (powers.last ?? .one).multiplied(by: discount)
            powers.append(try next.rounded(scale: Self.scale, rounding: .halfEven))
        }
        var sum: ExactDecimal = .zero
        var weights: [Int64] = []
        for index in 0..<count {
            sum = try sum.adding(powers[index + firstPeriod])
            let share: ExactDecimal = try ExactDecimal.one.subtracting(powers[count - index])
            // A payment on the day of the purchase repays before any interest has come about.
            weights.append(index + firstPeriod == 0 ? 0 : try share.units(scale: Self.scale))
        }
        discountSum = sum
        interestWeights = weights
    }

    /// The interest of the whole plan: all payments together, rounded half up to the minor unit, less the credit.
    func interest(on credit: Money) throws(MoneyError) -> Money {
        let payments = ExactDecimal(Int64(interestWeights.count))
        let undiscounted: ExactDecimal = try ExactDecimal(credit.minor).multiplied(by: payments)
        let total: ExactDecimal = try undiscounted.divided(by: discountSum, scale: 0, rounding: .halfUp)
        guard let minor = Int64(exactly: total.coefficient) else { throw .overflow }
        return try Money(minor: minor, currency: credit.currency).subtracting(credit)
    }
}

extension ExactDecimal {
    /// The number in units of 10^-scale; it has no more decimals than that.
    fileprivate func units(scale wanted: Int) throws(MoneyError) -> Int64 {
        var units: Int128 = coefficient
        for _ in scale..<max(scale, wanted) { units *= 10 }
        guard scale <= wanted, let result = Int64(exactly: units) else { throw .overflow }
        return result
    }
}
