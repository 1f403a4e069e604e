package import BillingCore
package import PaymentThreeDS
package import Postgres

/// A page on which a customer authenticates, for an attempt that waits for it.
package struct AuthenticationPageRecord: PostgresRecord, Sendable {
    /// What the browser finds it by; nobody can guess it.
    package let code: String
    package let paymentID: PaymentID
    package let attemptID: AttemptID
    /// Of the authentication that the issuer's script runs for, once it does.
    package let transaction: TransactionID?
    /// Until when the script may run; `nil` where there is none.
    package let methodUntil: Instant?
    /// Whether the script has reported.
    package let hasMethodReported: Bool

    static let columns: SQL = "code, payment_id, attempt_id, transaction_id, method_until, method_reported"

    package init(row: inout PostgresRow) throws {
        code = try row.next()
        paymentID = try row.next()
        attemptID = try row.next()
        let transaction: String? = try row.next()
        self.transaction = transaction.flatMap(TransactionID.init)
        methodUntil = try row.next()
        hasMethodReported = try row.next()
    }
}

/// SQL over the pages on which customers authenticate.
package enum AuthenticationPages {
    /// A new page's code: 128 random bits.
    package static func newCode() -> String {
        var source = SystemRandomNumberGenerator()
        return (0..<2).map { _ in
            let digits = String(UInt64.random(in: .min ... .max, using: &source), radix: 36)
            return String(repeating: "0", count: 13 - digits.count) + digits
        }.joined()
    }

    /// Opens pages for attempts that wait for their customers.
    package static func open(
        _ pages: [(code: String, payment: PaymentID, attempt: AttemptID)], until end: Instant,
        in db: borrowing PostgresTransaction
    ) throws {
        guard !pages.isEmpty else { return }
        try db.enqueue(
            """
            INSERT INTO three_d_secure_pages (code, payment_id, attempt_id, open_until)
            SELECT n.code, n.payment_id, n.attempt_id, \(end)::timestamptz
            FROM unnest(\(pages.map(\.code))::text[], \(pages.map(\.payment.rawValue))::text[],
                \(pages.map(\.attempt.rawValue))::text[]) AS n(code, payment_id, attempt_id)
            ON CONFLICT (attempt_id) DO NOTHING
            """)
    }

    /// By the code in its address.
    package static func find(
        _ code: String, in db: borrowing PostgresTransaction
    ) throws -> AuthenticationPageRecord? {
        try db.first(
            "SELECT \(AuthenticationPageRecord.columns) FROM three_d_secure_pages WHERE code = \(code)",
            as: AuthenticationPageRecord.self)
    }

    /// Of an attempt.
    package static func find(
        of attempt: AttemptID, in db: borrowing PostgresTransaction
    ) throws -> AuthenticationPageRecord? {
        try db.first(
            "SELECT \(AuthenticationPageRecord.columns) FROM three_d_secure_pages WHERE attempt_id = \(attempt)",
            as: AuthenticationPageRecord.self)
    }

    /// By the authentication that the issuer's script runs for.
    package static func find(
        running transaction: TransactionID, in db: borrowing PostgresTransaction
    ) throws -> AuthenticationPageRecord? {
        try db.first(
            """
            SELECT \(AuthenticationPageRecord.columns) FROM three_d_secure_pages
            WHERE transaction_id = \(transaction.description)
            """, as: AuthenticationPageRecord.self)
    }

    /// Notes that the issuer's script begins to run for an authentication; it runs once.
    /// - Returns: The page as it stands then: with this authentication, or with the one that was there before.
    package static func beginMethod(
        _ code: String, _ transaction: TransactionID, until: Instant, in db: borrowing PostgresTransaction
    ) throws -> AuthenticationPageRecord? {
        try db.first(
            """
            UPDATE three_d_secure_pages SET transaction_id = coalesce(transaction_id, \(transaction.description)),
                method_until = coalesce(method_until, \(until)::timestamptz)
            WHERE code = \(code) RETURNING \(AuthenticationPageRecord.columns)
            """, as: AuthenticationPageRecord.self)
    }

    /// Pages whose time is over.
    package static func late(at now: Instant) -> SQL {
        "SELECT code FROM three_d_secure_pages WHERE open_until <= \(now) ORDER BY open_until"
    }

    /// Closes pages whose time is over; others that are locked are left to whoever holds them.
    package static func close(
        at now: Instant, limit: Int, in db: borrowing PostgresTransaction
    ) throws -> [AuthenticationPageRecord] {
        try db.query(
            """
            UPDATE three_d_secure_pages SET open_until = NULL
            WHERE code IN (\(late(at: now)) LIMIT \(limit) FOR UPDATE SKIP LOCKED)
            RETURNING \(AuthenticationPageRecord.columns)
            """, as: AuthenticationPageRecord.self)
    }

    /// Notes that the issuer's script has reported in time.
    /// - Returns: Whether it was waited for; late and foreign reports change nothing.
    package static func methodReported(
        _ transaction: TransactionID, at now: Instant, in db: borrowing PostgresTransaction
    ) throws -> Bool {
        try db.execute(
            """
            UPDATE three_d_secure_pages SET method_reported = true
            WHERE transaction_id = \(transaction.description) AND method_until > \(now)
            """) == 1
    }
}
