/// Scores the amount of an attempt against what people pay: the one rule that needs nothing but the attempt. Fraud scores by
/// it, and Payment goes by it alone where Fraud is silent and `payment.fraud_fallback` is `rules`.
///
/// The scale is set in reference units of about one US dollar. What a currency counts as is a coarse size, right to a factor
/// of about two, and not an exchange rate: no money is computed with it. Every currency is in one of the three tables.
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
    package static let speaksFrom = RiskScore(clamping: 2_000)

    /// How many units of a currency make one reference unit, where one unit is worth less than half of it.
    package static let weaker: [String: Int64] = [
        "AED": 4, "AFN": 70, "ALL": 90, "AMD": 400, "AOA": 900, "ARS": 1_000, "BDT": 110, "BIF": 2_950, "BOB": 7,
        "BRL": 5, "BTN": 85, "BWP": 13, "BYN": 3, "CDF": 2_500, "CLP": 900, "CNY": 7, "COP": 4_000, "CRC": 500,
        "CUP": 120, "CVE": 100, "CZK": 23, "DJF": 178, "DKK": 7, "DOP": 60, "DZD": 135, "EGP": 45, "ERN": 15,
        "ETB": 140, "FJD": 2, "GEL": 3, "GHS": 12, "GMD": 70, "GNF": 8_600, "GTQ": 8, "GYD": 209, "HKD": 8, "HNL": 26,
        "HTG": 131, "HUF": 350, "IDR": 16_000, "ILS": 3, "INR": 85, "IQD": 1_300, "IRR": 42_000, "ISK": 135, "JMD": 160,
        "JPY": 150, "KES": 130, "KGS": 87, "KHR": 4_000, "KMF": 450, "KPW": 900, "KRW": 1_350, "KZT": 480,
        "LAK": 21_000, "LBP": 89_000, "LKR": 300, "LRD": 190, "LSL": 18, "LYD": 5, "MAD": 10, "MDL": 17, "MGA": 4_500,
        "MKD": 55, "MMK": 2_100, "MNT": 3_400, "MOP": 8, "MRU": 40, "MUR": 46, "MVR": 15, "MWK": 1_735, "MXN": 18,
        "MYR": 4, "MZN": 64, "NAD": 18, "NGN": 1_500, "NIO": 37, "NOK": 11, "NPR": 135, "PEN": 4, "PGK": 4, "PHP": 57,
        "PKR": 280, "PLN": 4, "PYG": 7_500, "QAR": 4, "RON": 4, "RSD": 108, "RUB": 90, "RWF": 1_350, "SAR": 4, "SBD": 8,
        "SCR": 14, "SDG": 600, "SEK": 10, "SLE": 23, "SOS": 570, "SRD": 38, "SSP": 4_500, "STN": 22, "SVC": 9,
        "SYP": 13_000, "SZL": 18, "THB": 35, "TJS": 10, "TMT": 4, "TND": 3, "TOP": 2, "TRY": 35, "TTD": 7, "TWD": 32,
        "TZS": 2_600, "UAH": 41, "UGX": 3_700, "UYU": 42, "UYW": 23, "UZS": 12_700, "VED": 250, "VES": 250,
        "VND": 25_000, "VUV": 120, "WST": 3, "XAF": 600, "XCD": 3, "XOF": 600, "XPF": 110, "YER": 250, "ZAR": 18,
        "ZMW": 25, "ZWG": 26,
    ]
    /// How many reference units a unit of a currency makes, where it is worth more than two.
    package static let stronger: [String: Int64] = ["BHD": 3, "KWD": 3, "OMR": 3, "XAD": 4]
    /// One unit counts as one reference unit.
    package static let dollarLike: Set<String> = [
        "AUD", "AWG", "AZN", "BAM", "BBD", "BMD", "BND", "BSD", "BZD", "CAD", "CHF", "EUR", "FKP", "GBP", "GIP", "JOD",
        "KYD", "NZD", "PAB", "SGD", "SHP", "USD", "XCG",
    ]

    /// So many minor units of a currency count as a number of reference units.
    static func minorUnits(_ units: Int64, of currency: Currency) -> Int64 {
        var minor: Int64 = units * (weaker[currency.code] ?? 1)
        for _ in 0..<currency.exponent { minor *= 10 }
        return minor / (stronger[currency.code] ?? 1)
    }

    /// The score of an amount; nothing or less scores like the smallest.
    public static func score(_ amount: Money) -> RiskScore {
        var low = Anchor(units: 0, score: anchors[0].score)
        for high in anchors {
            // The largest product, 50,000 × 89,000 × 100, is far inside 64 bits.
            let lowMinor = minorUnits(low.units, of: amount.currency)
            let highMinor = minorUnits(high.units, of: amount.currency)
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
