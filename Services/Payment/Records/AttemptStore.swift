package import BillingCore
import JSON
package import PaymentDomain
package import Postgres

/// Where an attempt at a payment stands.
package enum AttemptStatus: String, Sendable, CaseIterable {
    case started, authorized, succeeded, failed, canceled
    case requiresAction = "requires_action"
}

/// An attempt at a payment as stored.
package struct AttemptRecord: Sendable {
    package let id: AttemptID
    package let paymentID: PaymentID
    package let number: Int
    package let paymentMethodID: PaymentMethodID?
    /// Who was asked.
    package let provider: String
    package let status: AttemptStatus
    /// What the provider knows the charge by; `nil` while it has told nothing.
    package let providerReference: String?
    package let declineCode: String?
    /// The provider's own code.
    package let providerCode: String?
    /// The network's response code, where the provider passes it on.
    package let networkCode: String?
    /// The network's advice, as it came.
    package let adviceCode: String?
    /// Before when no other is wanted: by the card's network, or since nobody could be asked. `nil` where that is not known.
    package let retryAt: Instant?
    /// The attempt that it follows in the same breath.
    package let cascadeOf: AttemptID?
    /// Why it went where it went, as JSON; `nil` where nothing was decided.
    package let routing: String?
    package let startedAt: Instant
    package let endedAt: Instant?

    /// Why it failed; `nil` where it has not.
    package var decline: Decline? { status == .failed ? declineCode.map(Decline.init(code:)) : nil }

    /// An example for documents.
    package static var sample: AttemptRecord {
        AttemptRecord(
            id: .sample, paymentID: .sample, number: 1, paymentMethodID: .sample, provider: "sandbox", status: .failed,
            providerReference: "ch_1", declineCode: Decline.insufficientFunds.code, providerCode: "insufficient_funds",
            networkCode: "51", adviceCode: "30", retryAt: .sample, cascadeOf: nil, routing: nil, startedAt: .sample,
            endedAt: .sample)
    }
}

extension AttemptRecord: PostgresRecord {
    /// The columns in the order ``init(row:)`` reads them, of a table or alias named `a`.
    package static let columns: SQL = """
        a.id, a.payment_id, a.number, a.payment_method_id, a.provider, a.status, a.provider_reference, a.decline_code, \
        a.provider_code, a.network_code, a.advice_code, a.retry_at, a.cascade_of, a.routing::text, a.started_at, \
        a.ended_at
        """

    package init(row: inout PostgresRow) throws {
        id = try row.next()
        paymentID = try row.next()
        number = try row.next()
        paymentMethodID = try row.next()
        provider = try row.next()
        status = try row.nextCase()
        providerReference = try row.next()
        declineCode = try row.next()
        providerCode = try row.next()
        networkCode = try row.next()
        adviceCode = try row.next()
        retryAt = try row.next()
        cascadeOf = try row.next()
        routing = try row.next()
        startedAt = try row.next()
        endedAt = try row.next()
    }
}

/// SQL that reads attempts at payments.
package enum AttemptStore {
    /// Which of a payment's attempts one is; `nil` when it is none of them, as one whose late charge made it a payment of
    /// its own.
    package static func number(
        of id: AttemptID, payment: PaymentID, in db: borrowing PostgresTransaction
    ) throws -> Int? {
        try db.first("SELECT number FROM payment_attempts WHERE id = \(id) AND payment_id = \(payment)") { row in
            try row.next() as Int
        }
    }

    /// A payment's attempts in their order, after the one of a number.
    package static func list(
        payment: PaymentID, after: Int?, limit: Int, in db: borrowing PostgresTransaction
    ) throws -> [AttemptRecord] {
        let later: SQL? = after.map { (number: Int) -> SQL in "a.number > \(number)" }
        let matching: SQL = .matching("a.payment_id = \(payment)", later)
        return try db.query(
            "SELECT \(AttemptRecord.columns) FROM payment_attempts a \(matching) ORDER BY a.number LIMIT \(limit)",
            as: AttemptRecord.self)
    }

    /// Before when the networks of failed payments' cards want no other attempt; those that have not said are left out.
    package static func retryTimes(
        of payments: [PaymentRecord], in db: borrowing PostgresTransaction
    ) throws -> [PaymentID: Instant] {
        let failed: [PaymentRecord] = payments.filter { $0.declineCode != nil }
        guard !failed.isEmpty else { return [:] }
        let rows: [(PaymentID, Instant)] = try db.query(
            """
            SELECT payment_id, retry_at FROM payment_attempts
            WHERE id = ANY(\(failed.map(\.attemptID.rawValue))::text[]) AND status = 'failed' AND retry_at IS NOT NULL
            """
        ) { row in (try row.next(), try row.next()) }
        return Dictionary(rows) { first, _ in first }
    }
}
