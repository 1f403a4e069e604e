package import JSON
import PaymentContract
import PaymentDomain
import PaymentLinks

/// `POST /pay/{code}/bank_account`.
package struct LinkAccountInput: JSONInput {
    let session: LinkSession
    let account: BankAccount
    let language: PageLanguage

    package init(_ f: inout InputFields) {
        session = f.linkSession()
        account =
            f.object(
                "bank_account", as: BankAccountInput.self, doc: "The account; its number is handed to the provider"
            ).account
        language =
            f.object("mandate", as: MandateInput.self, doc: "How the holder agreed to be debited").language
    }
}

/// A bank account as its holder gave it.
struct BankAccountInput: JSONInput {
    let account: BankAccount

    init(_ f: inout InputFields) {
        let schema: JSONValue = JSONSchema.string(min: 15, max: 42)
        let iban: IBAN = f.required("iban", schema: schema, placeholder: Self.placeholder, doc: "ISO 13616") { value in
            do throws(IBAN.Fault) {
                return .success(try IBAN(value.stringValue ?? ""))
            } catch {
                let isAbroad: Bool = error == .country
                return .failure(
                    Fault(
                        code: error.rawValue,
                        message: isAbroad ? "is of a country that cannot be debited" : "is not an IBAN"))
            }
        }
        let holder: String = f.string("name", min: 1, max: 70, doc: "The account's holder")
        let email: String = f.string("email", min: 3, max: 320, doc: "Where the provider's notice of the debit goes")
        account = BankAccount(iban: iban, holder: holder, email: email)
        if !f.isDescribing, !f.isFaulty("email"), !ChargePayer.isMailbox(email) {
            f.refuse("email", code: "invalid_email", message: "must be an e-mail address")
        }
    }

    private static var placeholder: IBAN {
        do { return try IBAN("DE89370400440532013000") } catch { preconditionFailure("the example is an IBAN") }
    }
}

/// How a holder agreed.
struct MandateInput: JSONInput {
    let language: PageLanguage

    init(_ f: inout InputFields) {
        language = f.accepted(code: "mandate_not_accepted", doc: "true: without it nothing is kept")
    }
}
