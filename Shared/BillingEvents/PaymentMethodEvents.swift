public import BillingCore
public import JSON

/// A customer can be charged through this method from now on.
public struct PaymentMethodAttachedV1: EventBody, Equatable {
    /// Its wire name.
    public static let type = "payment_method.attached.v1"
    /// Where it is published.
    public static let topic = Topic.payments

    /// The payment method.
    public let paymentMethodID: PaymentMethodID
    /// The customer.
    public let customerID: CustomerID
    /// Card brand, or the kind of method for what has no brand.
    public let brand: String
    /// Last four digits, where there are any.
    public let last4: String?
    /// Expiry month of a card.
    public let expMonth: Int64?
    /// Expiry year of a card.
    public let expYear: Int64?
    /// Same for the same card, says nothing of its number.
    public let fingerprint: String
    /// Whether renewals use it.
    public let isDefault: Bool
    /// Whether its customer agreed to later charges alone, so that what is unpaid already is not collected with it at once;
    /// `nil` where that is not said.
    public let isForLater: Bool?

    /// The whole fact.
    public init(
        paymentMethodID: PaymentMethodID, customerID: CustomerID, brand: String, last4: String?, expMonth: Int64?,
        expYear: Int64?, fingerprint: String, isDefault: Bool, isForLater: Bool? = nil
    ) {
        self.paymentMethodID = paymentMethodID
        self.customerID = customerID
        self.brand = brand
        self.last4 = last4
        self.expMonth = expMonth
        self.expYear = expYear
        self.fingerprint = fingerprint
        self.isDefault = isDefault
        self.isForLater = isForLater
    }

    /// Reads the fields.
    public init(_ f: inout InputFields) {
        paymentMethodID = f.id("payment_method_id", as: PaymentMethodID.self)
        customerID = f.id("customer_id", as: CustomerID.self)
        brand = f.string("brand", doc: "Card brand, or the kind of method for what has no brand")
        last4 = f.optionalString("last4", doc: "Last four digits, where there are any")
        expMonth = f.optionalInt("exp_month", doc: "Expiry month of a card")
        expYear = f.optionalInt("exp_year", doc: "Expiry year of a card")
        fingerprint = f.string("fingerprint", doc: "Same for the same card, says nothing of its number")
        isDefault = f.bool("is_default", doc: "Whether renewals use it")
        isForLater = f.optionalBool(
            "is_for_later",
            doc: "true: its customer agreed to later charges alone; what is unpaid is not collected with it at once")
    }

    /// Writes the fields.
    public func write(to o: inout ObjectWriter) {
        o.field("payment_method_id", paymentMethodID.rawValue)
        o.field("customer_id", customerID.rawValue)
        o.field("brand", brand)
        o.field("last4", last4)
        o.field("exp_month", expMonth)
        o.field("exp_year", expYear)
        o.field("fingerprint", fingerprint)
        o.field("is_default", isDefault)
        o.field("is_for_later", isForLater)
    }

    /// An example for documents.
    public static var sample: Self {
        Self(
            paymentMethodID: .sample, customerID: .sample, brand: "visa", last4: "4242", expMonth: 12, expYear: 2030,
            fingerprint: "5f2a8c", isDefault: true)
    }
}
