package import PaymentContract
package import BillingCore

/// A customer's objection to a charge, raised with their bank.
package struct StripeDispute: Sendable, Equatable {
    /// How it stands, in Stripe's words.
    package enum Status: String, Sendable, CaseIterable {
        case warningNeedsResponse = "warning_needs_response"
        case warningUnderReview = "warning_under_review"
        case warningClosed = "warning_closed"
        case needsResponse = "needs_response"
        case underReview = "under_review"
        case appealNeedsResponse = "appeal_needs_response"
        case appealUnderReview = "appeal_under_review"
        case prevented
        case won
        case lost
    }

    /// `dp_…` or `du_…`.
    package let id: String
    package let status: Status
    /// `fraudulent`, `product_not_received`.
    package let reason: String
    package let amount: Money
    /// The Charge.
    package let charge: String
    /// The PaymentIntent: the reference charges are known by here.
    package let payment: String?
    package let created: Instant
    /// When evidence must be in; `nil` when none is awaited.
    package let evidenceDue: Instant?
    /// An inquiry: money has not been taken back, and a refund would end it.
    package let isRefundable: Bool
}

/// What can be brought forward against a dispute; the words are Stripe's. Those that end in `documentation`,
/// `communication`, `signature`, `receipt`, `policy` or `file` take the id of an uploaded file, the others text.
package enum StripeEvidence: String, Sendable, CaseIterable {
    case accessActivityLog = "access_activity_log"
    case billingAddress = "billing_address"
    case cancellationPolicy = "cancellation_policy"
    case cancellationPolicyDisclosure = "cancellation_policy_disclosure"
    case cancellationRebuttal = "cancellation_rebuttal"
    case customerCommunication = "customer_communication"
    case customerEmailAddress = "customer_email_address"
    case customerName = "customer_name"
    case customerPurchaseIP = "customer_purchase_ip"
    case customerSignature = "customer_signature"
    case duplicateChargeDocumentation = "duplicate_charge_documentation"
    case duplicateChargeExplanation = "duplicate_charge_explanation"
    case duplicateChargeID = "duplicate_charge_id"
    case productDescription = "product_description"
    case receipt
    case refundPolicy = "refund_policy"
    case refundPolicyDisclosure = "refund_policy_disclosure"
    case refundRefusalExplanation = "refund_refusal_explanation"
    case serviceDate = "service_date"
    case serviceDocumentation = "service_documentation"
    case shippingAddress = "shipping_address"
    case shippingCarrier = "shipping_carrier"
    case shippingDate = "shipping_date"
    case shippingDocumentation = "shipping_documentation"
    case shippingTrackingNumber = "shipping_tracking_number"
    case uncategorizedFile = "uncategorized_file"
    case uncategorizedText = "uncategorized_text"
}

extension StripeAdapter {
    /// Reads a dispute.
    /// - Returns: `nil` when Stripe knows none of that id.
    /// - Throws: ``ProviderFault``.
    package func dispute(_ id: String) async throws(ProviderFault) -> StripeDispute? {
        guard isStripeID(id), let fields = try await client.get("/v1/disputes/\(id)") else { return nil }
        let dispute = try StripeDispute(fields)
        guard dispute.id == id else { throw fields.unusable("id", "is another") }
        return dispute
    }

    /// Reads the disputes of a charge, newest first, at most 100.
    /// - Parameter payment: The PaymentIntent.
    /// - Throws: ``ProviderFault``.
    package func disputes(of payment: String) async throws(ProviderFault) -> [StripeDispute] {
        var form = StripeForm()
        form.add("payment_intent", .text(payment))
        form.add("limit", .integer(100))
        guard let page = try await client.get("/v1/disputes", form) else { return [] }
        var disputes: [StripeDispute] = []
        for fields in try page.list("data") { disputes.append(try StripeDispute(fields)) }
        return disputes
    }

    /// Hands in evidence.
    /// - Parameters:
    ///   - key: The same for the same evidence.
    ///   - isFinal: `true` sends it to the bank, after which there is no more; `false` keeps it at Stripe.
    /// - Returns: The dispute as it stands then.
    /// - Throws: ``ProviderFault``; `rejected` when the dispute is closed or the evidence is not accepted.
    package func submitEvidence(
        _ evidence: [StripeEvidence: String], for id: String, key: IdempotencyKey, isFinal: Bool
    ) async throws(ProviderFault) -> StripeDispute {
        guard isStripeID(id) else { throw .rejected(code: "reference_malformed") }
        var form = StripeForm()
        var brought = StripeForm()
        for kind in StripeEvidence.allCases { brought.add(kind.rawValue, evidence[kind]) }
        form.add("evidence", brought)
        form.add("submit", .flag(isFinal))
        let fields: StripeFields = try await client.write("/v1/disputes/\(id)", form, key: key.rawValue)
        let dispute = try StripeDispute(fields)
        guard dispute.id == id else { throw fields.unusable("id", "is another") }
        return dispute
    }
}

extension StripeDispute {
    /// Reads it strictly.
    /// - Throws: ``ProviderFault/unusable(_:)``.
    init(_ fields: StripeFields) throws(ProviderFault) {
        id = try fields.id(of: "dispute")
        guard let status = Status(rawValue: try fields.text("status")) else {
            throw fields.unusable("status", "is unknown")
        }
        self.status = status
        reason = try fields.text("reason")
        amount = try fields.money("amount")
        guard let charge = try fields.optionalReference("charge") else {
            throw fields.unusable("charge", "is missing")
        }
        self.charge = charge
        payment = try fields.optionalReference("payment_intent")
        created = try fields.instant("created")
        let due: Int64? = try fields.fields("evidence_details").optionalInteger("due_by")
        evidenceDue = due.map(Instant.init(seconds:))
        isRefundable = try fields.flag("is_charge_refundable")
    }
}
