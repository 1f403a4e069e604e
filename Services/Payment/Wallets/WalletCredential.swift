package import BillingCore
package import PaymentDomain

/// What a wallet's payment token holds once every check on it has passed: a card or a network token, to be charged
/// once.
package struct WalletCredential: Sendable {
    /// What the number is.
    package enum Kind: Sendable, Equatable {
        /// The number printed on the card (Google Pay's `PAN_ONLY`): the customer has not been authenticated.
        case card
        /// A network token that the device stands for, good for one charge with its cryptogram; the electronic commerce
        /// indicator where the wallet tells one.
        case networkToken(cryptogram: WalletCryptogram, eci: String?)
    }

    package let wallet: Wallet
    /// The card's number, or the network token's.
    package let number: CardNumber
    package let expiry: CardExpiry
    package let kind: Kind
    /// What keeps the token from being used twice.
    package let singleUse: SingleUse
    /// What the customer agreed to pay, where the token says it: Apple Pay's do, Google Pay's do not.
    package let amount: Money?

    package init(
        wallet: Wallet, number: CardNumber, expiry: CardExpiry, kind: Kind, singleUse: SingleUse, amount: Money?
    ) {
        self.wallet = wallet
        self.number = number
        self.expiry = expiry
        self.kind = kind
        self.singleUse = singleUse
        self.amount = amount
    }
}

/// The month in which a card is valid for the last time.
package struct CardExpiry: Sendable, Hashable {
    /// Four digits.
    package let year: Int
    /// 1 to 12.
    package let month: Int

    /// - Returns: `nil` for a month or a year (2000 to 2099) that cannot be.
    package init?(year: Int, month: Int) {
        guard (2000...2099).contains(year), (1...12).contains(month) else { return nil }
        self.year = year
        self.month = month
    }
}

/// What identifies one token, so that it can be refused when it comes again.
///
/// The caller stores the id in the transaction that accepts the token, under a unique key, and refuses a token whose id
/// is there already. After ``keepUntil`` the token is refused for its age alone; keep the id a little longer than that
/// where several machines with clocks of their own decide.
package struct SingleUse: Sendable, Hashable {
    /// Unique over both wallets: `google_pay:` and the message id, `apple_pay:` and the transaction id.
    package let id: String
    /// The last instant at which the token could be accepted.
    package let keepUntil: Instant

    package init(id: String, keepUntil: Instant) {
        self.id = id
        self.keepUntil = keepUntil
    }
}

/// A cryptogram that authenticates one charge of a network token. It is never stored or printed.
package struct WalletCryptogram: Sendable, Equatable, CustomStringConvertible, CustomReflectable {
    /// The cryptogram in base 64. Hand it to the provider only.
    package let base64: String

    /// - Returns: `nil` for text that is not base 64 of 1 to 128 bytes.
    package init?(base64: String) {
        guard let bytes = Base64.standard.decode(base64), (1...128).contains(bytes.count) else { return nil }
        self.base64 = base64
    }

    /// Shows nothing.
    package var description: String { "<cryptogram>" }
    /// Shows nothing.
    package var customMirror: Mirror { Mirror(self, children: [], displayStyle: .struct) }
}
