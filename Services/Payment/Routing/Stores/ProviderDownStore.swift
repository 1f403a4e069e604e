import BillingCore
import Postgres

/// Why, since when and by whose key a provider is out of routing.
struct TakenOut: Sendable {
    let reason: String?
    let since: Instant
    let by: String
}

/// SQL over the providers that an operator took out of routing.
enum ProviderDownStore {
    static func all(in db: borrowing PostgresTransaction) throws -> [String: TakenOut] {
        let rows: [(String, TakenOut)] = try db.query(
            "SELECT provider, reason, since, taken_out_by FROM providers_down"
        ) {
            row in
            (try row.next(), TakenOut(reason: try row.next(), since: try row.next(), by: try row.next()))
        }
        return Dictionary(rows) { first, _ in first }
    }

    /// Whether others are out than these.
    static func differ(from names: Set<String>) -> SQL {
        """
        EXISTS (SELECT 1 FROM providers_down WHERE provider <> ALL(\(names.sorted())::text[]))
            OR (SELECT count(*) FROM providers_down) <> \(names.count)
        """
    }

    /// Takes a provider out, or in again; repeating changes nothing but the reason, where one is given.
    static func set(
        _ provider: String, isDown: Bool, reason: String?, at now: Instant, by principal: String,
        in db: borrowing PostgresTransaction
    ) throws {
        guard isDown else {
            _ = try db.execute("DELETE FROM providers_down WHERE provider = \(provider)")
            return
        }
        _ = try db.execute(
            """
            INSERT INTO providers_down (provider, reason, since, taken_out_by)
            VALUES (\(provider), \(reason), \(now), \(principal))
            ON CONFLICT (provider) DO UPDATE SET reason = coalesce(excluded.reason, providers_down.reason)
            """)
    }
}
