import BillingCore
import JSON
import PaymentContract

/// Words of PayPal's Customer Disputes v1.
enum PayPalDispute {
    /// Why the payer objects, in the networks' common words.
    static func reason(_ word: String) -> String {
        switch word {
        case "MERCHANDISE_OR_SERVICE_NOT_RECEIVED": "product_not_received"
        case "MERCHANDISE_OR_SERVICE_NOT_AS_DESCRIBED": "product_unacceptable"
        case "UNAUTHORISED": "fraudulent"
        case "CREDIT_NOT_PROCESSED": "credit_not_processed"
        case "DUPLICATE_TRANSACTION": "duplicate"
        case "CANCELED_RECURRING_BILLING": "subscription_canceled"
        default: "general"
        }
    }

    /// Where it stands: how it ended, else who is awaited, else how far it has gone.
    /// - Returns: `nil` for words that are not known.
    static func stage(status: String, lifeCycle: String, outcome: String?) -> ProviderDispute.Stage? {
        let isInquiry: Bool = lifeCycle == "INQUIRY"
        guard isInquiry || ["CHARGEBACK", "PRE_ARBITRATION", "ARBITRATION"].contains(lifeCycle) else { return nil }
        switch status {
        case "RESOLVED":
            switch outcome {
            case "RESOLVED_BUYER_FAVOUR", "ACCEPTED": return .lost
            case "RESOLVED_SELLER_FAVOUR", "RESOLVED_WITH_PAYOUT", "DENIED": return .won
            case "CANCELED_BY_BUYER", "NONE", nil: return isInquiry ? .closed : .won
            default: return nil
            }
        case "WAITING_FOR_SELLER_RESPONSE": return isInquiry ? .inquiry : .needsResponse
        case "OPEN", "WAITING_FOR_BUYER_RESPONSE", "UNDER_REVIEW", "OTHER": return isInquiry ? .inquiry : .underReview
        default: return nil
        }
    }
}

extension ProviderDispute {
    /// Reads PayPal's dispute strictly.
    /// - Throws: ``ProviderFault/unusable(_:)``.
    init(payPal json: JSONValue) throws(ProviderFault) {
        let fields = PayPalFields(json, of: "dispute")
        let reference: String = try fields.text("dispute_id")
        guard reference.utf8.count <= 255, reference.utf8.allSatisfy({ $0 > 0x20 && $0 < 0x7F }) else {
            throw .unusable("dispute.dispute_id")
        }
        guard let taken = json["disputed_transactions"]?[0]?["seller_transaction_id"]?.stringValue,
            PayPalWire.isID(taken)
        else { throw .unusable("dispute.disputed_transactions") }
        guard let openedAt = Instant(rfc3339: try fields.text("create_time")) else {
            throw .unusable("dispute.create_time")
        }
        let due: String? = json["seller_response_due_date"]?.stringValue
        let stage: Stage? = PayPalDispute.stage(
            status: try fields.text("status"), lifeCycle: try fields.text("dispute_life_cycle_stage"),
            outcome: json["dispute_outcome"]?["outcome_code"]?.stringValue)
        guard let stage else { throw .unusable("dispute.status") }
        self.init(
            reference: reference, taken: taken, amount: try fields.money("dispute_amount"), fee: nil,
            reason: PayPalDispute.reason(try fields.text("reason")), stage: stage, openedAt: openedAt,
            evidenceDueBy: due.flatMap { Instant(rfc3339: $0) })
    }
}
