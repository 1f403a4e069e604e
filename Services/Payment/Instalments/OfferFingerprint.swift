import BillingCore
import Crypto
import PaymentDomain

extension InstalmentOffer {
    /// Names everything that a customer sees of an offer: whoever agrees to the name has agreed to the schedule, to the unit
    /// and to the day.
    /// - Returns: 32 digits of base 16, the first half of a SHA-256.
    package func fingerprint(terms name: String) -> String {
        var words: [String] = [
            name, purchase.currency.code, "\(purchase.minor)", date.description, "\(charge.minor)",
            annualPercentageRate.description, "\(terms.late.graceDays)", "\(terms.late.defaultAfterDays)",
        ]
        switch terms.late.fee {
        case .none: words.append("none")
        case .fixed(let fee): words.append("fixed \(fee.minor)")
        case .percentage(let share, let cap): words.append("share \(share) \(cap?.minor ?? 0)")
        }
        for part in schedule {
            words.append("\(part.number) \(part.due) \(part.principal.minor) \(part.charge.minor)")
        }
        return SHA256.hash(data: Array(words.joined(separator: "\n").utf8)).prefix(16).map { byte in
            (byte < 16 ? "0" : "") + String(byte, radix: 16)
        }.joined()
    }
}
