import BillingCore
import HTTPKit
import JSON
import NIOHTTP1
import Testing

@Suite("OpenAPI document") struct OpenAPITests {
    @Test("it is served and is the document of the endpoints") func served() async throws {
        try await withServer { world in
            let answer = try await world.send(.GET, "/openapi.json", headers: [("Authorization", nil)])
            #expect(answer.status == 200)
            #expect(try answer.json == world.server.openAPI)
            #expect(try answer.json["openapi"]?.stringValue == "3.1.0")
        }
    }

    @Test("every published route is in it, nothing else is, and every operation answers") func routes() async throws {
        let document = openAPIDocument(title: "Widgets", endpoints: Widgets.endpoints)
        var described: Set<String> = []
        for path in try #require(document["paths"]?.objectValue) {
            for operation in try #require(path.value.objectValue) {
                described.insert("\(operation.name.uppercased()) \(path.name)")
            }
        }
        let published = Widgets.endpoints.filter { !$0.isInternal }.map { "\($0.method.rawValue) \($0.path)" }
        #expect(described == Set(published))
        try await withServer { world in
            for route in described {
                let parts = route.split(separator: " ").map(String.init)
                let path = parts[1].replacing("{id}", with: "cus_1")
                let answer = try await world.send(
                    HTTPMethod(rawValue: parts[0]), path, headers: [("Authorization", nil)])
                #expect(answer.status == 401, "\(route)")
            }
        }
    }

    @Test("an operation tells parameters, body, answers, problems, security and headers") func operation() throws {
        let document = openAPIDocument(title: "Widgets", endpoints: Widgets.endpoints)
        let create = try #require(document["paths"]?["/v1/widgets"]?["post"])
        #expect(create["operationId"]?.stringValue == "post_v1_widgets")
        #expect(create["security"]?[0]?["bearer"]?[0]?.stringValue == "widgets:write")
        #expect(create["tags"]?[0]?.stringValue == "widgets")
        let schema = try #require(create["requestBody"]?["content"]?["application/json"]?["schema"])
        #expect(schema == JSON.schema(of: CreateWidget.self))
        let answer = try #require(create["responses"]?["201"]?["content"]?["application/json"])
        #expect(answer["schema"] == outputSchema(of: Widget.self))
        #expect(try answer["example"] == parseJSON(encode(Widget.sample)))
        #expect(create["responses"]?["409"]?["description"]?.stringValue?.contains("`widget_refused`") == true)
        for status in ["400", "401", "403", "413", "415", "422", "429", "500", "503"] {
            let content = create["responses"]?[status]?["content"]?["application/problem+json"]
            #expect(content?["schema"]?["$ref"]?.stringValue == "#/components/schemas/Problem", "\(status)")
        }
        let headers = create["parameters"]?.arrayValue?.filter { $0["in"]?.stringValue == "header" } ?? []
        #expect(headers.compactMap { $0["name"]?.stringValue } == ["Idempotency-Key"])
        #expect(headers.first?["required"]?.boolValue == true)
        let stall = document["paths"]?["/v1/stalls"]?["post"]
        #expect(
            stall?["parameters"]?.arrayValue?.compactMap { $0["name"]?.stringValue } == ["Idempotency-Key", "Prefer"])
        #expect(stall?["requestBody"] == nil)
        #expect(stall?["responses"]?["202"] != nil)
        let read = document["paths"]?["/v1/widgets/{id}"]?["get"]
        #expect(read?["parameters"]?[0]?["name"]?.stringValue == "id")
        #expect(read?["parameters"]?[0]?["required"]?.boolValue == true)
        let list = document["paths"]?["/v1/widgets"]?["get"]
        #expect(
            list?["parameters"]?.arrayValue?.compactMap { $0["name"]?.stringValue } == [
                "currency", "limit", "starting_after",
            ])
        let listed = list?["responses"]?["200"]?["content"]?["application/json"]?["schema"]?["properties"]
        #expect(listed?["data"]?["items"]?["properties"]?["amount"] != nil)
    }

    @Test("a key is asked for where it is taken, no pages where there are none, and every POST may have a faulty body")
    func asked() throws {
        let endpoints: [Endpoint] = [
            .task(
                .post, "/v1/looks", scope: "widgets:read", summary: "Look", body: NoInput.self, answers: Widget.self,
                statuses: [200], needsKey: false
            ) { _, _ in .ok(.sample) },
            .whole("/v1/kinds", scope: "widgets:read", summary: "List kinds", item: Widget.self) { _, _ in [.sample] },
        ]
        let paths = openAPIDocument(title: "Widgets", endpoints: endpoints)["paths"]
        let look = try #require(paths?["/v1/looks"]?["post"])
        #expect(look["parameters"] == nil && look["responses"]?["409"] == nil)
        let unreadable = look["responses"]?["422"]?["description"]?.stringValue ?? ""
        #expect(unreadable.contains("`invalid_request`") && !unreadable.contains("idempotency_key_reused"))
        #expect(
            look["responses"]?["415"]?["description"]?.stringValue?.contains("`unsupported_content_encoding`") == true)
        let kinds = try #require(paths?["/v1/kinds"]?["get"])
        let paging: [JSONValue] = kinds["parameters"]?.arrayValue ?? []
        #expect(paging.compactMap { $0["name"]?.stringValue } == ["limit", "starting_after"])
        #expect(paging.allSatisfy { $0["description"]?.stringValue?.hasPrefix("All is told at once") == true })
        #expect(kinds["responses"]?["200"]?["content"]?["application/json"]?["example"]?["has_more"] == false)
    }

    @Test("a list that is told at once takes what any list takes, and cuts nothing") func whole() async throws {
        let endpoints: [Endpoint] = [
            .whole("/v1/kinds", scope: "widgets:read", summary: "List kinds", item: Widget.self) { _, _ in
                [.sample, .sample]
            }
        ]
        try await withServer(endpoints: endpoints) { world in
            for query in ["", "?limit=1", "?limit=100&starting_after=w_1"] {
                let all = try await world.send(.GET, "/v1/kinds\(query)").json
                #expect(all["data"]?.arrayValue?.count == 2 && all["has_more"]?.boolValue == false, "\(query)")
            }
            #expect(try await world.send(.GET, "/v1/kinds?limit=0").problem(422) == "invalid_request")
        }
    }

    @Test("in tests a problem that its route does not declare is a fault of ours") func undeclared() async throws {
        let endpoints: [Endpoint] = ["stated", "unstated"].map { (code: String) -> Endpoint in
            .read(
                "/v1/\(code)", scope: "widgets:read", summary: "Fail", answers: Widget.self, problems: ["409 stated"]
            ) { _, _ in throw Problem.conflict(code, "It fails.") }
        }
        try await withServer(endpoints: endpoints, { $0.refusesUndeclaredProblems = true }) { world in
            let stated: String = try await world.send(.GET, "/v1/stated").problem(409)
            let unstated: String = try await world.send(.GET, "/v1/unstated").problem(500)
            #expect(stated == "stated" && unstated == "internal_error")
        }
    }

    @Test("an operation tells the headers of its answers") func headers() {
        let document = openAPIDocument(title: "Widgets", endpoints: Widgets.endpoints)
        func told(_ method: String, _ path: String, _ status: String) -> Set<String> {
            let response = document["paths"]?[path]?[method]?["responses"]?[status]
            return Set(response?["headers"]?.objectValue?.map(\.name) ?? [])
        }
        #expect(
            told("post", "/v1/widgets", "201")
                == ["X-Request-Id", "Idempotency-Replayed", "Location", "RateLimit"])
        #expect(told("patch", "/v1/widgets/{id}", "200") == ["X-Request-Id", "Idempotency-Replayed", "RateLimit"])
        #expect(told("get", "/v1/widgets", "200") == ["X-Request-Id", "RateLimit"])
        #expect(!told("post", "/v1/stalls", "202").contains("Location"))
        #expect(told("get", "/v1/widgets", "429") == ["Retry-After", "RateLimit", "RateLimit-Policy"])
        #expect(told("get", "/v1/widgets", "503") == ["Retry-After"])
        #expect(told("post", "/v1/widgets", "409") == ["Retry-After"])
        #expect(told("post", "/v1/widgets", "422").isEmpty)
        let again = document["components"]?["headers"]?["Retry-After"]
        #expect(again?["schema"]?["type"] == "integer" && again?["description"]?.stringValue?.isEmpty == false)
    }

    @Test("what the document says of headers is what a client finds") func headersSent() async throws {
        try await withServer({ $0.rateLimit = RateLimit(perSecond: 100, burst: 100) }) { world in
            let body = #"{"name":"Lamp","amount":1200,"currency":"USD"}"#
            let key: [(String, String?)] = [("Idempotency-Key", "order-1")]
            for round in 1...2 {
                let answer = try await world.send(.POST, "/v1/widgets", body, headers: key)
                #expect(answer.status == 201 && answer["Location"]?.hasPrefix("/v1/widgets/") == true)
                #expect(answer["X-Request-Id"] != nil && answer["RateLimit"] != nil)
                #expect((answer["Idempotency-Replayed"] == "true") == (round == 2))
            }
        }
    }

    @Test("the wait of who says nothing, and the longest, are told and kept") func waits() {
        let document = openAPIDocument(title: "Widgets", endpoints: Widgets.endpoints)
        let stall = document["paths"]?["/v1/stalls"]?["post"]?["parameters"]?.arrayValue ?? []
        let texts: [String] = stall.compactMap { $0["description"]?.stringValue }
        #expect(texts.last?.hasSuffix("7 when left out, at most 70.") == true)
        #expect(texts.first?.contains("A 202 as well") == true)
        let limits = WaitLimits(usual: .seconds(7), longest: .seconds(70))
        let wanted: [Duration?] = [nil, .zero, .seconds(8), .seconds(71), .seconds(-1)]
        #expect(wanted.map(limits.wait) == [.seconds(7), .zero, .seconds(8), .seconds(70), .zero])
    }

    @Test("an id of one's own has its characters told, one of ours has not") func ownIDs() {
        let endpoints: [Endpoint] = [
            .whole(
                "/v1/kinds", scope: "widgets:read", summary: "List kinds",
                filters: [.id("customer_id", as: CustomerID.self), .id("payment_id", as: PaymentID.self)],
                item: Widget.self
            ) { _, _ in [.sample] }
        ]
        let document = openAPIDocument(title: "Widgets", endpoints: endpoints)
        let parameters: [JSONValue] = document["paths"]?["/v1/kinds"]?["get"]?["parameters"]?.arrayValue ?? []
        #expect(parameters.first?["schema"]?["pattern"] == "^[A-Za-z0-9_-]+$")
        #expect(parameters.dropFirst().first?["schema"]?["pattern"] == nil)
        let properties = schema(of: NamedByCaller.self)["properties"]
        #expect(properties?["id"]?["pattern"] == "^[A-Za-z0-9_-]+$" && properties?["id"]?["maxLength"] == 64)
    }

    @Test("references lead somewhere and operation ids are unique") func structure() throws {
        let document = openAPIDocument(title: "Widgets", endpoints: Widgets.endpoints)
        var ids: [String] = []
        func walk(_ value: JSONValue) throws {
            if let reference = value["$ref"]?.stringValue {
                let parts = reference.split(separator: "/").dropFirst().map(String.init)
                #expect(parts.reduce(document as JSONValue?) { $0?[$1] } != nil, "\(reference)")
            }
            if let id = value["operationId"]?.stringValue { ids.append(id) }
            for member in value.objectValue ?? [] { try walk(member.value) }
            for element in value.arrayValue ?? [] { try walk(element) }
        }
        try walk(document)
        #expect(Set(ids).count == ids.count)
        #expect(ids.count == 6)
    }
}

/// A thing whose id its maker chooses.
private struct NamedByCaller: JSONInput {
    let id: CustomerID?

    init(_ f: inout InputFields) { id = f.optionalID("id", as: CustomerID.self) }
}
