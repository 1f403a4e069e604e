import BillingCore
import HTTPKit
import JSON
import NIOHTTP1
import Testing

/// What an endpoint saw of a delivery.
private struct Arrived: JSONOutput {
    let bytes: [UInt8]?
    let names: [String]
    let principal: String

    func write(to o: inout ObjectWriter) {
        o.field("length", bytes.map { Int64($0.count) })
        o.field("sum", bytes.map { $0.reduce(0) { $0 &* 31 &+ Int64($1) } })
        o.field("names", names.joined(separator: " "))
        o.field("principal", principal)
    }

    static var sample: Self { Self(bytes: [], names: [], principal: "anonymous") }
}

@Suite("Deliveries") struct DeliveryTests {
    private static let endpoints: [Endpoint] = [
        .delivery(
            "/v1/hooks/{source}", summary: "Take in", maxBodyBytes: 1_000, answers: Arrived.self,
            problems: ["401 not_believed"]
        ) { call, delivery in
            if call.parameter("source") == "strict", delivery.body == nil { throw Problem.bodyTooLarge(1_000) }
            let names: [String] = delivery.headers.map(\.name).filter { $0.lowercased().hasPrefix("x-hook") }
            return .ok(Arrived(bytes: delivery.body, names: names, principal: call.principal.id))
        }
    ]

    private func open(_ headers: [(String, String?)] = []) -> [(String, String?)] {
        [("Authorization", nil), ("Idempotency-Key", nil), ("Content-Type", nil)] + headers
    }

    @Test("the very bytes and headers reach the endpoint, whatever they are, from anyone and without a key")
    func bytes() async throws {
        try await withServer(endpoints: Self.endpoints) { world in
            let bodies: [[UInt8]] = [[], Array("{\"a\":1}\n".utf8), [0, 0xff, 0xfe, 0x0d, 0x0a], Array("<html>".utf8)]
            for body in bodies {
                for type: String? in [nil, "application/json", "text/html", "application/x-www-form-urlencoded"] {
                    let answer = try await world.send(
                        .POST, "/v1/hooks/a", headers: open([("Content-Type", type)]), bytes: body)
                    #expect(answer.status == 200, "\(answer.text)")
                    let json = try answer.json
                    #expect(json["length"]?.intValue == Int64(body.count))
                    #expect(json["sum"]?.intValue == body.reduce(0) { $0 &* 31 &+ Int64($1) })
                    #expect(json["principal"]?.stringValue == "anonymous")
                }
            }
            #expect(try await world.count("idempotency_keys") == 0)
        }
    }

    @Test("headers keep their order, their repetitions and their names") func headers() async throws {
        try await withServer(endpoints: Self.endpoints) { world in
            let answer = try await rawRequest(
                port: world.port,
                "POST /v1/hooks/a HTTP/1.1\r\nHost: x\r\nX-Hook-B: 1\r\nx-hook-a: 2\r\nX-HOOK-B: 3\r\n"
                    + "Content-Length: 0\r\nConnection: close\r\n\r\n")
            #expect(answer.hasPrefix("HTTP/1.1 200 "), "\(answer)")
            #expect(answer.contains(#""names":"X-Hook-B x-hook-a X-HOOK-B""#), "\(answer)")
        }
    }

    @Test("a body past the limit reaches the endpoint as none, told or not; the endpoint refuses it")
    func limit() async throws {
        try await withServer(endpoints: Self.endpoints) { world in
            let whole = try await world.send(
                .POST, "/v1/hooks/a", headers: open(), bytes: [UInt8](repeating: 7, count: 1_000))
            #expect(try whole.json["length"]?.intValue == 1_000)
            let told = try await world.send(
                .POST, "/v1/hooks/a", headers: open(), bytes: [UInt8](repeating: 7, count: 1_001))
            #expect(try told.json["length"]?.intValue == nil)
            let refused = try await world.send(
                .POST, "/v1/hooks/strict", headers: open(), bytes: [UInt8](repeating: 7, count: 1_001))
            #expect(try refused.problem(413) == "body_too_large")
            let chunk: String = "400\r\n" + String(repeating: " ", count: 0x400) + "\r\n0\r\n\r\n"
            let untold = try await rawRequest(
                port: world.port,
                "POST /v1/hooks/strict HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\nConnection: close\r\n\r\n"
                    + chunk)
            #expect(untold.hasPrefix("HTTP/1.1 413 "), "\(untold)")
            #expect(try await world.send(.GET, "/healthz").status == 200)
        }
    }

    @Test("a delivery may send a browser on: no body, no replay, and the document says so") func onward() async throws {
        let endpoints: [Endpoint] = [
            .delivery("/v1/back", summary: "Come back", maxBodyBytes: 1_000, statuses: [303]) { _, _ in
                .seeOther("/there")
            }
        ]
        try await withServer(endpoints: endpoints) { world in
            let answer = try await rawRequest(
                port: world.port,
                "POST /v1/back HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")
            #expect(answer.hasPrefix("HTTP/1.1 303 ") && answer.lowercased().contains("location: /there"), "\(answer)")
            for header in ["content-type", "idempotency-replayed"] {
                #expect(!answer.lowercased().contains(header), "\(answer)")
            }
        }
        let answers = openAPIDocument(title: "Hooks", endpoints: endpoints)["paths"]?["/v1/back"]?["post"]?["responses"]
        #expect(answers?["303"]?["description"] != nil && answers?["303"]?["content"] == nil && answers?["200"] == nil)
    }

    @Test("the document tells a body of any kind, no key and no credential") func document() throws {
        let document = openAPIDocument(title: "Hooks", endpoints: Self.endpoints)
        let hook = try #require(document["paths"]?["/v1/hooks/{source}"]?["post"])
        #expect(hook["security"]?.arrayValue?.isEmpty == true)
        #expect(hook["requestBody"]?["required"]?.boolValue == true)
        #expect(hook["requestBody"]?["content"]?["*/*"] != nil)
        #expect(hook["parameters"]?.arrayValue?.compactMap { $0["name"]?.stringValue } == ["source"])
        let statuses: Set<String> = Set(hook["responses"]?.objectValue?.map(\.name) ?? [])
        #expect(statuses == ["200", "400", "401", "404", "413", "500", "503"])
    }
}
