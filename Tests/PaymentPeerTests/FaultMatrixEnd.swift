import BillingCore
import JSON
import PaymentDisputes
import PaymentInbound
import PaymentService
import Postgres
import ServiceKit
import Synchronization
import Testing
import TestKit

/// What is done once the storm is over, and what must be true then.
struct MatrixEnd: Sendable {
    let world: FaultMatrixWorld

    /// The provider answers again, banks settle, late webhooks arrive; a day later nothing is open that could be known.
    func settle() async throws {
        try await world.peer.clearFaults()
        try await DatabaseStorm.blow(0, in: world.observer)
        await world.settleDown(connectorLead: .zero)
        for _ in 0..<2 { try await work() }
        // What a provider keeps as failed under a key is known once the key is forgotten.
        try await world.peer.passDay()
        await world.settleDown(connectorLead: .seconds(93_600))
        // A charge that is found only now may turn out to wait for its customer, whose time then passes, too.
        for _ in 0..<2 {
            try await world.execute(
                """
                UPDATE payments SET action_expires_at = now() - interval '1 day', look_at = now() + interval '1 day'
                WHERE status = 'requires_action'
                """)
            try await work()
        }
        try await work()
    }

    /// Banks settle, what they say is delivered, and everything is looked at.
    private func work() async throws {
        let answered: [String] = try await world.texts(
            """
            SELECT d.reference FROM dispute_responses r JOIN disputes d ON d.id = r.dispute_id
            WHERE r.status = 'processing'
            """)
        try await world.peer.settleBanks(but: Set(answered))
        try await world.peer.returnRefunds()
        // The double goes on delivering when that takes longer than its answer is waited for.
        _ = try? await world.peer.control("webhooks/release", ["order": "shuffle", "seed": 7])
        try await world.peer.deliverAgain()
        try await run()
    }

    /// Looks at everything until nothing moves any more.
    private func run() async throws {
        var before: [String] = []
        for _ in 0..<40 {
            try await dueNow()
            for index in 0...1 {
                let daemon: MatrixDaemon = world.daemon(index)
                try await daemon.work.sweep.pass()
                while try await daemon.webhooks.pass() > 0 {}
                try await daemon.hearAgain()
                try await daemon.disputes.pass()
            }
            // Charges that the sweeper approved are asked for on their own.
            try await Task.sleep(for: .milliseconds(50))
            let now: [String] = try await open()
            if now == before { return }
            before = now
        }
    }

    private func dueNow() async throws {
        for table: SQL in ["payments", "captures", "refunds", "payment_methods"] {
            try await world.execute("UPDATE \(table) SET stepped_at = stepped_at - interval '1 hour'")
        }
        try await world.execute(
            "UPDATE payments SET look_at = now() - interval '1 hour' WHERE look_at IS NOT NULL AND status = 'processing'"
        )
        try await world.execute("UPDATE refunds SET look_at = now() - interval '1 hour' WHERE look_at IS NOT NULL")
        try await world.execute("UPDATE inbound_webhooks SET next_attempt_at = now() WHERE state = 'waiting'")
        try await world.execute("UPDATE dispute_cursors SET polled_at = polled_at - interval '1 hour'")
        for table: SQL in ["dispute_readings", "dispute_responses"] {
            try await world.execute("UPDATE \(table) SET due_at = now()")
        }
    }

    /// Everything that is not known.
    private func open() async throws -> [String] {
        try await world.texts(
            """
            SELECT 'payment ' || id || ' ' || status FROM payments
                WHERE status IN ('created', 'processing', 'canceling', 'requires_action')
            UNION ALL SELECT 'capture ' || id || ' ' || payment_id FROM captures WHERE status = 'processing'
            UNION ALL SELECT 'refund ' || id || ' ' || payment_id FROM refunds WHERE status = 'processing'
            UNION ALL SELECT 'method ' || id FROM payment_methods WHERE status = 'pending'
            UNION ALL SELECT 'webhook ' || event_id || ' ' || coalesce(reason, '') FROM inbound_webhooks
                WHERE state <> 'done'
            UNION ALL SELECT 'event ' || type || ' ' || reason FROM event_retries
            UNION ALL SELECT 'parked ' || type || ' ' || reason FROM parked_events
            UNION ALL SELECT 'dispute to read ' || reference || coalesce(fault, '') FROM dispute_readings
            UNION ALL SELECT 'response ' || id FROM dispute_responses WHERE status = 'processing'
            ORDER BY 1
            """)
    }

    /// Nothing is open, the ledger balances, and the doubles' books are ours to the unit.
    /// - Parameters:
    ///   - books: Of this double and those before it.
    ///   - stories: How many have been played.
    func compare(_ books: [String: MatrixAccount], stories: Int) async throws {
        let left: [String] = try await open()
        #expect(left.isEmpty, "\(left.prefix(10)) of \(left.count)")
        let payments: Int64 = try await world.number("SELECT count(*) FROM payments")
        #expect(payments <= stories)
        let ours: [String: MatrixAccount] = try await ourBooks()
        let strange: [String] = books.filter { ours[$0.key] == nil && $0.value != MatrixAccount() }.map(\.key)
        #expect(strange.isEmpty, "the double knows of \(strange)")
        for (id, account) in ours {
            var theirs: MatrixAccount = books[id] ?? MatrixAccount()
            #expect(theirs.charges <= 1, "\(id) is charged \(theirs.charges) times")
            theirs.charges = 0
            #expect(theirs == account, "\(id) at the double: \(theirs); here: \(account)")
        }
        try await compareLedger(books)
        let violations: [String] = try await world.observer.transactionRetrying { db in
            try PaymentConsistency.facts(in: db).violations
        }
        #expect(violations.isEmpty, "\(violations)")
        let complaints: [JSONValue] = try await world.peer.complaints()
        #expect(complaints.isEmpty, "\(complaints.prefix(5))")
        try await forgeries()
        try await tell()
    }

    private func ourBooks() async throws -> [String: MatrixAccount] {
        let rows: [(String, MatrixAccount)] = try await world.observer.transactionRetrying { db in
            try db.query(
                """
                SELECT p.id, p.amount_captured,
                    (SELECT coalesce(sum(amount), 0)::bigint FROM refunds r WHERE r.payment_id = p.id AND status = 'succeeded'),
                    CASE WHEN p.capture_method = 'automatic' THEN (p.amount_captured > 0)::int::bigint
                        ELSE (SELECT count(*) FROM captures c WHERE c.payment_id = p.id AND status = 'succeeded') END,
                    p.status = 'authorized', p.amount_disputed,
                    (SELECT coalesce(sum(fee), 0)::bigint FROM disputes d WHERE d.payment_id = p.id),
                    (SELECT coalesce(string_agg(reference || ' ' || status, ','), '') FROM disputes d
                     WHERE d.payment_id = p.id)
                FROM payments p
                """
            ) { row in
                let id: String = try row.next()
                var account = MatrixAccount()
                account.captured = try row.next()
                account.refunded = try row.next()
                account.takings = Int(try row.next() as Int64)
                account.isHeld = try row.next()
                account.disputed = try row.next()
                account.fees = try row.next()
                for dispute in (try row.next() as String).split(separator: ",") {
                    let words: [Substring] = dispute.split(separator: " ")
                    account.disputes[String(words[0])] = String(words[1])
                }
                return (id, account)
            }
        }
        return Dictionary(uniqueKeysWithValues: rows)
    }

    private func compareLedger(_ books: [String: MatrixAccount]) async throws {
        let unbalanced: [String] = try await world.texts(
            "SELECT entry_id FROM journal_lines GROUP BY entry_id, currency HAVING sum(amount) <> 0")
        #expect(unbalanced.isEmpty)
        let account = "assets:provider:\(world.peer.name)"
        let rows: [(String, Int64)] = try await world.observer.transactionRetrying { db in
            try db.query(
                """
                SELECT coalesce(e.payment_id, ''), sum(l.amount)::bigint
                FROM journal_lines l JOIN journal_entries e ON e.id = l.entry_id
                WHERE l.account = \(account) AND e.kind <> 'provider_fee' GROUP BY 1
                """
            ) { row in (try row.next(), try row.next()) }
        }
        let booked: [String: Int64] = Dictionary(uniqueKeysWithValues: rows).filter { $0.value != 0 }
        let theirs: [String: Int64] = books.mapValues(\.balance).filter { $0.value != 0 }
        let apart: [String] = Set(booked.keys).union(theirs.keys).filter { booked[$0] != theirs[$0] }
        #expect(apart.isEmpty, "\(apart.map { ($0, booked[$0] ?? 0, theirs[$0] ?? 0) }.prefix(10))")
        let twice: [String] = try await world.texts(
            "SELECT kind || ' ' || reference FROM journal_entries GROUP BY kind, reference HAVING count(*) > 1")
        #expect(twice.isEmpty, "booked twice: \(twice)")
        let events: [String] = try await world.texts(
            """
            SELECT concat_ws(' ', type, body::jsonb ->> 'payment_id',
                CASE WHEN type = 'payment.failed.v1' THEN body::jsonb ->> 'attempt' END)
            FROM outbox
            WHERE type IN ('payment.succeeded.v1', 'payment.failed.v1', 'payment.canceled.v1', 'payment.authorized.v1')
            GROUP BY 1 HAVING count(*) > 1
            """)
        #expect(events.isEmpty, "told twice: \(events)")
    }

    private func forgeries() async throws {
        let forged: [JSONValue] =
            try await world.peer.control("deliveries", nil).arrayValue?.filter {
                world.peer.forgeries.contains($0["corrupt"]?.stringValue ?? "none")
            } ?? []
        #expect(!forged.isEmpty)
        #expect(forged.allSatisfy { $0["status"]?.intValue ?? 0 >= 400 })
    }

    /// The figures of a run.
    private func tell() async throws {
        let standing: [String] = try await world.texts(
            "SELECT status || ' ' || capture_method || ' ' || count(*) FROM payments GROUP BY status, capture_method ORDER BY 1"
        )
        let others: [String] = try await world.texts(
            """
            SELECT 'captures ' || status || ' ' || count(*) FROM captures GROUP BY status
            UNION ALL SELECT 'disputes ' || status || ' ' || count(*) FROM disputes GROUP BY status
            UNION ALL SELECT 'responses ' || status || ' ' || count(*) FROM dispute_responses GROUP BY status
            UNION ALL SELECT 'renewals ' || status || ' ' || count(*) FROM payments WHERE off_session GROUP BY status
            UNION ALL SELECT 'refunds ' || status || ' ' || count(*) FROM refunds GROUP BY status
            UNION ALL SELECT 'webhooks ' || state || ' ' || count(*) FROM inbound_webhooks GROUP BY state
            UNION ALL SELECT 'rejected webhooks ' || count(*) FROM inbound_webhook_rejections ORDER BY 1
            """)
        let log: [JSONValue] = try await world.peer.control("requests", nil).arrayValue ?? []
        let faults: Int = log.filter { $0["fault"]?.stringValue != nil }.count
        let replays: Int = log.filter { $0["replayed"] == true }.count
        let crashes: Int = world.crashes.load(ordering: .relaxed)
        print(
            "\(world.peer.name): \(log.count) requests, \(faults) faults, \(replays) replays, \(crashes) crashes;",
            (standing + others).joined(separator: ", "))
    }
}
