public import BillingCore

/// The annual percentage rate of charge that consumer credit law wants shown.
///
/// Source: Directive (EU) 2023/2225, Annex III, part I: the rate X for which the credit
/// equals the sum of the repayments D, each discounted by (1 + X)^-s, s being the years since the credit was drawn.
/// Remark (d): a following digit of 5 or more rounds up.
public enum EffectiveAnnualRate {
    private static let scale = Annuity.scale
    /// 10^18: the number of steps the discount factor is searched in.
    private static let steps: Int64 = 1_000_000_000_000_000_000
    /// How close the bounds of a rate must be, in decimals of a percent: they are up to about 1,000,000 %.
    private static let boundDecimals = 6

    /// The rate in percent, with at most two decimals, rounded half up.
    ///
    /// With y = (1 + X)^(-1/n), n being the periods of a year, the equation is a polynomial that rises with y. It is
    /// enclosed between two factors of 18 decimals with every operation rounded outwards, so the rate is known
    /// between two bounds. The upper one is rounded: it can differ from the lower, rounded, only within a millionth
    /// of a percent of an exact half, which rounds up.
    /// - Parameters:
    ///   - credit: What is financed, after a down payment; above zero.
    ///   - repayments: Each with its number of periods after the credit was drawn; together at least the credit.
    ///   - perYear: How many periods make a year: 12 months, 26 fortnights, 365 days.
    /// - Throws: ``MoneyError/overflow`` when the rate is beyond any reason (above about 1,000,000 %), as when all is
    ///   repaid at once and yet there is a charge; ``MoneyError/currencyMismatch(_:_:)``.
    public static func percent(
        credit: Money, repayments: [(period: Int, amount: Money)], perYear: Int
    ) throws(MoneyError) -> ExactDecimal {
        var total: Money = .zero(credit.currency)
        for repayment in repayments { total = try total.adding(repayment.amount) }
        guard total.minor > credit.minor else { return .zero }
        let highest: Int64 = try neighbours(of: credit, repayments: repayments, rounding: .floor).above
        let lowest: Int64 = try neighbours(of: credit, repayments: repayments, rounding: .ceiling).below
        let least: ExactDecimal = try rate(factor: highest, perYear: perYear, rounding: .floor)
        let most: ExactDecimal = try rate(factor: lowest, perYear: perYear, rounding: .ceiling)
        guard try most.subtracting(least) <= ExactDecimal(coefficient: 1, scale: boundDecimals) else {
            throw .overflow
        }
        return try most.rounded(scale: 2, rounding: .halfUp)
    }

    /// The factors between which the repayments, their worth rounded one way, come to be worth the credit. Rounded up,
    /// they still are worth less at `below`, so the true factor is above it; rounded down, it is at most `above`.
    private static func neighbours(
        of credit: Money, repayments: [(period: Int, amount: Money)], rounding: Rounding
    ) throws(MoneyError) -> (below: Int64, above: Int64) {
        let target = ExactDecimal(credit.minor)
        var below: Int64 = 0
        var above: Int64 = steps
        while above - below > 1 {
            let middle: Int64 = below + (above - below) / 2
            let factor = try ExactDecimal(coefficient: Int128(middle), scale: scale)
            let worth: ExactDecimal = try value(of: repayments, at: factor, rounding: rounding)
            if worth < target { below = middle } else { above = middle }
        }
        return (below, above)
    }

    /// What the repayments are worth when one period discounts by a factor.
    private static func value(
        of repayments: [(period: Int, amount: Money)], at factor: ExactDecimal, rounding: Rounding
    ) throws(MoneyError) -> ExactDecimal {
        var sum: ExactDecimal = .zero
        var power: ExactDecimal = .one
        var reached = 0
        for repayment in repayments.sorted(by: { $0.period < $1.period }) {
            while reached < repayment.period {
                power = try power.multiplied(by: factor).rounded(scale: scale, rounding: rounding)
                reached += 1
            }
            sum = try sum.adding(ExactDecimal(repayment.amount.minor).multiplied(by: power))
        }
        return sum
    }

    /// factor^-perYear - 1, in percent, rounded outwards.
    private static func rate(factor: Int64, perYear: Int, rounding: Rounding) throws(MoneyError) -> ExactDecimal {
        let base = try ExactDecimal(coefficient: Int128(factor), scale: scale)
        let inward: Rounding = rounding == .floor ? .ceiling : .floor
        var power: ExactDecimal = .one
        for _ in 0..<perYear {
            power = try power.multiplied(by: base).rounded(scale: scale, rounding: inward)
        }
        guard !power.isZero else { throw .overflow }
        let growth: ExactDecimal = try ExactDecimal.one.divided(by: power, scale: scale - 2, rounding: rounding)
        return try growth.subtracting(.one).multiplied(by: ExactDecimal(100))
    }
}
