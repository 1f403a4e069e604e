package import BillingCore
package import Postgres
package import ServiceKit

/// Forgets what is over: tokens that are refused for their age by now, credentials nobody used in time or whose payment
/// ended without a charge, proofs of authentications whose payments are over, and old audit lines.
package struct PruneWallets: Sendable {
    /// Rows of a kind taken in one pass.
    private static let passLimit = 1_000
    /// Beyond the end of a token's time: machines' clocks differ.
    private static let slack: Duration = .seconds(3_600)
    private static let refusalsKept: Duration = .seconds(90 * 86_400)
    /// Audit lines that are kept, whatever their age.
    private static let maxRefusals = 100_000
    /// The states in which a provider may be asked about a charge again: a cancellation that comes too late is one.
    private static let asked: [String] = ["created", "processing", "requires_action", "canceling"]

    let pool: PostgresPool
    let clock: any WallClock

    package init(pool: PostgresPool, clock: any WallClock) {
        self.pool = pool
        self.clock = clock
    }

    package var loop: BackgroundLoop { BackgroundLoop(name: "wallets", every: .seconds(30)) { try await pass() } }

    /// One look at everything.
    package func pass() async throws {
        let now: Instant = clock.now
        try await pool.transactionRetrying { db in
            try db.enqueue(
                """
                DELETE FROM wallet_tokens WHERE id IN (SELECT id FROM wallet_tokens
                    WHERE keep_until < \(now - Self.slack) LIMIT \(Self.passLimit) FOR UPDATE SKIP LOCKED)
                """)
            try db.enqueue(
                """
                DELETE FROM wallet_credentials WHERE payment_method_id IN (
                    SELECT w.payment_method_id FROM wallet_credentials w
                    WHERE (w.payment_id IS NULL AND w.usable_until <= \(now)) OR EXISTS (
                        SELECT 1 FROM payments p WHERE p.id = w.payment_id
                            AND p.status <> ALL(\(Self.asked)::text[]))
                    LIMIT \(Self.passLimit) FOR UPDATE SKIP LOCKED)
                """)
            try db.enqueue(
                """
                UPDATE three_d_secure SET proof = NULL WHERE id IN (
                    SELECT t.id FROM three_d_secure t JOIN payments p ON p.id = t.payment_id
                    WHERE t.proof IS NOT NULL AND p.status <> ALL(\(Self.asked)::text[])
                    LIMIT \(Self.passLimit) FOR UPDATE OF t SKIP LOCKED)
                """)
            try db.enqueue(
                """
                DELETE FROM wallet_refusals WHERE id IN (SELECT id FROM wallet_refusals
                    WHERE refused_at < \(now - Self.refusalsKept)
                        OR id <= (SELECT max(id) FROM wallet_refusals) - \(Self.maxRefusals)::bigint
                    LIMIT \(Self.passLimit) FOR UPDATE SKIP LOCKED)
                """)
        }
    }
}
