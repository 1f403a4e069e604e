package import PaymentRecords
import BillingCore
import HTTPKit
package import JSON
import PaymentContract
import PaymentDomain
package import Postgres

/// A payment as callers see it.
package struct PaymentResource: JSONOutput {
    package let payment: PaymentRecord
    let settlement: PaymentSettlement?

    package init(_ payment: PaymentRecord, settlement: PaymentSettlement? = nil) {
        self.payment = payment
        self.settlement = settlement
    }

    /// Payments with what is known of their settlements.
    static func settled(
        _ payments: [PaymentRecord], in db: borrowing PostgresTransaction
    ) throws -> [PaymentResource] {
        let known: [PaymentID: PaymentSettlement] = try PaymentSettlementStore.find(payments.map(\.id), in: db)
        let retries: [PaymentID: Instant] = try AttemptStore.retryTimes(of: payments, in: db)
        return payments.map { PaymentResource($0.with(retryAt: retries[$0.id]), settlement: known[$0.id]) }
    }

    /// One payment with what is known of its settlement; `nil` when there is none.
    static func find(_ id: PaymentID, in db: borrowing PostgresTransaction) throws -> PaymentResource? {
        guard let payment: PaymentRecord = try PaymentStore.find(id, in: db) else { return nil }
        return try settled([payment], in: db).first
    }

    /// With this status once it is settled, 202 while it is under way.
    func reply(_ settled: Int) -> Reply<PaymentResource> {
        Reply(status: payment.status.isSettled ? settled : 202, self)
    }

    package func write(to o: inout ObjectWriter) {
        o.field("object", "payment")
        o.field("id", payment.id)
        o.field("customer_id", payment.customerID)
        o.field("payment_method_id", payment.paymentMethodID)
        o.field(
            "provider", payment.provider,
            doc: "Who is asked for the money; `none` where there was no method to charge, or none yet")
        o.money("amount", payment.amount, doc: "Minor units")
        o.field("capture_method", payment.captureMethod)
        o.field("amount_captured", payment.amountCaptured, doc: "Minor units")
        o.field("amount_capturable", payment.amountCapturable, doc: "Minor units still held")
        o.field("authorization_expires_at", payment.authorizationExpiresAt)
        o.field("amount_refunded", payment.amountRefunded, doc: "Minor units, including refunds under way")
        o.field("amount_disputed", payment.amountDisputed, doc: "Minor units withheld or lost by disputes")
        o.field(
            "settlement", settlement.map(SettlementResource.init),
            doc: "What the provider makes of it; null until that is known, and where a payment is created")
        o.field("status", payment.status)
        o.field(
            "confirmation_expires_at", payment.status == .requiresConfirmation ? payment.actionExpiresAt : nil,
            doc: "Until when it can be confirmed: it is canceled then; null once it has been")
        o.field("failure", payment.decline.map { FailureResource(decline: $0, retryAt: payment.retryAt) })
        o.field("next_action", NextActionResource(payment))
        o.field("risk", payment.riskDecision.map { RiskResource(payment, decision: $0) })
        o.field(
            "authentication", payment.authentication.map(AuthenticationNoteResource.init),
            doc: "Of the customer's, for the last attempt; null where the bank alone decides")
        o.field("review_status", payment.reviewStatus, doc: "Of a payment whose money is held until a person decides")
        o.field("review", payment.review.map(ReviewDecisionResource.init), doc: "Null while nobody has decided")
        o.field("invoice_id", payment.invoiceID)
        o.field("subscription_id", payment.subscriptionID)
        o.field("off_session", payment.offSession, doc: "Charged without the customer being there")
        o.field(
            "mandate_id", payment.mandateID,
            doc: "The agreement it was charged under without them, or that they made with it; null: none recorded"
        )
        o.field("attempts", payment.attempts)
        let attempt: AttemptID? = payment.attempts == 0 ? nil : payment.attemptID
        o.field("attempt_id", attempt, doc: "The last attempt's; null before the first")
        o.field("description", payment.description)
        o.field("metadata", Metadata.decode(payment.metadata))
        o.field("created_at", payment.createdAt)
    }

    package static var sample: Self { Self(PaymentRecord.sample) }
}

/// Why the last attempt failed.
struct FailureResource: JSONOutput {
    let decline: Decline
    let retryAt: Instant?

    func write(to o: inout ObjectWriter) {
        o.field("code", decline.code)
        o.text(
            "decline_class", decline.declineClass.rawValue,
            schema: JSONSchema.word(of: Decline.Class.told.map(\.rawValue)), doc: "What it means for a next attempt")
        o.field("advice", decline.reason.advice, doc: "What the merchant can do; not for customers")
        o.field("message", decline.message, doc: "A sentence for the customer")
        o.field(
            "retry_at", retryAt,
            doc: "Before then the card's network wants no other attempt, or nobody could be asked; null: not known")
    }

    static var sample: Self { Self(decline: .insufficientFunds, retryAt: .sample) }
}

/// What the customer has to do next.
struct NextActionResource: JSONOutput {
    let action: NextAction
    let expiresAt: Instant?
    /// The page of this service that the customer authenticates on.
    let challengeURL: String?
    /// Where the answer to the sandbox's challenge goes; `nil` where an issuer's word is waited for.
    let confirmPath: String?
    /// What to call after the customer is back.
    let syncPath: String

    /// `nil` when nothing is asked of the customer.
    init?(_ payment: PaymentRecord) {
        guard payment.status == .requiresAction else { return nil }
        let path = "/v1/payments/\(payment.id.rawValue)"
        self.init(
            payment.nextAction ?? .challenge, path: path, expiresAt: payment.actionExpiresAt,
            challengeURL: payment.challengeURL)
    }

    init(_ action: NextAction, path: String, expiresAt: Instant? = nil, challengeURL: String? = nil) {
        self.action = action
        self.expiresAt = expiresAt
        self.challengeURL = challengeURL
        confirmPath = action == .challenge && challengeURL == nil ? path + "/confirm" : nil
        syncPath = path + "/sync"
    }

    func write(to o: inout ObjectWriter) {
        o.field("type", action.kind)
        o.field("url", action.url ?? challengeURL, doc: "Where the customer goes")
        o.field("asset", action.transfer?.asset, doc: "What a transfer is made in: BTC, USDC")
        o.field("address", action.transfer?.address, doc: "Where a transfer goes; never used for another payment")
        o.field("amount", action.transfer?.amount, doc: "Base units still to come; 0 when enough is on its way")
        o.field("uri", action.transfer?.uri, doc: "What a wallet opens: BIP-21 or ERC-681")
        o.field("confirm_path", confirmPath, doc: "Where the answer to the sandbox's challenge goes")
        o.field("sync_path", confirmPath == nil ? syncPath : nil, doc: "What to call when the customer is back")
        o.field("expires_at", action.transfer?.expiresAt ?? expiresAt, doc: "Until when the customer can finish")
    }

    static var sample: Self {
        Self(.redirect(url: "https://provider.example/authorize"), path: "/v1/payments/\(PaymentID.sample.rawValue)")
    }
}

/// What was decided of the customer's authentication, and what came of it.
struct AuthenticationNoteResource: JSONOutput {
    let note: AttemptAuthentication

    init(_ note: AttemptAuthentication) { self.note = note }

    func write(to o: inout ObjectWriter) {
        o.field("decision", note.decision, doc: "exempt, required or out_of_scope; null where nothing was decided here")
        o.field("reason", note.reason, doc: "The exemption, the cause, or why the law does not ask")
        o.field("method", note.method, doc: "Who authenticated: three_d_secure, wallet, provider or sandbox")
        o.field(
            "result", note.result,
            doc: "authenticated, attempted, exempt, not_authenticated, rejected, unavailable, unavailable/CAUSE")
        o.field("eci", note.indicator, doc: "The scheme's indicator")
        o.field("liability", note.liability, doc: "Who bears fraud: issuer or merchant; null while it is open")
    }

    static var sample: Self {
        var note = AttemptAuthentication(decision: "required", reason: "regulation")
        note.method = "three_d_secure"
        note.result = "authenticated"
        note.indicator = "05"
        note.liability = "issuer"
        return Self(note)
    }
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
        o.field("score", score, doc: "0.0000 to 1.0000; null when the fallback policy decided without one")
        o.text("decision", decision, schema: JSONSchema.enumeration(RiskVerdict.Decision.self))
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
        o.field("type", method.type)
        o.field("provider", method.provider, doc: "Who keeps it")
        o.field("providers", method.providers, doc: "Who can charge it, its own provider first; routing chooses")
        o.field("status", method.status, doc: "Whether it can be charged")
        o.field("card", method.type == "card" && method.brand != nil ? CardResource(method: method) : nil)
        o.field("last4", method.last4)
        o.field("failure_code", method.failureCode, doc: "Why the provider does not keep it")
        o.field(
            "next_action",
            method.setupAction.map { NextActionResource($0, path: "/v1/payment_methods/\(method.id.rawValue)") })
        o.field("is_default", method.isDefault)
        o.field("mandate", method.mandate.map(MandateResource.init), doc: "Null where no agreement is recorded")
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
    let settlement: PaymentSettlement?

    init(_ capture: CaptureRecord, settlement: PaymentSettlement? = nil) {
        self.capture = capture
        self.settlement = settlement
    }

    /// Captures with what is known of their settlements.
    package static func settled(
        _ captures: [CaptureRecord], in db: borrowing PostgresTransaction
    ) throws -> [CaptureResource] {
        let known: [String: PaymentSettlement] = try PaymentSettlementStore.find(
            movements: captures.map(\.id.rawValue), in: db)
        return captures.map { CaptureResource($0, settlement: known[$0.id.rawValue]) }
    }

    package func write(to o: inout ObjectWriter) {
        o.field("object", "capture")
        o.field("id", capture.id)
        o.field("payment_id", capture.paymentID)
        o.money("amount", capture.amount, doc: "Minor units")
        o.field("final", capture.isFinal, doc: "Nothing more is captured: the rest is released")
        o.field("status", capture.status)
        o.field("failure_code", capture.failureCode, doc: "Why the provider refused; the payment stays authorized")
        o.field(
            "settlement", settlement.map(SettlementResource.init),
            doc: "What the provider makes of it; null until that is known, and where a capture is created")
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
    let settlement: PaymentSettlement?

    init(_ refund: RefundRecord, settlement: PaymentSettlement? = nil) {
        self.refund = refund
        self.settlement = settlement
    }

    /// Refunds with what is known of their settlements; one that gave nothing back has none.
    package static func settled(
        _ refunds: [RefundRecord], in db: borrowing PostgresTransaction
    ) throws -> [RefundResource] {
        let known: [String: PaymentSettlement] = try PaymentSettlementStore.find(
            movements: refunds.filter { $0.status == .succeeded }.map(\.id.rawValue), in: db)
        return refunds.map { RefundResource($0, settlement: known[$0.id.rawValue]) }
    }

    package func write(to o: inout ObjectWriter) {
        o.field("object", "refund")
        o.field("id", refund.id)
        o.field("payment_id", refund.paymentID)
        o.money("amount", refund.amount, doc: "Minor units")
        o.field("status", refund.status)
        o.field("failure_code", refund.failureCode, doc: "Why the provider refused; the amount can be refunded again")
        o.field("reason", refund.reason)
        o.field(
            "settlement", settlement.map(SettlementResource.init),
            doc: "What the provider makes of it; null until that is known, and where a refund is created")
        o.field("created_at", refund.createdAt)
    }

    package static var sample: Self {
        Self(
            RefundRecord(
                id: .sample, paymentID: .sample, amount: Money(minor: 999, currency: .usd), status: .succeeded,
                reason: "requested by the customer", createdAt: .sample))
    }
}
