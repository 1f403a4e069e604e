import PaymentDomain
import BillingCore
package import PaymentContract
import JSON

/// Reads the sandbox's webhooks: Stripe's envelope, with objects in the contract's own words.
///
/// ```json
/// {"id": "evt_1", "type": "refund.updated", "created": 1800000000, "data": {"object":
///     {"reference": "re_1", "taken": "ch_1", "amount": 300, "currency": "USD", "state": "succeeded"}}}
/// ```
package struct SandboxNews: NewsReader {
    package init() {}

    package func news(in body: [UInt8]) throws(ProviderFault) -> ProviderNews {
        let event: JSONValue
        do throws(JSONFault) { event = try parseJSON(body) } catch {
            throw .unusable("not JSON: \(error.code.rawValue)")
        }
        guard let type = event["type"]?.stringValue else { throw .unusable("type") }
        let fields = Fields(event["data"]?["object"])
        switch type {
        case "charge.updated":
            guard let attempt = AttemptID(try fields.text("attempt_id")) else { throw .unusable("attempt_id") }
            return .charge(attempt)
        case "refund.updated": return .refund(try Self.refund(fields))
        case "dispute.updated": return .dispute(try Self.dispute(fields))
        default: return .nothing(type)
        }
    }

    private static func refund(_ fields: Fields) throws(ProviderFault) -> ProviderRefund {
        let state: ProviderRefund.State
        switch try fields.text("state") {
        case "pending": state = .pending
        case "succeeded": state = .succeeded
        case "failed": state = .failed(code: try fields.text("code"))
        default: throw .unusable("state")
        }
        let ours: String? = fields.json?["refund_id"]?.stringValue
        return ProviderRefund(
            reference: try fields.text("reference"), taken: try fields.text("taken"),
            refundID: ours.flatMap { RefundID($0) }, amount: try fields.money(), state: state)
    }

    private static func dispute(_ fields: Fields) throws(ProviderFault) -> ProviderDispute {
        guard let stage = ProviderDispute.Stage(rawValue: try fields.text("stage")) else { throw .unusable("stage") }
        let due: Instant? = if fields.has("evidence_due_by") { try fields.instant("evidence_due_by") } else { nil }
        return ProviderDispute(
            reference: try fields.text("reference"), taken: try fields.text("taken"), amount: try fields.money(),
            fee: fields.has("fee") ? try fields.money("fee") : nil, reason: try fields.text("reason"), stage: stage,
            openedAt: try fields.instant("opened_at"), evidenceDueBy: due)
    }

    /// The members of the event's object; the fault names the member.
    private struct Fields {
        let json: JSONValue?

        init(_ json: JSONValue?) { self.json = json }

        func has(_ name: String) -> Bool { json?[name].map { !$0.isNull } ?? false }

        func text(_ name: String) throws(ProviderFault) -> String {
            guard let text = json?[name]?.stringValue, (1...255).contains(text.utf8.count) else {
                throw .unusable(name)
            }
            return text
        }

        func money(_ name: String = "amount") throws(ProviderFault) -> Money {
            guard let currency = Currency(try text("currency")), let minor = json?[name]?.intValue, minor >= 0 else {
                throw .unusable(name)
            }
            return Money(minor: minor, currency: currency)
        }

        func instant(_ name: String) throws(ProviderFault) -> Instant {
            guard let instant = Instant(rfc3339: try text(name)) else { throw .unusable(name) }
            return instant
        }
    }
}
