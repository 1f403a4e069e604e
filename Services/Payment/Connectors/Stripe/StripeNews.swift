import PaymentDomain
import BillingCore
package import PaymentContract
import JSON

/// Reads Stripe's webhooks. Of an event's object only ids, amounts and states are read: event objects are rendered in the
/// API version of the webhook endpoint, which need not be ours.
package struct StripeNews: NewsReader {
    /// What kinds of events are about, by the beginning of their names.
    private enum Kind {
        case intent, charge, refunded, refund, dispute

        init?(_ type: String) {
            let kinds: [(String, Kind)] = [
                ("payment_intent.", .intent), ("charge.dispute.", .dispute), ("charge.refund.", .refund),
                ("refund.", .refund), ("charge.refunded", .refunded), ("charge.", .charge),
            ]
            guard let found = kinds.first(where: { type.hasPrefix($0.0) }) else { return nil }
            self = found.1
        }
    }

    package init() {}

    package func news(in body: [UInt8]) throws(ProviderFault) -> ProviderNews {
        let event = try StripeFields(body: body)
        _ = try event.id(of: "event")
        let type: String = try event.text("type")
        guard let kind = Kind(type) else { return .nothing(type) }
        let object: StripeFields = try event.fields("data").fields("object")
        switch kind {
        case .intent:
            let id: String = try object.id(of: "payment_intent")
            return try Self.charge(object, intent: id, id)
        case .charge:
            // A charge carries the metadata of its PaymentIntent, by which we know it.
            let id: String = try object.id(of: "charge")
            return try Self.charge(object, intent: try object.optionalReference("payment_intent"), id)
        case .refunded:
            // Which refunds there are it does not say. Endpoints of a version before 2024-10-28 hear of refunds by it alone
            // (docs.stripe.com/changelog/acacia/2024-10-28/refund-webhook-update).
            let id: String = try object.id(of: "charge")
            let intent: String? = try object.optionalReference("payment_intent")
            return .refunded(intent ?? id, of: try Self.attempt(object))
        case .refund: return .refund(try ProviderRefund(stripe: object))
        case .dispute: return .dispute(try ProviderDispute(stripe: object))
        }
    }

    private static func charge(
        _ object: StripeFields, intent: String?, _ id: String
    ) throws(ProviderFault) -> ProviderNews {
        guard let attempt: AttemptID = try Self.attempt(object) else { return .taken(intent ?? id) }
        return .charge(attempt, known: intent)
    }

    /// The attempt whose charge it is; `nil` for one that was not made here.
    private static func attempt(_ object: StripeFields) throws(ProviderFault) -> AttemptID? {
        let ours: String? = try object.optionalFields("metadata")?.optionalText(StripeMetadata.attempt)
        return ours.flatMap { AttemptID($0) }
    }
}

extension ProviderRefund {
    /// Reads Stripe's refund strictly.
    /// - Throws: ``ProviderFault/unusable(_:)``.
    init(stripe fields: StripeFields) throws(ProviderFault) {
        let reference: String = try fields.id(of: "refund")
        let intent: String? = try fields.optionalReference("payment_intent")
        let charge: String? = try fields.optionalReference("charge")
        guard let taken = intent ?? charge else { throw fields.unusable("charge", "is missing") }
        let ours: String? = try fields.optionalFields("metadata")?.optionalText(StripeMetadata.refund)
        self.init(
            reference: reference, taken: taken, refundID: ours.flatMap { RefundID($0) },
            amount: try fields.money("amount"), state: try Self.state(fields))
    }

    /// Why a hold that was released gives nothing back.
    private static let uncaptured = "uncaptured"

    /// With API versions before `basil`, what a capture left of its authorization was a refund at Stripe, too, and so was a
    /// hold that was released; nothing was taken that they would give back. The movement of any other refund may be missing
    /// for a moment, too.
    private static func state(_ fields: StripeFields) throws(ProviderFault) -> State {
        let category: String? = try fields.optionalFields("balance_transaction")?.text("reporting_category")
        if category == StripeBalanceEntry.partialCaptureReversal {
            return .failed(code: StripeBalanceEntry.partialCaptureReversal)
        }
        switch try fields.text("status") {
        case "succeeded":
            let isCaptured: Bool? = try fields.optionalFields("charge")?.value["captured"]?.boolValue
            let hasMoved: Bool = try fields.optionalReference("balance_transaction") != nil
            return isCaptured == false && !hasMoved ? .failed(code: uncaptured) : .succeeded
        case "pending", "requires_action": return .pending
        case "failed": return .failed(code: try fields.optionalText("failure_reason") ?? "failed")
        case "canceled": return .failed(code: "canceled")
        default: throw fields.unusable("status", "is unknown")
        }
    }
}

extension StripeAdapter {
    /// Reads a refund back, whoever made it. One that Stripe once made of what a capture left, or of a hold that was
    /// released, has failed: it gives nothing back.
    package func refund(named reference: String) async throws(ProviderFault) -> ProviderRefund? {
        var form = StripeForm()
        form.add("expand", .list([.text("balance_transaction"), .text("charge")]))
        guard isStripeID(reference), let fields = try await client.get("/v1/refunds/\(reference)", form) else {
            return nil
        }
        let refund = try ProviderRefund(stripe: fields)
        guard refund.reference == reference else { throw fields.unusable("id", "is another") }
        return refund
    }
}
