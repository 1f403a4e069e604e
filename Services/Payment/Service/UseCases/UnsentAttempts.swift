import BillingCore
import PaymentContract
import PaymentDomain
import PaymentRouting
import Postgres

/// Attempts of which no provider has heard, for certain: our own guard, a connection or a limit has stopped them. They
/// are asked for again as if for the first time, however long that takes, and not read back. Where the customer is there,
/// or has just brought the attempt about, that is so for two minutes only, owed or not: who has paid otherwise since, or has
/// left, is not to be charged. What is not to be charged by its method any more ends at once: the method was taken off its
/// customer, or an invoice is collected without them and another is their default now. Nobody has judged what ends so: where it
/// was for an invoice or a plan, and made without the customer, those are told to ask again soon.
///
/// The mark says that nobody has sent anything of the attempt. Whoever is about to send it, or to ask what became of it,
/// takes the payment first, which clears the mark before anything leaves: a crash in between leaves an attempt like any
/// other, whose outcome is read back. Only who has met the certain fault sets it, and only while the payment is at the
/// step at which they set out: nobody else can have asked since. So does who approves an attempt so late that it is not just
/// sent any more, in the transaction that approves it: nobody can have been asked before.
enum UnsentAttempts {
    /// What is to be done about an attempt that nobody has recorded an outcome of.
    enum Turn {
        /// It is charged: it, or the one in its place, was never sent.
        case charge(ApprovedAttempt)
        /// It was never sent, and is not to be any more, or its customer has waited long enough: it ends without anybody being
        /// asked. What collects it goes on with the default, after `rest` where it collects by itself.
        case end(ApprovedAttempt, rest: Duration?)
        /// It may have been sent: its outcome is read back.
        case readBack
        /// The payment has gone on with another attempt, or has ended with this one before it was sent, and nobody asks about
        /// it: asking could make it.
        case movedOn
    }

    /// How old an attempt is before another takes its place. A key counts from its making, and has to live long enough
    /// after it was sent for the outcome to be read back; PayPal's live shortest, six hours.
    private static let keyAge: Duration = .seconds(3_600)

    /// How long what was not asked for is left alone before its invoice, or its plan, asks again.
    private static let rest: Duration = .seconds(900)

    /// Whether the payment `p` was asked for by dunning or by a plan, which go on by themselves.
    private static let isCollected: SQL = """
        (p.off_session AND NOT p.invoice_voided AND (p.invoice_id IS NOT NULL OR p.instalment_id IS NOT NULL))
        """

    /// Those of attempts that wait for their verdict which have waited for longer than a customer does. Where none is old by
    /// its id the database is not asked.
    static func overdue(
        _ waiting: [AttemptID], at now: Instant, in db: borrowing PostgresTransaction
    ) throws -> Set<AttemptID> {
        let old: [AttemptID] = waiting.filter { UnheardCharges.isTooLate(for: $0, at: now) }
        guard !old.isEmpty else { return [] }
        let overdue: [AttemptID] = try db.query(
            """
            SELECT p.attempt_id FROM payments p JOIN payment_attempts a ON a.payment_id = p.id
            WHERE a.id = ANY(\(old.map(\.rawValue))::text[]) AND p.attempt_id = a.id
                AND p.status = \(PaymentStatus.created.rawValue) AND \(UnheardCharges.hasWaited)
            """
        ) { row in try row.next() }
        return Set(overdue)
    }

    /// Marks those of the attempts that this transaction approves which are too old to be just sent: for a customer who
    /// waits, or for their keys. Where none is old the database is not asked.
    /// - Parameter overdue: Those that had waited for too long, before they were approved.
    /// - Returns: Those that it has marked.
    static func mark(
        late approved: [ApprovedAttempt], overdue: Set<AttemptID>, at now: Instant, in db: borrowing PostgresTransaction
    ) throws -> Set<AttemptID> {
        let old: [AttemptID] = approved.map(\.request.idempotencyKey).filter {
            overdue.contains($0) || isStale($0, at: now)
        }
        guard !old.isEmpty else { return [] }
        let stale: [AttemptID] = old.filter { isStale($0, at: now) }
        let marked: [AttemptID] = try db.query(
            """
            UPDATE payment_attempts a SET unsent = true FROM payments p
            WHERE a.id = ANY(\(old.map(\.rawValue))::text[]) AND p.id = a.payment_id
                AND (a.id = ANY(\(stale.map(\.rawValue))::text[]) OR \(UnheardCharges.isAttended))
            RETURNING a.id
            """
        ) { row in try row.next() }
        return Set(marked)
    }

    /// Whether an attempt's key is too old to be sent.
    private static func isStale(_ id: AttemptID, at now: Instant) -> Bool {
        guard let madeAt: Instant = id.madeAt else { return true }
        return now - madeAt >= keyAge
    }

    /// Marks an attempt.
    /// - Returns: `false` where somebody has taken the payment meanwhile: it may have been sent.
    static func mark(_ attempt: ApprovedAttempt, in db: borrowing PostgresTransaction) throws -> Bool {
        guard let steppedAt: Instant = attempt.steppedAt else { return false }
        let id: AttemptID = attempt.request.idempotencyKey
        let isOurs: Bool? = try db.first(
            """
            SELECT true FROM payments WHERE id = \(attempt.paymentID) AND attempt_id = \(id)
                AND status = \(PaymentStatus.processing.rawValue) AND stepped_at = \(steppedAt)::timestamptz FOR UPDATE
            """
        ) { row in try row.next() }
        guard isOurs == true else { return false }
        try db.enqueue("UPDATE payment_attempts SET unsent = true WHERE id = \(id)")
        return true
    }

    /// Takes the payment of an attempt that is about to be sent or asked about, and clears the mark where anything leaves.
    /// - Returns: What to do: whoever comes late finds the payment at another attempt, or at another state.
    static func take(
        _ attempt: ApprovedAttempt, at now: Instant, in db: borrowing PostgresTransaction
    ) throws -> Turn {
        // Where a provider has a name for it, it was sent.
        guard attempt.request.reference == nil else { return .readBack }
        let id: AttemptID = attempt.request.idempotencyKey
        let taken: Instant? = try db.first(
            """
            UPDATE payments SET stepped_at = clock_timestamp() WHERE id = \(attempt.paymentID) AND attempt_id = \(id)
                AND status = \(PaymentStatus.processing.rawValue)
            RETURNING stepped_at
            """
        ) { row in try row.next() }
        guard let taken else {
            // One that was never sent, and whose payment is under way no more, has ended with it.
            let mayBeSent: Bool? = try db.first(
                """
                SELECT p.attempt_id = a.id AND NOT a.unsent FROM payment_attempts a JOIN payments p ON p.id = a.payment_id
                WHERE a.id = \(id)
                """
            ) { row in try row.next() }
            return mayBeSent == true ? .readBack : .movedOn
        }
        // A statement of its own: it sees what was set while the first one waited for the row.
        let marked: (isUnwanted: Bool, isAttended: Bool, isCollected: Bool)? = try db.first(
            """
            SELECT \(UnheardCharges.isUnwanted), \(UnheardCharges.isAttended), \(Self.isCollected)
            FROM payments p JOIN payment_attempts a ON a.id = p.attempt_id
            JOIN payment_methods m ON m.id = p.payment_method_id
            WHERE p.id = \(attempt.paymentID) AND a.unsent
            """
        ) { row in (try row.next(), try row.next(), try row.next()) }
        guard let marked else { return .readBack }
        if marked.isUnwanted || (marked.isAttended && UnheardCharges.isTooLate(for: id, at: now)) {
            // Nothing leaves, so the mark stays: after a crash the same is found.
            return .end(attempt.taken(at: taken), rest: marked.isCollected ? Self.rest : nil)
        }
        try db.enqueue("UPDATE payment_attempts SET unsent = false WHERE id = \(id)")
        guard isStale(id, at: now) else { return .charge(attempt.taken(at: taken)) }
        return try replace(attempt, at: now, in: db).map(Turn.charge) ?? .movedOn
    }

    /// Ends an attempt that was never sent, and stores the one that takes its place.
    private static func replace(
        _ attempt: ApprovedAttempt, at now: Instant, in db: borrowing PostgresTransaction
    ) throws -> ApprovedAttempt? {
        let (id, next): (AttemptID, AttemptID) = (attempt.request.idempotencyKey, AttemptID.new(at: now))
        try db.enqueue(
            """
            UPDATE payment_attempts SET status = 'failed', decline_code = 'outage', unsent = true,
                ended_at = \(now)::timestamptz WHERE id = \(id)
            """)
        try db.enqueue(
            """
            INSERT INTO payment_attempts
                (id, payment_id, number, payment_method_id, provider, status, started_at, cascade_of, routing,
                authentication)
            SELECT \(next.rawValue)::text, p.id, p.attempts + 1, a.payment_method_id, a.provider, 'started',
                \(now)::timestamptz, a.id, a.routing - 'stopped', a.authentication
            FROM payment_attempts a JOIN payments p ON p.id = a.payment_id WHERE a.id = \(id)
            """)
        let steppedAt: Instant? = try db.first(
            """
            UPDATE payments SET attempt_id = \(next), attempts = attempts + 1, stepped_at = clock_timestamp(),
                looks = 0, look_at = NULL
            WHERE id = \(attempt.paymentID) RETURNING stepped_at
            """
        ) { row in try row.next() }
        return steppedAt.map { attempt.taken(at: $0, as: next) }
    }
}
