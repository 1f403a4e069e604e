package import BillingCore
import PaymentContract
package import Postgres

/// SQL over money that nobody owes and that its provider has not given back: refunds of the service's own that were refused, or
/// that came back after they had counted, as those may that a person made in their place. Of what was refused another refund is
/// asked for, since a provider may answer from the key of the first. A payment's row here is changed under the lock of the
/// payment's own.
package enum RefundRepeats {
    /// Payments whose money is to be asked for again.
    package static let due: SQL = """
        SELECT t.payment_id FROM refunds_to_repeat t JOIN payments p ON p.id = t.payment_id
        WHERE t.next_at <= now() ORDER BY t.next_at
        """

    /// How long is waited after so many tries: from a quarter of an hour on twice as long each time, a day at most.
    private static let wait: SQL = "make_interval(secs => least(900 * 2 ^ least(tries, 10), 86400))"

    private static func isOwn(_ refund: RefundRecord) -> Bool {
        refund.reason.map { OwnRefund.reasons.contains($0) } ?? false
    }

    /// What refunds fail with that somebody has taken back: as an instruction to send coins, and at PayPal.
    private static let takenBack: Set<String> = ["canceled", "CANCELLED"]

    /// What a refund fails with that was a dispute's withdrawal.
    package static let disputed = "disputed"

    /// How often another refund is asked for, about a fortnight: what is refused for so long no time mends.
    private static let mostTries = 20

    /// Notes a refund that has given nothing back, where it is one of the service's own, and has a person told. Another follows.
    /// None does where a person has taken it back, where it comes back after it had counted, as the next one would, and of what
    /// was beyond a plan: the rest of that payment is owed, and what a person or a bank gives back meanwhile would go back
    /// twice. For any other refund see `noteOther`. The payment's row is locked.
    static func note(_ failed: RefundRecord, code: String, in db: borrowing PostgresTransaction) throws {
        guard isOwn(failed), let reason: String = failed.reason else {
            return try noteOther(failed, code: code, in: db)
        }
        let isLast: Bool = takenBack.contains(code) || reason == OwnRefund.ofOverpaidPlan
        let next: SQL = """
            CASE WHEN \(isLast) OR EXISTS (
                SELECT 1 FROM journal_entries e WHERE e.kind = 'refund' AND e.reference = \(failed.id))
            THEN 'infinity'::timestamptz ELSE now() + interval '15 minutes' END
            """
        try db.enqueue(
            """
            INSERT INTO refunds_to_repeat AS t (payment_id, reason, next_at)
            VALUES (\(failed.paymentID), \(reason), \(next))
            ON CONFLICT (payment_id) DO UPDATE SET next_at = CASE WHEN t.tries >= \(mostTries)
                THEN 'infinity' ELSE greatest(t.next_at, excluded.next_at) END
            """)
        try tell(failed, code: code, in: db)
    }

    /// Notes a refund that has given nothing back and that somebody else asked for. Where one of the service's own had been
    /// refused, and this one had counted, the payment may have been done with. It is taken up again: a person is told, and
    /// nothing follows by itself, as with one of the service's own that comes back. What is a dispute's now is looked at, and
    /// waits for its end. Of a refund that had not counted only the money is free again.
    private static func noteOther(
        _ failed: RefundRecord, code: String, in db: borrowing PostgresTransaction
    ) throws {
        let refused: String? = try db.first(
            """
            SELECT r.reason FROM refunds r
            WHERE r.payment_id = \(failed.paymentID) AND r.status = 'failed'
                AND r.reason = ANY(\(OwnRefund.ofAll)::text[])
                AND EXISTS (
                    SELECT 1 FROM journal_entries e WHERE e.kind = 'refund' AND e.reference = \(failed.id))
            ORDER BY r.id DESC LIMIT 1
            """
        ) { row in try row.next() }
        guard let reason: String = refused else { return try resume(failed.paymentID, in: db) }
        let isDisputed: Bool = code == disputed
        try db.enqueue(
            """
            INSERT INTO refunds_to_repeat AS t (payment_id, reason, next_at)
            VALUES (\(failed.paymentID), \(reason),
                CASE WHEN \(isDisputed) THEN now() ELSE 'infinity'::timestamptz END)
            ON CONFLICT (payment_id) DO UPDATE SET next_at = CASE WHEN t.next_at = 'infinity'
                THEN t.next_at ELSE excluded.next_at END
            """)
        if !isDisputed { try tell(failed, code: code, in: db) }
    }

    /// Has a person told of a refund that has given nothing back of what nobody owes.
    private static func tell(_ failed: RefundRecord, code: String, in db: borrowing PostgresTransaction) throws {
        let name: String? = try db.first("SELECT provider FROM payments WHERE id = \(failed.paymentID)") { row in
            try row.next()
        }
        guard let provider: String = name else { return }
        let fault = ProviderFault.unusable(
            "\(failed.id) gives nothing back of \(failed.paymentID), whose money nobody owes: \(code)")
        db.onCommit { ProviderAlarms.shared.note(fault, of: provider, on: .refund, isSingular: true) }
    }

    /// Has nothing more given back by itself of the payment of a refund, whose row is locked: the provider says to have made
    /// what it had refused, and a person has to look.
    package static func stop(_ refund: RefundID, in db: borrowing PostgresTransaction) throws {
        try db.enqueue(
            """
            UPDATE refunds_to_repeat SET next_at = 'infinity'
            WHERE payment_id = (SELECT payment_id FROM refunds WHERE id = \(refund))
            """)
    }

    /// Has a payment, whose row is locked and of which more can be given back now, after a dispute or another refund, looked at.
    package static func resume(_ payment: PaymentID, in db: borrowing PostgresTransaction) throws {
        try db.enqueue(
            """
            UPDATE refunds_to_repeat SET next_at = least(next_at, now())
            WHERE payment_id = \(payment) AND next_at <> 'infinity'
            """)
    }

    /// Stores the refunds of payments that are due; nobody else does before their next time. One that another refund of is
    /// under way, or whose money disputes have, is looked at again, which counts for no try; one with nothing left to give
    /// back is done.
    /// - Returns: The refunds; they are to be made.
    package static func begin(
        limit: Int, at now: Instant, in db: borrowing PostgresTransaction
    ) throws -> [RefundID] {
        let payments: [PaymentID] = try db.query("\(due) LIMIT \(limit) FOR UPDATE OF p SKIP LOCKED") { row in
            try row.next()
        }
        var refunds: [RefundID] = []
        for payment in payments { refunds += try begin(payment, at: now, in: db) }
        return refunds
    }

    /// Another process may have had its turn before the payment's row was locked.
    private static func begin(
        _ id: PaymentID, at now: Instant, in db: borrowing PostgresTransaction
    ) throws -> [RefundID] {
        let waiting: (reason: String, isUnderWay: Bool)? = try db.first(
            """
            SELECT t.reason, EXISTS (
                SELECT 1 FROM refunds r WHERE r.payment_id = t.payment_id AND r.status = 'processing')
            FROM refunds_to_repeat t WHERE t.payment_id = \(id) AND t.next_at <= now()
            """
        ) { row in (reason: try row.next(), isUnderWay: try row.next()) }
        guard let waiting, let payment: PaymentRecord = try PaymentStore.lock(id, in: db) else { return [] }
        if !waiting.isUnderWay, payment.amountCaptured <= payment.amountRefunded {
            try db.enqueue("DELETE FROM refunds_to_repeat WHERE payment_id = \(id)")
            return []
        }
        guard !waiting.isUnderWay, payment.amountRefundable > 0 else {
            // What a dispute gives back is looked at then: see `resume`.
            let pause: SQL = waiting.isUnderWay ? "interval '15 minutes'" : "interval '30 days'"
            try db.enqueue("UPDATE refunds_to_repeat SET next_at = now() + \(pause) WHERE payment_id = \(id)")
            return []
        }
        try db.enqueue(
            """
            UPDATE refunds_to_repeat SET tries = tries + 1, next_at = now() + \(wait) WHERE payment_id = \(id)
            """)
        return try RefundStore.reserveRest(of: payment, reason: waiting.reason, at: now, in: db)
    }
}
