package import BillingCore
package import PaymentDomain
package import Postgres

/// A journal entry about to be booked.
package struct JournalEntry: Sendable {
    /// What kind of movement it books.
    package enum Kind: String, Sendable {
        case payment, capture, refund, dispute, payout, exchange
        case providerFee = "provider_fee"
        case payoutArrival = "payout_arrival"
        case payoutFailure = "payout_failure"
        case writeOff = "settlement_write_off"
        /// Taken by a provider, or given back, before anybody here heard of either; another entry is its mirror.
        case offset = "settlement_offset"
        /// Undoes another entry, which is its reference.
        case reversal
        /// Undoes what was booked of a refund, which is its reference: it failed after it was made.
        case refundFailure = "refund_failure"
        /// Booked by hand.
        case adjustment
        /// A provider settled at another rate than was booked.
        case settlement
        /// What a payer sent beyond the price: it came (or left the chain again), went back, was kept.
        case payerFunds = "payer_funds"
        case payerFundsReturned = "payer_funds_returned"
        case payerFundsAccepted = "payer_funds_accepted"
        /// Steps of instalment plans.
        case instalmentOpened = "instalment_opened"
        case instalmentEarned = "instalment_earned"
        case instalmentPaid = "instalment_paid"
        case instalmentLateFee = "instalment_late_fee"
        case instalmentLateFeeWaived = "instalment_late_fee_waived"
        case instalmentSettledEarly = "instalment_settled_early"
        case instalmentRefunded = "instalment_refunded"
        case instalmentWrittenOff = "instalment_written_off"
        case instalmentRecovered = "instalment_recovered"
        case instalmentCanceled = "instalment_canceled"
    }

    package let id: JournalEntryID
    package let kind: Kind
    /// What it books: an attempt's, a capture's or a refund's id. A second entry for it is refused.
    package let reference: String
    /// The payment it belongs to; `nil` for a movement of no single payment: a payout, an adjustment.
    package let paymentID: PaymentID?
    package let occurredAt: Instant
    package let postings: [Posting]

    package init(
        id: JournalEntryID, kind: Kind, reference: String, paymentID: PaymentID?, occurredAt: Instant,
        postings: [Posting]
    ) {
        self.id = id
        self.kind = kind
        self.reference = reference
        self.paymentID = paymentID
        self.occurredAt = occurredAt
        self.postings = postings
    }
}

/// SQL over the ledger. Entries are only ever added; the database refuses one that does not balance, or
/// stands on an account that its chart does not know.
package enum LedgerStore {
    /// Books entries, all lines of all entries in one statement.
    package static func book(_ entries: [JournalEntry], in db: borrowing PostgresTransaction) throws {
        guard !entries.isEmpty else { return }
        try db.enqueue(
            """
            INSERT INTO journal_entries (id, kind, reference, payment_id, occurred_at)
            SELECT * FROM unnest(\(entries.map(\.id.rawValue))::text[], \(entries.map(\.kind.rawValue))::text[],
                \(entries.map(\.reference))::text[], \(entries.map { $0.paymentID?.rawValue })::text[],
                \(entries.map(\.occurredAt))::timestamptz[])
            """)
        var ids: [String] = []
        var positions: [Int] = []
        var times: [Instant] = []
        var postings: [Posting] = []
        for entry in entries {
            for (index, posting) in entry.postings.enumerated() {
                ids.append(entry.id.rawValue)
                positions.append(index + 1)
                times.append(entry.occurredAt)
                postings.append(posting)
            }
        }
        try db.enqueue(
            """
            INSERT INTO journal_lines (entry_id, position, account, currency, amount, occurred_at)
            SELECT * FROM unnest(\(ids)::text[], \(positions)::smallint[], \(postings.map(\.account))::text[],
                \(postings.map(\.amount.currency.code))::text[], \(postings.map(\.amount.minor))::bigint[],
                \(times)::timestamptz[])
            """)
    }

    /// Undoes all that was booked of a refund, line by line: its entry, and what its settlement came to since. Whoever
    /// reverses one of them by hand at the same time comes before, and is seen here, or after, and is refused.
    /// - Parameters:
    ///   - payment: Its row is locked.
    ///   - more: Lines that sum to zero, and follow from it.
    /// - Returns: Whether there was anything to undo: not where a person has reversed it.
    package static func undo(
        refund: String, of payment: PaymentID, with more: [Posting] = [], at now: Instant,
        in db: borrowing PostgresTransaction
    ) throws -> Bool {
        let id = JournalEntryID.new(at: now)
        _ = try db.execute(
            """
            SELECT FROM journal_entries WHERE reference = \(refund) AND kind IN ('refund', 'settlement')
            FOR UPDATE
            """)
        let booked: SQL = """
            SELECT e.id FROM journal_entries e
            WHERE e.reference = \(refund) AND e.kind IN ('refund', 'settlement')
                AND NOT EXISTS (SELECT 1 FROM journal_entries v WHERE v.kind = 'reversal' AND v.reference = e.id)
            """
        let isBooked: Bool =
            try db.first("SELECT EXISTS (\(booked) AND e.kind = 'refund')") { row in try row.next() } ?? false
        guard isBooked else { return false }
        try db.enqueue(
            """
            INSERT INTO journal_entries (id, kind, reference, payment_id, occurred_at)
            VALUES (\(id), \(JournalEntry.Kind.refundFailure.rawValue), \(refund), \(payment), \(now))
            """)
        try db.enqueue(
            """
            INSERT INTO journal_lines (entry_id, position, account, currency, amount, occurred_at)
            SELECT \(id), (row_number() OVER (ORDER BY l.part, l.entry_id, l.place))::smallint, l.account, l.currency,
                l.amount, \(now)::timestamptz
            FROM (
                SELECT 1 AS part, j.entry_id, j.position::bigint AS place, j.account, j.currency, -j.amount AS amount
                FROM journal_lines j WHERE j.entry_id IN (\(booked))
                UNION ALL
                SELECT 2, '', n.place, n.account, n.currency, n.amount
                FROM unnest(\(more.map(\.account))::text[], \(more.map(\.amount.currency.code))::text[],
                    \(more.map(\.amount.minor))::bigint[]) WITH ORDINALITY AS n(account, currency, amount, place)) AS l
            """)
        return true
    }

    /// The lines booked for a payment, in order.
    package static func lines(of payment: PaymentID, in db: borrowing PostgresTransaction) throws -> [JournalLineRecord]
    {
        try db.query(
            """
            SELECT e.id, e.kind, e.occurred_at, l.account, l.currency, l.amount
            FROM journal_entries e JOIN journal_lines l ON l.entry_id = e.id
            WHERE e.payment_id = \(payment) ORDER BY e.id, l.position
            """
        ) { row in
            JournalLineRecord(
                entryID: try row.next(), kind: try row.next(), occurredAt: try row.next(), account: try row.next(),
                currency: try row.next(), amount: try row.next())
        }
    }
}

/// One booked line.
package struct JournalLineRecord: Sendable {
    package let entryID: JournalEntryID
    package let kind: String
    package let occurredAt: Instant
    package let account: String
    package let currency: String
    package let amount: Int64

    package init(
        entryID: JournalEntryID, kind: String, occurredAt: Instant, account: String, currency: String, amount: Int64
    ) {
        self.entryID = entryID
        self.kind = kind
        self.occurredAt = occurredAt
        self.account = account
        self.currency = currency
        self.amount = amount
    }
}
