import BillingCore
import PaymentDomain
import PaymentLedger
import PaymentRecords
import Postgres
import TestKit
import Testing

@Suite("Balances by running totals") struct BalanceTests {
    @Test("at any time, sealed to any point, balances are what the lines sum to", arguments: 0..<3)
    func equal(run: Int) async throws {
        try await withLedger { world in
            var random = Seeded()
            var times: [Instant] = [LedgerWorld.start]
            for _ in 0..<25 {
                var entries: [JournalEntry] = []
                for _ in 0..<Int.random(in: 1...12, using: &random) {
                    // Also long ago, on the hour and on the day.
                    let time = LedgerWorld.start.adding(.seconds(Int.random(in: -300_000...300_000, using: &random)))
                    times += [time, time.adding(.microseconds(1)), Instant(seconds: time.seconds / 3_600 * 3_600)]
                    entries.append(try .random(at: times.randomElement(using: &random) ?? time, &random))
                }
                try await world.book(entries)
                if Bool.random(using: &random) {
                    _ = try await world.seal.pass(limit: Int.random(in: 1...20, using: &random))
                }
                let all: [AccountBalance] = try await world.balances()
                #expect(try await world.summed() == all, "seed \(random.seed)")
                for _ in 0..<6 {
                    let at: Instant = times.randomElement(using: &random) ?? LedgerWorld.start
                    let balances: [AccountBalance] = try await world.balances(before: at)
                    #expect(try await world.summed(before: at) == balances, "before \(at.rfc3339), seed \(random.seed)")
                    for currency in JournalEntry.currencies {
                        let lines: [AccountBalance] = balances.filter { $0.currency == currency.code }
                        #expect(lines.reduce(0) { $0 + $1.balance } == 0, "seed \(random.seed)")
                    }
                }
            }
            try await world.sealAll()
            #expect(try await world.violations().isEmpty, "seed \(random.seed)")
            let filtered: [AccountBalance] = try await world.database.transaction { db in
                try LedgerBalances.read(account: "assets:provider:stripe", currency: "EUR", in: db)
            }
            #expect(
                filtered
                    == (try await world.summed()).filter {
                        $0.account == "assets:provider:stripe" && $0.currency == "EUR"
                    })
        }
    }

    @Test("while many book, several seal and others read, no reader ever sees a wrong balance") func concurrent()
        async throws
    {
        try await withLedger(connections: 8) { world in
            let seed: UInt64 = Seeded().seed
            try await withThrowingTaskGroup(of: Void.self) { group in
                for writer in 0..<3 {
                    group.addTask {
                        var random = Seeded(seed &+ UInt64(writer))
                        for _ in 0..<60 {
                            let entries: [JournalEntry] = try (0..<Int.random(in: 1...15, using: &random)).map { _ in
                                let time = LedgerWorld.start.adding(
                                    .seconds(Int.random(in: 0...90_000, using: &random)))
                                return try .random(at: time, &random)
                            }
                            try await world.book(entries)
                        }
                    }
                }
                for _ in 0..<2 {
                    group.addTask {
                        try await eventually(within: .seconds(60), "several seals are there") {
                            _ = try await world.seal.pass(limit: 40)
                            return try await world.number("SELECT count(*) FROM ledger_seals") >= 10
                        }
                    }
                }
                for reader in 0..<2 {
                    let at: Instant? = reader == 0 ? nil : LedgerWorld.start.adding(.seconds(50_000))
                    group.addTask {
                        for _ in 0..<60 {
                            let (balances, sums) = try await world.database.transaction(readOnly: true) { db in
                                try db.enqueue("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ")
                                return (try LedgerBalances.read(before: at, in: db), try LedgerWorld.sum(at, in: db))
                            }
                            #expect(balances == sums, "seed \(seed)")
                        }
                    }
                }
                try await group.waitForAll()
            }
            try await world.sealAll()
            #expect(try await world.violations().isEmpty, "seed \(seed)")
            #expect(try await VerifyLedger(pool: world.database)().faults.isEmpty, "seed \(seed)")
        }
    }

    @Test("an entry whose transaction began early and commits late is neither passed by nor counted twice")
    func lateCommit() async throws {
        try await withLedger { world in
            var random = Seeded()
            let (early, later): (JournalEntry, JournalEntry) = (
                try .random(at: LedgerWorld.start, &random), try .random(at: LedgerWorld.start, &random)
            )
            let session = PostgresSession(world.configuration, logger: LedgerWorld.silent)
            try session.connect()
            defer { session.close() }
            try session.begin()
            _ = try session.execute("SELECT pg_current_xact_id()")
            try await world.book([later])
            #expect(try await world.seal.pass() == 0, "what is newer than a running transaction waits")
            #expect(try await world.balances() == world.summed())
            try session.execute(
                "INSERT INTO journal_entries VALUES (\(early.id), 'payment', 'late', NULL, \(LedgerWorld.start))")
            try session.execute(
                """
                INSERT INTO journal_lines VALUES
                    (\(early.id), 1, 'assets:provider:sandbox', 'USD', 70, \(LedgerWorld.start)),
                    (\(early.id), 2, 'income:customer_payments', 'USD', -70, \(LedgerWorld.start))
                """)
            try session.commit()
            try await world.sealAll()
            #expect(try await world.balances() == world.summed())
            #expect(try await world.number("SELECT sum(entries)::bigint FROM ledger_seals") == 2)
            #expect(try await world.violations().isEmpty)
        }
    }

    /// What the loop writes, in order; a fault at any of it is a crash there.
    @Test(
        "a pass that dies at any of its writes moves nothing, and the next one goes on",
        arguments: ["ledger_rollups", "ledger_seals"])
    func crash(table: String) async throws {
        try await withLedger { world in
            var random = Seeded()
            try await world.book([try .random(at: LedgerWorld.start, &random)])
            try await world.sealAll()
            try await world.book((0..<5).map { _ in try .random(at: LedgerWorld.start, &random) })
            try await world.execute(
                """
                CREATE FUNCTION die() RETURNS trigger LANGUAGE plpgsql AS $$
                BEGIN PERFORM pg_terminate_backend(pg_backend_pid()); RETURN NULL; END $$
                """)
            try await world.execute("CREATE TRIGGER die AFTER INSERT ON \(identifier: table) EXECUTE FUNCTION die()")
            try await eventually(within: .seconds(60), "the pass dies") {
                do { return try await world.seal.pass() < 0 } catch { return true }
            }
            #expect(try await world.number("SELECT count(*) FROM ledger_seals") == 1)
            #expect(try await world.balances() == world.summed())
            #expect(try await world.violations().isEmpty)
            try await world.execute("DROP TRIGGER die ON \(identifier: table)")
            try await world.sealAll()
            #expect(try await world.number("SELECT sum(entries)::bigint FROM ledger_seals") == 6)
            #expect(try await world.balances() == world.summed())
            #expect(try await world.violations().isEmpty)
        }
    }

    @Test("every account that the code books on is in the chart") func chart() async throws {
        try await withLedger { world in
            let names: [String] =
                [
                    Ledger.providerBalance("stripe"), Ledger.customerPayments, Ledger.customerRefunds,
                    ExchangeLedger.position, ExchangeLedger.gain, ExchangeLedger.loss, InstalmentLedger.receivable,
                    InstalmentLedger.unearned, InstalmentLedger.interest, InstalmentLedger.fees,
                    InstalmentLedger.lateFees, InstalmentLedger.writeOff,
                ]
            #expect(try await world.database.transaction { db in try ChartStore.unknown(names, in: db) }.isEmpty)
            let accounts: [LedgerAccount] = try await world.database.transaction { db in
                try ChartStore.accounts(after: nil, limit: 100, in: db)
            }
            #expect(!accounts.isEmpty)
            for account in accounts {
                #expect(AccountClass(of: account.name)?.rawValue == account.accountClass, "\(account.name)")
            }
        }
    }
}
