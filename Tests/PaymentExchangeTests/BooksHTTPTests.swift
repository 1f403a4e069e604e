import AsyncHTTPClient
import BillingCore
import HTTPKit
import JSON
import NIOCore
import NIOHTTP1
import PaymentDomain
import PaymentExchange
import PaymentLedger
import PaymentRecords
import Postgres
import TestKit
import Testing

/// The routes of ledger and exchange behind a real server.
private struct BooksServer: Sendable {
    let port: Int
    let world: ExchangeWorld

    func send(
        _ method: HTTPMethod, _ path: String, _ body: String? = nil, scopes: [String] = ["*"]
    ) async throws -> (status: Int, json: JSONValue) {
        let now = Instant(seconds: 1_700_000_000)
        let key = try await world.database.transaction { db in
            try APIKeys.create(name: "test", scopes: scopes, mode: "sandbox", expiresAt: nil, now: now, in: db)
        }
        var request = HTTPClientRequest(url: "http://127.0.0.1:\(port)\(path)")
        request.method = method
        request.headers.add(name: "Authorization", value: "Bearer \(key.secret)")
        if method == .POST {
            request.headers.add(name: "Idempotency-Key", value: String(UInt64.random(in: 0...UInt64.max), radix: 36))
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

private func withBooks(_ body: (BooksServer) async throws -> Void) async throws {
    try await withExchange { world in
        let configuration = HTTPServerConfiguration(
            port: 0, serviceName: "payment", rateLimit: nil, refusesUndeclaredProblems: true)
        let server = HTTPServer(
            endpoints: LedgerRoutes().endpoints + ExchangeRoutes(rates: RatesInForce()).endpoints,
            configuration: configuration, pool: world.database, clock: world.clock, logger: ExchangeWorld.silent)
        let running = Task { try await server.run() }
        let port: Int = try await server.listeningPort()
        let result: Result<Void, any Error>
        do { result = .success(try await body(BooksServer(port: port, world: world))) } catch {
            result = .failure(error)
        }
        try await server.shutdown()
        try await running.value
        try result.get()
    }
}

@Suite("Ledger and exchange rates over HTTP") struct BooksHTTPTests {
    private static let adjustment = """
        {"reason":"opening","lines":[
            {"account":"assets:provider:stripe","amount":500,"currency":"USD"},
            {"account":"equity:opening_balance","amount":-500,"currency":"USD"}]}
        """

    @Test("what is booked by hand shows in balances, statement and trial balance, and its reversal undoes it")
    func ledger() async throws {
        try await withBooks { books in
            let entry = try await books.send(.POST, "/v1/ledger/adjustments", Self.adjustment)
            #expect(entry.status == 201 && entry.json["kind"] == "adjustment" && entry.json["reason"] == "opening")
            let id: String = entry.json["id"]?.stringValue ?? ""
            let after = "2027-01-16T00:00:00Z"
            let balances = try await books.send(.GET, "/v1/ledger/balances?at=\(after)&account=assets:provider:stripe")
            #expect(balances.json["data"]?.arrayValue?.map { $0["balance"]?.intValue } == [500])
            let trial = try await books.send(.GET, "/v1/ledger/trial_balance")
            #expect(trial.json["totals"]?.arrayValue?.map { $0["debit"]?.intValue } == [500])
            #expect(trial.json["totals"]?.arrayValue?.map { $0["credit"]?.intValue } == [500])
            #expect(trial.json["accounts"]?.arrayValue?.map { $0["class"]?.stringValue } == ["asset", "equity"])
            let before = try await books.send(.GET, "/v1/ledger/trial_balance?at=2027-01-15T00:00:00Z")
            #expect(before.json["accounts"]?.arrayValue?.isEmpty == true)

            let reversal = try await books.send(.POST, "/v1/ledger/entries/\(id)/reverse", #"{"reason":"a slip"}"#)
            #expect(reversal.status == 201 && reversal.json["reverses"]?.stringValue == id)
            let twice = try await books.send(.POST, "/v1/ledger/entries/\(id)/reverse", #"{"reason":"again"}"#)
            #expect(twice.status == 409 && twice.json["code"] == "entry_reversed")
            let read = try await books.send(.GET, "/v1/ledger/entries/\(id)")
            #expect(read.json["reversed_by"] == reversal.json["id"] && read.json["lines"]?.arrayValue?.count == 2)

            let period = "account=assets:provider:stripe&currency=USD&from=2027-01-15T00:00:00Z&to=\(after)&limit=1"
            let first = try await books.send(.GET, "/v1/ledger/statements?\(period)")
            #expect(first.json["has_more"] == true && first.json["closing_balance"]?.intValue == 0)
            let next: String = first.json["next"]?.stringValue ?? ""
            let second = try await books.send(.GET, "/v1/ledger/statements?\(period)&starting_after=\(next)")
            #expect(second.json["has_more"] == false && second.json["next"] == .null)
            #expect(second.json["data"]?.arrayValue?.map { $0["balance"]?.intValue } == [0])
            let accounts = try await books.send(.GET, "/v1/ledger/accounts?limit=100")
            let names: [String] = accounts.json["data"]?.arrayValue?.compactMap { $0["account"]?.stringValue } ?? []
            #expect(names == names.sorted() && names.contains("assets:provider:stripe"))
        }
    }

    @Test("all is told whatever page is asked for, with no more to come", arguments: ["balances", "entries"])
    func whole(_ list: String) async throws {
        try await withBooks { books in
            _ = try await books.send(.POST, "/v1/ledger/adjustments", Self.adjustment)
            let filter: String = list == "entries" ? "payment_id=\(PaymentID.sample)" : "currency=USD"
            let all = try await books.send(.GET, "/v1/ledger/\(list)?\(filter)")
            #expect(all.status == 200 && all.json["has_more"] == false)
            let page = try await books.send(.GET, "/v1/ledger/\(list)?\(filter)&limit=1")
            #expect(page.status == 200 && page.json["data"] == all.json["data"] && page.json["has_more"] == false)
        }
    }

    @Test("an amount has a limit, and sums that have outgrown 64 bits are told whole") func limits() async throws {
        try await withBooks { books in
            let vast: String = Self.adjustment.replacing("500", with: "1000000000001")
            let refused = try await books.send(.POST, "/v1/ledger/adjustments", vast)
            #expect(refused.status == 422)
            #expect(
                refused.json["errors"]?.arrayValue?.compactMap { $0["message"]?.stringValue }
                    == Array(repeating: "must be between -1000000000000 and 1000000000000", count: 2))
            // From before there was one.
            let amount = Money(minor: .max, currency: .usd)
            for number in 0..<3 {
                let entry = JournalEntry(
                    id: .new(at: ExchangeWorld.start), kind: .adjustment, reference: "old_\(number)", paymentID: nil,
                    occurredAt: ExchangeWorld.start, postings: try Ledger.capture(amount, provider: "stripe"))
                try await books.world.database.transaction { db in try LedgerStore.book([entry], in: db) }
            }
            let sum = JSONValue.number("27670116110564327421")
            let trial = try await books.send(.GET, "/v1/ledger/trial_balance?at=2027-01-16T00:00:00Z")
            #expect(trial.status == 200 && trial.json["totals"]?.arrayValue?.map { $0["debit"] } == [sum])
            let balances = try await books.send(.GET, "/v1/ledger/balances?account=assets:provider:stripe")
            #expect(balances.status == 200 && balances.json["data"]?.arrayValue?.map { $0["debits"] } == [sum])
            let statement = try await books.send(
                .GET,
                "/v1/ledger/statements?account=assets:provider:stripe&currency=USD&from=2027-01-15T00:00:00Z&to=2027-01-16T00:00:00Z"
            )
            #expect(statement.status == 200 && statement.json["closing_balance"] == sum)
        }
    }

    @Test("who may only read books nothing, and every faulty parameter is named") func refused() async throws {
        try await withBooks { books in
            let reader: [String] = ["ledger:read", "exchange_rates:read"]
            let denied = try await books.send(.POST, "/v1/ledger/adjustments", Self.adjustment, scopes: reader)
            #expect(denied.status == 403)
            let given = #"{"from":"EUR","to":"USD","rate":"1.1"}"#
            #expect(try await books.send(.POST, "/v1/exchange_rates", given, scopes: reader).status == 403)
            for (path, faults) in [
                ("/v1/ledger/statements", ["account", "currency", "from", "to"]),
                (
                    "/v1/ledger/statements?account=a&currency=USD&from=2027-01-02T00:00:00Z&to=2027-01-01T00:00:00Z",
                    ["to"]
                ),
                (
                    "/v1/ledger/statements?account=a&currency=USD&from=2027-01-01T00:00:00Z&to=2027-01-02T00:00:00Z&starting_after=x",
                    ["starting_after"]
                ),
                ("/v1/ledger/trial_balance?at=yesterday", ["at"]),
                ("/v1/exchange_rates/quote?from=USD&to=USD&amount=5", ["to"]),
                ("/v1/exchange_rates/quote?from=EUR&to=USD&amount=5&date=2027-01-16", ["date"]),
                (
                    "/v1/exchange_rates/quote?from=usd&amount=0&spread_basis_points=-10000",
                    ["from", "amount", "spread_basis_points", "to"]
                ),
            ] {
                let answer = try await books.send(.GET, path)
                #expect(answer.status == 422, "\(path)")
                let named: [String] = answer.json["errors"]?.arrayValue?.compactMap { $0["param"]?.stringValue } ?? []
                #expect(Set(named) == Set(faults), "\(path)")
            }
            let booked: Int64 = try await books.world.number("SELECT count(*) FROM journal_entries")
            #expect(booked == 0)
        }
    }

    /// When, and at which place of its entry, no line can be.
    private static let forged: [(time: Int64, position: Int)] = [
        (1_800_000_000_000_000, 0), (1_800_000_000_000_000, -1), (1_800_000_000_000_000, 32_768),
        (.max, 1), (.min, 1), (253_402_300_800_000_000, 1),
    ]

    @Test("a page's cursor that names what no line can have is refused as any other that is none") func forgedCursors()
        async throws
    {
        try await withBooks { books in
            let period = "account=a&currency=USD&from=2027-01-01T00:00:00Z&to=2027-02-01T00:00:00Z"
            let id: String = JournalEntryID.new(at: ExchangeWorld.start).rawValue
            for (time, position) in Self.forged {
                let token: String = PageCursor(parts: [String(time), id, String(position)]).token
                let answer = try await books.send(.GET, "/v1/ledger/statements?\(period)&starting_after=\(token)")
                let codes: [String] = answer.json["errors"]?.arrayValue?.compactMap { $0["code"]?.stringValue } ?? []
                #expect(answer.status == 422 && codes == ["invalid_cursor"], "\(time) \(position)")
            }
            let good: String = PageCursor(parts: ["1800000000000000", id, "32767"]).token
            let answer = try await books.send(.GET, "/v1/ledger/statements?\(period)&starting_after=\(good)")
            #expect(answer.status == 200)
        }
    }

    @Test("a rate that was given is kept, listed, read and quoted with a spread; none and an old one are told apart")
    func rates() async throws {
        try await withBooks { books in
            let none = try await books.send(.GET, "/v1/exchange_rates/quote?from=EUR&to=USD&amount=1000")
            #expect(none.status == 422 && none.json["code"] == "no_exchange_rate")
            let given = try await books.send(.POST, "/v1/exchange_rates", #"{"from":"EUR","to":"USD","rate":"1.25"}"#)
            #expect(given.status == 201 && given.json["rate"] == "1.25" && given.json["date"] == "2027-01-15")
            let id: String = given.json["id"]?.stringValue ?? ""
            #expect(try await books.send(.GET, "/v1/exchange_rates/\(id)").json == given.json)
            let other = #"{"from":"EUR","to":"USD","rate":"9.99","source":"provider","provider":"stripe"}"#
            #expect(try await books.send(.POST, "/v1/exchange_rates", other).json["source"] == "provider:stripe")
            let listed = try await books.send(.GET, "/v1/exchange_rates?source=manual&from=EUR")
            #expect(listed.json["data"]?.arrayValue?.count == 1)
            let quote = try await books.send(
                .GET, "/v1/exchange_rates/quote?from=EUR&to=USD&amount=1000&spread_basis_points=150")
            #expect(quote.status == 200 && quote.json["converted_amount"]?.intValue == 1_269)
            #expect(quote.json["converted_currency"] == "USD" && quote.json["source"] == "manual")
            books.world.clock.advance(by: .seconds(30 * 86_400))
            let old = try await books.send(.GET, "/v1/exchange_rates/quote?from=EUR&to=USD&amount=1000")
            #expect(old.status == 409 && old.json["code"] == "exchange_rate_stale")
            let future = #"{"from":"EUR","to":"USD","rate":"1.25","date":"2027-03-01"}"#
            let refused = try await books.send(.POST, "/v1/exchange_rates", future)
            #expect(refused.status == 422 && refused.json["param"] == "date")
        }
    }
}
