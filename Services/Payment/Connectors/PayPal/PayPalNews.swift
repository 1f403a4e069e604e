import BillingCore
package import PaymentContract
import JSON

/// Reads PayPal's webhooks. Names of events: developer.paypal.com/api/rest/webhooks/event-names.
package struct PayPalNews: NewsReader {
    package init() {}

    package func news(in body: [UInt8]) throws(ProviderFault) -> ProviderNews {
        let event: JSONValue = try PayPalWire.object(body)
        let type: String = try PayPalFields(event, of: "event").text("event_type")
        switch type {
        case "PAYMENT.CAPTURE.REFUNDED", "PAYMENT.CAPTURE.REVERSED":
            let resource: JSONValue = try Self.resource(event)
            let at: Instant? = type.hasSuffix("REVERSED") ? try Self.time(event) : nil
            if let reversed = try Self.reversedCapture(resource, at: at) { return .refund(reversed) }
            return .refund(try ProviderRefund(try PayPalRefund(resource), reversedAt: at))
        case let type where type.hasPrefix("PAYMENT.REFUND."):
            return .refund(try ProviderRefund(try PayPalRefund(try Self.resource(event))))
        case let type where type.hasPrefix("CHECKOUT.ORDER."):
            let order: JSONValue = try Self.resource(event)
            let unit: JSONValue? = order["purchase_units"]?[0]
            return try Self.news(order, "order", ours: unit.map { PayPalOurIDs($0) }) { .order($0) }
        case let type where type.hasPrefix("PAYMENT.CAPTURE."):
            let capture: JSONValue = try Self.resource(event)
            let held: String? = PayPalFields(capture, of: "capture").authorization
            return try Self.news(capture, "capture", ours: PayPalOurIDs(capture), of: held) { .capture($0) }
        case let type where type.hasPrefix("PAYMENT.AUTHORIZATION."):
            let held: JSONValue = try Self.resource(event)
            return try Self.news(held, "authorization", ours: PayPalOurIDs(held)) { .authorization($0) }
        case let type where type.hasPrefix("CUSTOMER.DISPUTE."):
            return .dispute(try ProviderDispute(payPal: try Self.resource(event)))
        default: return .nothing(type)
        }
    }

    /// A reversal that is told by the capture it reverses, in place of a refund of it.
    private static func reversedCapture(
        _ resource: JSONValue, at: Instant?
    ) throws(ProviderFault) -> ProviderRefund? {
        let fields = PayPalFields(resource, of: "capture")
        guard let address = fields.link("self"), address.contains("/captures/") else { return nil }
        return ProviderRefund(reversed: try fields.id(), amount: try fields.money("amount"), at: at)
    }

    private static func time(_ event: JSONValue) throws(ProviderFault) -> Instant {
        guard let time = event["create_time"]?.stringValue.flatMap({ Instant(rfc3339: $0) }) else {
            throw .unusable("event.create_time")
        }
        return time
    }

    private static func resource(_ event: JSONValue) throws(ProviderFault) -> JSONValue {
        guard let resource = event["resource"], resource.objectValue != nil else { throw .unusable("event.resource") }
        return resource
    }

    /// `invoice_id` names the attempt, or the capture of what an attempt holds; of a capture that was made at PayPal's pages
    /// it may be anything.
    /// - Parameters:
    ///   - authorization: PayPal's id of what a capture takes from, where it says so.
    ///   - named: What a resource of this id is called by.
    private static func news(
        _ resource: JSONValue, _ kind: String, ours: PayPalOurIDs?, of authorization: String? = nil,
        named: (String) -> PayPalNamed
    ) throws(ProviderFault) -> ProviderNews {
        let id: String = try PayPalFields(resource, of: kind).id()
        guard let text: String = ours?.invoiceID else { return .taken(id, of: authorization) }
        if let attempt = AttemptID(text) { return .charge(attempt, known: named(id).text) }
        if let capture = CaptureID(text) { return .capture(capture, of: authorization) }
        return .taken(id, of: authorization)
    }
}

extension ProviderRefund {
    /// - Throws: ``ProviderFault/unusable(_:)`` for a refund that names no capture.
    init(_ refund: PayPalRefund, reversedAt: Instant? = nil) throws(ProviderFault) {
        guard let taken = refund.parent else { throw .unusable("refund.links") }
        let state: State =
            switch refund.status {
            case .completed: .succeeded
            case .pending: .pending
            case .failed, .cancelled: .failed(code: refund.status.rawValue)
            }
        self.init(
            reference: refund.id, taken: taken, refundID: refund.ours.invoiceID.flatMap { RefundID($0) },
            amount: refund.amount, state: state, reversedAt: reversedAt)
    }
}

extension ProviderRefund {
    /// All of a capture went back without a refund that has a name: it goes by the capture's.
    init(reversed capture: String, amount: Money, at: Instant? = nil) {
        self.init(
            reference: capture, taken: capture, refundID: nil, amount: amount, state: .succeeded, reversedAt: at)
    }
}

extension PayPalAdapter {
    /// Reads a refund back, whoever made it; under a capture's name, the reversal of all of it.
    package func refund(named reference: String) async throws(ProviderFault) -> ProviderRefund? {
        guard PayPalWire.isID(reference) else { return nil }
        switch try await client.send(.get("/v2/payments/refunds/" + reference)) {
        case .refused(let refusal) where refusal.status == 404: return try await reversal(of: reference)
        case .refused(let refusal): throw .unusable("not readable: \(refusal.code)")
        case .done(let json):
            let refund = try PayPalRefund(try json.required())
            try PayPalCheck.equal(refund.id, reference, "refund")
            return try ProviderRefund(refund)
        }
    }

    /// - Returns: `nil` unless PayPal says of the capture that all of it went back.
    private func reversal(of id: String) async throws(ProviderFault) -> ProviderRefund? {
        switch try await client.send(.get("/v2/payments/captures/" + id)) {
        case .refused(let refusal) where refusal.status == 404: return nil
        case .refused(let refusal): throw .unusable("not readable: \(refusal.code)")
        case .done(let json):
            let capture = try PayPalCapture(try json.required())
            try PayPalCheck.equal(capture.id, id, "capture")
            return capture.status == .refunded ? ProviderRefund(reversed: id, amount: capture.amount) : nil
        }
    }
}
