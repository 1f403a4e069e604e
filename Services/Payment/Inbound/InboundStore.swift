package import BillingCore
import PaymentWebhooks
package import Postgres

/// A stored webhook as the processing loop takes it.
struct InboundWebhook: PostgresRecord, Sendable {
    let id: Int64
    let provider: String
    let eventID: String
    let type: String
    let body: [UInt8]
    /// This one included.
    let attempts: Int
    /// When another instance may take it; every taking and every replay sets another time.
    let takenUntil: Instant

    static let columns: SQL = "w.id, w.provider, w.event_id, w.type, w.body, w.attempts, w.next_attempt_at"

    init(row: inout PostgresRow) throws {
        id = try row.next()
        provider = try row.next()
        eventID = try row.next()
        type = try row.next()
        body = try row.next()
        attempts = try row.next()
        takenUntil = try row.next()
    }
}

/// How an attempt at a webhook ended.
enum InboundVerdict: Sendable, Equatable {
    /// For good; with the reason where nothing was to be done.
    case done(String?)
    /// Not yet, for this reason.
    case waiting(String)
    /// Not by itself any more, for this reason.
    case parked(String)

    var state: String {
        switch self {
        case .done: "done"
        case .waiting: "waiting"
        case .parked: "parked"
        }
    }

    /// Fit for a column: short, and without the one character that Postgres does not take.
    var reason: String? {
        switch self {
        case .done(let reason): reason.map(Self.fit)
        case .waiting(let reason), .parked(let reason): Self.fit(reason)
        }
    }

    private static func fit(_ text: String) -> String { String(text.prefix(500)).filter { $0 != "\0" } }
}

/// SQL over stored webhooks.
enum InboundStore {
    /// Stores a webhook, unless its event is stored already.
    /// - Returns: Whether it was new.
    static func insert(
        _ webhook: VerifiedWebhook, headers: String, at now: Instant, delaySeconds: Int,
        in db: borrowing PostgresTransaction
    ) throws -> Bool {
        try db.execute(
            """
            INSERT INTO inbound_webhooks
                (provider, event_id, type, headers, body, occurred_at, received_at, next_attempt_at)
            VALUES (\(webhook.source.rawValue), \(webhook.eventID), \(webhook.type), \(headers)::jsonb, \(webhook.body),
                \(webhook.createdAt), \(now), now() + make_interval(secs => \(delaySeconds)))
            ON CONFLICT (provider, event_id) DO NOTHING
            """) == 1
    }

    /// What is due.
    /// - Parameter whose: Which providers' are meant, a condition on `provider`.
    static func due(_ whose: SQL) -> SQL {
        """
        SELECT id FROM inbound_webhooks WHERE state = 'waiting' AND next_attempt_at <= now() AND \(whose)
        ORDER BY next_attempt_at
        """
    }

    /// Takes what is due. Taking counts as an attempt and sets the time of the next one, so that a process that dies over it
    /// leaves it to another, later, and has more time for it with each attempt; rows that another instance takes at the moment
    /// are skipped.
    /// - Parameter whose: As for ``due(_:)``.
    static func claim(
        _ whose: SQL, limit: Int, _ policy: InboundPolicy, in db: borrowing PostgresTransaction
    ) throws -> [InboundWebhook] {
        try db.query(
            """
            UPDATE inbound_webhooks w SET attempts = w.attempts + 1,
                next_attempt_at = now() + make_interval(secs => \(policy.leaseSeconds)::bigint << least(w.attempts, 5))
            FROM (\(due(whose)) LIMIT \(limit) FOR UPDATE SKIP LOCKED) AS due
            WHERE w.id = due.id
            RETURNING \(InboundWebhook.columns)
            """, as: InboundWebhook.self)
    }

    /// Records how an attempt ended, and when the next one is; one that has been overtaken by a replay or another instance
    /// changes nothing.
    static func settle(
        _ webhook: InboundWebhook, _ verdict: InboundVerdict, _ policy: InboundPolicy,
        in db: borrowing PostgresTransaction
    ) throws {
        _ = try db.execute(
            """
            UPDATE inbound_webhooks SET state = \(verdict.state), reason = \(verdict.reason),
                next_attempt_at = now() + make_interval(secs => least(\(policy.longestWaitSeconds)::bigint,
                    \(policy.firstWaitSeconds)::bigint << least(attempts - 1, 20)))
            WHERE id = \(webhook.id) AND state = 'waiting' AND next_attempt_at = \(webhook.takenUntil)::timestamptz
            """)
    }

    /// Deletes what has been done for long enough.
    /// - Returns: How many rows went.
    static func prune(olderThanDays days: Int, limit: Int, in db: borrowing PostgresTransaction) throws -> Int {
        try db.execute(
            """
            DELETE FROM inbound_webhooks WHERE id IN (
                SELECT id FROM inbound_webhooks
                WHERE state = 'done' AND received_at < now() - make_interval(days => \(days))
                ORDER BY received_at LIMIT \(limit) FOR UPDATE SKIP LOCKED)
            """)
    }
}

/// For the `webhooks` command.
package enum InboundLog {
    /// A stored webhook without its body.
    package struct Entry: PostgresRecord, Sendable {
        package let id: Int64
        package let provider: String
        package let eventID: String
        package let type: String
        package let state: String
        package let attempts: Int
        package let receivedAt: Instant
        package let reason: String?

        package init(row: inout PostgresRow) throws {
            id = try row.next()
            provider = try row.next()
            eventID = try row.next()
            type = try row.next()
            state = try row.next()
            attempts = try row.next()
            receivedAt = try row.next()
            reason = try row.next()
        }
    }

    /// The newest first.
    /// - Parameter state: Only those that are `waiting`, `done` or `parked`.
    package static func list(
        state: String?, limit: Int, in db: borrowing PostgresTransaction
    ) throws -> [Entry] {
        let matching: SQL = .matching(state.map { "state = \($0)" })
        return try db.query(
            """
            SELECT id, provider, event_id, type, state, attempts, received_at, reason FROM inbound_webhooks \(matching)
            ORDER BY id DESC LIMIT \(limit)
            """, as: Entry.self)
    }

    /// Has webhooks processed again from the start, whatever became of them.
    /// - Returns: How many.
    package static func replay(
        from: Instant?, id: Int64?, in db: borrowing PostgresTransaction
    ) throws -> Int {
        let matching: SQL = .matching(from.map { "received_at >= \($0)" }, id.map { "id = \($0)" })
        return try db.execute(
            "UPDATE inbound_webhooks SET state = 'waiting', attempts = 0, next_attempt_at = now(), reason = NULL \(matching)"
        )
    }

    /// How many are being processed or about to be; those that wait for another attempt do not count until it is due.
    package static let underWay: SQL = """
        SELECT count(*) FROM inbound_webhooks WHERE state = 'waiting' AND (attempts = 0 OR next_attempt_at <= now())
        """
}
