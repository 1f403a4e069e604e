package import BillingCore

/// What an authentication is about. It is fixed before the first message, and is stored: there is no card in it.
package struct AuthenticationTerms: Sendable, Equatable {
    /// Who is there.
    package enum Channel: Sendable, Equatable {
        /// The customer, in a browser (`deviceChannel` 02).
        case browser
        /// Nobody: the merchant asks (`deviceChannel` 03).
        case merchant(MerchantInitiation)
    }

    /// How a series of payments goes on.
    package struct Recurrence: Sendable, Equatable {
        /// After this day nothing more is charged.
        package let lastDay: CivilDate
        /// At least so many days lie between two charges: 1 to 9999.
        package let everyDays: Int

        package init(lastDay: CivilDate, everyDays: Int) {
            self.lastDay = lastDay
            self.everyDays = everyDays
        }
    }

    /// What the cardholder agrees to (`threeDSRequestorAuthenticationInd`).
    package enum Purpose: Sendable, Equatable {
        case payment
        case recurring(Recurrence)
        /// So many charges in all: 2 to 999.
        case instalments(Int, Recurrence)
        case addCard
        case maintainCard
        case verifyCardholder
        case billingAgreement

        var code: String {
            switch self {
            case .payment: "01"
            case .recurring: "02"
            case .instalments: "03"
            case .addCard: "04"
            case .maintainCard: "05"
            case .verifyCardholder: "06"
            case .billingAgreement: "07"
            }
        }

        /// Whether it makes no sense without an amount.
        var needsPurchase: Bool {
            switch self {
            case .payment, .recurring, .instalments: true
            case .addCard, .maintainCard, .verifyCardholder, .billingAgreement: false
            }
        }
    }

    /// What is bought.
    package struct Purchase: Sendable, Equatable {
        /// Above zero. The proof is good for this amount and currency only.
        package let amount: Money
        package let at: Instant

        package init(amount: Money, at: Instant) {
            self.amount = amount
            self.at = at
        }
    }

    package let version: MessageVersion
    package let scheme: CardScheme
    package let channel: Channel
    package let purpose: Purpose
    /// `nil` where no money is meant to move (`messageCategory` 02).
    package let purchase: Purchase?
    package let preference: ChallengePreference
    /// For how many minutes the issuer may take its own way to the cardholder: 1 to 10,080; `nil` for not at all.
    package let decoupledMinutes: Int?

    /// Fixes the terms.
    /// - Throws: ``InvalidField`` for what the version, the channel or the purpose rules out.
    package init(
        version: MessageVersion, scheme: CardScheme, channel: Channel = .browser, purpose: Purpose = .payment,
        purchase: Purchase?, preference: ChallengePreference = .none, decoupledMinutes: Int? = nil
    ) throws(InvalidField) {
        self.version = version
        self.scheme = scheme
        self.channel = channel
        self.purpose = purpose
        self.purchase = purchase
        self.preference = preference
        self.decoupledMinutes = decoupledMinutes
        try check()
    }

    /// `messageCategory`: 01 with a purchase, 02 without.
    var category: String { purchase == nil ? "02" : "01" }

    private func check() throws(InvalidField) {
        guard purchase?.amount.isPositive ?? !purpose.needsPurchase else { throw InvalidField("purchaseAmount") }
        guard preference.firstVersion <= version else { throw InvalidField("threeDSRequestorChallengeInd") }
        if let decoupledMinutes {
            guard version >= .v220, (1...10_080).contains(decoupledMinutes) else {
                throw InvalidField("threeDSRequestorDecMaxTime")
            }
        }
        if case .merchant(let reason) = channel {
            // 2.1.0 knows merchants' requests only where no money moves, and fewer reasons.
            guard version >= .v220 || (purchase == nil && reason.rawValue <= "05") else {
                throw InvalidField("threeRIInd")
            }
        }
    }
}
