import PaymentRecords
import BillingCore
import HTTPKit
package import JSON
import PaymentDomain

/// A payment as callers see it.
package struct PaymentResource: JSONOutput {
    let payment: PaymentRecord

    init(_ payment: PaymentRecord) { self.payment = payment }

    /// 201 once it is settled, 202 while it is under way.
    var reply: Reply<PaymentResource> { Reply(status: payment.status.isSettled ? 201 : 202, self) }

    package func write(to o: inout ObjectWriter) {
        o.field("object", "payment")
        o.field("id", payment.id)
        o.field("customer_id", payment.customerID)
        o.field("payment_method_id", payment.paymentMethodID)
        o.field("provider", payment.provider, doc: "Who is asked for the money")
        o.money("amount", payment.amount, doc: "Minor units")
        o.field("capture_method", payment.captureMethod)
        o.field("amount_captured", payment.amountCaptured, doc: "Minor units")
        o.field("amount_capturable", payment.amountCapturable, doc: "Minor units still held")
        o.field("authorization_expires_at", payment.authorizationExpiresAt)
        o.field("amount_refunded", payment.amountRefunded, doc: "Minor units, including refunds under way")
        o.field("status", payment.status)
        o.field("failure", payment.decline.map(FailureResource.init))
        o.field("next_action", payment.status == .requiresAction ? NextActionResource(paymentID: payment.id) : nil)
        o.field("risk", payment.riskDecision.map { RiskResource(payment, decision: $0) })
        o.field("review_status", payment.reviewStatus, doc: "Of a payment whose money is held until a person decides")
        o.field("invoice_id", payment.invoiceID)
        o.field("subscription_id", payment.subscriptionID)
        o.field("attempts", payment.attempts)
        o.field("description", payment.description)
        o.field("metadata", Metadata.decode(payment.metadata))
        o.field("created_at", payment.createdAt)
    }

    package static var sample: Self { Self(PaymentRecord.sample) }
}

/// Why the last attempt failed.
struct FailureResource: JSONOutput {
    let decline: Decline

    func write(to o: inout ObjectWriter) {
        o.field("code", decline.code)
        o.field("decline_class", decline.declineClass, doc: "hard, soft, fraud or action")
        o.field("message", decline.message)
    }

    static var sample: Self { Self(decline: .insufficientFunds) }
}

/// What the customer has to do next.
struct NextActionResource: JSONOutput {
    let paymentID: PaymentID

    func write(to o: inout ObjectWriter) {
        o.field("type", "three_d_secure")
        o.field("confirm_path", "/v1/payments/\(paymentID.rawValue)/confirm")
    }

    static var sample: Self { Self(paymentID: .sample) }
}

/// What Fraud, or the fallback policy, said.
struct RiskResource: JSONOutput {
    let score: String?
    let decision: String
    let reasons: [String]

    init(_ payment: PaymentRecord, decision: String) {
        score = payment.riskScore
        self.decision = decision
        reasons = payment.riskReasons
    }

    func write(to o: inout ObjectWriter) {
        o.field("score", score, doc: "0.0000 to 1.0000; null when the fallback policy decided")
        o.field("decision", decision, doc: "approve, review or block")
        o.field("reasons", reasons)
    }

    static var sample: Self { Self(.sample, decision: "approve") }
}

/// A stored card as callers see it.
package struct PaymentMethodResource: JSONOutput {
    let method: PaymentMethodRecord

    init(_ method: PaymentMethodRecord) { self.method = method }

    package func write(to o: inout ObjectWriter) {
        o.field("object", "payment_method")
        o.field("id", method.id)
        o.field("customer_id", method.customerID)
        o.field("type", "card")
        o.field("card", CardResource(method: method))
        o.field("is_default", method.isDefault)
        o.field("created_at", method.createdAt)
    }

    package static var sample: Self {
        Self(
            PaymentMethodRecord(
                id: .sample, customerID: .sample, brand: "visa", last4: "4242", expMonth: 12, expYear: 2030,
                fingerprint: "5f2a8c1be04d7a93c6f1e2d8", provider: "sandbox", providerToken: "", isDefault: true,
                createdAt: .sample))
    }
}

/// What may be shown of a card.
struct CardResource: JSONOutput {
    let method: PaymentMethodRecord

    func write(to o: inout ObjectWriter) {
        o.field("brand", method.brand)
        o.field("last4", method.last4)
        o.field("exp_month", method.expMonth)
        o.field("exp_year", method.expYear)
        o.field("fingerprint", method.fingerprint, doc: "The same for the same card number")
    }

    static var sample: Self { Self(method: PaymentMethodResource.sample.method) }
}

/// A capture as callers see it.
package struct CaptureResource: JSONOutput {
    let capture: CaptureRecord

    init(_ capture: CaptureRecord) { self.capture = capture }

    package func write(to o: inout ObjectWriter) {
        o.field("object", "capture")
        o.field("id", capture.id)
        o.field("payment_id", capture.paymentID)
        o.money("amount", capture.amount, doc: "Minor units")
        o.field("final", capture.isFinal, doc: "Nothing more is captured: the rest is released")
        o.field("status", capture.status)
        o.field("failure_code", capture.failureCode, doc: "Why the provider refused; the payment stays authorized")
        o.field("created_at", capture.createdAt)
    }

    package static var sample: Self {
        Self(
            CaptureRecord(
                id: .sample, paymentID: .sample, amount: Money(minor: 999, currency: .usd), isFinal: true,
                status: .succeeded, createdAt: .sample))
    }
}

/// A refund as callers see it.
package struct RefundResource: JSONOutput {
    let refund: RefundRecord

    init(_ refund: RefundRecord) { self.refund = refund }

    package func write(to o: inout ObjectWriter) {
        o.field("object", "refund")
        o.field("id", refund.id)
        o.field("payment_id", refund.paymentID)
        o.money("amount", refund.amount, doc: "Minor units")
        o.field("status", refund.status.rawValue, doc: "processing, succeeded or failed")
        o.field("failure_code", refund.failureCode, doc: "Why the provider refused; the amount can be refunded again")
        o.field("reason", refund.reason)
        o.field("created_at", refund.createdAt)
    }

    package static var sample: Self {
        Self(
            RefundRecord(
                id: .sample, paymentID: .sample, amount: Money(minor: 999, currency: .usd), status: .succeeded,
                reason: "requested by the customer", createdAt: .sample))
    }
}

/// Metadata as stored: a JSON object of strings.
enum Metadata {
    static func encode(_ metadata: [String: String]) -> String {
        var writer = JSONWriter()
        writer.beginObject()
        for (key, value) in metadata.sorted(by: { $0.key < $1.key }) {
            writer.key(key)
            writer.string(value)
        }
        writer.endObject()
        return String(decoding: writer.bytes, as: UTF8.self)
    }

    /// Empty for what is not an object of strings; the column only ever holds what ``encode(_:)`` made.
    static func decode(_ text: String) -> [String: String] {
        guard text != "{}", case .object(let members)? = try? parseJSON(text) else { return [:] }
        var metadata: [String: String] = [:]
        for member in members { metadata[member.name] = member.value.stringValue }
        return metadata
    }
}

extension PaymentRecord {
    /// An example for documents.
    static var sample: PaymentRecord {
        PaymentRecord(
            id: .sample, customerID: .sample, paymentMethodID: .sample, provider: "sandbox",
            amount: Money(minor: 999, currency: .usd), amountCaptured: 999, amountRefunded: 0, status: .succeeded,
            invoiceID: nil, subscriptionID: nil,
            description: "Concert ticket",
            metadata: "{}", offSession: false, authenticated: false, attempts: 1, attemptID: .sample, declineCode: nil,
            riskScore: "0.0500", riskDecision: "approve", riskReasons: [], createdAt: .sample)
    }
}
