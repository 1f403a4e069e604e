package import BillingCore

/// A provider that keeps payment methods for later charges.
package protocol ProviderVault: PaymentProvider {
    /// Takes over a method that the customer has entered on the provider's own form, and makes sure that it can be
    /// charged without the customer.
    func save(_ request: SaveMethodRequest) async throws(ProviderFault) -> SaveMethodAnswer
    /// How the saving of a method stands that was not over with the first answer.
    func saved(_ request: SaveMethodRequest, reference: String) async throws(ProviderFault) -> SaveMethodAnswer
    /// What a token names, by what its form gave or by what charges name it; nothing is kept or changed by it.
    /// - Returns: `nil` where the provider knows no such method.
    func look(at token: String) async throws(ProviderFault) -> VaultedMethod?
    /// Removes a kept method, so that nobody can charge it any more. One that is gone already counts as removed, so a
    /// repeat is harmless at any time.
    func forget(_ request: ForgetMethodRequest) async throws(ProviderFault) -> ForgetMethodAnswer
    /// What the provider itself calls the method of a token. Tokens that differ may be of one method: what its form
    /// gave, and what charges name it by.
    func name(of token: String) -> String
}

extension ProviderVault {
    /// For a provider whose tokens are its own names.
    package func name(of token: String) -> String { token }
}

/// One wish to remove a kept method.
package struct ForgetMethodRequest: Sendable, Equatable {
    package let methodID: PaymentMethodID
    /// What charges name it by.
    package let token: String

    package init(methodID: PaymentMethodID, token: String) {
        self.methodID = methodID
        self.token = token
    }
}

/// A provider's word on removing a method.
package enum ForgetMethodAnswer: Sendable, Equatable {
    /// It cannot be charged there any more.
    case forgotten
    /// It never will be removed, for this reason.
    case refused(code: String)
}

/// One wish to keep a method.
package struct SaveMethodRequest: Sendable, Equatable {
    /// How the customer agreed to be debited; bank debit schemes ask for proof.
    package struct Acceptance: Sendable, Equatable {
        package let acceptedAt: Instant
        package let ipAddress: String
        package let userAgent: String

        package init(acceptedAt: Instant, ipAddress: String, userAgent: String) {
            self.acceptedAt = acceptedAt
            self.ipAddress = ipAddress
            self.userAgent = userAgent
        }
    }

    package let methodID: PaymentMethodID
    package let customerID: CustomerID
    /// `card`, `sepa_debit`, `paypal`.
    package let type: String
    /// What the provider's form gave for it.
    package let token: String
    /// Where the customer comes back to after a page of the provider's; empty where nobody has said.
    package let returnURL: String
    package let acceptance: Acceptance?

    package init(
        methodID: PaymentMethodID, customerID: CustomerID, type: String, token: String, returnURL: String,
        acceptance: Acceptance?
    ) {
        self.methodID = methodID
        self.customerID = customerID
        self.type = type
        self.token = token
        self.returnURL = returnURL
        self.acceptance = acceptance
    }
}

/// A provider's word on keeping a method.
package enum SaveMethodAnswer: Sendable, Equatable {
    case saved(SavedMethod)
    /// The customer must do something first; ``ProviderVault/saved(_:reference:)`` tells how it ended.
    case actionRequired(reference: String, NextAction)
    /// Under way.
    case pending(reference: String)
    case declined(ProviderDecline)
}

/// A method that a provider keeps.
package struct SavedMethod: Sendable, Equatable {
    /// What charges name it by.
    package let token: String
    /// The provider's name of the customer it belongs to.
    package let customer: String?
    /// `visa`; `nil` for what has no brand, and where the provider does not tell it.
    package let brand: String?
    package let last4: String?
    package let expMonth: Int?
    package let expYear: Int?
    /// The same for the same number within the provider's account.
    package let fingerprint: String?

    package init(
        token: String, customer: String?, brand: String?, last4: String?, expMonth: Int?, expYear: Int?,
        fingerprint: String?
    ) {
        self.token = token
        self.customer = customer
        self.brand = brand
        self.last4 = last4
        self.expMonth = expMonth
        self.expYear = expYear
        self.fingerprint = fingerprint
    }
}

/// What a provider says of a method that it holds.
package struct VaultedMethod: Sendable, Equatable {
    /// `card`, `sepa_debit`, `paypal`.
    package let type: String
    /// `nil` for anything else, and where the provider does not tell all of it.
    package let card: VaultedCard?

    package init(type: String, card: VaultedCard? = nil) {
        self.type = type
        self.card = card
    }
}

/// What is shown of a card; two that are equal in it count as one.
package struct VaultedCard: Sendable, Equatable {
    /// By the names of `CardNumber.brand`.
    package let brand: String
    package let last4: String
    package let expMonth: Int
    package let expYear: Int

    package init(brand: String, last4: String, expMonth: Int, expYear: Int) {
        self.brand = brand
        self.last4 = last4
        self.expMonth = expMonth
        self.expYear = expYear
    }
}
