package import PaymentDomain

/// A card or a network token out of a wallet, for one charge. It exists in memory for one call and is never printed;
/// between calls it is kept sealed.
package struct WalletCard: Sendable, Equatable, CustomStringConvertible, CustomReflectable {
    /// Whose token it was; `nil` for a card that was entered.
    package let wallet: Wallet?
    /// The card's number, or the network token's.
    package let number: CardNumber
    package let expMonth: Int
    package let expYear: Int
    /// What authenticates this one charge of a network token, in base 64; `nil` for a card as it is printed, whose
    /// customer nobody has authenticated.
    package let cryptogram: String?
    /// The electronic commerce indicator, where the wallet tells one.
    package let eci: String?

    package init(
        wallet: Wallet?, number: CardNumber, expMonth: Int, expYear: Int, cryptogram: String?, eci: String?
    ) {
        self.wallet = wallet
        self.number = number
        self.expMonth = expMonth
        self.expYear = expYear
        self.cryptogram = cryptogram
        self.eci = eci
    }

    /// Whether the wallet authenticated the customer for this charge.
    package var isAuthenticated: Bool { cryptogram != nil }

    /// Whether its indicator says that the issuer bears fraud: 05 or 06, Mastercard's 01 or 02 (EMVCo 3-D Secure, the schemes'
    /// tables). Mastercard's tokens come without one and stand for 02; 07 and what is not told shift nothing.
    package var isShifted: Bool {
        guard isAuthenticated else { return false }
        let value: Int? = eci.flatMap { Int($0) }
        return number.brand == "mastercard" ? [nil, 1, 2].contains(value) : [5, 6].contains(value)
    }

    package static func == (one: Self, other: Self) -> Bool {
        one.wallet == other.wallet && one.number.digits == other.number.digits && one.expMonth == other.expMonth
            && one.expYear == other.expYear && one.cryptogram == other.cryptogram && one.eci == other.eci
    }

    /// What it is, for people.
    package var description: String { number.description }
    /// Shows nothing.
    package var customMirror: Mirror { Mirror(self, children: [], displayStyle: .struct) }
}
