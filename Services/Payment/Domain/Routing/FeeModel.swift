public import BillingCore

/// What a provider charges for a payment: a share of the amount and a fixed part.
public struct FeeModel: Sendable, Hashable {
    /// The share in billionths.
    let billionths: Int64
    /// The fixed part in minor units, by the currency charged; empty where there is none in any.
    public let fixed: [Currency: Int64]

    /// Makes a model.
    /// - Parameters:
    ///   - rate: The share of the amount: `0.029` for 2.9 %. Zero to one, at most nine decimals.
    ///   - fixed: The fixed part in minor units by currency, none below zero; empty for a share alone.
    /// - Throws: ``FeeFault``.
    public init(rate: ExactDecimal, fixed: [Currency: Int64]) throws(FeeFault) {
        guard !rate.isNegative, rate <= .one, rate.scale <= 9 else { throw .rate }
        guard fixed.values.allSatisfy({ $0 >= 0 }) else { throw .fixed }
        let power: Int128 = (rate.scale..<9).reduce(1) { value, _ in value * 10 }
        guard let billionths = Int64(exactly: rate.coefficient * power) else { throw .rate }
        self.billionths = billionths
        self.fixed = fixed
    }

    /// The exact cost of a payment, before any rounding by the provider; `nil` when the fixed part is known in other
    /// currencies than the payment's alone.
    public func cost(of amount: Money) -> FeeCost? {
        guard let fixed = fixed.isEmpty ? 0 : fixed[amount.currency] else { return nil }
        // 63 bits times 30 bits, twice: far from the 127 bits there are.
        let share: Int128 = Int128(amount.minor) * Int128(billionths)
        return FeeCost(billionths: share + Int128(fixed) * 1_000_000_000)
    }
}

/// Why a fee model cannot be.
public enum FeeFault: Error, Sendable, Equatable {
    /// The share is below zero, above one, or too fine.
    case rate
    /// A fixed part is below zero.
    case fixed
}

/// The exact cost of one payment.
public struct FeeCost: Sendable, Hashable, Comparable {
    /// Billionths of a minor unit of the payment's currency.
    public let billionths: Int128

    /// Orders by cost.
    public static func < (left: FeeCost, right: FeeCost) -> Bool { left.billionths < right.billionths }
}
