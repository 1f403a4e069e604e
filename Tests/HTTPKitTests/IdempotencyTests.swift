import BillingCore
import HTTPKit
import NIOHTTP1
import Postgres
import TestKit
import Testing

@Suite("Idempotency over HTTP") struct IdempotencyTests {
    static func key(_ text: String) -> [(String, String?)] { [("Idempotency-Key", text)] }

    @Test("the first answer is given again, by any instance") func replay() async throws {
        try await withServer { world in
            let first = try await world.send(.POST, "/v1/widgets", ConventionTests.lamp, headers: Self.key("k1"))
            let second = try await world.send(.POST, "/v1/widgets", ConventionTests.lamp, headers: Self.key("k1"))
            #expect(first.status == 201)
            #expect(first["Idempotency-Replayed"] == nil)
            #expect(second.status == 201)
            #expect(second["Idempotency-Replayed"] == "true")
            #expect(second.body == first.body)
            #expect(second["Location"] == first["Location"])
            #expect(try await world.count("widgets") == 1)
        }
    }

    @Test("another body or path under the same key is 422; another caller's key is another key") func mismatch()
        async throws
    {
        try await withServer { world in
            _ = try await world.send(.POST, "/v1/widgets", ConventionTests.lamp, headers: Self.key("k1"))
            let body = #"{"name":"Lamp","amount":1201,"currency":"USD"}"#
            let other = try await world.send(.POST, "/v1/widgets", body, headers: Self.key("k1"))
            #expect(try other.problem(422) == "idempotency_key_reused")
            let id = CustomerID.new(at: world.clock.now)
            let path = try await world.send(.DELETE, "/v1/widgets/\(id)", headers: Self.key("k1"))
            #expect(try path.problem(422) == "idempotency_key_reused")
            let stranger = try await world.makeKey(["*"]).secret
            let theirs = try await world.send(
                .POST, "/v1/widgets", body, headers: Self.key("k1") + [("Authorization", "Bearer \(stranger)")])
            #expect(theirs.status == 201)
            #expect(try await world.count("widgets") == 2)
        }
    }

    @Test("a key that is rotated keeps its idempotency keys: a repeat with the new one gets the first answer")
    func rotated() async throws {
        try await withServer { world in
            let first = try await world.send(.POST, "/v1/widgets", ConventionTests.lamp, headers: Self.key("k1"))
            #expect(first.status == 201)
            var id: APIKeyID = world.keyID
            for _ in 0..<2 {
                let before: APIKeyID = id
                let now = world.realClock.now
                let (record, secret) = try await world.pool.transaction { (db: borrowing PostgresTransaction) in
                    let made = try APIKeys.rotate(before, mode: "sandbox", now: now, in: db)
                    return (made.new, made.secret)
                }
                #expect(record.id != before && record.lineage == world.keyID)
                let again = try await world.send(
                    .POST, "/v1/widgets", ConventionTests.lamp,
                    headers: Self.key("k1") + [("Authorization", "Bearer \(secret)")])
                #expect(again.status == 201 && again["Idempotency-Replayed"] == "true")
                #expect(again.body == first.body)
                id = record.id
            }
            #expect(try await world.count("widgets") == 1)
        }
    }

    @Test("POST needs a key of 1 to 255 printable characters") func format() async throws {
        try await withServer { world in
            let missing = try await world.send(
                .POST, "/v1/widgets", ConventionTests.lamp, headers: [("Idempotency-Key", nil)])
            #expect(try missing.problem(400) == "idempotency_key_required")
            for bad in [String(repeating: "k", count: 256), "k\u{e9}"] {
                let answer = try await world.send(.POST, "/v1/widgets", ConventionTests.lamp, headers: Self.key(bad))
                #expect(try answer.problem(400) == "idempotency_key_invalid")
            }
            let longest = String(repeating: "k", count: 255)
            #expect(
                try await world.send(.POST, "/v1/widgets", ConventionTests.lamp, headers: Self.key(longest)).status
                    == 201)
        }
    }

    @Test("of requests at the same moment one runs, the others get 409 at once, and later its answer") func twins()
        async throws
    {
        try await withServer { world in
            let body = #"{"name":"a","amount":1,"currency":"USD","mood":"slow"}"#
            let answers = try await Gate.closed(in: world.pool) { (gate: Gate) in
                try await withThrowingTaskGroup(of: Answer.self) { group in
                    for _ in 0..<4 {
                        group.addTask { try await world.send(.POST, "/v1/widgets", body, headers: Self.key("twin")) }
                    }
                    var answers: [Answer] = []
                    while let answer = try await group.next() {
                        answers.append(answer)
                        // Three have been answered while the fourth cannot go on.
                        if answers.count == 3 { gate.open() }
                    }
                    return answers
                }
            }
            #expect(answers.map(\.status) == [409, 409, 409, 201])
            for answer in answers.dropLast() {
                #expect(try answer.problem(409) == "idempotency_key_in_use")
                #expect(answer["Retry-After"] == "1")
            }
            #expect(try await world.count("widgets") == 1)
            let later = try await world.send(.POST, "/v1/widgets", body, headers: Self.key("twin"))
            #expect(later["Idempotency-Replayed"] == "true")
        }
    }

    @Test("a failed request leaves its key free; a returned refusal is kept") func failures() async throws {
        try await withServer { world in
            func body(_ mood: String) -> String { #"{"name":"a","amount":1,"currency":"USD","mood":"\#(mood)"}"# }
            #expect(try await world.send(.POST, "/v1/widgets", body("failing"), headers: Self.key("k")).status == 409)
            #expect(
                try await world.send(.POST, "/v1/widgets", body("unexpected"), headers: Self.key("k")).status == 500)
            #expect(try await world.count("idempotency_keys") == 0)
            #expect(try await world.send(.POST, "/v1/widgets", body("refusing"), headers: Self.key("k")).status == 402)
            let again = try await world.send(.POST, "/v1/widgets", body("refusing"), headers: Self.key("k"))
            #expect(again.status == 402)
            #expect(again["Idempotency-Replayed"] == "true")
            #expect(try await world.count("widgets") == 1)
        }
    }

    @Test("a session killed in the middle leaves nothing, and the request is carried out when repeated") func killed()
        async throws
    {
        try await withServer { world in
            let body = #"{"name":"a","amount":1,"currency":"USD","mood":"slow"}"#
            let answer = try await Gate.closed(in: world.pool) { (gate: Gate) in
                let running = Task { try await world.send(.POST, "/v1/widgets", body, headers: Self.key("k")) }
                try await eventually(within: .seconds(10), "the request waits in the database") {
                    try await world.pool.transaction { (db: borrowing PostgresTransaction) in
                        try db.execute(
                            """
                            SELECT pg_terminate_backend(pid) FROM pg_stat_activity
                            WHERE query LIKE 'SELECT pg_advisory_xact_lock%' AND wait_event_type = 'Lock'
                                AND datname = current_database()
                            """) == 1
                    }
                }
                gate.open()
                return try await running.value
            }
            // The lost transaction is run again by itself, since nothing of it remains.
            #expect(answer.status == 201, "\(answer.text)")
            #expect(try await world.count("widgets") == 1)
            #expect(try await world.count("idempotency_keys") == 1)
        }
    }

    @Test("a key is free again after a day of real time, whatever the business clock says") func expiry() async throws {
        try await withServer { world in
            let first = try await world.send(.POST, "/v1/widgets", ConventionTests.lamp, headers: Self.key("k"))
            world.clock.advance(by: .seconds(86_400 * 400))
            let replayed = try await world.send(.POST, "/v1/widgets", ConventionTests.lamp, headers: Self.key("k"))
            #expect(replayed["Idempotency-Replayed"] == "true")
            world.realClock.advance(by: IdempotencyClaim.lifetime)
            let second = try await world.send(.POST, "/v1/widgets", ConventionTests.lamp, headers: Self.key("k"))
            #expect(second["Idempotency-Replayed"] == nil)
            #expect(second.body != first.body)
            let third = try await world.send(.POST, "/v1/widgets", ConventionTests.lamp, headers: Self.key("k"))
            #expect(third.body == second.body)
            #expect(try await world.count("idempotency_keys") == 1)
        }
    }
}
