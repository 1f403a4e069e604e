import HTTPKit
import JSON
import NIOHTTP1
import Testing

/// An input nobody should send, with what it gets.
struct Hostile: Sendable, CustomTestStringConvertible {
    let name: String
    let body: [UInt8]
    var contentType: String? = "application/json"
    let status: Int
    let code: String
    var faults: [String] = []

    var testDescription: String { name }

    init(
        _ name: String, _ body: [UInt8], type: String? = "application/json", _ status: Int, _ code: String,
        _ faults: [String] = []
    ) {
        self.name = name
        self.body = body
        contentType = type
        self.status = status
        self.code = code
        self.faults = faults
    }

    init(
        _ name: String, _ body: String, type: String? = "application/json", _ status: Int, _ code: String,
        _ faults: [String] = []
    ) {
        self.init(name, Array(body.utf8), type: type, status, code, faults)
    }

    private static func amount(_ lexeme: String) -> String { #"{"name":"a","amount":\#(lexeme),"currency":"USD"}"# }

    static let all: [Hostile] = [
        Hostile("oversized", [UInt8](repeating: 0x20, count: 1 << 20 + 1), 413, "body_too_large"),
        Hostile("nested 10,000 deep", String(repeating: "[", count: 10_000), 400, "invalid_json", [" too_deep"]),
        Hostile("nested objects", String(repeating: #"{"a":"#, count: 10_000), 400, "invalid_json", [" too_deep"]),
        Hostile("duplicate key", #"{"name":"a","name":"b"}"#, 400, "invalid_json", [" duplicate_key"]),
        Hostile("escaped duplicate key", #"{"name":"a","n\u0061me":"b"}"#, 400, "invalid_json", [" duplicate_key"]),
        Hostile(
            "invalid UTF-8", Array(#"{"name":""#.utf8) + [0xff, 0xfe, 0x22, 0x7d], 400, "invalid_json",
            [" invalid_utf8"]),
        Hostile("NUL", #"{"name":"a\u0000"}"#, 400, "invalid_json", [" nul_character"]),
        Hostile("lone surrogate", #"{"name":"\ud800"}"#, 400, "invalid_json", [" lone_surrogate"]),
        Hostile("byte order mark", "\u{FEFF}{}", 400, "invalid_json", [" byte_order_mark"]),
        Hostile("cut short", #"{"name":"#, 400, "invalid_json", [" unexpected_end"]),
        Hostile("two values", "{} {}", 400, "invalid_json", [" trailing_bytes"]),
        Hostile("not JSON", "name=a&amount=1", 400, "invalid_json", [" unexpected_byte"]),
        Hostile("an array", "[]", 422, "invalid_request", [" invalid_type"]),
        Hostile("no content type", "{}", type: nil, 415, "unsupported_media_type"),
        Hostile("form", "name=a", type: "application/x-www-form-urlencoded", 415, "unsupported_media_type"),
        Hostile("text", "{}", type: "text/plain", 415, "unsupported_media_type"),
        Hostile("latin 1", "{}", type: "application/json; charset=iso-8859-1", 415, "unsupported_media_type"),
        Hostile("JSON-like type", "{}", type: "application/jsonp", 415, "unsupported_media_type"),
        Hostile("float", amount("12.5"), 422, "invalid_request", ["amount invalid_type"]),
        Hostile("exponent", amount("1e2"), 422, "invalid_request", ["amount invalid_type"]),
        Hostile("beyond 64 bits", amount("9223372036854775808"), 422, "invalid_request", ["amount out_of_range"]),
        Hostile(
            "far beyond", amount(String(repeating: "9", count: 400)), 422, "invalid_request", ["amount out_of_range"]),
        Hostile("zero", amount("0"), 422, "invalid_request", ["amount out_of_range"]),
        Hostile("negative", amount("-5"), 422, "invalid_request", ["amount out_of_range"]),
        Hostile("amount as text", amount("\"12\""), 422, "invalid_request", ["amount invalid_type"]),
        Hostile("amount null", amount("null"), 422, "invalid_request", ["amount required"]),
        Hostile("empty body", "", 422, "invalid_request", ["name required", "amount required", "currency required"]),
    ]
}

@Suite("Hostile input") struct HostileInputTests {
    @Test("gets a problem that names the fault, and nothing is stored") func table() async throws {
        try await withServer { world in
            for hostile in Hostile.all {
                let answer = try await world.send(
                    .POST, "/v1/widgets", headers: [("Content-Type", hostile.contentType)], bytes: hostile.body)
                #expect(try answer.problem(hostile.status) == hostile.code, "\(hostile.name)")
                #expect(try answer.faults == hostile.faults, "\(hostile.name)")
                #expect(answer.body.count < 2_000, "\(hostile.name)")
            }
            #expect(try await world.count("widgets") == 0)
            #expect(try await world.count("idempotency_keys") == 0)
        }
    }

    @Test("JSON with a UTF-8 charset is JSON") func charset() async throws {
        try await withServer { world in
            let answer = try await world.send(
                .POST, "/v1/widgets", ConventionTests.lamp,
                headers: [("Content-Type", "Application/JSON; Charset=UTF-8")])
            #expect(answer.status == 201)
        }
    }

    @Test("a compressed body is refused") func compressed() async throws {
        try await withServer { world in
            let answer = try await world.send(.POST, "/v1/widgets", "{}", headers: [("Content-Encoding", "gzip")])
            #expect(try answer.problem(415) == "unsupported_content_encoding")
        }
    }

    @Test("the body limit holds for bodies that do not tell their length") func chunked() async throws {
        try await withServer({ $0.maxBodyBytes = 1_000 }) { world in
            let answer = try await rawRequest(
                port: world.port,
                "POST /v1/widgets HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer \(world.key)\r\nIdempotency-Key: k\r\n"
                    + "Content-Type: application/json\r\nTransfer-Encoding: chunked\r\nConnection: close\r\n\r\n"
                    + "400\r\n" + String(repeating: " ", count: 0x400) + "\r\n0\r\n\r\n")
            #expect(answer.hasPrefix("HTTP/1.1 413 "), "\(answer)")
        }
    }

    @Test("garbage instead of HTTP gets 400 and a closed connection, and harms nobody") func garbage() async throws {
        try await withServer { world in
            for text in [
                "\u{16}\u{3}\u{1}", "GET\r\n\r\n",
                "GET / HTTP/1.1\r\nA: \(String(repeating: "x", count: 70_000))\r\n\r\n",
            ] {
                let answer = try await rawRequest(port: world.port, text)
                #expect(answer.isEmpty || answer.hasPrefix("HTTP/1.1 4"), "\(answer.prefix(80))")
            }
            let both = try await rawRequest(
                port: world.port,
                "POST /v1/widgets HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\n"
                    + "Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n")
            #expect(!both.hasPrefix("HTTP/1.1 2"), "\(both.prefix(80))")
            #expect(try await world.send(.GET, "/healthz").status == 200)
        }
    }
}
