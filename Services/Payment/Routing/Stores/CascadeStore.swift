import BillingCore
import PaymentContract
import PaymentDomain
import Postgres

/// A payment whose current attempt has ended, and that may go on elsewhere, its row locked.
struct CascadingPayment: PostgresRecord, Sendable {
    let id: PaymentID
    let attemptID: AttemptID
    let customerID: CustomerID
    let methodID: PaymentMethodID
    let provider: String
    let amount: Money
    let attempts: Int
    let steppedAt: Instant
    let type: String
    let brand: String?
    let fingerprint: String
    let country: String?
    /// A wallet's card, whose cryptogram a bank takes once.
    let isOfWallet: Bool
    /// When the customer gave the agreement that it is charged under; `nil` where there is none.
    let agreedAt: Instant?
    let offSession: Bool
    /// The customer is there, or has just brought the attempt about.
    let isAttended: Bool
    /// It is not to be charged by its method any more (``UnheardCharges/isUnwanted``).
    let isUnwanted: Bool
    /// Whether it was decided when the attempt was approved where it goes, and what may follow.
    let isRouted: Bool
    var cascade: [String]
    /// What was decided only now, as it is stored.
    var decided: String?

    /// The payments that are still at these attempts; the others have moved on and are nobody's business here, nor are those
    /// that nobody owes any more, and those that were not routed whose method one provider alone keeps.
    static func lock(
        _ ended: [EndedAttempt], in db: borrowing PostgresTransaction
    ) throws -> [CascadingPayment] {
        try db.query(
            """
            SELECT p.id, p.attempt_id, p.customer_id, m.id, p.provider, p.amount, p.currency, p.attempts, p.stepped_at,
                m.type, m.brand, m.fingerprint, c.country, m.wallet IS NOT NULL, \(CardHistory.agreedAt),
                p.off_session, \(UnheardCharges.isAttended), \(UnheardCharges.isUnwanted), a.routing IS NOT NULL,
                ARRAY(SELECT jsonb_array_elements_text(a.routing -> 'cascade'))
            FROM unnest(\(ended.map(\.paymentID.rawValue))::text[], \(ended.map(\.attemptID.rawValue))::text[])
                AS e(id, attempt_id)
            JOIN payments p ON p.id = e.id AND p.attempt_id = e.attempt_id
            JOIN payment_attempts a ON a.id = p.attempt_id
            JOIN payment_methods m ON m.id = p.payment_method_id
            JOIN customers c ON c.id = p.customer_id
            WHERE p.status = \(PaymentStatus.processing.rawValue) AND NOT p.invoice_voided AND (a.routing IS NOT NULL
                OR EXISTS (SELECT 1 FROM payment_method_tokens t WHERE t.payment_method_id = m.id))
            ORDER BY p.id FOR UPDATE OF p
            """, as: CascadingPayment.self)
    }

    init(row: inout PostgresRow) throws {
        id = try row.next()
        attemptID = try row.next()
        customerID = try row.next()
        methodID = try row.next()
        provider = try row.next()
        amount = Money(minor: try row.next(), currency: try row.next())
        attempts = try row.next()
        steppedAt = try row.next()
        type = try row.next()
        brand = try row.next()
        fingerprint = try row.next()
        country = try row.next()
        isOfWallet = try row.next()
        agreedAt = try row.next()
        offSession = try row.next()
        isAttended = try row.next()
        isUnwanted = try row.next()
        isRouted = try row.next()
        cascade = try row.next()
    }

    /// What routing asks of it.
    var request: RoutingRequest {
        RoutingRequest(
            paymentID: id, amount: amount, method: type, country: country, brand: brand, offSession: offSession)
    }

    var segment: RoutingSegment {
        RoutingSegment(method: type, brand: brand, country: country, currency: amount.currency)
    }

    /// After an outage only whoever set out to ask may go on: a step since then is a sweeper's, who may have asked.
    func isStill(at end: EndedAttempt) -> Bool {
        if case .outage(let seen) = end.end { return seen == steppedAt }
        return true
    }
}

/// What the networks' retry budgets look at.
enum CardHistory {
    /// Attempts looked back at for one card.
    static let limit = 500
    /// How attempts ended that reached no network.
    private static let unsent: [String] = ["blocked_by_risk", "outage", "provider_credentials", "token_gone"]
    /// When the customer gave the agreement that a payment `p` with a method `m` is charged under.
    static let agreedAt: SQL = """
        CASE WHEN p.mandate_id = m.mandate_id AND m.mandate_ended_at IS NULL THEN m.mandate_accepted_at END
        """

    /// A payment with a customer's card.
    struct Question: Sendable {
        let payment: PaymentID
        let customer: CustomerID
        /// The card as it was entered.
        let method: PaymentMethodID
        let fingerprint: String
        let brand: String?
        /// When the customer gave the agreement that it is charged under; `nil` where there is none.
        let agreedAt: Instant?
    }

    /// A customer's attempts with the card of each payment, the ended one as it ended.
    static func read(
        _ payments: [CascadingPayment], _ ends: [AttemptID: EndedAttempt], in db: borrowing PostgresTransaction
    ) throws -> [PaymentID: [CardAttempt]] {
        try read(payments.map(\.question), ends: ends, in: db)
    }

    /// A customer's attempts with the card of each payment. Attempts that reached no network (blocked, not sent, an outage, or
    /// refused to us by the provider, without the two characters of a network's code) do not count, nor do those that wait for
    /// their assessment. Of an attempt from before the agreement that a payment is charged under, the cardholder's order to
    /// stop does not count.
    /// - Parameters:
    ///   - ends: How attempts have ended of which that is not stored yet.
    ///   - unmade: Attempts that are not made yet.
    static func read(
        _ questions: [Question], ends: [AttemptID: EndedAttempt] = [:], without unmade: [AttemptID] = [],
        in db: borrowing PostgresTransaction
    ) throws -> [PaymentID: [CardAttempt]] {
        let brands: [PaymentID: String?] = Dictionary(questions.map { ($0.payment, $0.brand) }) { first, _ in first }
        let rows: [(PaymentID, CardAttempt)?] = try db.query(
            """
            SELECT q.id, h.id, h.started_at, h.amount, h.currency, h.status, h.network_code, h.advice_code,
                h.payment_method_id = q.method_id, h.decline_code, coalesce(h.started_at < q.agreed_at, false)
            FROM unnest(\(questions.map(\.payment.rawValue))::text[], \(questions.map(\.customer.rawValue))::text[],
                \(questions.map(\.method.rawValue))::text[], \(questions.map(\.fingerprint))::text[],
                \(questions.map(\.agreedAt))::timestamptz[]
            ) AS q(id, customer_id, method_id, fingerprint, agreed_at)
            CROSS JOIN LATERAL (
                SELECT a.id, a.started_at, b.amount, b.currency, a.status, a.network_code, a.advice_code,
                    a.payment_method_id, a.decline_code
                FROM payments b JOIN payment_attempts a ON a.payment_id = b.id
                JOIN payment_methods m ON m.id = a.payment_method_id AND m.fingerprint = q.fingerprint
                WHERE b.customer_id = q.customer_id AND a.status <> 'canceled' AND NOT a.unsent
                    AND a.id <> ALL(\(unmade.map(\.rawValue))::text[])
                    AND (b.status <> 'created' OR b.attempt_id <> a.id)
                    AND coalesce(a.decline_code, '') <> ALL(\(unsent)::text[])
                    AND (a.decline_code IS DISTINCT FROM \(Decline.providerConfiguration.code)
                        OR length(a.network_code) = 2)
                ORDER BY b.id DESC, a.number DESC LIMIT \(limit)) AS h
            """
        ) { row in
            let payment: PaymentID = try row.next()
            let attempt: AttemptID = try row.next()
            let at: Instant = try row.next()
            let amount = Money(minor: try row.next(), currency: try row.next())
            let status: String = try row.next()
            let code: String? = try row.next()
            let told: String? = try row.next()
            let isAsEntered: Bool = try row.next()
            let decline: String? = try row.next()
            let isBeforeAgreement: Bool = try row.next()
            let advice: MerchantAdviceCode? = told.flatMap { MerchantAdviceCode($0, brand: brands[payment] ?? nil) }
            if let end: EndedAttempt = ends[attempt], unsent.contains(end.code) { return nil }
            let stored: CardAttempt.Outcome = Self.outcome(
                status, code, isAsEntered || advice?.isOfDetails != true ? advice : nil, decline)
            let outcome: CardAttempt.Outcome =
                ends[attempt].map(Self.outcome) ?? (isBeforeAgreement ? stored.agreedAnew() : stored)
            return (payment, CardAttempt(at: at, amount: amount, outcome: outcome))
        }
        return Dictionary(grouping: rows.compactMap(\.self)) { $0.0 }.mapValues { $0.map(\.1) }
    }

    private static func outcome(_ end: EndedAttempt) -> CardAttempt.Outcome {
        .declined(
            networkCode: end.refusal?.networkCode, advice: end.refusal?.advice, decline: Decline(code: end.code))
    }

    private static func outcome(
        _ status: String, _ code: String?, _ advice: MerchantAdviceCode?, _ decline: String?
    ) -> CardAttempt.Outcome {
        switch status {
        case "succeeded", "authorized": .approved
        case "failed": .declined(networkCode: code, advice: advice, decline: decline.map(Decline.init(code:)))
        default: .unknown
        }
    }
}

extension CascadingPayment {
    fileprivate var question: CardHistory.Question {
        CardHistory.Question(
            payment: id, customer: customerID, method: methodID, fingerprint: fingerprint, brand: brand,
            agreedAt: agreedAt)
    }
}

extension MerchantAdviceCode {
    /// Whether it is about the details as they were entered: it says nothing of the same card once it is entered anew.
    var isOfDetails: Bool { self == .newAccountInformation || retry == .onceCorrected }
}

/// SQL that moves payments to their following attempts.
enum CascadeStore {
    /// - Returns: When those that go on took the step: what an outage of the following attempt is compared with.
    static func store(
        _ steps: [CascadeStepTaken], at now: Instant, in db: borrowing PostgresTransaction
    ) throws -> [PaymentID: Instant] {
        guard !steps.isEmpty else { return [:] }
        try end(steps, at: now, in: db)
        let following: [(step: CascadeStepTaken, provider: String)] = steps.compactMap { step in
            if case .next(let token) = step.way { (step, token.provider) } else { nil }
        }
        guard !following.isEmpty else { return [:] }
        let ids: [String] = following.map(\.step.payment.id.rawValue)
        let attempts: [String] = following.map(\.step.next.rawValue)
        let providers: [String] = following.map(\.provider)
        try db.enqueue(
            """
            INSERT INTO payment_attempts
                (id, payment_id, number, payment_method_id, provider, status, started_at, cascade_of, routing,
                authentication)
            SELECT n.attempt_id, p.id, p.attempts + 1, p.payment_method_id, n.provider, 'started', \(now),
                p.attempt_id, a.routing - 'stopped', p.authentication
            FROM unnest(\(ids)::text[], \(attempts)::text[], \(providers)::text[]) AS n(id, attempt_id, provider)
            JOIN payments p ON p.id = n.id JOIN payment_attempts a ON a.id = p.attempt_id
            """)
        let stepped: [(PaymentID, Instant)] = try db.query(
            """
            UPDATE payments p SET attempt_id = n.attempt_id, attempts = p.attempts + 1, provider = n.provider,
                provider_reference = NULL, look_at = NULL, looks = 0, stepped_at = now()
            FROM unnest(\(ids)::text[], \(attempts)::text[], \(providers)::text[]) AS n(id, attempt_id, provider)
            WHERE p.id = n.id RETURNING p.id, p.stepped_at
            """
        ) { row in (try row.next(), try row.next()) }
        return Dictionary(stepped) { first, _ in first }
    }

    /// Ends the attempts that are followed, and writes down of the others why nothing follows; the network's words are
    /// kept of both. Whoever records the ends of the others sets their status.
    private static func end(
        _ steps: [CascadeStepTaken], at now: Instant, in db: borrowing PostgresTransaction
    ) throws {
        let stopped: [String?] = steps.map { step in
            if case .stop(let why) = step.way { why } else { nil }
        }
        try db.enqueue(
            """
            UPDATE payment_attempts a SET provider_code = e.provider_code, network_code = e.network_code,
                advice_code = e.advice_code,
                status = CASE WHEN e.stopped IS NULL THEN 'failed' ELSE a.status END,
                decline_code = CASE WHEN e.stopped IS NULL THEN e.code ELSE a.decline_code END,
                provider_reference = coalesce(e.reference, a.provider_reference),
                ended_at = CASE WHEN e.stopped IS NULL THEN \(now) ELSE a.ended_at END,
                routing = coalesce(a.routing, e.decided::jsonb) || CASE WHEN e.stopped IS NULL THEN '{}'::jsonb
                    ELSE jsonb_build_object('stopped', e.stopped) END
            FROM unnest(\(steps.map(\.payment.attemptID.rawValue))::text[], \(steps.map(\.end.code))::text[],
                \(steps.map { $0.end.refusal?.networkCode })::text[],
                \(steps.map { $0.end.refusal?.networkAdvice })::text[],
                \(steps.map(\.end.reference))::text[], \(stopped)::text[], \(steps.map { $0.end.refusal?.code })::text[],
                \(steps.map(\.payment.decided))::text[])
                AS e(id, code, network_code, advice_code, reference, stopped, provider_code, decided)
            WHERE a.id = e.id
            """)
    }
}
