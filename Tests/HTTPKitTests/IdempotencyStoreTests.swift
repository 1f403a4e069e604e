import BillingCore
import HTTPKit
import Postgres
import Testing

@Suite("Idempotency store") struct IdempotencyStoreTests {
    static let now = Instant(seconds: 1_790_000_000)

    static func claim(
        _ key: String, body: String = "{}", resource: String? = nil, at: Instant = now
    ) throws -> IdempotencyClaim {
        IdempotencyClaim(
            scope: "key_1", key: try #require(IdempotencyKey(key)), operation: "POST /v1/payments",
            requestHash: RequestHash(method: "POST", path: "/v1/payments", body: Array(body.utf8)),
            resourceID: resource,
            claimedAt: at)
    }

    static let reply = StoredReply(
        status: 201, headers: [HeaderField("Location", "/v1/x: y")], body: Array(#"{"a":"é"}"#.utf8))

    @Test("a batch claims, finds and refuses in one transaction") func batch() async throws {
        try await withTables { pool in
            let closed = try Self.claim("closed")
            let open = try Self.claim("open", resource: "pay_1")
            let claims = [closed, open]
            let first = try await pool.transaction { (db: borrowing PostgresTransaction) in
                let results = try IdempotencyStore.claim(claims, in: db)
                try IdempotencyStore.complete([(closed, Self.reply)], in: db)
                return results
            }
            #expect(first == [.fresh, .fresh])
            let fresh = try Self.claim("fresh")
            let wanted = [
                closed, try Self.claim("closed", body: "[]"), open, try Self.claim("open", body: "[]"), fresh, fresh,
                closed,
            ]
            let second = try await pool.transaction { (db: borrowing PostgresTransaction) in
                try IdempotencyStore.claim(wanted, in: db)
            }
            #expect(
                second == [
                    .replay(Self.reply), .mismatch, .open(resourceID: "pay_1"), .mismatch, .fresh, .twin,
                    .replay(Self.reply),
                ])
            let none = try await pool.transaction { (db: borrowing PostgresTransaction) in
                try IdempotencyStore.claim([], in: db)
            }
            #expect(none.isEmpty)
        }
    }

    @Test("a query goes before the claims, and fresh claims can be given back; answers stay") func release()
        async throws
    {
        try await withTables { pool in
            let (kept, given) = (try Self.claim("kept"), try Self.claim("given"))
            for round in 0..<2 {
                let (rows, results): ([Int], [ClaimResult]) = try await pool.transaction { db in
                    let found: ([Int], [ClaimResult]) = try IdempotencyStore.claim(
                        [kept, given], after: "SELECT count(*) FROM idempotency_keys", { row in try row.next() }, in: db
                    )
                    try IdempotencyStore.complete([(kept, Self.reply)], in: db)
                    try IdempotencyStore.release([kept, given], in: db)
                    return found
                }
                #expect(rows == [round], "it is run before")
                #expect(results == [round == 0 ? .fresh : .replay(Self.reply), .fresh])
            }
        }
    }

    @Test("the first answer wins, and only for the request that claimed the key") func completion() async throws {
        try await withTables { pool in
            let claim = try Self.claim("k")
            let stranger = try Self.claim("k", body: "[]")
            let later = StoredReply(status: 202, body: Array("{}".utf8))
            try await pool.transaction { (db: borrowing PostgresTransaction) in
                _ = try IdempotencyStore.claim([claim], in: db)
                #expect(try IdempotencyStore.reserve([(claim, "pay_9")], in: db) == 1)
                try IdempotencyStore.complete([(stranger, later)], in: db)
                try IdempotencyStore.complete([(claim, Self.reply)], in: db)
                try IdempotencyStore.complete([(claim, later)], in: db)
            }
            let found = try await pool.transaction { (db: borrowing PostgresTransaction) in
                try IdempotencyStore.claim([claim], in: db)
            }
            #expect(found == [.replay(Self.reply)])
        }
    }

    @Test("a key whose transaction is running is a twin at once; rolled back it is free") func running() async throws {
        try await withTables { pool in
            let claim = try Self.claim("k")
            let other = try Self.claim("other")
            struct Abandoned: Error {}
            await #expect(throws: Abandoned.self) {
                try await pool.transaction { (db: borrowing PostgresTransaction) in
                    #expect(try IdempotencyStore.claim([claim], in: db) == [.fresh])
                    let both = SharedResults()
                    let done = Switch()
                    Task {
                        both.set(
                            try await pool.transaction { (db: borrowing PostgresTransaction) in
                                try IdempotencyStore.claim([claim, other], in: db)
                            })
                        done.turnOn()
                    }
                    done.block()
                    #expect(both.value == [.twin, .fresh])
                    throw Abandoned()
                }
            }
            let after = try await pool.transaction { (db: borrowing PostgresTransaction) in
                try IdempotencyStore.claim([claim, other], in: db)
            }
            #expect(after == [.fresh, .open(resourceID: nil)])
        }
    }

    @Test("expired rows are replaced in a batch, and pruned oldest first") func expiry() async throws {
        try await withTables { pool in
            let old = try Self.claim("old", body: "[1]")
            let open = try Self.claim("open", body: "[1]")
            let next = Self.now + IdempotencyClaim.lifetime
            let renewed = [
                try Self.claim("old", at: next), try Self.claim("open", at: next), try Self.claim("new", at: next),
            ]
            let results = try await pool.transaction { (db: borrowing PostgresTransaction) in
                _ = try IdempotencyStore.claim([old, open], in: db)
                try IdempotencyStore.complete([(old, Self.reply)], in: db)
                return try IdempotencyStore.claim(renewed, in: db)
            }
            #expect(results == [.fresh, .fresh, .fresh])
            let pruned = try await pool.transaction { (db: borrowing PostgresTransaction) in
                let none = try IdempotencyStore.prune(now: next, in: db)
                let some = try IdempotencyStore.prune(now: next + IdempotencyClaim.lifetime, limit: 2, in: db)
                let rest = try IdempotencyStore.prune(now: next + IdempotencyClaim.lifetime, limit: 2, in: db)
                return [none, some, rest]
            }
            #expect(pruned == [0, 2, 1])
        }
    }

    @Test("expired rows are pruned until none is left, however few go at once; the others stay") func pruning()
        async throws
    {
        try await withTables { pool in
            let next = Self.now + IdempotencyClaim.lifetime
            let old = try (0..<7).map { try Self.claim("old\($0)") }
            let young = try Self.claim("young", at: next)
            try await pool.transaction { (db: borrowing PostgresTransaction) in
                _ = try IdempotencyStore.claim(old, in: db)
                _ = try IdempotencyStore.claim([young], in: db)
            }
            #expect(try await IdempotencyStore.pruneAll(now: next, limit: 3, in: pool) == 7)
            #expect(try await IdempotencyStore.pruneAll(now: next, limit: 3, in: pool) == 0)
            let left = try await pool.transaction { (db: borrowing PostgresTransaction) in
                try db.query("SELECT key FROM idempotency_keys") { row in try row.next(String.self) }
            }
            #expect(left == ["young"])
        }
    }

    @Test("many transactions over the same keys leave every key claimed exactly once") func storm() async throws {
        try await withTables(connections: 8) { pool in
            let keys = try (0..<40).map { try Self.claim("k\($0)") }
            let fresh = try await withThrowingTaskGroup(of: Int.self) { group in
                for _ in 0..<16 {
                    group.addTask {
                        try await pool.transaction { (db: borrowing PostgresTransaction) in
                            let results = try IdempotencyStore.claim(keys.shuffled(), in: db)
                            return results.filter { $0 == .fresh }.count
                        }
                    }
                }
                return try await group.reduce(0, +)
            }
            #expect(fresh == 40)
        }
    }
}
