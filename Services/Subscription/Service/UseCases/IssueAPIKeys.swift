package import BillingCore
import BillingEvents
package import HTTPKit
import Messaging
package import Postgres

/// Makes, revokes and rotates API keys for all services: the row here and the event for the others commit together.
/// - Note: Emits `api_key.changed.v1`, keyed by the key's id.
package enum IssueAPIKeys {
    /// Makes a key.
    /// - Parameters:
    ///   - mode: `sandbox` or `live`.
    ///   - now: The real time.
    /// - Returns: The secret, which cannot be had again.
    /// - Throws: ``APIKeys/Failure`` for scopes that are none and an expiry that is not in the future.
    package static func create(
        name: String, scopes: [String], mode: String, expiresAt: Instant?, now: Instant,
        in db: borrowing PostgresTransaction
    ) throws -> (record: APIKeyRecord, secret: String) {
        let made = try APIKeys.create(
            name: name, scopes: scopes, mode: mode, expiresAt: expiresAt, now: now, in: db)
        try publish([made.record], now: now, in: db)
        return made
    }

    /// Ends a key at once.
    package static func revoke(
        _ id: APIKeyID, now: Instant, in db: borrowing PostgresTransaction
    ) throws -> APIKeyRecord {
        let record: APIKeyRecord = try APIKeys.revoke(id, now: now, in: db)
        try publish([record], now: now, in: db)
        return record
    }

    /// Replaces a key by a new one; the old one works for another day.
    /// - Returns: The new record and its secret.
    package static func rotate(
        _ id: APIKeyID, mode: String, now: Instant, in db: borrowing PostgresTransaction
    ) throws -> (record: APIKeyRecord, secret: String) {
        let rotated = try APIKeys.rotate(id, mode: mode, now: now, in: db)
        try publish([rotated.new, rotated.old], now: now, in: db)
        return (rotated.new, rotated.secret)
    }

    private static func publish(
        _ records: [APIKeyRecord], now: Instant, in db: borrowing PostgresTransaction
    ) throws {
        let events: [OutboxEvent] = records.map { record in
            let body = APIKeyChangedV1(
                keyID: record.id, name: record.name, display: record.display, hash: record.hash, scopes: record.scopes,
                createdAt: record.createdAt, expiresAt: record.expiresAt, revokedAt: record.revokedAt,
                lineageID: record.lineage)
            return OutboxEvent(body, key: record.id.rawValue, at: now)
        }
        try Outbox.append(events, in: db)
    }
}
