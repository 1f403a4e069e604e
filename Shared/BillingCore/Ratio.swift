/// A fraction of two 64-bit integers in lowest terms, such as the used share of a period.
public struct Ratio: Hashable, Sendable, CustomStringConvertible {
    /// Above the line; carries the sign.
    public let numerator: Int64
    /// Below the line; above zero.
    public let denominator: Int64

    /// Makes a ratio and reduces it.
    /// - Throws: ``MoneyError/divisionByZero`` when the denominator is not above zero.
    public init(numerator: Int64, denominator: Int64) throws(MoneyError) {
        guard denominator > 0 else { throw .divisionByZero }
        var (a, b) = (numerator.magnitude, denominator.magnitude)
        while b != 0 { (a, b) = (b, a % b) }
        // The divisor is at most the denominator, so it fits.
        let divisor = Int64(a)
        self.numerator = numerator / divisor
        self.denominator = denominator / divisor
    }

    /// One.
    public static let one = Ratio(unchecked: 1, 1)
    /// Zero.
    public static let zero = Ratio(unchecked: 0, 1)

    private init(unchecked numerator: Int64, _ denominator: Int64) {
        self.numerator = numerator
        self.denominator = denominator
    }

    /// `3/4`.
    public var description: String { "\(numerator)/\(denominator)" }
}
