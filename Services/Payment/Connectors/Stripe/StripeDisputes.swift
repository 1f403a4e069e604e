package import PaymentContract
package import BillingCore
import JSON

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
    /// What Stripe has charged for it less what it gave back; `nil` before any of the money has moved.
    package let fee: Money?
    /// Ours, where the PaymentIntent stands beside it and carries one.
    package let paymentID: PaymentID?
    /// The last response of ours that Stripe took.
    package let response: String?
}

extension StripeAdapter {
    /// Reads a dispute.
    /// - Returns: `nil` when Stripe knows none of that id.
    /// - Throws: ``ProviderFault``.
    package func dispute(_ id: String) async throws(ProviderFault) -> StripeDispute? {
        var form = StripeForm()
        form.add("expand", .list([.text("payment_intent")]))
        guard isStripeID(id), let fields = try await client.get("/v1/disputes/\(id)", form) else { return nil }
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
        fee = try Self.fee(fields)
        let intent: StripeFields? = try fields.optionalFields("payment_intent")
        paymentID = try intent?.optionalFields("metadata")?.optionalText(StripeMetadata.payment).flatMap {
            PaymentID($0)
        }
        response = try fields.optionalFields("metadata")?.optionalText(StripeMetadata.response)
    }

    /// The fees of its movements of the balance, in the settlement currency.
    private static func fee(_ fields: StripeFields) throws(ProviderFault) -> Money? {
        guard fields.value["balance_transactions"]?.arrayValue != nil else { return nil }
        var fee: Money?
        for movement in try fields.list("balance_transactions") {
            let charged: Money = try movement.money("fee")
            do throws(MoneyError) {
                fee = if let before = fee { try before.adding(charged) } else { charged }
            } catch {
                throw movement.unusable("fee", "does not add up")
            }
        }
        return fee
    }
}
