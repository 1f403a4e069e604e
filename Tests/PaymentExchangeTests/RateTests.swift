import BillingCore
import HTTPKit
import JSON
import PaymentContract
import PaymentDomain
import PaymentExchange
import Postgres
import TestKit
import Testing

@Suite("Exchange rates in force") struct RateTests {
    private static let today: CivilDate = ExchangeWorld.today

    private static func rate(
        _ world: ExchangeWorld, _ from: Currency, _ to: Currency, on date: CivilDate = today, limit: Int = 1
    ) async throws -> ExchangeRate {
        try await world.database.transaction { db in
            try RatesInForce(stalenessLimit: limit).rate(from: from, to: to, on: date, in: db)
        }
    }

    @Test("the ECB's rates count straight, turned round and crossed, each exactly") func reference() async throws {
        try await withExchange { world in
            try await world.publish([.usd: "1.1", .gbp: "0.88", .jpy: "160.35"])
            try await world.publish([.usd: "9.9", .gbp: "9.9"], on: Self.today.adding(days: -1))
            let million: Int64 = 100_000_000
            let table: [(Currency, Currency, Int64)] = [
                (.eur, .usd, 110_000_000), (.usd, .eur, 90_909_091), (.gbp, .usd, 125_000_000),
                // A yen has no cents: 1,000,000 dollars, and 100,000,000 yen.
                (.usd, .jpy, 145_772_727), (.jpy, .eur, 62_363_580),
            ]
            for (from, to, worth) in table {
                let rate: ExchangeRate = try await Self.rate(world, from, to)
                let got: Money = try rate.convert(Money(minor: million, currency: from), rounding: .halfEven).received
                #expect(got == Money(minor: worth, currency: to), "\(from.code) \(to.code)")
            }
        }
    }

    @Test("a rate given by hand goes before the ECB's, in both directions, while it is not too old") func manual()
        async throws
    {
        try await withExchange { world in
            try await world.publish([.usd: "1.1"])
            let given: StoredRate = try await world.give("1.25", .eur, .usd)
            #expect(try await Self.rate(world, .eur, .usd).numerator == ExactDecimal(parsing: "1.25"))
            let turned: ExchangeRate = try await Self.rate(world, .usd, .eur)
            #expect(turned.denominator == given.rate.numerator && turned.source == .manual)
            // A week later the ECB has gone on, and nobody has given anything new.
            let later: CivilDate = Self.today.adding(days: 7)
            try await world.publish([.usd: "1.12"], on: later)
            #expect(try await Self.rate(world, .eur, .usd, on: later).source == .ecb)
            let dirham = try #require(Currency("AED"))
            try await world.give("3.67", .usd, dirham)
            await #expect(throws: ExchangeError.stale(published: Self.today, missed: 2)) {
                try await Self.rate(world, .usd, dirham, on: later)
            }
            #expect(try await Self.rate(world, .usd, dirham, on: later, limit: 5).source == .manual)
        }
    }

    @Test("no rate, and one that has missed too many publications, are told apart; a weekend misses none") func stale()
        async throws
    {
        try await withExchange { world in
            await #expect(throws: ExchangeError.noRate(from: .eur, to: .usd)) { try await Self.rate(world, .eur, .usd) }
            try await world.publish([.usd: "1.1"])
            await #expect(throws: ExchangeError.noRate(from: .gbp, to: .usd)) { try await Self.rate(world, .gbp, .usd) }
            await #expect(throws: ExchangeError.sameCurrency(.usd)) { try await Self.rate(world, .usd, .usd) }
            await #expect(throws: ExchangeError.noRate(from: .eur, to: .usd)) {
                try await Self.rate(world, .eur, .usd, on: Self.today.adding(days: -1))
            }
            for days in 0...3 { _ = try await Self.rate(world, .eur, .usd, on: Self.today.adding(days: days)) }
            await #expect(throws: ExchangeError.stale(published: Self.today, missed: 2)) {
                try await Self.rate(world, .eur, .usd, on: Self.today.adding(days: 4))
            }
        }
    }

    @Test("a cross rate is stored once, however many need it at the same time") func cross() async throws {
        try await withExchange { world in
            try await world.publish([.usd: "1.1", .gbp: "0.88"])
            let ids: Set<String> = try await withThrowingTaskGroup(of: String.self) { group in
                for _ in 0..<6 {
                    group.addTask {
                        try await world.database.transaction { db in
                            try RatesInForce().stored(from: .gbp, to: .usd, at: ExchangeWorld.start, in: db).id.rawValue
                        }
                    }
                }
                return try await group.reduce(into: []) { $0.insert($1) }
            }
            #expect(ids.count == 1)
            #expect(try await world.number("SELECT count(*) FROM exchange_rates") == 3)
            await #expect(throws: PostgresError.self) {
                try await world.execute("UPDATE exchange_rates SET numerator = 2")
            }
        }
    }

    /// Faulty rates, and the faults named.
    private static let faulty: [(String, [String])] = [
        (#"{}"#, ["from required", "to required", "rate required"]),
        (#"{"from":"USD","to":"USD","rate":"1"}"#, ["to same_currency"]),
        (#"{"from":"USD","to":"EUR","rate":"0"}"#, ["rate not_positive"]),
        (#"{"from":"USD","to":"EUR","rate":"-1"}"#, ["rate invalid_decimal"]),
        (#"{"from":"USD","to":"EUR","rate":"1000000000.000000000001"}"#, ["rate out_of_range"]),
        (#"{"from":"USD","to":"EUR","rate":"0.000000000999"}"#, ["rate out_of_range"]),
        (#"{"from":"USD","to":"EUR","rate":0.9}"#, ["rate invalid_type"]),
        (#"{"from":"USD","to":"EUR","rate":"1","provider":"stripe"}"#, ["provider mismatch"]),
        (#"{"from":"USD","to":"EUR","rate":"1","source":"provider"}"#, ["provider mismatch"]),
        (#"{"from":"USD","to":"EUR","rate":"1","source":"provider","provider":"A:b"}"#, ["provider invalid_name"]),
        (
            #"{"from":"USD","to":"XXX","rate":"1","source":"ecb","date":"2027-02-30","x":1}"#,
            ["to unknown_currency", "source unknown_value", "date invalid_date", "x unknown_field"]
        ),
    ]

    @Test("every fault of a given rate is named", arguments: faulty.indices) func faults(index: Int) throws {
        let (text, wanted) = Self.faulty[index]
        let json: JSONValue = try parseJSON(text)
        let error: InvalidInput? = #expect(throws: InvalidInput.self) { try decode(ExchangeRateInput.self, from: json) }
        #expect(Set(error?.faults.map { "\($0.param) \($0.code)" } ?? []) == Set(wanted))
    }

    @Test("the smallest and the largest rate that can be meant are taken", arguments: ["0.000000001", "1000000000"])
    func extremes(rate: String) throws {
        let json: JSONValue = try parseJSON(#"{"from":"USD","to":"EUR","rate":"\#(rate)"}"#)
        _ = try decode(ExchangeRateInput.self, from: json)
    }

    @Test("callers are told which rate is missing or too old") func problems() {
        #expect(ExchangeError.stale(published: Self.today, missed: 4).problem.status == 409)
        #expect(ExchangeError.stale(published: Self.today, missed: 4).problem.code == "exchange_rate_stale")
        #expect(ExchangeError.noRate(from: .usd, to: .gbp).problem.code == "no_exchange_rate")
    }
}

@Suite("Importing the ECB's rates") struct ImportTests {
    private static let day: [(String, [(String, String)])] = [("2027-01-15", [("USD", "1.0850"), ("JPY", "160.35")])]

    private static func importer(_ world: ExchangeWorld, _ feed: FakeFeed, every interval: Duration = .zero) throws
        -> ImportRates
    {
        try #require(
            ImportRates(
                url: "https://feed.example/daily.xml", transport: feed, pool: world.database, clock: world.clock,
                interval: interval, logger: ExchangeWorld.silent))
    }

    @Test("a publication is fetched once, kept exactly, and asked for again only when the next is due") func fetch()
        async throws
    {
        try await withExchange { world in
            let feed = FakeFeed([
                .success(FakeFeed.document(Self.day, etag: "\"a\"")),
                .success(ProviderHTTPAnswer(status: 304, headers: [], body: [])),
                .success(FakeFeed.document([("2027-01-18", [("USD", "1.09")])] + Self.day)),
            ])
            let importer: ImportRates = try Self.importer(world, feed)
            #expect(try await importer.pass() == 2)
            for days in 0...2 {
                world.clock.set(ExchangeWorld.start.adding(.seconds(86_400 * days)))
                #expect(try await importer.pass() == nil, "nothing is due until Monday")
            }
            world.clock.set(ExchangeWorld.start.adding(.seconds(86_400 * 3)))
            #expect(try await importer.pass() == 0, "the feed has not changed yet")
            #expect(try await importer.pass() == 1, "what was there already is not added again")
            #expect(
                feed.requests.map { $0.headers.first { $0.name == "if-none-match" }?.value } == [nil, "\"a\"", "\"a\""])
            #expect(try await world.number("SELECT count(*) FROM exchange_rates") == 3)
            #expect(
                try await world.number(
                    "SELECT (numerator * 10000)::bigint FROM exchange_rates WHERE to_currency = 'USD' ORDER BY date LIMIT 1"
                ) == 10_850)
        }
    }

    @Test("a feed that is away, in error or faulty leaves nothing, and is looked at again") func faults() async throws {
        try await withExchange { world in
            let good: ProviderHTTPAnswer = FakeFeed.document(Self.day, etag: "\"b\"")
            let faulty: [Result<ProviderHTTPAnswer, ProviderFault>] = [
                .failure(.timedOut), .success(ProviderHTTPAnswer(status: 500, headers: [], body: [])),
                .success(ProviderHTTPAnswer(status: 200, headers: [("etag", "x")], body: Array("<html>".utf8))),
                .success(ProviderHTTPAnswer(status: 200, headers: [], body: Array(good.body.dropLast(30)))),
                .success(FakeFeed.document([("2027-01-15", [("USD", "0")])])),
                .success(FakeFeed.document([("2027-01-15", [("USD", "1e3")])])),
                .success(FakeFeed.document([("2062-11-20", [("USD", "1.09")])] + Self.day, etag: "\"c\"")),
                .success(FakeFeed.document(Self.day + [("2027-01-17", [("USD", "1.09")])])),
            ]
            let feed = FakeFeed(faulty + [.success(good)])
            let importer: ImportRates = try Self.importer(world, feed)
            for _ in faulty.indices { await #expect(throws: (any Error).self) { try await importer.pass() } }
            #expect(try await world.number("SELECT count(*) FROM exchange_rates") == 0)
            #expect(try await world.number("SELECT count(*) FROM exchange_feeds WHERE etag IS NOT NULL") == 0)
            #expect(try await importer.pass() == 2)
        }
    }

    @Test("a day far ahead that was stored once keeps nobody from looking") func ahead() async throws {
        try await withExchange { world in
            try await world.publish([.usd: "1.09"], on: ExchangeWorld.today.adding(days: 13_000))
            let importer: ImportRates = try Self.importer(
                world, FakeFeed([.success(FakeFeed.document([("2027-01-14", [("USD", "1.08")])] + Self.day))]))
            #expect(try await importer.pass() == 3)
            #expect(try await importer.pass() == nil, "the newest of those that are over counts")
        }
    }

    @Test("the feed of all days is taken, which is larger than other answers may be") func history() async throws {
        try await withExchange { world in
            let days: [(String, [(String, String)])] = (0..<3).map { count in
                (ExchangeWorld.today.adding(days: -count).description, [("USD", "1.09")])
            }
            let feed = FakeFeed([.success(FakeFeed.document(days))])
            let taken: Int? = try await Self.importer(world, feed).pass()
            #expect(taken == 3)
            #expect(feed.requests.map(\.maxAnswerBytes) == [ECBFeed.usualLimit])
        }
    }

    @Test("of several instances one looks within an interval") func several() async throws {
        try await withExchange { world in
            let feed = FakeFeed(Array(repeating: .success(FakeFeed.document(Self.day)), count: 5))
            let importer: ImportRates = try Self.importer(world, feed, every: .seconds(600))
            try await withThrowingTaskGroup(of: Void.self) { group in
                for _ in 0..<5 { group.addTask { _ = try await importer.pass() } }
                try await group.waitForAll()
            }
            #expect(feed.requests.count == 1)
        }
    }

    @Test("without an address nothing is fetched") func off() async throws {
        try await withExchange { world in
            let importer = ImportRates(
                url: "", transport: FakeFeed([]), pool: world.database, clock: world.clock, logger: ExchangeWorld.silent
            )
            #expect(importer == nil)
            let looked: Int64 = try await world.number("SELECT count(*) FROM exchange_feeds")
            #expect(looked == 0)
        }
    }
}
