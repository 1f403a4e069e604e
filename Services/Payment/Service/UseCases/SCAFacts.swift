import BillingCore
import PaymentDomain
import PaymentRecords
import Postgres

/// What the question depends on whether an attempt's customer must authenticate, as stored.
struct SCAFacts: PostgresRecord {
    let paymentID: PaymentID
    let attemptID: AttemptID
    let amount: Money
    let offSession: Bool
    let isAuthenticated: Bool
    let stepUp: StepUpState?
    /// Of the card's issuer.
    let country: String?
    let isTrusted: Bool
    /// The card's customer was authenticated when they agreed to charges without them, or to a series of payments.
    let hasAuthenticatedAgreement: Bool
    let networkTransactionID: String?
    /// It belongs to a subscription or an instalment plan.
    let isOfSeries: Bool
    /// With it the customer agrees to later charges without them.
    let keepsMethod: Bool
    /// The last amount of the series that the card's issuer has authenticated its holder for.
    let seriesAmount: Money?
    /// The card's, whoever holds it.
    let fingerprint: String

    /// Nothing is left to decide: the customer has authenticated for it, or nobody could.
    var isSettled: Bool { isAuthenticated || stepUp == .spent }
    /// The bank has asked for the customer.
    var isDue: Bool { stepUp == .due && !offSession }

    static func read(_ payments: [PaymentID], in db: borrowing PostgresTransaction) throws -> [SCAFacts] {
        try db.query(
            """
            SELECT p.id, p.attempt_id, p.amount, p.currency, p.off_session, p.authenticated, p.step_up_state, m.country,
                m.trusted_beneficiary, m.agreement_authenticated_at IS NOT NULL, m.network_transaction_id,
                p.subscription_id IS NOT NULL OR p.instalment_id IS NOT NULL, p.keeps_method,
                s.amount, m.fingerprint
            FROM payments p JOIN payment_methods m ON m.id = p.payment_method_id
            LEFT JOIN LATERAL (
                SELECT b.amount FROM payments b JOIN payment_methods o ON o.id = b.payment_method_id
                WHERE o.fingerprint = m.fingerprint AND b.customer_id = p.customer_id AND b.subscription_id = p.subscription_id AND b.id <> p.id
                    AND b.currency = p.currency AND b.authenticated AND b.status = \(PaymentStatus.succeeded.rawValue)
                    AND NOT \(SCACounterStore.frictionless(of: "b")) AND NOT p.off_session
                ORDER BY b.id DESC LIMIT 1) AS s ON true
            WHERE p.id = ANY(\(payments.map(\.rawValue))::text[]) ORDER BY p.id
            """, as: SCAFacts.self)
    }

    init(row: inout PostgresRow) throws {
        paymentID = try row.next()
        attemptID = try row.next()
        let amount = Money(minor: try row.next(), currency: try row.next())
        self.amount = amount
        offSession = try row.next()
        isAuthenticated = try row.next()
        let state: String? = try row.next()
        stepUp = state.flatMap(StepUpState.init)
        country = try row.next()
        isTrusted = try row.next()
        hasAuthenticatedAgreement = try row.next()
        networkTransactionID = try row.next()
        isOfSeries = try row.next()
        keepsMethod = try row.next()
        let series: Int64? = try row.next()
        seriesAmount = series.map { Money(minor: $0, currency: amount.currency) }
        fingerprint = try row.next()
    }
}
