/// A card number on its way to the provider. It exists in memory for one request and is never stored or printed.
public struct CardNumber: Sendable, CustomStringConvertible, CustomReflectable {
    /// The digits. Hand them to the provider only.
    public let digits: String

    /// Reads 12 to 19 digits (spaces allowed) with a right check digit (ISO/IEC 7812-1, Luhn).
    public init?(_ text: String) {
        let digits: String = text.filter { $0 != " " }
        guard (12...19).contains(digits.utf8.count), digits.utf8.allSatisfy({ (48...57).contains($0) }) else {
            return nil
        }
        var sum = 0
        for (position, digit) in digits.utf8.reversed().enumerated() {
            let value = Int(digit) - 48
            if position % 2 == 0 { sum += value } else { sum += value < 5 ? value * 2 : value * 2 - 9 }
        }
        guard sum % 10 == 0 else { return nil }
        self.digits = digits
    }

    /// The last four digits, which may be shown.
    public var last4: String { String(digits.suffix(4)) }

    /// The leading digits that name the issuer: eight of a number of sixteen digits and more, six of a shorter one. With the
    /// last four they are what the card industry's rules (PCI DSS 4.0, 3.5.1 and FAQ 1091) allow to be kept.
    public var issuerDigits: String { String(digits.prefix(digits.utf8.count >= 16 ? 8 : 6)) }

    /// The brand by the leading digits; `unknown` for ranges this does not know.
    public var brand: String {
        let two: Int = Int(digits.prefix(2)) ?? 0
        let four: Int = Int(digits.prefix(4)) ?? 0
        switch true {
        case digits.hasPrefix("4"): return "visa"
        case (51...55).contains(two), (2221...2720).contains(four): return "mastercard"
        case two == 34, two == 37: return "amex"
        case four == 6011, two == 65, (6440...6499).contains(four): return "discover"
        case (3528...3589).contains(four): return "jcb"
        case two == 36, two == 38, two == 30: return "diners"
        case two == 62: return "unionpay"
        default: return "unknown"
        }
    }

    /// What it is, for people.
    public var description: String { "•••• \(last4)" }
    /// Shows nothing.
    public var customMirror: Mirror { Mirror(self, children: [], displayStyle: .struct) }
}
