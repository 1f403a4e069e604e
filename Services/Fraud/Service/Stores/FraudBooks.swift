package import JSON
package import Postgres
import ServiceKit

/// What the consistency check asks of Fraud.
package enum FraudBooks {
    /// Totals over all assessments; ids are the payment's id followed by the attempt's number.
    package static func facts(in db: borrowing PostgresTransaction) throws -> [(String, JSONValue)] {
        let decisions: [JSONMember] = try db.query(
            "SELECT decision, count(*)::text FROM assessments GROUP BY 1 ORDER BY 1"
        ) { row in JSONMember(name: try row.next(), value: .number(try row.next())) }
        let reviews: [JSONMember] = try db.query(
            "SELECT outcome, count(*)::text FROM assessment_reviews GROUP BY 1 ORDER BY 1"
        ) { row in JSONMember(name: try row.next(), value: .number(try row.next())) }
        return [
            ("assessments", try Fingerprint.of("SELECT payment_id || attempt::text FROM assessments", in: db)),
            ("decisions", .object(decisions)),
            ("reviews", .object(reviews)),
        ]
    }

    /// One sentence for each broken promise.
    package static func violations(in db: borrowing PostgresTransaction) throws -> [String] {
        try ConsistencyFacts.violations(promises, in: db)
    }

    private static let promises: [(SQL, String)] = [
        (
            "SELECT count(*) FROM (SELECT 1 FROM assessments GROUP BY payment_id, attempt HAVING count(*) > 1) t",
            "attempts were assessed twice"
        ),
        (
            """
            SELECT count(*) FROM assessments WHERE decision <> CASE
                WHEN score >= 0.95 THEN 'block' WHEN score >= 0.50 THEN 'review' ELSE 'approve' END
            """, "assessments decide otherwise than their score"
        ),
        (
            """
            SELECT count(*) FROM assessments
            WHERE (card_hour IS NULL) <> ('velocity_unavailable' = ANY(reasons))
            """, "assessments lack velocity without saying so"
        ),
    ]
}
