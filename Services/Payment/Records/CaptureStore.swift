package import BillingCore
package import PaymentDomain
package import Postgres

/// A capture as stored.
package struct CaptureRecord: PostgresRecord, Sendable {
    package let id: CaptureID
    package let paymentID: PaymentID
    package let amount: Money
    /// Nothing more is captured after it.
    package let isFinal: Bool
    package let status: FollowUpStatus
    /// Why the provider refused.
    package let failureCode: String?
    package let createdAt: Instant

    package static let columns: SQL = "id, payment_id, amount, currency, is_final, status, failure_code, created_at"

    package init(row: inout PostgresRow) throws {
        id = try row.next()
        paymentID = try row.next()
        amount = Money(minor: try row.next(), currency: try row.next())
        isFinal = try row.next()
        status = try row.nextCase()
        failureCode = try row.next()
        createdAt = try row.next()
    }

    package init(
        id: CaptureID, paymentID: PaymentID, amount: Money, isFinal: Bool, status: FollowUpStatus, createdAt: Instant
    ) {
        self.id = id
        self.paymentID = paymentID
        self.amount = amount
        self.isFinal = isFinal
        self.status = status
        failureCode = nil
        self.createdAt = createdAt
    }
}

/// SQL over captures.
package enum CaptureStore {
    package static func find(_ id: CaptureID, in db: borrowing PostgresTransaction) throws -> CaptureRecord? {
        try db.first("SELECT \(CaptureRecord.columns) FROM captures WHERE id = \(id)", as: CaptureRecord.self)
    }

    /// What the provider calls a capture; `nil` while it has not told.
    package static func providerReference(
        of id: CaptureID, in db: borrowing PostgresTransaction
    ) throws -> String? {
        try db.first("SELECT provider_reference FROM captures WHERE id = \(id) AND provider_reference IS NOT NULL") {
            row in
            try row.next()
        }
    }

    /// Notes what the provider calls a capture that has failed here, and that it says to have made, so that its news and its
    /// settlement lines find the payment.
    /// - Returns: `false` for a capture that has not failed.
    package static func noteMade(
        _ failed: CaptureID, reference: String, in db: borrowing PostgresTransaction
    ) throws -> Bool {
        try db.execute(
            "UPDATE captures SET provider_reference = \(reference) WHERE id = \(failed) AND status = 'failed'") > 0
    }

    /// Stores a capture that is about to be asked for, or was made elsewhere and is about to be booked, of a payment whose row
    /// is locked and which has no other under way.
    package static func reserve(
        _ id: CaptureID, _ amount: Int64, of payment: PaymentRecord, isFinal: Bool, at now: Instant,
        in db: borrowing PostgresTransaction
    ) throws {
        _ = try db.execute(
            """
            INSERT INTO captures (id, payment_id, amount, currency, is_final, status, created_at)
            VALUES (\(id), \(payment.id), \(amount), \(payment.amount.currency), \(isFinal), 'processing', \(now))
            """)
    }

    /// What has been captured of the payment, minor units, by the provider's name of it.
    package static func succeeded(
        of payment: PaymentID, in db: borrowing PostgresTransaction
    ) throws -> [String: Int64] {
        let booked: [(String, Int64)] = try db.query(
            """
            SELECT provider_reference, sum(amount)::bigint FROM captures
            WHERE payment_id = \(payment) AND status = 'succeeded' AND provider_reference IS NOT NULL GROUP BY 1
            """
        ) { row in (try row.next(), try row.next()) }
        return Dictionary(booked) { first, _ in first }
    }

    /// The capture of the payment that is under way; `nil` when none is.
    package static func underWay(_ payment: PaymentID, in db: borrowing PostgresTransaction) throws -> CaptureID? {
        try db.first("SELECT id FROM captures WHERE payment_id = \(payment) AND status = 'processing'") { row in
            try row.next()
        }
    }

    /// What a capture has left to refund, minor units: neither refunded, nor withheld or lost by a dispute over it.
    private static let left: SQL = """
        (amount - amount_refunded - coalesce((
            SELECT sum(d.amount) FROM disputes d WHERE d.payment_id = captures.payment_id AND d.capture_id = captures.id
                AND d.status IN ('needs_response', 'under_review', 'lost')), 0)::bigint)
        """

    /// The smallest capture of the payment, whose row is locked, that has the amount left to refund.
    package static func refundable(
        _ amount: Int64, of payment: PaymentID, in db: borrowing PostgresTransaction
    ) throws -> CaptureID? {
        try db.first(
            """
            SELECT id FROM captures
            WHERE payment_id = \(payment) AND status = 'succeeded' AND \(left) >= \(amount)
            ORDER BY \(left), id LIMIT 1
            """
        ) { row in try row.next() }
    }

    /// The most that one capture of the payment has left to refund.
    package static func mostRefundable(of payment: PaymentID, in db: borrowing PostgresTransaction) throws -> Int64 {
        try db.first(
            """
            SELECT greatest(max(\(left)), 0) FROM captures
            WHERE payment_id = \(payment) AND status = 'succeeded'
            """
        ) { row in try row.next() } ?? 0
    }

    /// The captures of the payment, whose row is locked, that have something left to refund, and how much.
    package static func refundable(
        of payment: PaymentID, in db: borrowing PostgresTransaction
    ) throws -> [(capture: CaptureID?, left: Int64)] {
        try db.query(
            """
            SELECT id, \(left) FROM captures
            WHERE payment_id = \(payment) AND status = 'succeeded' AND \(left) > 0 ORDER BY id
            """
        ) { row in (capture: try row.next(), left: try row.next()) }
    }

    /// Newest first, after a cursor.
    package static func list(
        payment: PaymentID, after: CaptureID?, limit: Int, in db: borrowing PostgresTransaction
    ) throws -> [CaptureRecord] {
        let matching: SQL = .matching("payment_id = \(payment)", after.map { "id < \($0)" })
        return try db.query(
            "SELECT \(CaptureRecord.columns) FROM captures \(matching) ORDER BY id DESC LIMIT \(limit)",
            as: CaptureRecord.self)
    }
}
