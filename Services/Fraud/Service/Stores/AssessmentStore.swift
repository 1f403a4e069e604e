package import BillingCore
import FraudDomain
package import Postgres

/// Which assessments a list is narrowed to.
package struct AssessmentFilter: Sendable {
    /// Of this payment.
    package var paymentID: PaymentID?
    /// Of this customer.
    package var customerID: CustomerID?

    /// A filter; everything left out matches.
    package init(paymentID: PaymentID? = nil, customerID: CustomerID? = nil) {
        self.paymentID = paymentID
        self.customerID = customerID
    }
}

/// The `assessments` table: rows are inserted and never changed.
package enum AssessmentStore {
    private static let columns: SQL = """
        id, payment_id, attempt, attempt_id, customer_id, currency, amount, score, decision, risk_level, reasons,
        card_hour, card_day, customer_hour, customer_day, model, created_at
        """

    /// Inserts assessments of attempts that have none.
    /// - Returns: The ids of those that were inserted.
    static func insert(_ all: [Assessment], in db: borrowing PostgresTransaction) throws -> Set<AssessmentID> {
        // Arrays of arrays must be rectangular, so each row's reasons travel as one text.
        let reasons: [String] = all.map { $0.reasons.map(\.rawValue).joined(separator: ",") }
        let inserted: [AssessmentID] = try db.query(
            """
            INSERT INTO assessments (\(columns))
            SELECT a.id, a.payment_id, a.attempt, a.attempt_id, a.customer_id, a.currency, a.amount, a.score,
                a.decision, a.risk_level, string_to_array(a.reasons, ','), a.card_hour, a.card_day, a.customer_hour,
                a.customer_day, a.model, a.created_at
            FROM unnest(
                \(all.map(\.id))::text[], \(all.map(\.paymentID))::text[], \(all.map(\.attempt))::integer[],
                \(all.map(\.attemptID))::text[], \(all.map(\.customerID))::text[],
                \(all.map(\.amount.currency.code))::text[], \(all.map(\.amount.minor))::bigint[],
                \(all.map(\.score.description))::numeric[], \(all.map(\.decision.rawValue))::text[],
                \(all.map(\.level.rawValue))::text[], \(reasons)::text[],
                \(all.map(\.velocity?.cardHour))::bigint[], \(all.map(\.velocity?.cardDay))::bigint[],
                \(all.map(\.velocity?.customerHour))::bigint[], \(all.map(\.velocity?.customerDay))::bigint[],
                \(all.map(\.model))::text[], \(all.map(\.createdAt))::timestamptz[])
                AS a(id, payment_id, attempt, attempt_id, customer_id, currency, amount, score, decision, risk_level,
                    reasons, card_hour, card_day, customer_hour, customer_day, model, created_at)
            ON CONFLICT (payment_id, attempt) DO NOTHING
            RETURNING id
            """
        ) { row in try row.next() }
        return Set(inserted)
    }

    /// One assessment; `nil` when there is none.
    package static func find(_ id: AssessmentID, in db: borrowing PostgresTransaction) throws -> Assessment? {
        try db.first("SELECT \(columns) FROM assessments WHERE id = \(id)", read)
    }

    /// The newest assessments that match, at most `limit`, older than `after`.
    package static func list(
        _ filter: AssessmentFilter, after: AssessmentID?, limit: Int, in db: borrowing PostgresTransaction
    ) throws -> [Assessment] {
        let matching: SQL = .matching(
            filter.paymentID.map { "payment_id = \($0)" }, filter.customerID.map { "customer_id = \($0)" },
            after.map { "id < \($0)" })
        return try db.query("SELECT \(columns) FROM assessments \(matching) ORDER BY id DESC LIMIT \(limit)", read)
    }

    private static func read(_ row: inout PostgresRow) throws -> Assessment {
        let (id, payment): (AssessmentID, PaymentID) = (try row.next(), try row.next())
        let attempt: Int64 = try row.next()
        let (attemptID, customer): (AttemptID, CustomerID) = (try row.next(), try row.next())
        let currency: Currency = try row.next()
        let amount = Money(minor: try row.next(), currency: currency)
        let scoreText: String = try row.next()
        guard let score = RiskScore(scoreText) else { throw UnreadableScore(text: scoreText) }
        let decision: RiskDecision = try row.nextCase()
        let level: RiskLevel = try row.nextCase()
        let reasons: [String] = try row.next()
        let counts: [Int?] = [try row.next(), try row.next(), try row.next(), try row.next()]
        return Assessment(
            id: id, paymentID: payment, attempt: attempt, attemptID: attemptID, customerID: customer, amount: amount,
            score: score, decision: decision, level: level, reasons: reasons.compactMap { RiskReason(rawValue: $0) },
            velocity: velocity(counts.compactMap { $0 }), model: try row.next(), createdAt: try row.next())
    }

    private static func velocity(_ counts: [Int]) -> VelocityCounts? {
        guard counts.count == 4 else { return nil }
        return VelocityCounts(
            cardHour: counts[0], cardDay: counts[1], customerHour: counts[2], customerDay: counts[3])
    }
}

/// A stored score that is not one.
private struct UnreadableScore: Error {
    let text: String
}
