package import BillingCore
package import PaymentContract
import PaymentDomain

extension StripeAdapter: ProviderBankAccounts {
    /// Creates a PaymentMethod of the kind `sepa_debit`.
    package func token(
        of account: BankAccount, as method: PaymentMethodID
    ) async throws(ProviderFault) -> String {
        var debit = StripeForm()
        debit.add("iban", .text(account.iban.text))
        var details = StripeForm()
        details.add("name", .text(account.holder))
        details.add("email", .text(account.email))
        var form = StripeForm()
        form.add("type", .text("sepa_debit"))
        form.add("sepa_debit", debit)
        form.add("billing_details", details)
        let fields: StripeFields = try await client.write("/v1/payment_methods", form, key: "\(method):account")
        guard try fields.text("type") == "sepa_debit" else { throw fields.unusable("type", "is another") }
        let told: StripeFields = try fields.fields("sepa_debit")
        guard try told.text("last4") == account.iban.last4 else {
            throw told.unusable("last4", "is of another account")
        }
        return try fields.id(of: "payment_method")
    }
}
