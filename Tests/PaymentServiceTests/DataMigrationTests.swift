import BillingCore
import PaymentLinks
import Postgres
import TestKit
import Testing

@Suite("Rows from before a migration") struct DataMigrationTests {
    /// A hundred links, and forty payments of each.
    private static let links: [SQL] = [
        """
        INSERT INTO payment_links (id, code, customer_id, amount, currency, methods, created_at)
        SELECT 'plink_' || n, lpad(translate(n::text, '01', 'AB'), 8, 'Z'), 'cus_1', 1299, 'USD', '{card}', 'epoch'
        FROM generate_series(0, 99) AS n
        """,
        """
        INSERT INTO payments (id, customer_id, provider, amount, currency, status, attempt_id, off_session, created_at)
        SELECT 'pay_' || n, 'cus_1', 'sandbox', 1299, 'USD', 'failed', 'att_' || n, false, 'epoch'
        FROM generate_series(1000, 4999) AS n
        """,
        """
        INSERT INTO payment_link_payments (payment_id, link_id, slot, session)
        SELECT 'pay_' || n, 'plink_' || n % 100, n, 'visit' FROM generate_series(1000, 4999) AS n
        """,
    ]

    /// How many rows of links' payments the session has read, as far as it has not reported them yet.
    private static func rows(in db: borrowing PostgresTransaction) throws -> Int {
        try db.first(
            """
            SELECT (seq_tup_read + idx_tup_fetch)::bigint FROM pg_stat_xact_user_tables
            WHERE relname = 'payment_link_payments'
            """
        ) { row in try row.next() } ?? -1
    }

    @Test("0047: a link's payments are all there, the newest are found first, and no other link's are read")
    func links()
        async throws
    {
        try await withMigratedDatabase(service: "Payment", before: "0047") { lent in
            let world = PaymentWorld(lent.pool)
            for rows in Self.links { try await world.execute(rows) }
            try await lent.applyRest(of: "Payment")
            try await world.execute("ANALYZE payment_link_payments")
            let link = PaymentLinkID(unchecked: "plink_7")
            let (newest, read): ([PaymentID], Int) = try await world.database.transaction { db in
                let already: Int = try Self.rows(in: db)
                let newest: [PaymentID] = try LinkUseStore.payments(of: link, limit: 3, in: db)
                return (newest, try Self.rows(in: db) - already)
            }
            #expect(newest.map(\.rawValue) == ["pay_4907", "pay_4807", "pay_4707"])
            #expect(read <= 3, "\(read) rows")
            #expect(try await world.number("SELECT count(*) FROM payment_link_payments WHERE link_id = \(link)") == 40)
            #expect(try await world.number("SELECT count(*) FROM payment_link_payments") == 4_000)
        }
    }

    @Test(
        "0048: Stripe's disputes of which no change was known count as changed when they began; others stay as they are"
    )
    func disputes() async throws {
        try await withMigratedDatabase(service: "Payment", before: "0048") { lent in
            let world = PaymentWorld(lent.pool)
            try await world.execute(
                """
                INSERT INTO payments (id, customer_id, provider, amount, currency, status, attempt_id, off_session,
                    amount_captured, created_at)
                VALUES ('pay_1', 'cus_1', 'stripe', 1299, 'USD', 'succeeded', 'att_1', false, 1299, 'epoch')
                """)
            try await world.execute(
                """
                INSERT INTO disputes (id, provider, reference, payment_id, customer_id, amount, currency, reason, status,
                    opened_at, changed_at, created_at)
                SELECT 'dp_' || d.number, d.provider, 'du_' || d.number, 'pay_1', 'cus_1', 100, 'USD', 'fraudulent',
                    'lost', '2026-01-02T00:00:00Z', d.changed_at::timestamptz, '2026-01-05T00:00:00Z'
                FROM (VALUES (1, 'stripe', NULL), (2, 'stripe', '2026-01-03T00:00:00Z'), (3, 'paypal', NULL),
                    (4, 'paypal', '2026-01-03T00:00:00Z')) AS d(number, provider, changed_at)
                """)
            try await lent.applyRest(of: "Payment")
            #expect(
                try await world.texts(
                    """
                    SELECT concat_ws(' ', provider, to_char(changed_at AT TIME ZONE 'UTC', 'YYYY-MM-DD HH24:MI'))
                    FROM disputes ORDER BY id
                    """)
                    == ["stripe 2026-01-02 00:00", "stripe 2026-01-03 00:00", "paypal", "paypal 2026-01-03 00:00"])
        }
    }

    @Test("0060: what PayPal keeps has no brand that is none; brands of cards stay") func brands() async throws {
        try await withMigratedDatabase(service: "Payment", before: "0060") { lent in
            let world = PaymentWorld(lent.pool)
            try await world.execute(
                """
                INSERT INTO payment_methods (id, customer_id, type, brand, fingerprint, provider, provider_token, is_default,
                    created_at)
                SELECT 'pm_' || m.number, 'cus_1', m.type, m.brand, 'f' || m.number, m.provider, 't', false, 'epoch'
                FROM (VALUES (1, 'card', 'card', 'paypal'), (2, 'paypal', 'paypal', 'paypal'), (3, 'card', 'visa', 'paypal'),
                    (4, 'card', 'visa', 'stripe')) AS m(number, type, brand, provider)
                """)
            try await lent.applyRest(of: "Payment")
            #expect(
                try await world.texts("SELECT coalesce(brand, '-') FROM payment_methods ORDER BY id")
                    == ["-", "-", "visa", "visa"])
        }
    }
}
