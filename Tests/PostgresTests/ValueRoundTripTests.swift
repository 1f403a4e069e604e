import BillingCore
import Postgres
import Testing

private enum Colour: String, PostgresCodable { case red, green }

/// Texts that break careless quoting.
private let hostile: [String] = [
    "", " ", "plain", "O'Brien", "\"quoted\"", "back\\slash", "\\", "\\\\", "a\\\"b", "{curly}", "{}", "a,b", "NULL",
    "null", "tab\there", "line\nbreak", "carriage\rreturn", "$1", "$$", "';DROP TABLE t;--", "%s%n", "🎵 naïve 東京",
    "e\u{301}", "\u{1}\u{7f}", "\u{10FFFF}", String(repeating: "long ", count: 50_000),
]

@Suite("Values go to the server and come back the same", .serialized) struct ValueRoundTripTests {
    /// Sends each value alone and all of them as an array, and compares what returns.
    private func check<T: PostgresCodable & Equatable & Sendable>(
        _ values: [T], as type: StaticString, _ arrayType: StaticString
    ) async throws {
        try await withPool { pool, _ in
            let alone: [T] = try await pool.transaction { db in
                try values.map { value in
                    let found: T? = try db.first("SELECT \(value)::\(raw: type)") { row in try row.next() }
                    return try #require(found)
                }
            }
            #expect(alone == values)
            let together: [T]? = try await pool.transaction { db in
                try db.first("SELECT \(values)::\(raw: arrayType)") { row in try row.next([T].self) }
            }
            #expect(together == values)
            let withNull: [T?] = [nil] + values.map { $0 } + [nil]
            let mixed: [T?]? = try await pool.transaction { db in
                try db.first("SELECT \(withNull)::\(raw: arrayType)") { row in try row.next([T?].self) }
            }
            #expect(mixed == withNull)
        }
    }

    @Test("hostile text") func text() async throws { try await check(hostile, as: "text", "text[]") }

    @Test("64-bit numbers to their limits") func int64() async throws {
        try await check([0, 1, -1, Int64.max, Int64.min], as: "bigint", "bigint[]")
    }

    @Test("Int, Int32 and Int16") func integers() async throws {
        try await check([Int.max, Int.min, 0], as: "bigint", "bigint[]")
        try await check([Int32.max, Int32.min, 0], as: "integer", "integer[]")
        try await check([Int16.max, Int16.min, 0], as: "smallint", "smallint[]")
    }

    @Test("booleans") func bools() async throws { try await check([true, false], as: "boolean", "boolean[]") }

    @Test("floating-point numbers, infinite ones included") func doubles() async throws {
        let values: [Double] = [
            0, -0.0, 0.1, -1.5e300, .leastNonzeroMagnitude, .greatestFiniteMagnitude, .infinity, -.infinity,
        ]
        try await check(values, as: "float8", "float8[]")
        try await withPool { pool, _ in
            let nan: Double? = try await pool.transaction { db in
                try db.first("SELECT \(Double.nan)::float8") { row in try row.next() }
            }
            #expect(nan?.isNaN == true)
        }
    }

    @Test("bytes") func bytes() async throws {
        let values: [[UInt8]] = [[], [0], Array(0...255), [0x5c, 0x22, 0x27]]
        try await check(values, as: "bytea", "bytea[]")
    }

    @Test("byte arrays are text that can be looked at") func byteArrays() throws {
        let bytes: [UInt8] = [0, 255]
        #expect(bytes.postgresValue.text == "\\x00ff")
        #expect([bytes, []].postgresValue.text == #"{"\\x00ff","\\x"}"#)
        let optional: [[UInt8]?] = [bytes, nil]
        #expect(optional.postgresValue.text == #"{"\\x00ff",NULL}"#)
        #expect(try decoded("\\x00ff") == bytes)
        #expect(try decoded(#"{"\\x00ff"}"#) == [bytes])
        #expect(try decoded(#"{"\\x00ff",NULL}"#) == optional)
    }

    private func decoded<T: PostgresDecodable>(_ text: String) throws -> T {
        try Array(text.utf8).withUnsafeBytes { try T.decode($0) }
    }

    @Test("instants to the microsecond") func instants() async throws {
        let values: [Instant] = [
            .epoch, Instant(microseconds: 1), Instant(microseconds: -1), Instant(microseconds: 1_800_000_000_123_456),
            Instant(microseconds: -62_135_596_800_000_000), Instant(microseconds: 253_402_300_799_999_999),
        ]
        try await check(values, as: "timestamptz", "timestamptz[]")
    }

    @Test("an instant means the same moment to the server") func instantMeaning() async throws {
        try await withPool { pool, _ in
            let seconds: Int = try await pool.count(
                "SELECT extract(epoch FROM \(Instant(seconds: 1_801_440_000))::timestamptz)::bigint")
            #expect(seconds == 1_801_440_000)
        }
    }

    @Test("dates") func dates() async throws {
        let texts: [String] = ["2024-02-29", "0001-01-01", "9999-12-31", "1970-01-01"]
        try await check(texts.compactMap { CivilDate($0) }, as: "date", "date[]")
        #expect(texts.compactMap { CivilDate($0) }.count == texts.count)
    }

    @Test("ids, currencies, exact decimals, zones and enumerations") func domainTypes() async throws {
        let at = Instant(seconds: 1_800_000_000)
        try await check([CustomerID.new(at: at), CustomerID(unchecked: "own-id_1")], as: "text", "text[]")
        try await check([InvoiceID.new(at: at)], as: "text", "text[]")
        try await check([Currency.usd, .jpy], as: "text", "text[]")
        try await check([ExactDecimal.zero, .one, try #require(ExactDecimal("-12.3456"))], as: "numeric", "numeric[]")
        try await check([TimeZoneID.utc], as: "text", "text[]")
        try await check([BillingInterval.month, .year], as: "text", "text[]")
        try await check([Colour.red, .green], as: "text", "text[]")
    }

    @Test("nested arrays keep their shape") func nestedArrays() async throws {
        try await withPool { pool, _ in
            let values: [[String]] = [["a,\"b\\", "{}"], ["NULL", "d"]]
            let found: [[String]]? = try await pool.transaction { db in
                try db.first("SELECT \(values)::text[][]") { row in try row.next() }
            }
            #expect(found == values)
        }
    }

    @Test("an empty array is not NULL") func emptyArray() async throws {
        try await withPool { pool, _ in
            let found: [String]? = try await pool.transaction { db in
                try db.first("SELECT \([String]())::text[]") { row in try row.next() }
            }
            #expect(found == [])
        }
    }

    @Test("text with a NUL character is refused and the session stays usable") func nul() async throws {
        try await withPool(connections: 1) { pool, _ in
            let error = await failure { try await pool.prepare("SELECT \("a\0b")::text") }
            #expect(error?.kind == .invalidValue)
            let one: Int = try await pool.count("SELECT 1")
            #expect(one == 1)
        }
    }

    @Test("reading the wrong type names the column") func wrongType() async throws {
        try await withPool { pool, _ in
            let wrong = await failure { try await pool.count("SELECT 'x' AS amount") }
            #expect(wrong?.kind == .decoding)
            #expect(wrong?.message.contains("amount") == true)
            let null = await failure { try await pool.count("SELECT NULL::int AS amount") }
            #expect(null?.kind == .decoding)
            let tooBig = await failure {
                try await pool.transaction { db in
                    try db.first("SELECT 70000") { row in try row.next(Int16.self) }
                }
            }
            #expect(tooBig?.kind == .decoding)
            let tooMany = await failure {
                try await pool.transaction { db in
                    try db.first("SELECT 1") { row in (try row.next(Int.self), try row.next(Int.self)) }
                }
            }
            #expect(tooMany?.kind == .decoding)
            let infinite = await failure {
                try await pool.transaction { db in
                    try db.first("SELECT 'infinity'::timestamptz") { row in try row.next(Instant.self) }
                }
            }
            #expect(infinite?.kind == .decoding)
        }
    }

    @Test("injection attempts stay data") func injection() async throws {
        try await withPool { pool, _ in
            try await pool.prepare("CREATE TABLE victims (name text)")
            let attacks: [String] = hostile + ["x'); DROP TABLE victims; --", "\\'; DROP TABLE victims; --"]
            for attack in attacks {
                let found: String? = try await pool.transaction { db in
                    try db.execute("INSERT INTO victims VALUES (\(attack))")
                    return try db.first("SELECT name FROM victims WHERE name = \(attack)") { row in try row.next() }
                }
                #expect(found == attack)
            }
            #expect(try await pool.count("SELECT count(*) FROM victims") == attacks.count)
        }
    }
}
