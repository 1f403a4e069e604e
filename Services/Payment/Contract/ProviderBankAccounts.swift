package import BillingCore
package import PaymentDomain

/// A bank account as its holder gave it, for one call.
package struct BankAccount: Sendable {
    package let iban: IBAN
    package let holder: String
    package let email: String

    package init(iban: IBAN, holder: String, email: String) {
        self.iban = iban
        self.holder = holder
        self.email = email
    }
}

/// A provider that takes bank accounts from us, beside those entered on its own form.
package protocol ProviderBankAccounts: ProviderVault {
    /// Tells the provider of an account. Nothing is debited, and nothing can be before the method is saved: an account
    /// that was told and never saved is forgotten there.
    /// - Returns: What ``ProviderVault/save(_:)`` takes as the method's token.
    func token(of account: BankAccount, as method: PaymentMethodID) async throws(ProviderFault) -> String
}

extension PaymentProviders {
    /// A provider that takes bank accounts; `nil` for any other.
    package func bankAccounts(_ name: String) -> (any ProviderBankAccounts)? {
        beneath.first { $0.name == name } as? any ProviderBankAccounts
    }
}
