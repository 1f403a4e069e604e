import BillingCore
import Postgres

/// SQL over the providers that an operator took out of routing.
enum ProviderDownStore {
    static func all(in db: borrowing PostgresTransaction) throws -> Set<String> {
        Set(try db.query("SELECT provider FROM providers_down") { row in try row.next() })
    }

    /// Takes a provider out, or in again; repeating changes nothing.
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
            VALUES (\(provider), \(reason), \(now), \(principal)) ON CONFLICT (provider) DO NOTHING
            """)
    }
}
