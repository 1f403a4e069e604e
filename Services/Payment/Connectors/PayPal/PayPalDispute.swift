package import BillingCore
import JSON
import PaymentContract
import PaymentDomain

/// A dispute as PayPal has it: Customer Disputes v1 (the `dispute` schema of customer_disputes_v1.json).
package struct PayPalDispute: Sendable, Equatable {
    /// `PP-D-…`.
    package let id: String
    package let status: Status
    /// Whether buyer and seller still talk with each other, and PayPal has not been asked to decide.
    package let isInquiry: Bool
    package let outcome: Outcome?
    /// `MERCHANDISE_OR_SERVICE_NOT_RECEIVED`.
    package let reason: String
    /// What the buyer disputes.
    package let amount: Money
    /// What went back to the buyer in the end.
    package let refunded: Money?
    /// The capture.
    package let transaction: String
    /// `custom`: our payment, where PayPal tells it.
    package let custom: String?
    package let openedAt: Instant
    package let changedAt: Instant
    package let sellerDueBy: Instant?
    /// What stands beside evidence: ours has the response's id.
    package let notes: [String]

    package enum Status: String, Sendable, CaseIterable {
        case open = "OPEN"
        case waitingForBuyer = "WAITING_FOR_BUYER_RESPONSE"
        case waitingForSeller = "WAITING_FOR_SELLER_RESPONSE"
        case underReview = "UNDER_REVIEW"
        case resolved = "RESOLVED"
        case other = "OTHER"
    }

    private enum LifeCycle: String, CaseIterable {
        case inquiry = "INQUIRY"
        case chargeback = "CHARGEBACK"
        case preArbitration = "PRE_ARBITRATION"
        case arbitration = "ARBITRATION"
    }

    package enum Outcome: String, Sendable, CaseIterable {
        case buyerFavor = "RESOLVED_BUYER_FAVOUR"
        case sellerFavor = "RESOLVED_SELLER_FAVOUR"
        /// PayPal pays, out of its protection program.
        case withPayout = "RESOLVED_WITH_PAYOUT"
        case canceledByBuyer = "CANCELED_BY_BUYER"
        /// We gave in.
        case accepted = "ACCEPTED"
        case denied = "DENIED"
        /// Closed without a decision.
        case none = "NONE"

        /// Whether the buyer keeps our money.
        var isLost: Bool { self == .buyerFavor || self == .accepted }
    }

    /// Reads it strictly.
    /// - Throws: ``ProviderFault/unusable(_:)``.
    init(_ json: JSONValue) throws(ProviderFault) {
        let fields = PayPalFields(json, of: "dispute")
        id = try fields.text("dispute_id")
        guard Self.isID(id) else { throw .unusable("dispute.dispute_id") }
        status = try fields.word("status")
        let cycle: LifeCycle = try fields.word("dispute_life_cycle_stage")
        isInquiry = cycle == .inquiry
        let decided: JSONValue? = json["dispute_outcome"]
        outcome = try decided.map { (value) throws(ProviderFault) in
            try PayPalFields(value, of: "dispute_outcome").word("outcome_code")
        }
        guard (status == .resolved) == (outcome != nil) else { throw .unusable("dispute.dispute_outcome") }
        reason = try fields.text("reason")
        amount = try fields.money("dispute_amount")
        refunded = decided?["amount_refunded"].flatMap(PayPalFields.money)
        guard let transactions = json["disputed_transactions"]?.arrayValue, transactions.count == 1 else {
            throw .unusable("dispute.disputed_transactions")
        }
        transaction = try PayPalFields(transactions[0], of: "disputed_transaction").text("seller_transaction_id")
        custom = transactions[0]["custom"]?.stringValue
        openedAt = try Self.instant(json, "create_time")
        changedAt = try Self.instant(json, "update_time")
        sellerDueBy = json["seller_response_due_date"]?.stringValue.flatMap { Instant(rfc3339: $0) }
        notes = (json["evidences"]?.arrayValue ?? []).compactMap { $0["notes"]?.stringValue }
    }

    /// Whether text can be a dispute's id, and so stand in a path: `^[A-Za-z0-9-]+$`, at most 255.
    static func isID(_ text: String) -> Bool {
        (1...255).contains(text.utf8.count)
            && text.utf8.allSatisfy { PayPalWire.isLetterOrDigit($0) || $0 == UInt8(ascii: "-") }
    }

    /// A time of a dispute.
    static func instant(_ json: JSONValue, _ name: String) throws(ProviderFault) -> Instant {
        guard let instant = json[name]?.stringValue.flatMap({ Instant(rfc3339: $0) }) else {
            throw .unusable("dispute.\(name)")
        }
        return instant
    }
}

extension PayPalDispute {
    /// Where the dispute stands in common words. An inquiry takes no money itself, however it ends: what we give back
    /// for it is a refund, and what PayPal takes back a reversal, each of which is told by news of its own.
    var stage: DisputeStatus {
        if isInquiry { return outcome == nil ? .inquiry : .closed }
        guard let outcome else { return status == .waitingForSeller ? .needsResponse : .underReview }
        return outcome.isLost ? .lost : .won
    }

    /// The dispute in a provider's words. One that was lost in part is over what went back. What PayPal charges for it is a
    /// transaction of its own (T0106), and booked from that.
    var told: ProviderDispute {
        ProviderDispute(
            reference: id, taken: transaction, paymentID: custom.flatMap { PaymentID($0) },
            amount: stage == .lost ? refunded ?? amount : amount, fee: nil, reason: Self.reasons[reason] ?? "general",
            stage: stage, openedAt: openedAt, evidenceDueBy: status == .waitingForSeller ? sellerDueBy : nil,
            changedAt: changedAt)
    }

    private static let reasons: [String: String] = [
        "MERCHANDISE_OR_SERVICE_NOT_RECEIVED": "product_not_received",
        "MERCHANDISE_OR_SERVICE_NOT_AS_DESCRIBED": "product_unacceptable", "UNAUTHORISED": "fraudulent",
        "CREDIT_NOT_PROCESSED": "credit_not_processed", "DUPLICATE_TRANSACTION": "duplicate",
        "CANCELED_RECURRING_BILLING": "subscription_canceled", "INCORRECT_AMOUNT": "incorrect_amount",
        "PAYMENT_BY_OTHER_MEANS": "duplicate", "PROBLEM_WITH_REMITTANCE": "bank_cannot_process",
    ]
}

extension ProviderDispute {
    /// Reads PayPal's dispute strictly.
    /// - Throws: ``ProviderFault/unusable(_:)``.
    init(payPal json: JSONValue) throws(ProviderFault) { self = try PayPalDispute(json).told }
}
