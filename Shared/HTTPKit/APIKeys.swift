public import BillingCore
public import Postgres
import Synchronization

/// A secret API key as it is stored: everything but the secret.
///
/// The hash is a plain SHA-256: the secret has 238 random bits, so there is nothing to guess and a slow password hash
/// would only cost time on every request. It is looked up by its hash, so no secret is ever compared byte by byte and
/// there is nothing for a timing attack to measure.
public struct APIKeyRecord: Sendable, Hashable {
    /// The id, which is also the principal's.
    public let id: APIKeyID
    /// The key that it has come of by rotations; its own id where there were none.
    public let lineage: APIKeyID
    /// What it is for.
    public let name: String
    /// The first characters of the secret, for people.
    public let display: String
    /// SHA-256 of the secret in hexadecimal.
    public let hash: String
    /// What it allows.
    public let scopes: [String]
    /// When it was made.
    public let createdAt: Instant
    /// When it stops working by itself.
    public let expiresAt: Instant?
    /// When it was revoked.
    public let revokedAt: Instant?
    /// When it was last seen, to about a minute; known only to the service that saw it.
    public let lastUsedAt: Instant?

    /// Makes a record, for example out of an event.
    /// - Parameter lineage: The key that it has come of by rotations; `nil` where there were none.
    public init(
        id: APIKeyID, lineage: APIKeyID? = nil, name: String, display: String, hash: String, scopes: [String],
        createdAt: Instant, expiresAt: Instant? = nil, revokedAt: Instant? = nil, lastUsedAt: Instant? = nil
    ) {
        self.id = id
        self.lineage = lineage ?? id
        self.name = name
        self.display = display
        self.hash = hash
        self.scopes = scopes
        self.createdAt = createdAt
        self.expiresAt = expiresAt
        self.revokedAt = revokedAt
        self.lastUsedAt = lastUsedAt
    }

    /// Whether the key works at a time.
    public func isValid(at now: Instant) -> Bool {
        if revokedAt != nil { return false }
        guard let expiresAt else { return true }
        return now < expiresAt
    }
}

extension APIKeyRecord: PostgresRecord {
    /// Reads the columns in the order of ``APIKeys/columns``.
    public init(row: inout PostgresRow) throws {
        id = try row.next()
        lineage = try row.next()
        name = try row.next()
        display = try row.next()
        hash = try row.next()
        scopes = try row.next()
        createdAt = try row.next()
        expiresAt = try row.next()
        revokedAt = try row.next()
        lastUsedAt = try row.next()
    }
}

/// Makes, lists, revokes, rotates and projects API keys in the table `api_keys` of the caller's schema.
///
/// Every change returns records for the caller to publish as events in the same transaction. This process forgets what
/// it had cached when the transaction commits; others do within the cache time after their projection.
public enum APIKeys {
    /// Why a key cannot be made or changed.
    public enum Failure: Error, Equatable, Sendable {
        /// No such key, or it is revoked already.
        case notFound
        /// A scope that is not `*` or `resource:verb`, or none at all.
        case invalidScope(String)
        /// The expiry is not in the future.
        case expired
    }

    /// Makes a key.
    /// - Parameters:
    ///   - mode: `sandbox` or `live`, which is part of the secret's text.
    ///   - now: The real time.
    /// - Returns: The record, and the secret, which cannot be had again.
    /// - Throws: ``Failure`` or ``PostgresError``.
    public static func create(
        name: String, scopes: [String], mode: String, expiresAt: Instant? = nil, now: Instant,
        in db: borrowing PostgresTransaction
    ) throws -> (record: APIKeyRecord, secret: String) {
        if let wrong = scopes.first(where: { !Scopes.isScope($0) }) { throw Failure.invalidScope(wrong) }
        if scopes.isEmpty { throw Failure.invalidScope("") }
        if let expiresAt, expiresAt <= now { throw Failure.expired }
        return try make(nil, name: name, scopes: scopes, mode: mode, expiresAt: expiresAt, now: now, in: db)
    }

    private static func make(
        _ lineage: APIKeyID?, name: String, scopes: [String], mode: String, expiresAt: Instant?, now: Instant,
        in db: borrowing PostgresTransaction
    ) throws -> (record: APIKeyRecord, secret: String) {
        let secret = APIKeySecret.random(mode: mode)
        let record = APIKeyRecord(
            id: .new(at: now), lineage: lineage, name: name, display: secret.display, hash: secret.hash.description,
            scopes: scopes, createdAt: now, expiresAt: expiresAt)
        try project(record, in: db)
        return (record, secret.text)
    }

    /// The newest keys, revoked ones included.
    public static func list(limit: Int = 100, in db: borrowing PostgresTransaction) throws -> [APIKeyRecord] {
        try db.query("SELECT \(columns) FROM api_keys ORDER BY id DESC LIMIT \(limit)", as: APIKeyRecord.self)
    }

    /// Ends a key at once.
    /// - Throws: ``Failure/notFound`` or ``PostgresError``.
    /// - Note: Locks the key's row.
    public static func revoke(
        _ id: APIKeyID, now: Instant, in db: borrowing PostgresTransaction
    ) throws -> APIKeyRecord {
        let revoked = try db.first(
            "UPDATE api_keys SET revoked_at = \(now) WHERE id = \(id) AND revoked_at IS NULL RETURNING \(columns)",
            as: APIKeyRecord.self)
        guard let revoked else { throw Failure.notFound }
        db.onCommit { invalidateCaches() }
        return revoked
    }

    /// Replaces a key by one with the same name, scopes, expiry and lineage. The old one keeps working for a while, which is
    /// no end of its successors': a key that is rotated again, because what came of it was lost, gives another as long-lived.
    /// - Parameter overlap: For how long the old key still works; zero ends it at once.
    /// - Returns: The new record, its secret, and the old record with its new end; both records are to be published.
    /// - Throws: ``Failure/notFound`` or ``PostgresError``.
    /// - Note: Locks the old key's row.
    public static func rotate(
        _ id: APIKeyID, mode: String, overlap: Duration = .seconds(86_400), now: Instant,
        in db: borrowing PostgresTransaction
    ) throws -> (new: APIKeyRecord, secret: String, old: APIKeyRecord) {
        let end = now.adding(overlap)
        let before = try db.first(
            "SELECT \(columns) FROM api_keys WHERE id = \(id) AND revoked_at IS NULL FOR UPDATE", as: APIKeyRecord.self)
        guard let before, before.isValid(at: now) else { throw Failure.notFound }
        // The newest of a lineage is the only one whose end no rotation has set.
        let newest: APIKeyRecord? = try db.first(
            """
            SELECT \(columns) FROM api_keys WHERE coalesce(lineage, id) = \(before.lineage)
            ORDER BY created_at DESC, id DESC LIMIT 1
            """, as: APIKeyRecord.self)
        let made = try make(
            before.lineage, name: before.name, scopes: before.scopes, mode: mode,
            expiresAt: (newest ?? before).expiresAt, now: now, in: db)
        let old = APIKeyRecord(
            id: before.id, lineage: before.lineage, name: before.name, display: before.display, hash: before.hash,
            scopes: before.scopes,
            createdAt: before.createdAt, expiresAt: before.expiresAt.map { min($0, end) } ?? end,
            lastUsedAt: before.lastUsedAt)
        try project(old, in: db)
        return (made.record, made.secret, old)
    }

    /// Writes a key as an event describes it. A revocation is never undone, so late and repeated events do no harm.
    public static func project(_ record: APIKeyRecord, in db: borrowing PostgresTransaction) throws {
        let lineage: APIKeyID? = record.lineage == record.id ? nil : record.lineage
        try db.execute(
            """
            INSERT INTO api_keys AS k (id, lineage, name, display, hash, scopes, created_at, expires_at, revoked_at)
            VALUES (\(record.id), \(lineage.postgresValue), \(record.name), \(record.display), decode(\(record.hash), 'hex'), \(record.scopes),
                \(record.createdAt), \(record.expiresAt.postgresValue), \(record.revokedAt.postgresValue))
            ON CONFLICT (id) DO UPDATE
            SET lineage = coalesce(k.lineage, excluded.lineage), name = excluded.name, display = excluded.display, hash = excluded.hash, scopes = excluded.scopes,
                expires_at = excluded.expires_at, revoked_at = coalesce(k.revoked_at, excluded.revoked_at)
            """)
        db.onCommit { invalidateCaches() }
    }

    /// Finds a key by the hash of its secret and notes that it was used, at most once a minute.
    static func find(hash: RequestHash, now: Instant, in db: borrowing PostgresTransaction) throws -> APIKeyRecord? {
        let found = try db.first(
            "SELECT \(columns) FROM api_keys WHERE hash = decode(\(hash.description), 'hex')", as: APIKeyRecord.self)
        guard let found, found.isValid(at: now) else { return nil }
        if let last = found.lastUsedAt, now - last < .seconds(60) { return found }
        // Skipped when another session is at it: the time is for people and may be late.
        try db.enqueue(
            """
            UPDATE api_keys SET last_used_at = \(now)
            WHERE id IN (SELECT id FROM api_keys WHERE id = \(found.id) FOR UPDATE SKIP LOCKED)
            """)
        return found
    }

    /// How often this process has changed keys; a cache that was filled before a change is stale.
    static var changes: Int { changeCount.load(ordering: .acquiring) }

    private static let changeCount = Atomic<Int>(0)

    private static func invalidateCaches() {
        changeCount.wrappingAdd(1, ordering: .releasing)
    }

    private static let columns: SQL =
        """
        id, coalesce(lineage, id), name, display, encode(hash, 'hex'), scopes, created_at, expires_at, revoked_at, last_used_at
        """
}
