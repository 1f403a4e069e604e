import BillingCore
import HTTPKit
import PaymentContract
import PaymentDisputes
import PaymentDomain
import PaymentReconciliation
import PaymentRecords
import PaymentService
import Postgres
import TestKit
import Testing

@Suite("Locks of payments' rows") struct RowLockTests {
    /// Runs `body` while somebody else holds rows.
    private func holding<R>(
        _ rows: SQL, in lent: MigratedDatabase, _ world: PaymentWorld, _ body: () async throws -> R
    ) async throws -> R {
        let somebody = PostgresSession(lent.configuration, logger: world.logger)
        try somebody.connect()
        defer { somebody.close() }
        try somebody.begin()
        try somebody.execute("\(rows) FOR UPDATE")
        let result: R = try await body()
        somebody.rollback()
        return result
    }

    @Test("outcomes lock their payments in order of the ids, however they came") func outcomes() async throws {
        try await withMigratedDatabase(service: "Payment") { lent in
            let world = PaymentWorld(lent.pool)
            let customer: CustomerID = try await world.payer()
            var payments: [PaymentRecord] = []
            for _ in 0..<20 { payments.append(try await world.created(customer)) }
            payments.sort { $0.id > $1.id }
            let ids: [String] = payments.map(\.id.rawValue)
            // As they are told, so they lie in the table: the last one first.
            for id in ids { try await world.execute("UPDATE payments SET status = 'processing' WHERE id = \(id)") }
            let outcomes: [Outcome] = payments.map { payment in
                let attempt = ApprovedAttempt(
                    paymentID: payment.id, provider: "sandbox", request: world.asked(payment))
                return Outcome(
                    attempt: attempt, answer: .captured(ProviderCharge(reference: "ch_\(payment.attemptID)")))
            }
            let booking: BookOutcomes = world.work.outcomes.booking
            let last: SQL = "SELECT id FROM payments WHERE id = \(ids[0])"
            let booked: Task<Int, any Error> = try await holding(last, in: lent, world) {
                let booked = Task {
                    try await lent.pool.transaction { db in
                        try booking.record(outcomes, at: PaymentWorld.start, in: db).count
                    }
                }
                try await eventually(within: .seconds(8), "all others are locked before the last is waited for") {
                    try await world.number(
                        """
                        SELECT count(*) FROM (
                            SELECT id FROM payments WHERE id = ANY(\(ids)::text[]) FOR UPDATE SKIP LOCKED) AS free
                        """) == 0
                }
                return booked
            }
            #expect(try await booked.value == 0, "no attempt follows")
            #expect(try await world.number("SELECT count(*) FROM payments WHERE status = 'succeeded'") == 20)
        }
    }

    /// How a refund ends.
    enum End: String, CaseIterable, Sendable { case made, refused, bounced }

    @Test("whatever ends a refund waits for its payment before it locks the refund", arguments: End.allCases)
    func refunds(end: End) async throws {
        try await withMigratedDatabase(service: "Payment") { lent in
            let world = PaymentWorld(lent.pool)
            let payment: PaymentRecord = try await world.paid(world.payer())
            if end != .bounced { world.provider.turn(.away) }
            _ = try await world.refund(payment.id, 300)
            world.provider.turn(.well)
            if end == .refused {
                try await world.execute(
                    "UPDATE sandbox_charges SET captured = 0 WHERE idempotency_key = \(payment.attemptID)")
            }
            let id = RefundID(unchecked: try await world.texts("SELECT id FROM refunds")[0])
            let paid: SQL = "SELECT id FROM payments WHERE id = \(payment.id)"
            let ended: Task<RefundRecord?, any Error> = try await holding(paid, in: lent, world) {
                let ended = Task { () async throws -> RefundRecord? in
                    guard end == .bounced else { return try await world.work.refund.finish(id) }
                    return try await lent.pool.transaction { db in
                        try BounceRefund.undo(id, code: "returned", at: PaymentWorld.start, in: db)
                    }
                }
                try await eventually(within: .seconds(8), "it waits") {
                    try await world.number(
                        """
                        SELECT count(*) FROM pg_stat_activity
                        WHERE datname = current_database() AND wait_event_type = 'Lock'
                        """) == 1
                }
                #expect(
                    try await world.number(
                        "SELECT count(*) FROM (SELECT id FROM refunds FOR UPDATE SKIP LOCKED) AS free") == 1)
                return ended
            }
            let status: FollowUpStatus = end == .made ? .succeeded : .failed
            #expect(try await ended.value?.status == status)
        }
    }

    @Test("a refund that failed waits for the matching of its provider's lines before it locks its payment")
    func bouncedBesideMatching() async throws {
        try await withMigratedDatabase(service: "Payment") { lent in
            let world = PaymentWorld(lent.pool)
            let payment: PaymentRecord = try await world.paid(world.payer())
            _ = try await world.refund(payment.id, 300)
            try await world.reconciliation([ScriptedSettlements()]).pass()
            let reference: String = try #require(try await world.texts("SELECT provider_reference FROM refunds").first)
            try await world.execute(
                "UPDATE sandbox_refunds SET failure_code = 'account_closed', failed_at = \(world.clock.now)")
            let told = ProviderRefund(
                reference: reference, taken: "ch_\(payment.attemptID)", refundID: nil,
                amount: Money(minor: 300, currency: .usd), state: .failed(code: "account_closed"))
            let cursor: SQL = "SELECT provider FROM settlement_cursors WHERE provider = 'sandbox'"
            let undone: Task<Void, any Error> = try await holding(cursor, in: lent, world) {
                let undone = Task { try await world.work.news.refund(told, at: "sandbox") }
                try await eventually(within: .seconds(8), "it waits") {
                    try await world.number(
                        """
                        SELECT count(*) FROM pg_stat_activity
                        WHERE datname = current_database() AND wait_event_type = 'Lock'
                        """) == 1
                }
                #expect(
                    try await world.number(
                        "SELECT count(*) FROM (SELECT id FROM payments FOR UPDATE SKIP LOCKED) AS free") == 1)
                return undone
            }
            try await undone.value
            #expect(try await world.texts("SELECT status FROM refunds") == ["failed"])
            #expect(try await world.booked(payment.id) == ["payment", "refund", "refund_failure"])
        }
    }

    /// Has the look for expired authorizations last until a capture has begun, of which its snapshot knows nothing.
    private static let lasting: [SQL] = [
        "ALTER TABLE captures RENAME TO kept_captures", "CREATE SEQUENCE looks",
        """
        CREATE FUNCTION lasts() RETURNS boolean LANGUAGE plpgsql AS $$
        BEGIN
            IF current_query() LIKE '%authorization_expires_at <=%'
                AND current_setting('transaction_read_only') = 'off' THEN
                PERFORM nextval('looks');
                FOR i IN 1..1000 LOOP
                    EXIT WHEN EXISTS (SELECT 1 FROM kept_captures);
                    PERFORM pg_sleep(0.01);
                END LOOP;
            END IF;
            RETURN true;
        END $$
        """,
        "CREATE VIEW captures AS SELECT * FROM kept_captures WHERE (SELECT lasts())",
    ]

    @Test("an authorization is not released beside a capture that began while expired ones were looked for")
    func capturedMeanwhile() async throws {
        try await withPayments { world in
            let payment: PaymentRecord = try await world.authorized(world.payer())
            for statement in Self.lasting { try await world.execute(statement) }
            world.clock.set(Instant(seconds: PaymentWorld.start.seconds + 7 * 86_400))
            async let swept: Void = world.work.sweep.pass()
            try await eventually(within: .seconds(10), "expired authorizations are looked for") {
                try await world.number("SELECT is_called::int FROM looks") == 1
            }
            world.provider.turn(.away)
            #expect(try await world.capture(payment.id).status == 202)
            try await swept
            #expect(try await world.payment(payment.id).status == .authorized)
            #expect(try await world.texts("SELECT status FROM captures") == ["processing"])
        }
    }
}
