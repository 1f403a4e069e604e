package import BillingCore
package import PaymentDomain

/// Terms as they are offered for any amount within their limits: an entry of `payment.instalments.terms`.
package struct InstalmentProduct: Sendable, Hashable {
    /// Why there is no plan under these terms.
    package enum Unavailable: Error, Equatable {
        case currency
        case below(Int64)
        case above(Int64)
        /// The amount cannot be split under the terms.
        case tooSmall
    }

    /// What it is asked for by, such as `pay_in_3`.
    package let name: String
    let count: InstalmentCount
    let interval: InstalmentInterval
    let first: FirstInstalment
    /// The part of the purchase that is paid at once, 0.25 for a quarter.
    let downPaymentShare: ExactDecimal?
    let annualRate: ExactDecimal?
    /// Flat fees, minor units by currency.
    let fees: [Currency: Int64]
    /// Fixed late fees or, with a share, the most it may come to.
    let lateFees: [Currency: Int64]
    let lateFeeShare: ExactDecimal?
    let graceDays: Int
    let defaultAfterDays: Int
    /// The smallest and the largest purchase in each currency it is offered in.
    let limits: [Currency: ClosedRange<Int64>]
    /// When an instalment is tried again.
    let dunning: InstalmentDunning

    /// Whether a purchase is within the limits, and a part of it is paid on its day.
    package func takesAtOnce(of purchase: Money) -> Bool {
        let isWithin: Bool = limits[purchase.currency]?.contains(purchase.minor) ?? false
        return isWithin && (first == .atPurchase || downPaymentShare != nil)
    }

    /// The plan for a purchase.
    /// - Throws: ``Unavailable``, or `MoneyError` when its numbers do not fit.
    package func offer(for purchase: Money, on day: CivilDate) throws -> InstalmentOffer {
        guard let range: ClosedRange<Int64> = limits[purchase.currency] else { throw Unavailable.currency }
        guard purchase.minor >= range.lowerBound else { throw Unavailable.below(range.lowerBound) }
        guard purchase.minor <= range.upperBound else { throw Unavailable.above(range.upperBound) }
        do {
            return try InstalmentOffer(purchase: purchase, on: day, terms: terms(for: purchase))
        } catch is InstalmentError {
            throw Unavailable.tooSmall
        }
    }

    private func terms(for purchase: Money) throws -> InstalmentTerms {
        let currency: Currency = purchase.currency
        return InstalmentTerms(
            count: count, interval: interval, first: first, charge: charge(in: currency),
            downPayment: try downPaymentShare.map { try purchase.multiplied(by: $0, rounding: .halfUp) },
            late: LatePolicy(fee: lateFee(in: currency), graceDays: graceDays, defaultAfterDays: defaultAfterDays))
    }

    private func charge(in currency: Currency) -> InstalmentCharge {
        if let annualRate { return .interest(nominalAnnualRate: annualRate) }
        return fees[currency].map { .flatFee(Money(minor: $0, currency: currency)) } ?? .none
    }

    private func lateFee(in currency: Currency) -> LatePolicy.Fee {
        let fixed: Money? = lateFees[currency].map { Money(minor: $0, currency: currency) }
        if let lateFeeShare { return .percentage(lateFeeShare, cap: fixed) }
        return fixed.map { .fixed($0) } ?? .none
    }
}
