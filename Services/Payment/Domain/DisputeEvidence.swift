/// One kind of evidence against a dispute; the words are those of Stripe's API, which other providers' map to.
public enum EvidenceField: String, Sendable, CaseIterable, Comparable {
    case accessActivityLog = "access_activity_log"
    case billingAddress = "billing_address"
    case cancellationPolicyDisclosure = "cancellation_policy_disclosure"
    case cancellationRebuttal = "cancellation_rebuttal"
    case customerEmailAddress = "customer_email_address"
    case customerName = "customer_name"
    case customerPurchaseIP = "customer_purchase_ip"
    case duplicateChargeExplanation = "duplicate_charge_explanation"
    case productDescription = "product_description"
    case refundPolicyDisclosure = "refund_policy_disclosure"
    case refundRefusalExplanation = "refund_refusal_explanation"
    case serviceDate = "service_date"
    case shippingAddress = "shipping_address"
    case shippingCarrier = "shipping_carrier"
    case shippingDate = "shipping_date"
    case shippingTrackingNumber = "shipping_tracking_number"
    case uncategorizedText = "uncategorized_text"

    /// How many characters it may have.
    public var maxLength: Int {
        switch self {
        case .accessActivityLog, .cancellationPolicyDisclosure, .cancellationRebuttal, .duplicateChargeExplanation,
            .productDescription, .refundPolicyDisclosure, .refundRefusalExplanation, .uncategorizedText:
            20_000
        default: 5_000
        }
    }

    /// By name.
    public static func < (left: EvidenceField, right: EvidenceField) -> Bool { left.rawValue < right.rawValue }
}

/// What is brought forward against a dispute.
public struct DisputeEvidence: Hashable, Sendable {
    /// How many characters all of it may have (docs.stripe.com/api/disputes/update: the combined count is 150,000).
    public static let maxLength = 150_000

    /// The texts by kind; none is empty.
    public let texts: [EvidenceField: String]

    /// Keeps the texts that are not empty.
    public init(_ texts: [EvidenceField: String] = [:]) { self.texts = texts.filter { !$0.value.isEmpty } }

    /// Whether there is none.
    public var isEmpty: Bool { texts.isEmpty }

    /// How many characters all of it has.
    public var length: Int { texts.values.reduce(0) { $0 + $1.unicodeScalars.count } }

    /// With another's texts in place of those of the same kinds; an empty text takes one away.
    public func with(_ changes: [EvidenceField: String]) -> DisputeEvidence {
        DisputeEvidence(texts.merging(changes) { _, new in new })
    }
}
