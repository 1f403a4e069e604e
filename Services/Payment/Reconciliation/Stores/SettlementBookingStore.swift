import BillingCore
import PaymentDomain
import PaymentRecords
import Postgres

/// SQL over journal entries as partners of settlement lines.
enum SettlementBookingStore {
    /// Kinds of entries that are made from lines, so that no line confirms them.
    static let madeFromLines: [JournalEntry.Kind] = [
        .providerFee, .payout, .payoutArrival, .payoutFailure, .exchange, .settlement, .writeOff, .offset,
    ]

    /// Kinds of entries that a person has booked.
    private static let byHand: Set<String> = Set([JournalEntry.Kind.adjustment, .reversal].map(\.rawValue))

    /// What movements of the provider's account are, with every name they are known by; those of `entries` that no line
    /// stands for. What a refund that failed was before its exchange, and its failure, their own lines tell: its movement is
    /// gone. A fee is booked along with a dispute alone: of any other entry the line is over all that it moved. An entry that
    /// was reversed before a line stood for it is none, and neither is its reversal; nor is a
    /// refund that turned out to be a dispute's withdrawal: that is the dispute's booking. `OFFSET 0`
    /// keeps each look at other tables one by index: joined, a plan made while they were small reads all of them.
    private static func movements(_ provider: String, _ entries: SQL) -> SQL {
        let account: String = Ledger.providerBalance(provider)
        return """
            SELECT e.id, e.kind, e.reference, e.occurred_at, l.currency, l.amount, l.fee,
                p.id, p.attempt_id, coalesce(c.provider_reference, r.provider_reference, d.reference),
                a.provider_reference, coalesce(x.amount, u.amount), coalesce(x.currency, u.currency),
                x.amount IS NULL AND u.amount IS NOT NULL, t.names, m.type
            FROM (\(entries)) AS e
            JOIN LATERAL (
                SELECT currency, sum(amount) FILTER (WHERE account = \(account))::bigint AS amount,
                    coalesce(sum(amount) FILTER (WHERE account LIKE 'expense%fee%' AND e.kind = 'dispute'), 0)::bigint
                        AS fee
                FROM journal_lines WHERE entry_id = e.id GROUP BY currency HAVING bool_or(account = \(account)))
                AS l ON l.amount <> 0 OR l.fee <> 0
            LEFT JOIN payments p ON p.id = e.payment_id
            LEFT JOIN payment_attempts a ON a.id = CASE WHEN e.kind = 'payment' THEN e.reference ELSE p.attempt_id END
            LEFT JOIN payment_methods m ON m.id = coalesce(a.payment_method_id, p.payment_method_id)
            LEFT JOIN captures c ON c.id = e.reference
            LEFT JOIN refunds r ON r.id = e.reference
            LEFT JOIN disputes d ON e.kind = 'dispute' AND d.id = split_part(e.reference, '/', 1)
            LEFT JOIN exchange_movements x ON x.reference = e.reference AND x.settlement_currency = l.currency
                AND e.kind IN ('payment', 'capture', 'refund')
            LEFT JOIN LATERAL (
                SELECT sum(amount)::bigint AS amount, min(currency) AS currency FROM journal_lines
                WHERE entry_id = e.id AND e.kind IN ('refund', 'refund_failure') AND account = \(ExchangeLedger.position)
                    AND currency <> l.currency
                HAVING count(DISTINCT currency) = 1 AND sign(sum(amount)) = sign(l.amount)) AS u ON true
            LEFT JOIN LATERAL (
                SELECT string_agg(n.provider_reference, ' ') AS names FROM captures n
                WHERE n.payment_id = e.payment_id AND e.kind NOT IN ('payment', 'capture')) AS t ON true
            WHERE NOT EXISTS (SELECT 1 FROM settlement_entries s WHERE s.entry_id = e.id OFFSET 0)
                AND NOT EXISTS (SELECT 1 FROM reconciliation_cases k WHERE k.entry_id = e.id
                    AND k.provider = \(provider) AND k.currency = l.currency
                    AND k.reason = 'not_at_provider' AND k.state = 'written_off' OFFSET 0)
                AND NOT EXISTS (SELECT 1 FROM reversals v WHERE v.refund_id = r.id AND v.dispute_id IS NOT NULL OFFSET 0)
                AND e.kind <> ALL(\(madeFromLines.map(\.rawValue))::text[])
                AND NOT EXISTS (SELECT 1 FROM journal_entries v WHERE v.kind = 'reversal' AND v.reference = e.id
                OFFSET 0)
                AND (e.kind <> 'reversal' OR EXISTS (SELECT 1 FROM settlement_entries s WHERE s.entry_id = e.reference))
            """
    }

    private static func read(_ row: inout PostgresRow) throws -> SettlementBooking {
        let id: String = try row.next()
        let kind: String = try row.next()
        let own: String = try row.next()
        let occurredAt: Instant = try row.next()
        let currency: Currency = try row.next()
        let amount = Money(minor: try row.next(), currency: currency)
        let fee = Money(minor: try row.next(), currency: currency)
        let payment: PaymentID? = try row.next()
        let attempt: String? = try row.next()
        let source: String? = try row.next()
        let charge: String? = try row.next()
        let given: Int64? = try row.next()
        let givenCurrency: Currency? = try row.next()
        let isUndone: Bool = try row.next()
        let captures: String? = try row.next()
        let isCharge: Bool = kind == JournalEntry.Kind.payment.rawValue
        let sources: [String?] = [source, isCharge ? charge : nil, own]
        let related: [String?] = [payment?.rawValue, kind == JournalEntry.Kind.refund.rawValue ? nil : attempt]
        return SettlementBooking(
            id: id, kind: lineKind(of: kind, amount), own: own, related: Set(related.compactMap { $0 }),
            sources: Set(sources.compactMap { $0 }),
            taken: Set([charge].compactMap { $0 } + (captures ?? "").split(separator: " ").map(String.init)),
            gross: try amount.adding(fee),
            given: given.flatMap { minor in givenCurrency.map { Money(minor: minor, currency: $0) } },
            isUndone: isUndone, isByHand: byHand.contains(kind), fee: fee, occurredAt: occurredAt, payment: payment,
            method: try row.next())
    }

    /// The kind of line that confirms an entry of a kind.
    private static func lineKind(of kind: String, _ amount: Money) -> SettlementLine.Kind {
        switch kind {
        case JournalEntry.Kind.payment.rawValue, JournalEntry.Kind.capture.rawValue: .charge
        case JournalEntry.Kind.refund.rawValue: .refund
        case _ where kind.hasPrefix("dispute"): amount.isNegative ? .dispute : .disputeReversal
        default: .adjustment
        }
    }

    /// Bookings of the payments that lines name, by our ids or by the provider's.
    static func named(
        by lines: [SettlementLine], provider: String, in db: borrowing PostgresTransaction
    ) throws -> [SettlementBooking] {
        let own: [String] = Array(Set(lines.compactMap(\.references.own)))
        let theirs: [String] = Array(
            Set(lines.flatMap { [$0.references.source, $0.references.taken] }.compactMap { $0 }))
        guard !own.isEmpty || !theirs.isEmpty else { return [] }
        let payments: SQL = """
            SELECT id AS payment_id FROM payments WHERE id = ANY(\(own)::text[])
            UNION SELECT payment_id FROM payment_attempts WHERE id = ANY(\(own)::text[])
            UNION SELECT payment_id FROM captures WHERE id = ANY(\(own)::text[])
            UNION SELECT payment_id FROM refunds WHERE id = ANY(\(own)::text[])
            UNION SELECT payment_id FROM payment_attempts WHERE provider_reference = ANY(\(theirs)::text[])
            UNION SELECT payment_id FROM captures WHERE provider_reference = ANY(\(theirs)::text[])
            UNION SELECT payment_id FROM refunds WHERE provider_reference = ANY(\(theirs)::text[])
            UNION SELECT payment_id FROM disputes WHERE provider = \(provider) AND reference = ANY(\(theirs)::text[])
            """
        return try db.query(
            movements(
                provider, "SELECT j.* FROM journal_entries j JOIN (\(payments)) AS n ON n.payment_id = j.payment_id"),
            read)
    }

    /// What one entry books, by currency, as long as no line stands for it and nothing has taken it back.
    static func find(
        _ entry: String, provider: String, in db: borrowing PostgresTransaction
    ) throws -> [SettlementBooking] {
        try db.query(movements(provider, "SELECT * FROM journal_entries WHERE id = \(entry)"), read)
    }

    /// Bookings of the amounts of lines, at about their times.
    static func alike(
        _ lines: [SettlementLine], provider: String, window: Duration, in db: borrowing PostgresTransaction
    ) throws -> [SettlementBooking] {
        guard let first: Instant = lines.map(\.occurredAt).min(), let last: Instant = lines.map(\.occurredAt).max()
        else { return [] }
        let amounts: [Int64] = Array(Set(lines.flatMap { [$0.asked.minor, $0.gross.minor] }))
        return try db.query(
            movements(
                provider,
                """
                SELECT j.* FROM journal_entries j
                WHERE j.occurred_at BETWEEN \(first - window) AND \(last + window) AND EXISTS (
                    SELECT 1 FROM journal_lines l WHERE l.entry_id = j.id
                        AND l.account = \(Ledger.providerBalance(provider)) AND l.amount = ANY(\(amounts)::bigint[]))
                """), read)
    }

    /// Bookings of a span of time that no line has confirmed, oldest first.
    static func unconfirmed(
        _ provider: String, from: Instant, to: Instant, limit: Int, in db: borrowing PostgresTransaction
    ) throws -> [SettlementBooking] {
        try db.query(
            """
            \(movements(
                provider, "SELECT * FROM journal_entries WHERE occurred_at >= \(from) AND occurred_at < \(to)"))
                AND NOT EXISTS (SELECT 1 FROM reconciliation_cases k
                    WHERE k.entry_id = e.id AND k.reason = 'not_at_provider' AND k.provider = \(provider)
                        AND k.currency = l.currency)
            ORDER BY e.occurred_at, e.id LIMIT \(limit)
            """, read)
    }

    /// Whether a person has undone an entry.
    static func isReversed(_ entry: String, in db: borrowing PostgresTransaction) throws -> Bool {
        try db.first(
            "SELECT EXISTS (SELECT 1 FROM journal_entries WHERE kind = 'reversal' AND reference = \(entry))"
        ) { row in try row.next() } ?? false
    }

    /// What an entry did to the provider's account, by currency.
    static func effects(
        of entry: String, provider: String, in db: borrowing PostgresTransaction
    ) throws -> [Money] {
        try db.query(
            """
            SELECT sum(amount)::bigint, currency FROM journal_lines
            WHERE entry_id = \(entry) AND account = \(Ledger.providerBalance(provider)) GROUP BY currency
            """
        ) { row in Money(minor: try row.next(), currency: try row.next()) }
    }
}
