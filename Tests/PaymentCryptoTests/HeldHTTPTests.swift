import AsyncHTTPClient
import BillingCore
import HTTPKit
import JSON
import Logging
import NIOCore
import NIOHTTP1
import PaymentChains
import PaymentContract
import PaymentCrypto
import Postgres
import TestKit
import Testing

/// The routes by which persons decide, behind a real server.
struct CryptoServer: Sendable {
    let port: Int
    let world: CryptoWorld

    /// Somebody with a key of their own.
    func person(_ scopes: [String] = ["crypto:*", "refunds:*"]) async throws -> String {
        try await keys(of: scopes).old
    }

    /// One person's key, and the one that it was rotated to while it still works.
    func keys(of scopes: [String] = ["crypto:*", "refunds:*"]) async throws -> (old: String, new: String) {
        let now: Instant = SystemClock().now
        return try await world.database.transaction { db in
            let made = try APIKeys.create(
                name: "test", scopes: scopes, mode: "sandbox", expiresAt: nil, now: now, in: db)
            let rotated = try APIKeys.rotate(
                made.record.id, mode: "sandbox", now: now, in: db)
            return (made.secret, rotated.secret)
        }
    }

    func send(
        _ method: HTTPMethod, _ path: String, _ body: String? = nil, by secret: String, key: String? = nil
    ) async throws -> (status: Int, json: JSONValue) {
        var request = HTTPClientRequest(url: "http://127.0.0.1:\(port)\(path)")
        request.method = method
        request.headers.add(name: "Authorization", value: "Bearer \(secret)")
        if method == .POST {
            request.headers.add(
                name: "Idempotency-Key", value: key ?? String(UInt64.random(in: 0...UInt64.max), radix: 36))
        }
        if let body {
            request.headers.add(name: "Content-Type", value: "application/json")
            request.body = .bytes(ByteBuffer(string: body))
        }
        let response = try await HTTPClient.shared.execute(request, timeout: .seconds(20))
        let received = try await response.body.collect(upTo: 1 << 20)
        return (Int(response.status.code), try parseJSON(Array(buffer: received)))
    }
}

extension CryptoWorld {
    fileprivate var endpoints: [Endpoint] {
        let decide = DecideHeld(accepted: accepted, keepsSurplus: true)
        return HeldRoutes(accepted: accepted, decide: decide).endpoints + ChainRoutes().endpoints
            + RefundInstructionRoutes(accepted: accepted).endpoints + UnexplainedRoutes(accepted: accepted).endpoints
    }
}

/// Lends a world that holds late money, behind a server.
func withCryptoServer(
    _ endpoints: (CryptoWorld) throws -> [Endpoint] = \.endpoints, _ body: (CryptoServer) async throws -> Void
) async throws {
    try await withCrypto(connections: 8, late: .hold) { world in
        let server = HTTPServer(
            endpoints: try endpoints(world),
            configuration: HTTPServerConfiguration(
                port: 0, serviceName: "payment", rateLimit: nil, refusesUndeclaredProblems: true),
            pool: world.database, clock: world.clock,
            logger: Logger(label: "test.crypto") { _ in SwiftLogNoOpLogHandler() })
        let running = Task { try await server.run() }
        let port: Int = try await server.listeningPort()
        let result: Result<Void, any Error>
        do { result = .success(try await body(CryptoServer(port: port, world: world))) } catch {
            result = .failure(error)
        }
        try await server.shutdown()
        try await running.value
        try result.get()
    }
}

@Suite("Decisions on crypto over HTTP") struct HeldHTTPTests {
    @Test("held money is sent back by two persons; what is repeated is answered as before, and who may not is refused")
    func sentBack() async throws {
        try await withCryptoServer { server in
            let world: CryptoWorld = server.world
            let (bob, bobsNext) = try await server.keys()
            let (ada, reader) = (try await server.person(), try await server.person(["crypto:read"]))
            let request: ChargeRequest = try await world.paidLate()
            let held = try await server.send(.GET, "/v1/crypto/held", by: reader)
            let one: JSONValue = held.json["data"]?.arrayValue?.first ?? .null
            #expect(held.status == 200 && one["id"]?.stringValue == request.idempotencyKey.rawValue)
            #expect(one["amount"] == "200000" && one["refund_fee"] == "500" && one["answer"] == "quote_expired")
            let path = "/v1/crypto/held/\(request.idempotencyKey)/refund"
            let body = #"{"address":"\#(CryptoWorld.payer)"}"#
            #expect(try await server.send(.POST, path, body, by: reader).status == 403)
            for (faulty, param) in [
                (#"{"address":"\#(CryptoWorld.payer)","amount":"1.5"}"#, "amount"), (#"{"address":"x"}"#, "address"),
                ("{}", "address"),
            ] {
                let refused = try await server.send(.POST, path, faulty, by: bob)
                #expect(refused.status == 422 && refused.json["param"]?.stringValue == param)
            }
            let first = try await server.send(.POST, path, body, by: bob, key: "one")
            let again = try await server.send(.POST, path, body, by: bob, key: "one")
            #expect(first.status == 201 && first.json["amount"] == "199500" && first.json["fee"] == "500")
            #expect(again.json["id"] == first.json["id"])
            let other = try await server.send(.POST, path, body, by: bob)
            #expect(other.status == 409 && other.json["code"] == "nothing_held")
            #expect(try await world.goingBack(request) == ["held 199500 open"])
            let instruction = "/v1/crypto/refund_instructions/\(first.json["id"]?.stringValue ?? "")"
            let hash = String(repeating: "ab", count: 32)
            let sent =
                #"{"transaction_id":"\#(hash)","fingerprint":"\#(first.json["fingerprint"]?.stringValue ?? "")"}"#
            for key in [bob, bobsNext] {
                let alone = try await server.send(.POST, "\(instruction)/sent", sent, by: key)
                #expect(alone.status == 409 && alone.json["code"] == "second_person_needed")
            }
            #expect(try await server.send(.POST, "\(instruction)/sent", sent, by: ada).json["status"] == "sent")
            let late = try await server.send(.POST, "\(instruction)/cancel", "{}", by: bob)
            #expect(late.status == 409 && late.json["code"] == "instruction_not_open")
            #expect(try await server.send(.GET, "/v1/crypto/held", by: reader).json["data"] == [])
        }
    }

    @Test("what is recorded of a decision is the key that was used, and no key of its line signs it off") func rotated()
        async throws
    {
        try await withCryptoServer { server in
            let world: CryptoWorld = server.world
            let (old, new) = try await server.keys()
            let used: String = try await world.texts("SELECT id FROM api_keys WHERE lineage IS NOT NULL")[0]
            let request: ChargeRequest = try await world.paidLate()
            let body = #"{"address":"\#(CryptoWorld.payer)"}"#
            let asked = try await server.send(
                .POST, "/v1/crypto/held/\(request.idempotencyKey)/refund", body, by: new)
            #expect(asked.json["asked_by"]?.stringValue == used)
            let path = "/v1/crypto/refund_instructions/\(asked.json["id"]?.stringValue ?? "")"
            let address = try await server.send(.POST, "\(path)/address", body, by: new)
            #expect(address.json["asked_by"]?.stringValue == used)
            let hash = String(repeating: "ab", count: 32)
            let sent =
                #"{"transaction_id":"\#(hash)","fingerprint":"\#(asked.json["fingerprint"]?.stringValue ?? "")"}"#
            for key in [old, new] {
                let alone = try await server.send(.POST, "\(path)/sent", sent, by: key)
                #expect(alone.status == 409 && alone.json["code"] == "second_person_needed")
            }
            // Of a decision from before lines were kept, the first key stands in its place.
            try await world.execute(
                """
                UPDATE crypto_refund_instructions SET asked_by_lineage = NULL, directed_by = NULL,
                    directed_by_lineage = NULL,
                    asked_by = (SELECT lineage FROM api_keys WHERE id = \(used))
                """)
            #expect(try await server.send(.POST, "\(path)/sent", sent, by: new).status == 409)
            #expect(try await server.send(.POST, "\(path)/cancel", "{}", by: new).json["status"] == "canceled")
            #expect(try await world.texts("SELECT canceled_by FROM crypto_refund_instructions") == [used])
        }
    }

    @Test("rates in force are listed: those of the configuration, which nobody tells, and the last told of the others")
    func rates() async throws {
        try await withCryptoServer({ CryptoRoutes(accepted: $0.accepted).endpoints }) { server in
            let bob: String = try await server.person()
            for (currency, rate, code) in [
                ("USD", "1", "rate_fixed"), ("EUR", "40000", nil), ("EUR", "41000", nil),
            ] as [(String, String, String?)] {
                let told = try await server.send(
                    .POST, "/v1/crypto/rates", #"{"asset":"bitcoin","currency":"\#(currency)","rate":"\#(rate)"}"#,
                    by: bob)
                #expect(told.status == (code == nil ? 201 : 409) && told.json["code"]?.stringValue == code)
            }
            let listed = try await server.send(.GET, "/v1/crypto/rates", by: bob)
            let rates: [JSONValue] = listed.json["data"]?.arrayValue ?? []
            #expect(rates.map { $0["currency"] } == ["EUR", "USD"] && rates.map { $0["rate"] } == ["41000", "50000"])
            #expect(rates.first?["as_of"]?.stringValue != nil && rates.last?["as_of"] == .null)
        }
    }

    @Test("a rate that is older than the one in force is refused and changes nothing; a correction as of now counts")
    func olderRate() async throws {
        try await withCryptoServer({ CryptoRoutes(accepted: $0.accepted).endpoints }) { server in
            let bob: String = try await server.person()
            let now: Instant = server.world.clock.now
            let minutesBefore: [(rate: String, minutes: Int64, status: Int)] = [
                ("6500", 1, 201), ("65000", 2, 409), ("65000", 1, 201), ("64000", 0, 201), ("65000", 1, 409),
            ]
            for (rate, minutes, status) in minutesBefore {
                let asOf: String = (now - .seconds(minutes * 60)).rfc3339
                let told = try await server.send(
                    .POST, "/v1/crypto/rates",
                    #"{"asset":"bitcoin","currency":"EUR","rate":"\#(rate)","as_of":"\#(asOf)"}"#, by: bob)
                #expect(told.status == status, "\(rate) of \(minutes) minutes ago")
                if status == 409 { #expect(told.json["code"] == "rate_outdated") }
            }
            let listed = try await server.send(.GET, "/v1/crypto/rates", by: bob)
            #expect(listed.json["data"]?.arrayValue?.first?["rate"] == "64000")
        }
    }

    @Test("chains and unexplained money are listed; what does not stand still, and what is not there, is refused")
    func chains() async throws {
        try await withCryptoServer { server in
            try await server.world.look()
            let bob: String = try await server.person()
            let chains = try await server.send(.GET, "/v1/crypto/chains", by: bob)
            let chain: JSONValue = chains.json["data"]?.arrayValue?.first ?? .null
            #expect(chain["id"] == "bitcoin:regtest" && chain["stopped_at"] == .null)
            let page = try await server.send(.GET, "/v1/crypto/chains?limit=1", by: bob)
            #expect(page.status == 200 && page.json["data"] == chains.json["data"] && page.json["has_more"] == false)
            let body = #"{"height":1010,"reason":"looked at"}"#
            let followed = try await server.send(.POST, "/v1/crypto/chains/bitcoin:regtest/restart", body, by: bob)
            #expect(followed.status == 409 && followed.json["code"] == "chain_followed")
            let nowhere = try await server.send(.POST, "/v1/crypto/chains/evm:1/restart", body, by: bob)
            #expect(nowhere.status == 404)
            #expect(try await server.send(.GET, "/v1/crypto/unexplained", by: bob).json["data"] == [])
            let attempt: AttemptID = server.world.request().idempotencyKey
            let hash = String(repeating: "ab", count: 32)
            let count = try await server.send(
                .POST, "/v1/crypto/unexplained/\(attempt)/count",
                #"{"transaction_id":"\#(hash)","reason":"looked at"}"#, by: bob)
            #expect(count.status == 404)
        }
    }
}
