package import PaymentDomain

/// A card or a network token out of a wallet, for one charge. It exists in memory for one call and is never printed;
/// between calls it is kept sealed.
package struct WalletCard: Sendable, Equatable, CustomStringConvertible, CustomReflectable {
    /// The card's number, or the network token's.
    package let number: CardNumber
    package let expMonth: Int
    package let expYear: Int
    /// What authenticates this one charge of a network token, in base 64; `nil` for a card as it is printed, whose
    /// customer nobody has authenticated.
    package let cryptogram: String?
    /// The electronic commerce indicator, where the wallet tells one.
    package let eci: String?

    package init(number: CardNumber, expMonth: Int, expYear: Int, cryptogram: String?, eci: String?) {
        self.number = number
        self.expMonth = expMonth
        self.expYear = expYear
        self.cryptogram = cryptogram
        self.eci = eci
    }

    /// Whether the wallet authenticated the customer for this charge.
    package var isAuthenticated: Bool { cryptogram != nil }

    package static func == (one: Self, other: Self) -> Bool {
        one.number.digits == other.number.digits && one.expMonth == other.expMonth && one.expYear == other.expYear
            && one.cryptogram == other.cryptogram && one.eci == other.eci
    }

    /// What it is, for people.
    package var description: String { number.description }
    /// Shows nothing.
    package var customMirror: Mirror { Mirror(self, children: [], displayStyle: .struct) }
}
