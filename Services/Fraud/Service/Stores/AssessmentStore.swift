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

/// The `assessments` table, whose rows are inserted and never changed, and the reviews beside it.
package enum AssessmentStore {
    private static let columns: SQL = """
        id, payment_id, attempt, attempt_id, customer_id, currency, amount, score, decision, risk_level, reasons,
        card_hour, card_day, customer_hour, customer_day, model, created_at
        """

    /// The same with the review beside it, of `assessments`.
    private static let reviewed: SQL = """
        SELECT \(columns), r.outcome, r.reviewed_at
        FROM assessments LEFT JOIN assessment_reviews r ON r.assessment_id = assessments.id
        """

    /// Keeps what a person decided about a payment, beside the assessment of the attempt or, where another provider has
    /// followed, of the payment's newest one; the first word counts.
    /// - Returns: Whether there is an assessment.
    static func note(
        _ review: AssessmentReview, of payment: PaymentID, attempt: AttemptID, in db: borrowing PostgresTransaction
    ) throws -> Bool {
        let assessment: AssessmentID? = try db.first(
            """
            SELECT id FROM assessments WHERE payment_id = \(payment)
            ORDER BY attempt_id = \(attempt) DESC, attempt DESC LIMIT 1
            """
        ) { row in try row.next() }
        guard let assessment else { return false }
        try db.enqueue(
            """
            INSERT INTO assessment_reviews (assessment_id, outcome, reviewed_at)
            VALUES (\(assessment), \(review.outcome.rawValue), \(review.reviewedAt)) ON CONFLICT DO NOTHING
            """)
        return true
    }

    /// Inserts assessments of attempts that have none, with the next statement or with COMMIT.
    static func insert(_ all: [Assessment], in db: borrowing PostgresTransaction) throws {
        // Arrays of arrays must be rectangular, so each row's reasons travel as one text.
        let reasons: [String] = all.map { $0.reasons.map(\.rawValue).joined(separator: ",") }
        try db.enqueue(
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
            """)
    }

    /// One assessment; `nil` when there is none.
    package static func find(_ id: AssessmentID, in db: borrowing PostgresTransaction) throws -> Assessment? {
        try db.first("\(reviewed) WHERE id = \(id)", read)
    }

    /// The newest assessments that match, at most `limit`, older than `after`.
    package static func list(
        _ filter: AssessmentFilter, after: AssessmentID?, limit: Int, in db: borrowing PostgresTransaction
    ) throws -> [Assessment] {
        let matching: SQL = .matching(
            filter.paymentID.map { "payment_id = \($0)" }, filter.customerID.map { "customer_id = \($0)" },
            after.map { "id < \($0)" })
        return try db.query("\(reviewed) \(matching) ORDER BY id DESC LIMIT \(limit)", read)
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
        let (model, createdAt): (String, Instant) = (try row.next(), try row.next())
        let outcome: String? = try row.next()
        let reviewedAt: Instant? = try row.next()
        var review: AssessmentReview?
        if let outcome = outcome.flatMap(AssessmentReview.Outcome.init), let reviewedAt {
            review = AssessmentReview(outcome: outcome, reviewedAt: reviewedAt)
        }
        return Assessment(
            id: id, paymentID: payment, attempt: attempt, attemptID: attemptID, customerID: customer, amount: amount,
            score: score, decision: decision, level: level, reasons: reasons.compactMap { RiskReason(rawValue: $0) },
            velocity: velocity(counts.compactMap { $0 }), model: model, createdAt: createdAt, review: review)
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
