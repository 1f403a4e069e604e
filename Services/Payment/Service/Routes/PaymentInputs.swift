import BillingCore
import HTTPKit
package import JSON
import PaymentDomain
import PaymentRecords

/// `POST /v1/payments`.
package struct CreatePaymentInput: JSONInput {
    let amount: Money
    let customerID: CustomerID
    let paymentMethodID: PaymentMethodID?
    let captureMethod: CaptureMethod
    let description: String?
    let metadataJSON: String

    package init(_ f: inout InputFields) {
        amount = f.positiveMoney("amount", doc: "Minor units of the currency: 999 is 9.99 USD and 999 JPY")
        customerID = f.id("customer_id", as: CustomerID.self)
        paymentMethodID = f.optionalID(
            "payment_method_id", as: PaymentMethodID.self, doc: "The customer's default when left out")
        captureMethod = f.enumeration(
            "capture_method", of: CaptureMethod.self, default: .automatic,
            doc: "manual: the money is held until it is captured or cancelled")
        description = f.optionalString("description", max: 500, doc: "For people")
        metadataJSON = Metadata.encode(f.metadata())
    }
}

/// `POST /v1/payments/{id}/capture`.
package struct CapturePaymentInput: JSONInput {
    let amount: Int64?
    let isFinal: Bool

    package init(_ f: inout InputFields) {
        amount = f.optionalInt("amount", range: 1...Int64.max, doc: "Minor units; all that is held when left out")
        isFinal = f.bool(
            "final", default: true, doc: "Whether the rest is released; false keeps it for further captures")
    }
}

/// `POST /v1/payments/{id}/confirm`.
struct ConfirmPaymentInput: JSONInput {
    /// How the sandbox's challenge ended.
    enum Challenge: String, CaseIterable, Sendable { case passed, failed }

    let challenge: Challenge

    init(_ f: inout InputFields) {
        challenge = f.enumeration("challenge", of: Challenge.self, doc: "How the customer's authentication ended")
    }
}

/// `POST /v1/payment_methods`.
package struct CreatePaymentMethodInput: JSONInput {
    enum Kind: String, CaseIterable, Sendable { case card }

    let customerID: CustomerID
    let card: CardInput
    let isDefault: Bool

    package init(_ f: inout InputFields) {
        customerID = f.id("customer_id", as: CustomerID.self)
        _ = f.enumeration("type", of: Kind.self, doc: "The kind of method")
        card = f.object("card", as: CardInput.self, doc: "The card; the number is handed to the provider and not kept")
        isDefault = f.bool("default", default: true, doc: "Whether renewals use it from now on")
    }
}

/// A card as given.
struct CardInput: JSONInput {
    let number: CardNumber
    let expMonth: Int
    let expYear: Int

    init(_ f: inout InputFields) {
        let schema: JSONValue = JSONSchema.string(min: 12, max: 23)
        number = f.required("number", schema: schema, placeholder: Self.placeholder, doc: "12 to 19 digits") { value in
            guard let text: String = value.stringValue else {
                return .failure(Fault(code: FaultCode.invalidType, message: "must be a string"))
            }
            guard let number = CardNumber(text) else {
                return .failure(Fault(code: "invalid_card_number", message: "is not a card number"))
            }
            return .success(number)
        }
        expMonth = Int(f.int("exp_month", range: 1...12, doc: "1 to 12"))
        expYear = Int(f.int("exp_year", range: 2000...2100, doc: "Four digits"))
        let code: String = f.string("cvc", min: 3, max: 4, doc: "Three or four digits; never kept")
        if !f.isDescribing, !f.hasFaults, !code.utf8.allSatisfy({ (48...57).contains($0) }) {
            f.refuse("cvc", code: "invalid_cvc", message: "must be three or four digits")
        }
    }

    /// Whether the month printed on the card is over everywhere on Earth.
    func isExpired(at now: Instant) -> Bool {
        let today: CivilDate = CivilDate(dayNumber: Int((now.seconds - 43_200) / 86_400))
        return (expYear, expMonth) < (today.year, today.month)
    }

    private static var placeholder: CardNumber {
        guard let number = CardNumber("4242424242424242") else { preconditionFailure("the test card is a card number") }
        return number
    }
}

/// `POST /v1/refunds`.
package struct CreateRefundInput: JSONInput {
    let paymentID: PaymentID
    let amount: Int64?
    let reason: String?

    package init(_ f: inout InputFields) {
        paymentID = f.id("payment_id", as: PaymentID.self)
        amount = f.optionalInt("amount", range: 1...Int64.max, doc: "Minor units; all that is left when left out")
        reason = f.optionalString("reason", max: 500, doc: "For people")
    }
}
