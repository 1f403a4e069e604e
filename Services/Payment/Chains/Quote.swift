package import BillingCore

/// A price in money turned into an amount of an asset that holds until a moment.
package struct Quote: Hashable, Sendable {
    /// Why no quote can be given.
    package enum Failure: Error, Equatable, Sendable {
        /// The price is not above zero.
        case price
        /// The rate is not above zero.
        case rate
        /// The spread is not from 0 to 9,999 hundredths of a percent.
        case spread
        /// It would be over before it begins.
        case lifetime
        /// A number too large to be exact.
        case overflow
    }

    /// The price.
    package let price: Money
    /// What is paid in.
    package let asset: CryptoAsset
    /// What one whole coin costs, in the price's currency, as it was given.
    package let rate: ExactDecimal
    /// How much less than the rate a coin counts for, in hundredths of a percent: the merchant's cover.
    package let spreadBasisPoints: Int
    /// How much to pay: the least amount that is worth the price.
    package let amount: BaseUnits
    /// When it was given.
    package let quotedAt: Instant
    /// When it ends; a payment that arrives at this moment is late.
    package let expiresAt: Instant

    /// Turns a price into an amount: price ÷ (rate × (1 − spread)), exact, rounded up to a whole base unit once.
    package init(
        price: Money, asset: CryptoAsset, rate: ExactDecimal, spreadBasisPoints: Int, at now: Instant,
        lifetime: Duration
    ) throws(Failure) {
        guard price.isPositive else { throw .price }
        guard rate > .zero else { throw .rate }
        guard (0..<10_000).contains(spreadBasisPoints) else { throw .spread }
        guard lifetime > .zero else { throw .lifetime }
        self.price = price
        self.asset = asset
        self.rate = rate
        self.spreadBasisPoints = spreadBasisPoints
        quotedAt = now
        expiresAt = now + lifetime
        do throws(MoneyError) {
            let (units, minors) = try Self.terms(asset, price.currency, rate, spreadBasisPoints)
            let exact: BaseUnits = try units.multiplied(by: UInt128(price.minor.magnitude))
            amount = try exact.divided(by: minors, roundingUp: true)
        } catch {
            throw .overflow
        }
    }

    /// What an amount is worth at this quote, rounded down to the currency's minor unit. The quoted amount, and more
    /// than it by less than one minor unit, is worth the price.
    /// - Throws: ``MoneyError/overflow``.
    package func worth(of amount: BaseUnits) throws(MoneyError) -> Money {
        guard amount != self.amount else { return price }
        let (units, minors) = try Self.terms(asset, price.currency, rate, spreadBasisPoints)
        guard units.high == 0 else { throw .overflow }
        let value: BaseUnits = try amount.multiplied(by: minors).divided(by: units.low, roundingUp: false)
        guard value.high == 0, let minor = Int64(exactly: value.low) else { throw .overflow }
        return Money(minor: minor, currency: price.currency)
    }

    /// Whether a payment that arrives now counts at this quote.
    package func isOpen(at now: Instant) -> Bool { now < expiresAt }

    /// The exchange rate as a ratio of whole numbers: so many base units are worth so many minor units.
    ///
    /// One coin = 10^decimals base units = rate × 10^exponent minor units, less the spread; both sides are multiplied
    /// by 10,000 and by the rate's power of ten, and freed of the powers of ten they share.
    private static func terms(
        _ asset: CryptoAsset, _ currency: Currency, _ rate: ExactDecimal, _ spread: Int
    ) throws(MoneyError) -> (units: BaseUnits, minors: UInt128) {
        let kept = UInt128(10_000 - spread)
        let (discounted, overflow) = rate.coefficient.magnitude.multipliedReportingOverflow(by: kept)
        guard !overflow else { throw .overflow }
        let power: Int = asset.decimals + rate.scale + 4 - currency.exponent
        guard power < 0 else {
            let first: UInt128 = try BaseUnits.powerOfTen(min(power, 38))
            let second: UInt128 = try BaseUnits.powerOfTen(power - min(power, 38))
            return (try BaseUnits(first).multiplied(by: second), discounted)
        }
        let (minors, excess) = discounted.multipliedReportingOverflow(by: try BaseUnits.powerOfTen(-power))
        guard !excess else { throw .overflow }
        return (.one, minors)
    }
}
