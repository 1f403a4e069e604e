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
    /// What it has moved so far, in the settlement currency; negative while money is taken, `nil` before any has moved.
    package let moved: Money?
    /// When the last of the money moved; before that, when the dispute was made. Movements are only ever added, so a
    /// dispute that was read later tells no earlier time.
    package let changedAt: Instant
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
        let movements: [StripeFields] = try Self.movements(fields)
        fee = try Self.total("fee", of: movements)
        moved = try Self.total("amount", of: movements)
        var changedAt: Instant = created
        for movement in movements { changedAt = max(changedAt, try movement.instant("created")) }
        self.changedAt = changedAt
        let intent: StripeFields? = try fields.optionalFields("payment_intent")
        paymentID = try intent?.optionalFields("metadata")?.optionalText(StripeMetadata.payment).flatMap {
            PaymentID($0)
        }
        response = try fields.optionalFields("metadata")?.optionalText(StripeMetadata.response)
    }

    /// Its movements of the balance.
    private static func movements(_ fields: StripeFields) throws(ProviderFault) -> [StripeFields] {
        guard fields.value["balance_transactions"]?.arrayValue != nil else { return [] }
        return try fields.list("balance_transactions")
    }

    /// What movements come to by one of their amounts, in the settlement currency; `nil` for none.
    private static func total(_ name: String, of movements: [StripeFields]) throws(ProviderFault) -> Money? {
        var total: Money?
        for movement in movements {
            let amount: Money = try movement.money(name)
            do throws(MoneyError) {
                total = if let before = total { try before.adding(amount) } else { amount }
            } catch {
                throw movement.unusable(name, "does not add up")
            }
        }
        return total
    }
}
