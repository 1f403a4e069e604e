/// A probability-like score from 0 to 1 in steps of 1/10,000; exact, so the text is the value.
public struct RiskScore: Hashable, Comparable, Sendable {
    /// The score times 10,000.
    public let basisPoints: Int
    /// No risk.
    public static let none = RiskScore(clamping: 0)

    /// Makes a score; below 0 is 0 and above 10,000 is 10,000.
    public init(clamping basisPoints: Int) { self.basisPoints = min(max(basisPoints, 0), 10_000) }

    /// Orders by risk.
    public static func < (left: RiskScore, right: RiskScore) -> Bool { left.basisPoints < right.basisPoints }

    /// The score of two independent signs of risk: 1 − (1 − a)(1 − b), rounded half up.
    ///
    /// Each sign only ever adds, the order does not matter, and the result never leaves 0…1.
    public func combined(with other: RiskScore) -> RiskScore {
        let safety = (10_000 - basisPoints) * (10_000 - other.basisPoints)
        // Rounding the risk up is rounding the safety's half down.
        return RiskScore(clamping: 10_000 - (safety + 4_999) / 10_000)
    }
}

extension RiskScore: LosslessStringConvertible {
    /// Reads `0.0000` … `1.0000`: one digit, a point, four digits.
    public init?(_ description: String) {
        let bytes = Array(description.utf8)
        guard bytes.count == 6, bytes[1] == UInt8(ascii: ".") else { return nil }
        var value = 0
        for (index, byte) in bytes.enumerated() where index != 1 {
            guard (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(byte) else { return nil }
            value = value * 10 + Int(byte - UInt8(ascii: "0"))
        }
        guard value <= 10_000 else { return nil }
        basisPoints = value
    }

    /// Four decimals: `0.1200`.
    public var description: String {
        let fraction = String(basisPoints % 10_000)
        return "\(basisPoints / 10_000)." + String(repeating: "0", count: 4 - fraction.utf8.count) + fraction
    }
}
