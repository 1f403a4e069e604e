import BillingCore
import Dispatch
import HTTPKit
import NIOHTTP1
import Postgres
import TestKit
import Testing

@Suite("API keys") struct APIKeyTests {
    @Test("missing, weak, malformed, unknown and wrong-mode keys are 401 with WWW-Authenticate") func refused()
        async throws
    {
        try await withServer({ $0.keyMode = "sandbox" }) { world in
            let tail = String(repeating: "a", count: 40)
            let none = try await world.send(.GET, "/v1/widgets", headers: [("Authorization", nil)])
            #expect(try none.problem(401) == "authentication_required")
            #expect(none["WWW-Authenticate"] == "Bearer realm=\"widgets\"")
            let credentials = [
                "Bearer", "Bearer ", "Basic dXNlcjpwYXNz", "Bearer sk_", "Bearer sk_sandbox_short",
                "Bearer sk_test_\(tail)",
                "Bearer sk_sandbox_\(tail)", "Bearer sk_live_\(tail)", "Bearer sk_sandbox_\(tail)!",
                "Bearer \(world.key)x",
                "Bearer \(world.key) x", world.key, "Bearer sk_sandbox_\(String(repeating: "a", count: 9_000))",
                "Bearer a.b.c",
            ]
            for credential in credentials {
                let answer = try await world.send(.GET, "/v1/widgets", headers: [("Authorization", credential)])
                #expect(try answer.problem(401) == "invalid_token", "\(credential.prefix(40))")
                #expect(answer["WWW-Authenticate"] == "Bearer realm=\"widgets\", error=\"invalid_token\"")
                #expect(!answer.text.contains(tail))
            }
            let bearer = try await world.send(.GET, "/v1/widgets", headers: [("Authorization", "bEARER \(world.key)")])
            #expect(bearer.status == 200)
        }
    }

    @Test("an address that tries many keys is stopped before the database is asked, and others are not")
    func unknown() async throws {
        try await withServer({
            $0.unknownKeys = RateLimit(perMinute: 3)
            $0.credentialCacheTime = .zero
        }) { world in
            func ask(_ key: String, from address: String) async throws -> Answer {
                let headers: [(String, String?)] = [
                    ("Authorization", "Bearer \(key)"), ("X-Forwarded-For", address),
                ]
                return try await world.send(.GET, "/v1/widgets", headers: headers)
            }
            func guess() -> String { "sk_sandbox_" + (0..<40).map { _ in String(Int.random(in: 0...9)) }.joined() }
            for host in 1...3 { #expect(try await ask(guess(), from: "2001:db8::\(host)").status == 401) }
            let stopped: Answer = try await ask(guess(), from: "2001:db8::4")
            #expect(try stopped.problem(429) == "rate_limited")
            #expect(stopped["Retry-After"] == "1")
            #expect(try await ask(try await world.makeKey(["*"]).secret, from: "192.0.2.1").status == 200)
            #expect(try await ask(guess(), from: "192.0.2.1").status == 401)
            // A key that was good a moment ago goes on; another test's change of keys makes it unknown, so more than once.
            var statuses: [Int] = []
            while !statuses.contains(200), statuses.count < 20 {
                let address = "2001:db8:1:\(statuses.count)::1"
                #expect(try await ask(world.key, from: address).status == 200)
                for _ in 1...3 { _ = try await ask(guess(), from: address) }
                statuses.append(try await ask(world.key, from: address).status)
            }
            #expect(statuses.last == 200)
        }
    }

    @Test("a key allows what its scopes say") func scopes() async throws {
        try await withServer { world in
            let reader = try await world.makeKey(["widgets:read", "other:*"]).secret
            let all = try await world.makeKey(["widgets:*"]).secret
            let headers: [(String, String?)] = [("Authorization", "Bearer \(reader)")]
            #expect(try await world.send(.GET, "/v1/widgets", headers: headers).status == 200)
            let refused = try await world.send(.POST, "/v1/widgets", ConventionTests.lamp, headers: headers)
            #expect(try refused.problem(403) == "insufficient_scope")
            #expect(
                refused["WWW-Authenticate"]
                    == "Bearer realm=\"widgets\", error=\"insufficient_scope\", scope=\"widgets:write\"")
            let allowed = try await world.send(
                .POST, "/v1/widgets", ConventionTests.lamp, headers: [("Authorization", "Bearer \(all)")])
            #expect(allowed.status == 201)
        }
    }

    @Test("a revoked key stops at once in this process, an expired one at its time") func ends() async throws {
        try await withServer { world in
            let now = world.realClock.now
            let (record, secret) = try await world.makeKey(["*"])
            let expiring = try await world.makeKey(["*"], expiresAt: now + .seconds(100)).secret
            let first: [(String, String?)] = [("Authorization", "Bearer \(secret)")]
            let second: [(String, String?)] = [("Authorization", "Bearer \(expiring)")]
            #expect(try await world.send(.GET, "/v1/widgets", headers: first).status == 200)
            #expect(try await world.send(.GET, "/v1/widgets", headers: second).status == 200)
            let revoked = try await world.pool.transaction { (db: borrowing PostgresTransaction) in
                try APIKeys.revoke(record.id, now: now, in: db)
            }
            #expect(revoked.revokedAt == now)
            #expect(try await world.send(.GET, "/v1/widgets", headers: first).problem(401) == "invalid_token")
            world.realClock.advance(by: .seconds(101))
            // Any change empties the cache of this process; elsewhere the cache time passes.
            _ = try await world.makeKey(["*"])
            #expect(try await world.send(.GET, "/v1/widgets", headers: second).problem(401) == "invalid_token")
            await #expect(throws: APIKeys.Failure.notFound) {
                try await world.pool.transaction { (db: borrowing PostgresTransaction) in
                    _ = try APIKeys.revoke(record.id, now: now, in: db)
                }
            }
        }
    }

    @Test("a change made elsewhere takes effect when the cache time is over") func cached() async throws {
        try await withServer({ $0.credentialCacheTime = .milliseconds(100) }) { world in
            #expect(try await world.send(.GET, "/v1/widgets").status == 200)
            let end = world.realClock.now
            _ = try await world.pool.transaction { (db: borrowing PostgresTransaction) in
                try db.execute("UPDATE api_keys SET revoked_at = \(end)")
            }
            let started = ContinuousClock.now
            while try await world.send(.GET, "/v1/widgets").status == 200 {
                try #require(ContinuousClock.now - started < .seconds(5))
            }
        }
    }

    @Test("a key whose answer gets old is asked for again beside its requests: none of them waits") func renewed()
        async throws
    {
        let lifetime: Duration = .seconds(2)
        try await withServer({ $0.credentialCacheTime = lifetime }) { world in
            let started = ContinuousClock.now
            #expect(try await world.send(.GET, "/v1/widgets").status == 200)
            // Nobody can read the keys until all have been answered.
            let (locked, tell) = AsyncStream.makeStream(of: Void.self)
            let over = DispatchSemaphore(value: 0)
            async let lock: Void = world.pool.transaction { (db: borrowing PostgresTransaction) in
                _ = try db.execute("LOCK TABLE api_keys IN ACCESS EXCLUSIVE MODE")
                tell.finish()
                over.wait()
            }
            for await _ in locked {}
            var statuses: Set<Int> = []
            while ContinuousClock.now - started < lifetime + .milliseconds(300) {
                statuses.insert((try? await world.send(.GET, "/v1/widgets").status) ?? 0)
            }
            over.signal()
            try await lock
            #expect(statuses == [200])
        }
    }

    @Test("rotation gives a second key and ends the first after the overlap") func rotation() async throws {
        try await withServer { world in
            let now = world.realClock.now
            let (record, secret) = try await world.makeKey(["widgets:read"])
            let rotated = try await world.pool.transaction { (db: borrowing PostgresTransaction) in
                let result = try APIKeys.rotate(record.id, mode: "sandbox", overlap: .seconds(60), now: now, in: db)
                return (new: result.new, secret: result.secret, old: result.old)
            }
            #expect(rotated.new.id != record.id)
            #expect(rotated.new.scopes == ["widgets:read"])
            #expect(rotated.old.id == record.id)
            #expect(rotated.old.expiresAt == now + .seconds(60))
            for key in [secret, rotated.secret] {
                let answer = try await world.send(.GET, "/v1/widgets", headers: [("Authorization", "Bearer \(key)")])
                #expect(answer.status == 200)
            }
            world.realClock.advance(by: .seconds(61))
            _ = try await world.makeKey(["*"])
            let old = try await world.send(.GET, "/v1/widgets", headers: [("Authorization", "Bearer \(secret)")])
            #expect(try old.problem(401) == "invalid_token")
            let new = try await world.send(
                .GET, "/v1/widgets", headers: [("Authorization", "Bearer \(rotated.secret)")])
            #expect(new.status == 200)
        }
    }

    @Test("a key that is rotated again gives one that does not end with it") func rotatedAgain() async throws {
        try await withServer { world in
            let now = world.realClock.now
            let (record, _) = try await world.makeKey(["widgets:read"])
            let ends: [Instant?] = try await world.pool.transaction { (db: borrowing PostgresTransaction) in
                let first = try APIKeys.rotate(record.id, mode: "sandbox", overlap: .seconds(60), now: now, in: db)
                let next = now + .seconds(1)
                let second = try APIKeys.rotate(record.id, mode: "sandbox", overlap: .seconds(60), now: next, in: db)
                return [first.new.expiresAt, second.new.expiresAt, second.old.expiresAt]
            }
            #expect(ends == [nil, nil, now + .seconds(60)])
        }
    }

    @Test("secrets are long, random, shown once and stored hashed") func secrets() async throws {
        try await withTables { pool in
            let now = Instant(seconds: 1_790_000_000)
            let made = try await pool.transaction { (db: borrowing PostgresTransaction) in
                let first = try APIKeys.create(name: "a", scopes: ["*"], mode: "live", now: now, in: db)
                let second = try APIKeys.create(name: "b", scopes: ["*"], mode: "live", now: now, in: db)
                return (first: first.record, secret: first.secret, other: second.secret)
            }
            #expect(made.secret.wholeMatch(of: #/sk_live_[0-9A-Za-z]{40}/#) != nil)
            #expect(made.secret != made.other)
            #expect(made.secret.hasPrefix(made.first.display))
            #expect(made.first.display.count == "sk_live_".count + 4)
            #expect(made.first.hash.count == 64)
            let stored = try await pool.transaction { (db: borrowing PostgresTransaction) in
                try db.query("SELECT to_jsonb(k)::text FROM api_keys k") { try $0.next(String.self) }.joined()
            }
            #expect(!stored.contains(made.secret.suffix(30)))
            let listed = try await pool.transaction { (db: borrowing PostgresTransaction) in try APIKeys.list(in: db) }
            #expect(listed.map(\.name) == ["b", "a"])
        }
    }

    @Test("scopes and expiry are checked when a key is made") func checks() async throws {
        try await withTables { pool in
            let now = Instant(seconds: 1_790_000_000)
            for scope in ["", "Customers:read", "customers", "customers:", ":read", "a:b:c", "**", "a b:read"] {
                await #expect(throws: APIKeys.Failure.invalidScope(scope)) {
                    try await pool.transaction { (db: borrowing PostgresTransaction) in
                        _ = try APIKeys.create(name: "a", scopes: [scope], mode: "live", now: now, in: db)
                    }
                }
            }
            await #expect(throws: APIKeys.Failure.expired) {
                try await pool.transaction { (db: borrowing PostgresTransaction) in
                    _ = try APIKeys.create(name: "a", scopes: ["*"], mode: "live", expiresAt: now, now: now, in: db)
                }
            }
        }
    }

    @Test("a projection follows events, late ones included, and never undoes a revocation") func projection()
        async throws
    {
        try await withServer { world in
            let (record, _) = try await world.makeKey(["widgets:read"])
            let other = APIKeyRecord(
                id: APIKeyID.new(at: world.realClock.now), lineage: record.id, name: "from an event",
                display: "sk_sandbox_abcd",
                hash: String(repeating: "ab", count: 32), scopes: ["*"], createdAt: record.createdAt,
                revokedAt: world.realClock.now)
            let late = APIKeyRecord(
                id: other.id, name: other.name, display: other.display, hash: other.hash, scopes: other.scopes,
                createdAt: other.createdAt)
            let listed = try await world.pool.transaction { (db: borrowing PostgresTransaction) in
                try APIKeys.project(other, in: db)
                try APIKeys.project(late, in: db)
                return try APIKeys.list(in: db)
            }
            #expect(listed.first { $0.id == other.id } == other)
        }
    }

    @Test("the last use is noted, at most once a minute") func lastUse() async throws {
        try await withServer({ $0.credentialCacheTime = .zero }) { world in
            let first = world.realClock.now
            func lastUse() async throws -> Instant? {
                try await world.pool.transaction { (db: borrowing PostgresTransaction) in
                    try APIKeys.list(in: db).first { $0.id == world.keyID }?.lastUsedAt
                }
            }
            _ = try await world.send(.GET, "/v1/widgets")
            #expect(try await lastUse() == first)
            world.realClock.advance(by: .seconds(59))
            _ = try await world.send(.GET, "/v1/widgets")
            #expect(try await lastUse() == first)
            world.realClock.advance(by: .seconds(1))
            _ = try await world.send(.GET, "/v1/widgets")
            #expect(try await lastUse() == first + .seconds(60))
        }
    }
}
