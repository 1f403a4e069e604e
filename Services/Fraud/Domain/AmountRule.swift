public import BillingCore

/// Scores the amount of an attempt against what people pay.
///
/// The scale is set in reference units of about one US dollar; ``referenceUnit(of:)`` says how many whole units of a
/// currency make one. It is a coarse size, right to a factor of two, and not an exchange rate: no money is computed
/// with it. A currency that is not listed counts one to one.
public enum AmountRule {
    /// A point of the scale: an amount in reference units and its score. Between points the score is interpolated.
    struct Anchor: Sendable {
        let units: Int64
        let score: Int
    }

    /// From a usual subscription price to what nobody pays by card. The last score is kept below the block threshold:
    /// an amount alone never blocks.
    static let anchors: [Anchor] = [
        Anchor(units: 100, score: 200), Anchor(units: 1_000, score: 2_000), Anchor(units: 5_000, score: 5_000),
        Anchor(units: 10_000, score: 7_500), Anchor(units: 50_000, score: 9_000),
    ]
    /// The score from which the amount is given as a reason.
    static let speaksFrom = RiskScore(clamping: 2_000)

    private static let referenceUnits: [String: Int64] = [
        "AMD": 400, "ARS": 1_000, "BDT": 110, "CLP": 900, "COP": 4_000, "CRC": 500, "CZK": 23, "DKK": 7, "DZD": 135,
        "EGP": 45, "HKD": 8, "HUF": 350, "IDR": 16_000, "INR": 85, "IQD": 1_300, "IRR": 42_000, "ISK": 135, "JPY": 150,
        "KES": 130, "KHR": 4_000, "KRW": 1_350, "KZT": 480, "LAK": 21_000, "LBP": 89_000, "LKR": 300, "MGA": 4_500,
        "MMK": 2_100, "MNT": 3_400, "MXN": 18, "NGN": 1_500, "NOK": 11, "NPR": 135, "PHP": 57, "PKR": 280, "PYG": 7_500,
        "RSD": 108, "RUB": 90, "RWF": 1_350, "SEK": 10, "SLE": 23, "SYP": 13_000, "THB": 35, "TRY": 35, "TWD": 32,
        "TZS": 2_600, "UAH": 41, "UGX": 3_700, "UYU": 42, "UZS": 12_700, "VND": 25_000, "XAF": 600, "XOF": 600,
        "YER": 250, "ZAR": 18,
    ]

    /// How many whole units of a currency count as one reference unit.
    public static func referenceUnit(of currency: Currency) -> Int64 { referenceUnits[currency.code] ?? 1 }

    /// The score of an amount; nothing or less scores like the smallest.
    public static func score(_ amount: Money) -> RiskScore {
        var unit = referenceUnit(of: amount.currency)
        for _ in 0..<amount.currency.exponent { unit *= 10 }
        var low = Anchor(units: 0, score: anchors[0].score)
        for high in anchors {
            // The largest product, 50,000 × 89,000 × 100, is far inside 64 bits.
            let (lowMinor, highMinor) = (low.units * unit, high.units * unit)
            if amount.minor <= highMinor {
                let offset = max(0, amount.minor - lowMinor)
                let rise = Int64(high.score - low.score) * offset / (highMinor - lowMinor)
                return RiskScore(clamping: low.score + Int(rise))
            }
            low = high
        }
        return RiskScore(clamping: low.score)
    }
}
