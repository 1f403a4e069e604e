public import BillingCore

/// How much of the value of card payments over 90 days was fraud (Delegated Regulation (EU) 2018/389, article 19).
public struct FraudRate: Sendable, Hashable {
    /// What it is taken from: all card payments of the span, authenticated or exempt, and what of them was fraud.
    public struct Tally: Sendable, Hashable {
        /// What the payments came to, in major units of one currency.
        public var volume: ExactDecimal = .zero
        /// What of them was fraud, whether it came back or not, in the same units.
        public var fraud: ExactDecimal = .zero
        /// How many payments there were.
        public var payments: Int64 = 0

        /// Nothing yet.
        public init() {}

        /// Adds payments of a currency.
        /// - Parameter worth: What one unit of it is in the tally's.
        /// - Throws: ``MoneyError/overflow``.
        public mutating func add(
            volume: Money, fraud: Money, payments: Int64, worth: ExactDecimal
        ) throws(MoneyError) {
            self.volume = try self.volume.adding(try Self.worth(of: volume, worth))
            self.fraud = try self.fraud.adding(try Self.worth(of: fraud, worth))
            self.payments += payments
        }

        private static func worth(of amount: Money, _ worth: ExactDecimal) throws(MoneyError) -> ExactDecimal {
            try ExactDecimal(coefficient: Int128(amount.minor), scale: amount.currency.exponent)
                .multiplied(by: worth)
        }
    }

    /// The span.
    public static let span: Duration = .seconds(90 * 86_400)
    /// Fewer payments tell nothing: a single fraud among them would go through all bands.
    public static let fewestPayments: Int64 = 1_000
    /// All of it.
    public static let highest = FraudRate(basisPoints: ExactDecimal(10_000))
    private static let digits = 4

    /// In hundredths of a percent, rounded up to four digits.
    public let basisPoints: ExactDecimal

    private init(basisPoints: ExactDecimal) { self.basisPoints = basisPoints }

    /// The rate of a tally.
    /// - Returns: `nil` where there is too little to tell.
    /// - Throws: ``MoneyError/overflow`` for sums with more digits than fit.
    public init?(_ tally: Tally) throws(MoneyError) {
        guard tally.payments >= Self.fewestPayments, tally.volume > .zero else { return nil }
        basisPoints = try tally.fraud.multiplied(by: ExactDecimal(10_000))
            .divided(by: tally.volume, scale: Self.digits, rounding: .up)
    }
}
