import BillingCore
import HTTPKit
package import JSON
import PaymentContract
import PaymentDomain
import PaymentRecords
import PaymentWallets

/// `POST /v1/payments`.
package struct CreatePaymentInput: JSONInput {
    let amount: Money
    let customerID: CustomerID
    let paymentMethodID: PaymentMethodID?
    let page: PageMethodInput?
    /// Where the customer comes back to from a page.
    let returnURL: String?
    let captureMethod: CaptureMethod
    /// Whether it is charged at once.
    let isConfirmed: Bool
    /// How the customer agreed to later charges of the method without them; `nil` where they did not.
    let acceptance: AcceptanceInput?
    /// Whether nobody is there to authenticate.
    let offSession: Bool
    let description: String?
    let metadataJSON: String

    package init(_ f: inout InputFields) {
        amount = f.positiveMoney("amount", doc: "Minor units of the currency: 999 is 9.99 USD and 999 JPY")
        customerID = f.id("customer_id", as: CustomerID.self)
        paymentMethodID = f.optionalID(
            "payment_method_id", as: PaymentMethodID.self, doc: "The customer's default when left out")
        returnURL = f.optionalString("return_url", max: 2_000, doc: MethodFields.returnURL)
        page = PageMethodInput(&f)
        captureMethod = f.enumeration(
            "capture_method", of: CaptureMethod.self, default: .automatic,
            doc: "manual: the money is held until it is captured or cancelled")
        isConfirmed = f.bool(
            "confirm", default: true,
            doc: "false: it is only recorded, and charged when /v1/payments/{id}/confirm says so, and how")
        acceptance = f.optionalObject(
            "acceptance", as: AcceptanceInput.self, doc: MethodFields.acceptance)
        offSession = f.bool("off_session", default: false, doc: MethodFields.offSession)
        description = f.optionalString("description", max: 500, doc: "For people")
        metadataJSON = Metadata.encode(f.metadata())
        guard !f.isDescribing else { return }
        if page != nil, returnURL == nil, !f.isFaulty("return_url") {
            f.refuse("return_url", code: FaultCode.required, message: "is needed with payment_method_type")
        }
        MethodFields.check(&f, paymentMethodID, page, acceptance, offSession: offSession, returnURL: returnURL)
        guard !isConfirmed else { return }
        for (name, isGiven) in [
            ("payment_method_type", page != nil), ("acceptance", acceptance != nil), ("off_session", offSession),
        ] where isGiven {
            f.refuse(name, code: "conflicting_fields", message: "is said when the payment is confirmed")
        }
    }
}

/// What is said of the method with a charge.
private enum MethodFields {
    static let returnURL =
        "Where the customer comes back to from a provider's page or an authentication; https, or http on loopback"
    static let acceptance = "How the customer agreed to later charges of the method without them: kept as its mandate"
    static let offSession =
        "Whether the customer is away: a kept method is charged, and a bank that asks for them has declined"

    /// Refuses what does not go together.
    static func check(
        _ f: inout InputFields, _ method: PaymentMethodID?, _ page: PageMethodInput?, _ acceptance: AcceptanceInput?,
        offSession: Bool, returnURL: String?
    ) {
        if method != nil, page != nil {
            f.refuse(
                "payment_method_type", code: "conflicting_fields", message: "stands in the place of payment_method_id")
        }
        if acceptance != nil, page != nil {
            f.refuse("acceptance", code: "conflicting_fields", message: "goes with a method that is used again")
        }
        if offSession, page != nil || acceptance != nil {
            f.refuse(
                "off_session", code: "conflicting_fields",
                message: "must be false with payment_method_type and acceptance: the customer is there")
        }
        if let returnURL, WebAddress(returnURL) == nil {
            f.refuse("return_url", code: "invalid_url", message: "must be an https address, or http on loopback")
        }
    }
}

/// A method that the customer uses once, on a page of its provider's.
struct PageMethodInput {
    /// `paypal`, `klarna`, `ideal`.
    let type: String
    let payer: PayerInput?

    /// `nil` when the request names none.
    init?(_ f: inout InputFields) {
        let type: String? = f.optionalString(
            "payment_method_type", min: 1, max: 40,
            doc: "A method used once, on its provider's page: paypal, klarna, ideal; in the place of payment_method_id")
        payer = f.optionalObject(
            "payer", as: PayerInput.self,
            doc: "Who pays, as far as the method asks for it; the customer's country counts when left out")
        guard let type else {
            if !f.isDescribing, payer != nil, !f.isFaulty("payment_method_type") {
                f.refuse("payer", code: "conflicting_fields", message: "goes with payment_method_type")
            }
            return nil
        }
        self.type = type
    }
}

/// Who pays.
struct PayerInput: JSONInput {
    let payer: ChargePayer

    init(_ f: inout InputFields) {
        payer = ChargePayer(
            name: f.optionalString("name", min: 1, max: 200), email: f.optionalString("email", min: 3, max: 320),
            country: f.string("country", min: 2, max: 2, doc: "ISO 3166, two capital letters"),
            line1: f.optionalString("line1", min: 1, max: 200), city: f.optionalString("city", min: 1, max: 200),
            postalCode: f.optionalString("postal_code", min: 1, max: 20))
        if !f.isDescribing, !payer.country.utf8.allSatisfy({ (65...90).contains($0) }) {
            f.refuse("country", code: "invalid_country", message: "must be two capital letters")
        }
    }
}

/// `POST /v1/payments/{id}/capture`.
package struct CapturePaymentInput: JSONInput {
    let amount: Int64?
    let isFinal: Bool

    package init(_ f: inout InputFields) {
        amount = f.optionalInt(
            "amount", range: 1...InputFields.largestAmount, doc: "Minor units; all that is held when left out")
        isFinal = f.bool(
            "final", default: true, doc: "Whether the rest is released; false keeps it for further captures")
    }
}

/// `POST /v1/payments/{id}/confirm`.
package struct ConfirmPaymentInput: JSONInput {
    /// How the sandbox's challenge ended.
    enum Challenge: String, CaseIterable, Sendable { case passed, failed }

    let challenge: Challenge?
    let paymentMethodID: PaymentMethodID?
    let page: PageMethodInput?
    /// Where the customer comes back to from a page; what was said before counts when left out.
    let returnURL: String?
    /// How the customer agreed to later charges of the method without them; `nil` where they did not.
    let acceptance: AcceptanceInput?
    /// Whether nobody is there to authenticate.
    let offSession: Bool

    package init(_ f: inout InputFields) {
        challenge = f.optionalEnumeration(
            "challenge", of: Challenge.self,
            doc: "How the sandbox's authentication ended; without it and a method: try again with the customer there")
        paymentMethodID = f.optionalID(
            "payment_method_id", as: PaymentMethodID.self,
            doc:
                "Left out: what the payment was recorded with, then the customer's default. A failed one is tried with it"
        )
        returnURL = f.optionalString("return_url", max: 2_000, doc: MethodFields.returnURL)
        page = PageMethodInput(&f)
        acceptance = f.optionalObject("acceptance", as: AcceptanceInput.self, doc: MethodFields.acceptance)
        offSession = f.bool("off_session", default: false, doc: MethodFields.offSession)
        guard !f.isDescribing else { return }
        MethodFields.check(&f, paymentMethodID, page, acceptance, offSession: offSession, returnURL: returnURL)
        guard challenge != nil else { return }
        for name in [namesMethod ? (page == nil ? "payment_method_id" : "payment_method_type") : nil, idleField] {
            guard let name else { continue }
            f.refuse(name, code: "conflicting_fields", message: "does not go with challenge")
        }
    }

    /// Whether a method is named.
    var namesMethod: Bool { paymentMethodID != nil || page != nil }

    /// What is said of a charge by another method; `nil` where nothing is.
    var idleField: String? {
        if acceptance != nil { return "acceptance" }
        if offSession { return "off_session" }
        return returnURL == nil ? nil : "return_url"
    }
}

/// `POST /v1/payment_methods`.
package struct CreatePaymentMethodInput: JSONInput {
    let customerID: CustomerID
    let type: String
    let card: CardInput?
    let wallet: WalletInput?
    let kept: KeptMethodInput?
    /// How the customer agreed to charges without them; `nil` where they did not.
    let acceptance: AcceptanceInput?
    let isDefault: Bool

    package init(_ f: inout InputFields) {
        customerID = f.id("customer_id", as: CustomerID.self)
        type = f.string(
            "type", min: 1, max: 40, doc: "card, or a kind that a provider keeps: sepa_debit, paypal, google_pay")
        card = f.optionalObject(
            "card", as: CardInput.self, doc: "The sandbox's cards; the number is handed to the provider and not kept")
        wallet = f.optionalObject(
            "wallet", as: WalletInput.self, doc: "A wallet's token; its card is used by one payment and never a default"
        )
        kept = KeptMethodInput(&f)
        acceptance = f.optionalObject(
            "acceptance", as: AcceptanceInput.self,
            doc: "How the customer agreed to charges without them: kept as the method's mandate; bank debits ask for it"
        )
        isDefault = f.bool("default", default: true, doc: "Whether renewals use it from now on")
        guard !f.isDescribing else { return }
        if wallet != nil, acceptance != nil {
            f.refuse("acceptance", code: "conflicting_fields", message: "goes with a method that is charged again")
        }
        // What is faulty is there, too.
        let hasWallet: Bool = wallet != nil || f.isFaulty("wallet")
        let isKept: Bool = kept != nil || f.isFaulty("provider") || f.isFaulty("token")
        let given: Int = [card != nil || f.isFaulty("card"), hasWallet, isKept].filter { $0 }.count
        if given > 1 {
            f.refuse(
                hasWallet ? "wallet" : "card", code: "conflicting_fields",
                message: "stands in the place of any other method")
        } else if f.isFaulty("type") {
            return
        } else if given == 0 {
            f.refuse(
                type == "card" ? "card" : "token", code: FaultCode.required,
                message: "is needed: a card, a wallet's token, or provider and token")
        } else if !isKept, type != "card" {
            f.refuse("type", code: FaultCode.unknownValue, message: "must be card beside a card or a wallet")
        }
    }
}

/// A wallet's token, as the wallet gave it.
struct WalletInput: JSONInput {
    let type: Wallet
    let token: JSONValue

    init(_ f: inout InputFields) {
        type = f.enumeration("type", of: Wallet.self, doc: "Whose token it is")
        let given: JSONValue? = f.json(
            "token", doc: "Google Pay's tokenizationData.token as JSON, Apple Pay's paymentData: used once")
        token = given ?? .null
        if !f.isDescribing, given?.objectValue == nil {
            f.refuse("token", code: FaultCode.required, message: "is needed: the wallet's token, a JSON object")
        }
    }
}

/// A method that a provider keeps: what the provider's own form gave for it.
struct KeptMethodInput {
    let provider: String
    let token: String
    let returnURL: String

    /// `nil` when the request names none.
    init?(_ f: inout InputFields) {
        let provider: String? = f.optionalString(
            "provider", min: 1, max: 40, doc: "Who keeps the method: stripe, paypal")
        let token: String? = f.optionalString(
            "token", min: 1, max: 255,
            doc: "What the provider's form gave for the method, or a wallet's sheet for the provider: tok_…, pm_…")
        let url: String? = f.optionalString(
            "return_url", max: 2_000, doc: "Where the customer comes back to when the bank wants to see them")
        guard provider != nil || token != nil else {
            if url != nil, !f.isDescribing, !f.isFaulty("provider"), !f.isFaulty("token") {
                f.refuse("return_url", code: "conflicting_fields", message: "goes with provider and token")
            }
            return nil
        }
        self.provider = provider ?? ""
        self.token = token ?? ""
        returnURL = url ?? ""
        guard !f.isDescribing else { return }
        if provider == nil, !f.isFaulty("provider") {
            f.refuse("provider", code: FaultCode.required, message: "is needed with token")
        }
        if token == nil, !f.isFaulty("token") {
            f.refuse("token", code: FaultCode.required, message: "is needed with provider")
        }
        if let url, WebAddress(url) == nil {
            f.refuse("return_url", code: "invalid_url", message: "must be an https address, or http on loopback")
        }
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
        if !f.isDescribing, !code.utf8.allSatisfy({ (48...57).contains($0) }) {
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
        amount = f.optionalInt(
            "amount", range: 1...InputFields.largestAmount,
            doc: "Minor units; all that is left when left out. A refund lies within one capture")
        reason = f.optionalString("reason", max: 500, doc: "For people")
        guard !f.isDescribing, let reason, OwnRefund.reasons.contains(reason) else { return }
        f.refuse("reason", code: "reserved", message: "is a reason that only the service itself gives")
    }
}
