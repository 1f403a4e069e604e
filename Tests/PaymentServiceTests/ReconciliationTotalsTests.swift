import BillingCore
import JSON
import PaymentDomain
import PaymentLedger
import PaymentReconciliation
import PaymentRecords
import PaymentService
import Postgres
import TestKit
import Testing

@Suite("Balances of a provider's account on any day") struct ReconciliationTotalsTests {
    /// 15 January 2027, on which the world begins.
    private static let today = CivilDate(dayNumber: 20_833)
    private static let lines = 20_000

    /// `currency ledger reported not_booked not_reported` by currency, from the lines themselves.
    private static func summed(
        _ provider: String, _ date: CivilDate, in db: borrowing PostgresTransaction
    ) throws -> [String] {
        let end = Instant(seconds: Int64(date.dayNumber + 1) * 86_400)
        return try db.query(
            """
            WITH booked AS (
                SELECT l.currency, sum(l.amount) AS amount,
                    coalesce(sum(l.amount) FILTER (WHERE s.entry_id IS NULL), 0) AS alone
                FROM journal_lines l JOIN journal_entries e ON e.id = l.entry_id
                LEFT JOIN settlement_entries s ON s.entry_id = e.id
                WHERE l.account = \(Ledger.providerBalance(provider)) AND e.occurred_at < \(end) GROUP BY 1),
            reported AS (
                SELECT currency, sum(net) AS amount,
                    coalesce(sum(net) FILTER (WHERE state IN ('open', 'unmatched')), 0) AS alone
                FROM settlement_lines WHERE provider = \(provider) AND occurred_at < \(end) GROUP BY 1)
            SELECT concat_ws(' ', currency, coalesce(b.amount, 0), coalesce(r.amount, 0), coalesce(r.alone, 0),
                coalesce(b.alone, 0))
            FROM booked b FULL JOIN reported r USING (currency) ORDER BY currency
            """
        ) { row in try row.next() }
    }

    /// The same by the totals, as `GET /v1/reconciliations/balances` tells it.
    private static func told(
        _ provider: String, _ date: CivilDate, in db: borrowing PostgresTransaction
    ) throws -> [String] {
        try ReconciliationReportStore.balances(of: provider, at: date, in: db).map { balance in
            let json: JSONValue = try parseJSON(encode(balance))
            let fields = ["currency", "ledger", "reported", "not_booked", "not_reported"]
            return fields.map { json[$0]?.stringValue ?? json[$0]?.intValue.map(String.init) ?? "?" }
                .joined(separator: " ")
        }
    }

    private static func expectSums(
        _ world: PaymentWorld, _ providers: [String], _ days: [Int], _ seed: UInt64
    ) async throws {
        for provider in providers {
            for day in days {
                let date: CivilDate = today.adding(days: day)
                let (told, summed): ([String], [String]) = try await world.database.transaction(snapshot: true) { db in
                    (try Self.told(provider, date, in: db), try Self.summed(provider, date, in: db))
                }
                #expect(told == summed, "\(provider), day \(day), seed \(seed)")
            }
        }
    }

    // MARK: Cost

    /// Lines and bookings of four months, all matched but every hundredth.
    private static func fill(_ world: PaymentWorld) async throws {
        let steps: [SQL] = [
            "INSERT INTO reconciliation_runs (id, provider, source, started_at) VALUES ('rcn_x', 'sandbox', 'file', now())",
            """
            INSERT INTO settlement_lines (run_id, provider, line_id, kind, currency, gross, fee, net, occurred_at, state,
                rule, tried_at)
            SELECT 'rcn_x', 'sandbox', 'l' || n, 'charge', 'USD', n, 0, n,
                \(PaymentWorld.start)::timestamptz + n * interval '8 minutes',
                CASE WHEN n % 100 = 0 THEN 'unmatched' ELSE 'matched' END, 'own_reference', now()
            FROM generate_series(1, \(lines)) AS n
            """,
            """
            WITH n AS (SELECT 'je_' || lpad(n::text, 26, '0') AS id, n,
                    \(PaymentWorld.start)::timestamptz + n * interval '8 minutes' AS at
                FROM generate_series(1, \(lines)) AS n),
            e AS (INSERT INTO journal_entries (id, kind, reference, occurred_at) SELECT id, 'payment', id, at FROM n)
            INSERT INTO journal_lines (entry_id, position, account, currency, amount, occurred_at)
            SELECT id, p, CASE p WHEN 1 THEN 'assets:provider:sandbox' ELSE 'income:customer_payments' END, 'USD',
                CASE p WHEN 1 THEN n ELSE -n END, at FROM n, generate_series(1, 2) AS p
            """,
            """
            INSERT INTO settlement_entries (entry_id, provider, line_id, role)
            SELECT 'je_' || lpad(n::text, 26, '0'), 'sandbox', 'l' || n, 'booking'
            FROM generate_series(1, \(lines)) AS n WHERE n % 100 <> 0
            """,
            "ANALYZE",
        ]
        for step in steps { try await world.execute(step) }
    }

    @Test("they are read from totals: of many lines and bookings none is looked at") func cost() async throws {
        try await withPayments { world in
            try await Self.fill(world)
            let seal = SealEntries(pool: world.database)
            try await eventually(within: .seconds(60), "every entry is sealed") {
                _ = try await seal.pass()
                return try await world.number("SELECT coalesce(sum(entries), 0)::bigint FROM ledger_seals")
                    == Self.lines
            }
            for day in [0, 50, 200] {
                let date: CivilDate = Self.today.adding(days: day)
                let (told, rows): ([String], Int) = try await world.database.transaction(snapshot: true) { db in
                    try db.enqueue("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ")
                    let before: Int = try Self.rows(in: db)
                    let told: [String] = try Self.told("sandbox", date, in: db)
                    return (told, try Self.rows(in: db) - before)
                }
                let summed: [String] = try await world.database.transaction { db in
                    try Self.summed("sandbox", date, in: db)
                }
                #expect(told == summed && told.count == 1)
                #expect(rows <= 10, "\(rows) rows")
            }
        }
    }

    /// How many lines and bookings the session has read, as far as it has not reported them yet.
    private static func rows(in db: borrowing PostgresTransaction) throws -> Int {
        try db.first(
            """
            SELECT coalesce(sum(seq_tup_read + coalesce(idx_tup_fetch, 0)), 0)::bigint FROM pg_stat_xact_user_tables
            WHERE relname IN ('journal_lines', 'journal_entries', 'settlement_lines', 'settlement_entries')
            """
        ) { row in try row.next() } ?? -1
    }

    // MARK: Generated

    /// Books some movements of a month and writes the provider's lines about them: some exact, some on another day, some
    /// unheard of.
    private static func books(
        _ provider: String, _ world: PaymentWorld, _ random: inout Seeded
    ) async throws -> [String] {
        var entries: [JournalEntry] = []
        var lines: [String] = []
        func tell(
            _ kind: String, _ currency: Currency, _ gross: Int64, _ fee: Int64, _ time: Instant, source: String = ""
        ) {
            let figures: String = [gross, fee, gross - fee].map(Self.decimal).joined(separator: ",")
            lines.append("\(provider)_\(lines.count),\(kind),\(currency.code),\(figures),\(time.rfc3339),\(source)")
        }
        for number in 0..<120 {
            let time: Instant = PaymentWorld.start + .seconds(Int64.random(in: 0..<30 * 86_400, using: &random))
            let near: Instant = time + .seconds(Int64.random(in: 0...86_400, using: &random))
            let currency: Currency = Bool.random(using: &random) ? .usd : .eur
            let amount: Int64 = .random(in: 1...3_000, using: &random)
            let id = JournalEntryID.new(at: PaymentWorld.start)
            let isRefund: Bool = number % 4 == 0
            if number % 5 != 1 {
                let money = Money(minor: amount, currency: currency)
                entries.append(
                    JournalEntry(
                        id: id, kind: isRefund ? .refund : .payment, reference: id.rawValue, paymentID: nil,
                        occurredAt: time,
                        postings: try isRefund
                            ? Ledger.refund(money, provider: provider) : Ledger.capture(money, provider: provider)))
            }
            let fee: Int64 = isRefund ? 0 : .random(in: 0...50, using: &random)
            if number % 7 != 2 {
                tell(isRefund ? "refund" : "charge", currency, isRefund ? -amount : amount, fee, near)
            }
            if number % 10 == 3 { tell("fee", currency, -amount, 0, near) }
            if number % 12 == 4 { tell("payout", currency, -amount, 0, near, source: "po_\(number)") }
        }
        let booked: [JournalEntry] = entries
        try await world.database.transaction { db in try LedgerStore.book(booked, in: db) }
        return lines
    }

    private static func decimal(_ minor: Int64) -> String {
        let cents: String = String(100 + abs(minor) % 100).suffix(2).description
        return "\(minor < 0 ? "-" : "")\(abs(minor) / 100).\(cents)"
    }

    @Test(
        "they are the plain sums of all lines and bookings on every day, in whatever order lines come, while they are read",
        arguments: 0..<3)
    func generated(run: Int) async throws {
        try await withPayments(connections: 8) { world in
            var random = Seeded()
            let (seed, providers): (UInt64, [String]) = (random.seed, ["alpha", "beta"])
            var files: [(provider: String, text: String)] = []
            for provider in providers {
                let lines: [String] = try await Self.books(provider, world, &random).shuffled(using: &random)
                for start in stride(from: 0, to: lines.count, by: 12) {
                    // Some lines come twice.
                    let part: ArraySlice<String> = lines[max(0, start - 3)..<min(lines.count, start + 12)]
                    let head = "id,kind,currency,gross,fee,net,occurred_at,source"
                    files.append((provider, ([head] + part).joined(separator: "\n")))
                }
            }
            files.shuffle(using: &random)
            let order: [(provider: String, text: String)] = files
            let days: [Int] = (0..<8).map { _ in Int.random(in: 0...32, using: &random) }
            world.advance(days: 33)
            let reconcile: ReconcileProviders = world.reconciliation([])
            let seal = SealEntries(pool: world.database)
            try await withThrowingTaskGroup(of: Void.self) { group in
                for worker in 0..<3 {
                    group.addTask {
                        for index in stride(from: worker, to: order.count, by: 3) {
                            try await world.load(order[index].text, provider: order[index].provider)
                        }
                    }
                }
                group.addTask { for _ in 0..<4 { try await reconcile.pass() } }
                group.addTask { for _ in 0..<4 { _ = try await seal.pass(limit: 40) } }
                group.addTask { try await Self.expectSums(world, providers, days, seed) }
                try await group.waitForAll()
            }
            let all: [Int] = Array(-2...36)
            try await Self.expectSums(world, providers, all, seed)
            for _ in 0..<2 { try await reconcile.pass() }
            try await Self.expectSums(world, providers, all, seed)
            let states: [String] = try await world.texts("SELECT DISTINCT state FROM settlement_lines ORDER BY 1")
            #expect(states == ["matched", "unmatched"], "seed \(seed)")
            try await world.take(.writeOff, .notBooked)
            try await world.take(.writeOff, .notAtProvider)
            try await Self.expectSums(world, providers, all, seed)
            let broken: [String] = try await world.database.transaction { db in
                try ReconciliationConsistency.violations(in: db) + LedgerChecks.violations(in: db)
            }
            #expect(broken == [], "seed \(seed)")
        }
    }

    @Test("a line that comes late for an old day is in that day's balance and in those after it") func late()
        async throws
    {
        try await withPayments { world in
            let head = "id,kind,currency,gross,fee,net,occurred_at"
            world.advance(days: 20)
            try await world.load("\(head)\nt1,fee,USD,-1.00,0,-1.00,2027-01-25T08:00:00Z")
            try await world.reconciliation([]).pass()
            #expect(try await world.settled(Self.today.adding(days: 9)).isEmpty)
            #expect(try await world.settled(Self.today.adding(days: 10)) == ["USD -100 -100 0 0 0 0"])
            try await world.load("\(head)\nt2,fee,USD,-2.50,0,-2.50,2027-01-20T23:59:59Z")
            #expect(try await world.settled(Self.today.adding(days: 4)).isEmpty)
            #expect(try await world.settled(Self.today.adding(days: 5)) == ["USD 0 -250 -250 -250 0 0"])
            #expect(try await world.settled(Self.today.adding(days: 10)) == ["USD -100 -350 -250 -250 0 0"])
            try await world.reconciliation([]).pass()
            #expect(try await world.settled(Self.today.adding(days: 10)) == ["USD -350 -350 0 0 0 0"])
        }
    }

    @Test("sums of more than 64 bits are told whole, in balances and in a day's report") func large() async throws {
        try await withPayments { world in
            try await world.execute(
                "INSERT INTO reconciliation_runs (id, provider, source, started_at) VALUES ('rcn_x', 'sandbox', 'file', now())"
            )
            try await world.execute(
                """
                INSERT INTO settlement_lines (run_id, provider, line_id, kind, currency, gross, fee, net, occurred_at)
                SELECT 'rcn_x', 'sandbox', 'l' || n, 'adjustment', 'USD', -9000000000000000000, 0, -9000000000000000000,
                    \(PaymentWorld.start)::timestamptz FROM generate_series(1, 3) AS n
                """)
            try await world.execute(
                """
                INSERT INTO reconciliation_cases (id, provider, reason, line_id, currency, amount, opened_at)
                SELECT 'rcc_' || n, 'sandbox', 'not_booked', 'l' || n, 'USD', -9000000000000000000,
                    \(PaymentWorld.start)::timestamptz FROM generate_series(1, 3) AS n
                """)
            let texts: [String] = try await world.database.transaction(snapshot: true) { db in
                let balances: [[UInt8]] = try ReconciliationReportStore.balances(of: "sandbox", at: Self.today, in: db)
                    .map { encode($0) }
                let reports: [[UInt8]] = try ReconciliationReportStore.reports(of: Self.today, provider: nil, in: db)
                    .map { encode($0) }
                return (balances + reports).map { String(decoding: $0, as: UTF8.self) }
            }
            #expect(texts.count == 2 && texts.allSatisfy { $0.contains("-27000000000000000000") }, "\(texts)")
        }
    }
}
