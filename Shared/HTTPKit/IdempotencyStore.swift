public import BillingCore
import JSON
public import Postgres

/// Claims idempotency keys and keeps answers, in the caller's transaction.
///
/// A claim takes a transaction-level advisory lock that it never waits for, so a twin on any instance hears of it at
/// once. When the transaction rolls back, lock and row vanish together: a failed request leaves its key free, and only
/// answers of committed work are ever replayed. Rows past their day count as absent.
public struct IdempotencyStore {
    /// Claims many keys in a constant number of statements: one, or three when an expired row or a race is met.
    ///
    /// A fresh claim leaves an open row; ``complete(_:in:)`` closes it, in this transaction or a later one.
    /// - Returns: One result per claim, in order. The second claim of a key that is fresh in this batch is a `twin`.
    /// - Throws: ``PostgresError``.
    /// - Note: Advisory lock per key until the transaction ends; never waited for.
    public static func claim(
        _ claims: [IdempotencyClaim], in db: borrowing PostgresTransaction
    ) throws -> [ClaimResult] {
        let distinct = DistinctClaims(claims)
        guard !distinct.claims.isEmpty else { return [] }
        let found: [KeyState] = try db.query(insertion(distinct.claims), KeyState.read)
        return distinct.results(for: claims, try settled(found, distinct.claims, in: db))
    }

    /// The same, with a query that is run before it in the same round trip.
    /// - Returns: The query's rows, and one result per claim, in order.
    public static func claim<Row>(
        _ claims: [IdempotencyClaim], after query: SQL, _ decode: (inout PostgresRow) throws -> Row,
        in db: borrowing PostgresTransaction
    ) throws -> ([Row], [ClaimResult]) {
        let distinct = DistinctClaims(claims)
        guard !distinct.claims.isEmpty else { return (try db.query(query, decode), []) }
        let (rows, found): ([Row], [KeyState]) = try db.query(
            query, decode, then: insertion(distinct.claims), KeyState.read)
        return (rows, distinct.results(for: claims, try settled(found, distinct.claims, in: db)))
    }

    /// Gives fresh claims back, whose work was refused in the transaction that made them: their keys are free again when it
    /// has committed.
    public static func release(_ claims: [IdempotencyClaim], in db: borrowing PostgresTransaction) throws {
        guard !claims.isEmpty else { return }
        try db.enqueue(
            """
            DELETE FROM idempotency_keys k
            USING unnest(\(claims.map(\.scope))::text[], \(claims.map(\.key.rawValue))::text[]) AS w(scope, key)
            WHERE k.scope = w.scope AND k.key = w.key AND k.status = 'open'
            """)
    }

    /// Looks once more at what is not decided yet.
    private static func settled(
        _ found: [KeyState], _ claims: [IdempotencyClaim], in db: borrowing PostgresTransaction
    ) throws -> [KeyState] {
        var found: [KeyState] = found
        let unsettled = found.indices.filter { found[$0].isUnsettled }
        if unsettled.isEmpty { return found }
        let again = unsettled.map { claims[$0] }
        try removeExpired(again, in: db)
        let seen: [KeyState] = try db.query(insertion(again), KeyState.read)
        for (position, state) in zip(unsettled, seen) { found[position] = state }
        return found
    }

    /// Names the resources that open claims are creating, where the claim did not name it itself.
    /// - Returns: How many open rows now have a resource.
    @discardableResult
    public static func reserve(
        _ reservations: [(claim: IdempotencyClaim, resourceID: String)], in db: borrowing PostgresTransaction
    ) throws -> Int {
        guard !reservations.isEmpty else { return 0 }
        let scopes = reservations.map(\.claim.scope)
        let keys = reservations.map(\.claim.key.rawValue)
        let resources = reservations.map(\.resourceID)
        return try db.execute(
            """
            UPDATE idempotency_keys k SET resource_id = w.resource_id
            FROM unnest(\(scopes)::text[], \(keys)::text[], \(resources)::text[]) AS w(scope, key, resource_id)
            WHERE k.scope = w.scope AND k.key = w.key AND k.status = 'open'
            """)
    }

    /// Stores answers for open claims. A row that has an answer keeps it: the first one wins. It travels with COMMIT.
    public static func complete(
        _ answers: [(claim: IdempotencyClaim, reply: StoredReply)], in db: borrowing PostgresTransaction
    ) throws {
        guard !answers.isEmpty else { return }
        let scopes = answers.map(\.claim.scope)
        let keys = answers.map(\.claim.key.rawValue)
        let hashes = answers.map(\.claim.requestHash.description)
        let statuses = answers.map(\.reply.status)
        let headers = answers.map { HeaderText.encode($0.reply.headers) }
        let bodies = answers.map { String(decoding: $0.reply.body, as: UTF8.self) }
        try db.enqueue(
            """
            UPDATE idempotency_keys k
            SET status = 'closed', response_status = w.status, response_headers = w.headers, response_body = w.body
            FROM unnest(\(scopes)::text[], \(keys)::text[], \(hashes)::text[], \(statuses)::int[], \(headers)::text[],
                \(bodies)::text[]) AS w(scope, key, hash, status, headers, body)
            WHERE k.scope = w.scope AND k.key = w.key AND k.status = 'open' AND k.request_hash = decode(w.hash, 'hex')
            """)
    }

    /// Removes rows past their day, oldest first. Run it now and then; nothing depends on when.
    /// - Parameters:
    ///   - now: The real time.
    ///   - limit: How many rows at most.
    /// - Returns: How many were removed; fewer than `limit` means that none are left.
    public static func prune(
        now: Instant, limit: Int = 10_000, in db: borrowing PostgresTransaction
    ) throws -> Int {
        try db.execute(
            """
            DELETE FROM idempotency_keys WHERE (scope, key) IN (
                SELECT scope, key FROM idempotency_keys WHERE expires_at <= \(now)
                ORDER BY expires_at LIMIT \(limit) FOR UPDATE SKIP LOCKED)
            """)
    }

    /// Removes all rows past their day, at most `limit` rows in a transaction. Several instances may do so at once.
    /// - Returns: How many were removed.
    @discardableResult
    package static func pruneAll(now: Instant, limit: Int = 10_000, in pool: PostgresPool) async throws -> Int {
        var total = 0
        while !Task.isCancelled {
            let count: Int = try await pool.transaction { db in try Self.prune(now: now, limit: limit, in: db) }
            total += count
            if count < limit { break }
        }
        return total
    }
}

extension IdempotencyStore {
    /// Locks one key and looks at its row without claiming it: for work that answers in the same transaction, which
    /// then leaves one row version instead of two. An expired row is removed.
    /// - Returns: `fresh` when ``finish(_:_:in:)`` is to follow.
    static func begin(_ claim: IdempotencyClaim, in db: borrowing PostgresTransaction) throws -> ClaimResult {
        let key = claim.key.rawValue
        let state = try db.first(
            """
            SELECT pg_try_advisory_xact_lock(hashtextextended(
                    current_schema() || '/' || \(claim.scope)::text || '/' || \(key)::text, 7201)),
                false, coalesce(k.expires_at <= \(claim.claimedAt), false), coalesce(k.status, ''),
                encode(k.request_hash, 'hex'), k.resource_id, k.response_status, k.response_headers, k.response_body
            FROM (SELECT 1) one LEFT JOIN idempotency_keys k ON k.scope = \(claim.scope) AND k.key = \(key)
            """, KeyState.read)
        guard let state, state.isLocked else { return .twin }
        if state.isAbsent { return .fresh }
        guard state.isExpired else { return state.result(for: claim) }
        try removeExpired([claim], in: db)
        return .fresh
    }

    /// Stores the answer for a key that ``begin(_:in:)`` found fresh. It travels with COMMIT.
    ///
    /// Should a twin have committed between our look and our lock, the primary key refuses the row and everything rolls
    /// back; ``isTwin(_:)`` recognises that failure.
    static func finish(_ claim: IdempotencyClaim, _ reply: StoredReply, in db: borrowing PostgresTransaction) throws {
        try db.enqueue(
            """
            INSERT INTO idempotency_keys (scope, key, operation, request_hash, status, resource_id, response_status,
                response_headers, response_body, created_at, expires_at)
            VALUES (\(claim.scope), \(claim.key.rawValue), \(claim.operation),
                decode(\(claim.requestHash.description), 'hex'), 'closed', \(claim.resourceID.postgresValue),
                \(reply.status), \(HeaderText.encode(reply.headers)), \(String(decoding: reply.body, as: UTF8.self)),
                \(claim.claimedAt), \(claim.expiresAt))
            """)
    }

    /// Whether a failed transaction lost its key to a twin.
    static func isTwin(_ error: PostgresError) -> Bool {
        error.isUniqueViolation && error.constraint == "idempotency_keys_pkey"
    }

    /// Locks the keys, inserts open rows where there are none, and reads the rest.
    private static func insertion(_ claims: [IdempotencyClaim]) -> SQL {
        let now = claims[0].claimedAt
        let operations = claims.map(\.operation)
        let hashes = claims.map(\.requestHash.description)
        let resources = claims.map { $0.resourceID ?? "" }
        let created = claims.map(\.claimedAt)
        let expires = claims.map(\.expiresAt)
        return """
            WITH wanted AS MATERIALIZED (
                SELECT w.*, pg_try_advisory_xact_lock(hashtextextended(
                    current_schema() || '/' || w.scope || '/' || w.key, 7201)) AS locked
                FROM unnest(\(claims.map(\.scope))::text[], \(claims.map(\.key.rawValue))::text[],
                    \(operations)::text[], \(hashes)::text[], \(resources)::text[], \(created)::timestamptz[],
                    \(expires)::timestamptz[]) WITH ORDINALITY
                    AS w(scope, key, operation, hash, resource_id, created_at, expires_at, position)
            ), inserted AS (
                INSERT INTO idempotency_keys
                    (scope, key, operation, request_hash, status, resource_id, created_at, expires_at)
                SELECT scope, key, operation, decode(hash, 'hex'), 'open', nullif(resource_id, ''), created_at,
                    expires_at
                FROM wanted WHERE locked
                ON CONFLICT (scope, key) DO NOTHING
                RETURNING scope, key
            )
            SELECT w.locked, i.key IS NOT NULL, coalesce(k.expires_at <= \(now), false), coalesce(k.status, ''),
                encode(k.request_hash, 'hex'), k.resource_id, k.response_status, k.response_headers, k.response_body
            FROM wanted w
            LEFT JOIN inserted i ON i.scope = w.scope AND i.key = w.key
            LEFT JOIN idempotency_keys k ON k.scope = w.scope AND k.key = w.key
            ORDER BY w.position
            """
    }

    private static func removeExpired(_ claims: [IdempotencyClaim], in db: borrowing PostgresTransaction) throws {
        _ = try db.execute(
            """
            DELETE FROM idempotency_keys k
            USING unnest(\(claims.map(\.scope))::text[], \(claims.map(\.key.rawValue))::text[]) AS w(scope, key)
            WHERE k.scope = w.scope AND k.key = w.key AND k.expires_at <= \(claims[0].claimedAt)
            """)
    }
}

/// The claims of a batch, each key once.
private struct DistinctClaims {
    /// The first claim of each key, in order.
    let claims: [IdempotencyClaim]
    /// Where they stand among all.
    private let indices: [Int]
    private let firstIndex: [IdempotencyClaim.Identity: Int]

    init(_ all: [IdempotencyClaim]) {
        var firstIndex: [IdempotencyClaim.Identity: Int] = [:]
        for (index, claim) in all.enumerated() where firstIndex[claim.identity] == nil {
            firstIndex[claim.identity] = index
        }
        self.firstIndex = firstIndex
        indices = firstIndex.values.sorted()
        claims = indices.map { all[$0] }
    }

    /// One result per claim of the batch: the second claim of a fresh key is a twin.
    func results(for all: [IdempotencyClaim], _ found: [KeyState]) -> [ClaimResult] {
        let states: [Int: KeyState] = Dictionary(uniqueKeysWithValues: zip(indices, found))
        return all.enumerated().map { (index: Int, claim: IdempotencyClaim) -> ClaimResult in
            let first = firstIndex[claim.identity] ?? index
            guard let state = states[first] else { return .twin }
            return first != index && state.isFresh ? .twin : state.result(for: claim)
        }
    }
}
