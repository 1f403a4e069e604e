import BillingCore
import HTTPKit
import JSON
import NIOHTTP1
import TestKit
import Testing

@Suite("HTTP conventions") struct ConventionTests {
    static let lamp = #"{"name":"Lamp","amount":1200,"currency":"USD"}"#

    @Test("a resource is created, read, renamed, listed and removed") func lifecycle() async throws {
        try await withServer { world in
            let created = try await world.send(.POST, "/v1/widgets", Self.lamp)
            #expect(created.status == 201, "\(created.text)")
            #expect(created["Content-Type"] == "application/json")
            #expect(created["Cache-Control"] == "no-store")
            #expect(created["Date"]?.hasSuffix(" GMT") == true)
            let id = try #require(try created.json["id"]?.stringValue)
            #expect(created["Location"] == "/v1/widgets/\(id)")
            let read = try await world.send(.GET, "/v1/widgets/\(id)")
            #expect(read.status == 200)
            #expect(read.body == created.body)
            let renamed = try await world.send(.PATCH, "/v1/widgets/\(id)", #"{"name":"Torch"}"#)
            #expect(try renamed.json["name"]?.stringValue == "Torch")
            let head = try await world.send(.HEAD, "/v1/widgets/\(id)")
            #expect(head.status == 200)
            #expect(head.body.isEmpty)
            #expect(head["Content-Length"] == String(renamed.body.count))
            #expect(try await world.send(.DELETE, "/v1/widgets/\(id)").status == 200)
            #expect(try await world.send(.GET, "/v1/widgets/\(id)").problem(404) == "not_found")
        }
    }

    @Test("lists page by cursor, filter, and refuse what they do not know") func lists() async throws {
        try await withServer { world in
            for index in 0..<5 {
                world.clock.advance(by: .seconds(1))
                let currency = index == 2 ? "EUR" : "USD"
                let body = #"{"name":"W\#(index)","amount":1,"currency":"\#(currency)"}"#
                #expect(try await world.send(.POST, "/v1/widgets", body).status == 201)
            }
            var names: [String] = []
            var cursor = ""
            while true {
                let page = try await world.send(.GET, "/v1/widgets?limit=2\(cursor)").json
                #expect(page["object"]?.stringValue == "list")
                let items = try #require(page["data"]?.arrayValue)
                names += items.compactMap { $0["name"]?.stringValue }
                guard page["has_more"]?.boolValue == true else { break }
                cursor = "&starting_after=\(try #require(items.last?["id"]?.stringValue))"
            }
            #expect(names == ["W4", "W3", "W2", "W1", "W0"])
            let euros = try await world.send(.GET, "/v1/widgets?currency=EUR").json
            #expect(euros["data"]?.arrayValue?.count == 1)
            let bad = try await world.send(.GET, "/v1/widgets?limit=0&currency=XXX&foo=1&limit=2&starting_after=a%20b")
            #expect(try bad.problem(422) == "invalid_request")
            #expect(
                try bad.faults == [
                    "limit out_of_range", "currency unknown_currency", "foo unknown_parameter",
                    "limit duplicate_parameter",
                ])
            let cursorFault = try await world.send(.GET, "/v1/widgets?starting_after=a%20b")
            #expect(try cursorFault.faults == ["starting_after invalid_id"])
            #expect(try await world.send(.GET, "/v1/widgets?limit=101").problem(422) == "invalid_request")
            #expect(try await world.send(.GET, "/v1/widgets?limit=%zz").problem(422) == "invalid_request")
        }
    }

    @Test("every fault of a body is told at once and nothing is stored") func faults() async throws {
        try await withServer { world in
            let answer = try await world.send(
                .POST, "/v1/widgets", #"{"amount":0,"currency":"XXX","mood":"odd","metadata":{"a":1},"color":"red"}"#)
            #expect(try answer.problem(422) == "invalid_request")
            #expect(
                try answer.faults.sorted() == [
                    "amount out_of_range", "color unknown_field", "currency unknown_currency",
                    "metadata.a invalid_type",
                    "mood unknown_value", "name required",
                ])
            let one = try await world.send(.POST, "/v1/widgets", #"{"name":"","amount":1,"currency":"USD"}"#)
            #expect(try one.json["param"]?.stringValue == "name")
            #expect(try await world.count("widgets") == 0)
            #expect(try await world.count("idempotency_keys") == 0)
        }
    }

    @Test("unknown routes are 404 and wrong methods 405 with Allow") func routing() async throws {
        try await withServer { world in
            for path in [
                "/", "/v1", "/v1/widgets/", "/v1/widgets/a/b", "/V1/widgets", "/v1//widgets", "/v1/widgets/%ff",
            ] {
                #expect(try await world.send(.GET, path).problem(404) == "not_found", "\(path)")
            }
            let wrong = try await world.send(.PUT, "/v1/widgets", "{}")
            #expect(try wrong.problem(405) == "method_not_allowed")
            #expect(wrong["Allow"] == "GET, POST, HEAD")
            #expect(try await world.send(.POST, "/healthz", "{}").problem(405) == "method_not_allowed")
            #expect(try await world.send(.GET, "/v1/widgets/not%20an%20id").problem(404) == "not_found")
        }
    }

    @Test("what an endpoint throws becomes a problem without internals") func failures() async throws {
        try await withServer { world in
            let known = try await world.send(
                .POST, "/v1/widgets", #"{"name":"a","amount":1,"currency":"USD","mood":"failing"}"#)
            #expect(try known.problem(409) == "widget_refused")
            let unknown = try await world.send(
                .POST, "/v1/widgets", #"{"name":"a","amount":1,"currency":"USD","mood":"unexpected"}"#)
            #expect(try unknown.problem(500) == "internal_error")
            #expect(!unknown.text.contains("SELECT"))
            #expect(world.log.all.contains { $0.contains("Unforeseen") && $0.contains("\"level\":\"error\"") })
            #expect(try await world.count("widgets") == 0)
        }
    }

    @Test("request ids are taken when plain and made otherwise") func requestIDs() async throws {
        try await withServer { world in
            let given = try await world.send(.GET, "/healthz", headers: [("X-Request-Id", "abc-123._X")])
            #expect(given["X-Request-Id"] == "abc-123._X")
            for bad in ["a b", "<script>", String(repeating: "a", count: 65)] {
                let made = try #require(
                    try await world.send(.GET, "/healthz", headers: [("X-Request-Id", bad)])["X-Request-Id"])
                #expect(made.hasPrefix("req_"))
            }
        }
    }

    @Test("trace, time, wait, deadline, address and query reach the endpoint") func context() async throws {
        try await withServer { world in
            let answer = try await world.send(
                .GET, "/internal/seen?mood=calm&count=3&at=2027-01-31T00%3A00%3A00Z",
                headers: [
                    ("Authorization", nil), ("traceparent", "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"),
                    ("Prefer", "respond-async, wait=3"), ("X-Request-Timeout", "7"),
                    ("X-Forwarded-For", "9.9.9.9, 10.0.0.7"),
                    ("User-Agent", "tester/1"),
                ])
            let seen = try answer.json
            #expect(seen["principal"]?.stringValue == "anonymous")
            #expect(seen["trace"]?.stringValue == "0af7651916cd43dd8448eb211c80319c")
            #expect(seen["current_trace"]?.stringValue == "0af7651916cd43dd8448eb211c80319c")
            #expect(seen["now"]?.stringValue == world.clock.now.rfc3339)
            #expect(seen["wait_ms"]?.intValue == 3_000)
            #expect((1...7_000).contains(try #require(seen["left_ms"]?.intValue)))
            #expect(seen["address"]?.stringValue == "10.0.0.7")
            #expect(seen["user_agent"]?.stringValue == "tester/1")
            #expect(seen["mood"]?.stringValue == "calm")
            #expect(seen["count"]?.intValue == 3)
            #expect(seen["at"]?.stringValue == "2027-01-31T00:00:00Z")
            let usual = try await world.send(.GET, "/internal/seen", headers: [("Prefer", "wait=90")]).json
            #expect((45_000...95_000).contains(try #require(usual["left_ms"]?.intValue)))
            #expect(usual["address"]?.stringValue == "127.0.0.1")
            let bad = try await world.send(.GET, "/internal/seen", headers: [("X-Request-Timeout", "soon")])
            #expect(try bad.problem(400) == "invalid_header")
        }
    }

    @Test("each request is logged once with its route, and counted") func observation() async throws {
        try await withServer { world in
            _ = try await world.send(.GET, "/v1/widgets/cus_1", headers: [("X-Request-Id", "r1")])
            _ = try await world.send(.GET, "/nowhere")
            let lines = world.log.all.filter { $0.contains("\"message\":\"request\"") }
            #expect(lines.count == 2)
            let line = try #require(lines.first)
            let json = try parseJSON(line)
            #expect(json["route"]?.stringValue == "/v1/widgets/{id}")
            #expect(json["method"]?.stringValue == "GET")
            #expect(json["status"]?.stringValue == "404")
            #expect(json["request_id"]?.stringValue == "r1")
            #expect(json["trace_id"]?.stringValue?.count == 32)
            #expect(json["ms"]?.stringValue != nil)
            let metrics = try await world.send(.GET, "/metrics", headers: [("Authorization", nil)])
            #expect(metrics["Content-Type"] == "text/plain; version=0.0.4; charset=utf-8")
            #expect(
                metrics.text.contains(#"http_requests_total{method="GET",route="/v1/widgets/{id}",status="404"} 1"#))
            #expect(metrics.text.contains(#"http_requests_total{method="other",route="unmatched",status="404"} 1"#))
            #expect(metrics.text.contains(#"http_request_seconds_count{method="GET",route="/v1/widgets/{id}"} 1"#))
        }
    }

    @Test("the access log can be switched off") func quiet() async throws {
        try await withServer({ $0.accessLog = false }) { world in
            _ = try await world.send(.GET, "/v1/widgets")
            #expect(world.log.all.isEmpty)
        }
    }
}
