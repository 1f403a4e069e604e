package import PaymentContract
package import BillingCore
import JSON

/// An order as PayPal has it: one purchase unit, since the connector makes no other.
package struct PayPalOrder: Sendable, Equatable {
    /// How far it has come.
    package enum Status: String, Sendable {
        case created = "CREATED"
        case saved = "SAVED"
        case approved = "APPROVED"
        case voided = "VOIDED"
        case completed = "COMPLETED"
        case payerActionRequired = "PAYER_ACTION_REQUIRED"
    }

    /// PayPal's id.
    package let id: String
    /// `CAPTURE` or `AUTHORIZE`.
    package let intent: String
    /// How far it has come.
    package let status: Status
    /// What is asked of the payer.
    package let amount: Money
    /// Our payment and our attempt, as text.
    package let ours: PayPalOurIDs
    /// Whether what its payer approves is captured, and not held.
    var isTakenAtOnce: Bool { intent == "CAPTURE" }
    /// What was taken.
    package let captures: [PayPalCapture]
    /// What was authorized.
    package let authorizations: [PayPalAuthorization]
    /// Where the payer has to go; `nil` when nothing is left to do there.
    package let payerAction: String?
    /// How PayPal has had a card's customer authenticated; `nil` where it has not, or does not tell.
    package internal(set) var authentication: ProviderAuthentication?
    /// The brand of the card it was paid with, by the names of `CardNumber.brand`; `nil` where PayPal does not tell.
    package let cardBrand: String?

    init(_ json: JSONValue) throws(ProviderFault) {
        let fields = PayPalFields(json, of: "order")
        id = try fields.id()
        intent = try fields.text("intent")
        status = try fields.word("status")
        let units: [JSONValue] = json["purchase_units"]?.arrayValue ?? []
        guard units.count == 1 else { throw .unusable("order.purchase_units") }
        let unit = PayPalFields(units[0], of: "purchase_unit")
        amount = try unit.money("amount")
        ours = PayPalOurIDs(units[0])
        captures = try unit.list("payments", "captures") { (item) throws(ProviderFault) in try PayPalCapture(item) }
        authorizations = try unit.list("payments", "authorizations") { (item) throws(ProviderFault) in
            try PayPalAuthorization(item)
        }
        payerAction = fields.link("payer-action") ?? fields.link("approve")
        // A printed card out of Google Pay is authenticated like one that was entered.
        let source: JSONValue? = json["payment_source"]
        let card: JSONValue? = source?["card"] ?? source?["google_pay"]?["card"]
        authentication = ProviderAuthentication(paypal: card?["authentication_result"])
        cardBrand = PayPalFields.brand(card ?? source?["apple_pay"]?["card"])
    }
}

/// The ids of ours that PayPal carries along.
package struct PayPalOurIDs: Sendable, Equatable {
    /// `custom_id`: the payment.
    package let customID: String?
    /// `invoice_id`: the attempt of an order, the id of a capture or a refund.
    package let invoiceID: String?

    init(_ json: JSONValue) {
        customID = json["custom_id"]?.stringValue
        invoiceID = json["invoice_id"]?.stringValue
    }
}

/// An authorization as PayPal has it.
package struct PayPalAuthorization: Sendable, Equatable {
    /// What holds of it.
    package enum Status: String, Sendable {
        case created = "CREATED"
        case captured = "CAPTURED"
        case denied = "DENIED"
        case partiallyCaptured = "PARTIALLY_CAPTURED"
        case voided = "VOIDED"
        case pending = "PENDING"
    }

    /// PayPal's id.
    package let id: String
    /// What holds of it.
    package let status: Status
    /// Why it is pending or denied, where PayPal says so.
    package let reason: String?
    /// The amount held.
    package let amount: Money
    /// Our payment and our attempt, as text.
    package let ours: PayPalOurIDs
    /// The card network's id of the transaction, for later charges.
    package let networkTransactionID: String?
    /// When PayPal lets go of it; `nil` where it does not say.
    package let expiresAt: Instant?
    /// PayPal's id of the order it came out of, where it says so.
    let order: String?
    /// PayPal's code for the card processor's answer: `5120`.
    package let processorCode: String?
    /// The card network's advice on another attempt: `03`.
    package let adviceCode: String?

    init(_ json: JSONValue) throws(ProviderFault) {
        let fields = PayPalFields(json, of: "authorization")
        id = try fields.id()
        status = try fields.word("status")
        reason = fields.reason
        amount = try fields.money("amount")
        ours = PayPalOurIDs(json)
        networkTransactionID = fields.networkTransactionID
        expiresAt = json["expiration_time"]?.stringValue.flatMap { Instant(rfc3339: $0) }
        order = fields.order
        processorCode = PayPalFields.code(json["processor_response"]?["response_code"])
        adviceCode = PayPalFields.code(json["processor_response"]?["payment_advice_code"])
    }
}

/// A capture as PayPal has it.
package struct PayPalCapture: Sendable, Equatable {
    /// What holds of it.
    package enum Status: String, Sendable {
        case completed = "COMPLETED"
        case declined = "DECLINED"
        case partiallyRefunded = "PARTIALLY_REFUNDED"
        case pending = "PENDING"
        case refunded = "REFUNDED"
        case failed = "FAILED"
    }

    /// PayPal's id.
    package let id: String
    /// What holds of it.
    package let status: Status
    /// Why it is pending or declined, where PayPal says so.
    package let reason: String?
    /// The amount taken.
    package let amount: Money
    /// What PayPal keeps of it; `nil` where it does not say. For the books, not for decisions.
    package let fee: Money?
    /// Our payment, and our attempt or our capture, as text.
    package let ours: PayPalOurIDs
    /// PayPal's code for the card processor's answer: `5120`.
    package let processorCode: String?
    /// The card network's advice on another attempt: `03`.
    package let adviceCode: String?
    /// The card network's id of the transaction, for later charges.
    package let networkTransactionID: String?
    /// PayPal's id of the authorization or order it came out of, where it says so.
    let parent: String?
    /// PayPal's id of the order it came out of, where it says so.
    let order: String?

    init(_ json: JSONValue) throws(ProviderFault) {
        let fields = PayPalFields(json, of: "capture")
        id = try fields.id()
        status = try fields.word("status")
        reason = fields.reason
        amount = try fields.money("amount")
        fee = json["seller_receivable_breakdown"]?["paypal_fee"].flatMap(PayPalFields.money)
        ours = PayPalOurIDs(json)
        processorCode = PayPalFields.code(json["processor_response"]?["response_code"])
        adviceCode = PayPalFields.code(json["processor_response"]?["payment_advice_code"])
        networkTransactionID = fields.networkTransactionID
        parent = fields.parent
        order = fields.order
    }
}

/// A refund as PayPal has it.
package struct PayPalRefund: Sendable, Equatable {
    /// What holds of it.
    package enum Status: String, Sendable {
        case cancelled = "CANCELLED"
        case failed = "FAILED"
        case pending = "PENDING"
        case completed = "COMPLETED"
    }

    /// PayPal's id.
    package let id: String
    /// What holds of it.
    package let status: Status
    /// Why it is pending, where PayPal says so.
    package let reason: String?
    /// The amount given back.
    package let amount: Money
    /// Our refund, as text.
    package let ours: PayPalOurIDs
    /// PayPal's id of the capture it came out of, where it says so.
    let parent: String?

    init(_ json: JSONValue) throws(ProviderFault) {
        let fields = PayPalFields(json, of: "refund")
        id = try fields.id()
        status = try fields.word("status")
        reason = fields.reason
        amount = try fields.money("amount")
        ours = PayPalOurIDs(json)
        parent = fields.parent
    }
}
