public import JSON

/// The OpenAPI 3.1 document of a set of endpoints; internal ones are left out.
/// - Parameters:
///   - title: The API's name.
///   - version: The API's version.
public func openAPIDocument(title: String, version: String = "1.0.0", endpoints: [Endpoint]) -> JSONValue {
    var paths: [(path: String, operations: [JSONMember])] = []
    for endpoint in endpoints where !endpoint.isInternal {
        let operation = JSONMember(name: endpoint.method.rawValue.lowercased(), value: OpenAPIOperation(endpoint).value)
        if let index = paths.firstIndex(where: { $0.path == endpoint.path }) {
            paths[index].operations.append(operation)
        } else {
            paths.append((endpoint.path, [operation]))
        }
    }
    return [
        "openapi": "3.1.0",
        "info": ["title": .string(title), "version": .string(version)],
        "paths": .object(paths.map { JSONMember(name: $0.path, value: .object($0.operations)) }),
        "components": [
            "securitySchemes": [
                "bearer": [
                    "type": "http", "scheme": "bearer",
                    "description": "A secret API key (`sk_…`) or a JSON web token of the configured issuer.",
                ]
            ],
            "schemas": ["Problem": OpenAPIParts.problemSchema],
            "headers": OpenAPIHeader.components,
        ],
    ]
}

/// One operation of the document.
private struct OpenAPIOperation {
    let endpoint: Endpoint

    init(_ endpoint: Endpoint) {
        self.endpoint = endpoint
    }

    var value: JSONValue {
        var members: [JSONMember] = [
            JSONMember(name: "operationId", value: .string(identifier)),
            JSONMember(name: "summary", value: .string(endpoint.operation.summary)),
            JSONMember(name: "tags", value: [.string(tag)]),
        ]
        if let scope = endpoint.scope {
            members.append(JSONMember(name: "description", value: .string("Needs the scope `\(scope)`.")))
            members.append(JSONMember(name: "security", value: [["bearer": [.string(scope)]]]))
        } else {
            members.append(JSONMember(name: "security", value: []))
        }
        let parameters = pathParameters + queryParameters + headerParameters
        if !parameters.isEmpty { members.append(JSONMember(name: "parameters", value: .array(parameters))) }
        if let schema = endpoint.operation.requestSchema {
            let content: JSONValue = ["application/json": ["schema": schema()]]
            members.append(JSONMember(name: "requestBody", value: ["required": true, "content": content]))
        } else if endpoint.handling.isDelivery {
            let body: JSONValue = [
                "required": true, "content": ["*/*": [:]],
                "description": "Taken as it comes: its signature covers the very bytes.",
            ]
            members.append(JSONMember(name: "requestBody", value: body))
        }
        members.append(JSONMember(name: "responses", value: .object(answers + problems)))
        return .object(members)
    }

    /// `post_v1_customers_id`: unique because method and path are.
    private var identifier: String {
        let words = endpoint.path.split(whereSeparator: { !$0.isLetter && !$0.isNumber && $0 != "_" })
        return ([endpoint.method.rawValue.lowercased()] + words.map(String.init)).joined(separator: "_")
    }

    private var tag: String {
        let words = endpoint.path.split(separator: "/").map(String.init)
        return words.first { !$0.hasPrefix("{") && $0 != "v1" } ?? "api"
    }

    private var pathParameters: [JSONValue] {
        endpoint.parameterNames.map {
            ["name": .string($0), "in": "path", "required": true, "schema": JSONSchema.string(min: 1)]
        }
    }

    private var queryParameters: [JSONValue] {
        endpoint.query.map { (parameter: QueryParameter) -> JSONValue in
            var value: JSONValue = [
                "name": .string(parameter.name), "in": "query", "required": .bool(parameter.isRequired),
                "schema": parameter.schema,
            ]
            if !parameter.doc.isEmpty { value = JSONSchema.adding(value, "description", .string(parameter.doc)) }
            return value
        }
    }

    private var headerParameters: [JSONValue] {
        var headers: [JSONValue] = []
        if endpoint.takesKey {
            let unsettled: String =
                endpoint.operation.statuses.contains(202)
                ? " A 202 as well: what became of it is read, not asked for under the same key." : ""
            headers.append(
                OpenAPIParts.header(
                    "Idempotency-Key", JSONSchema.string(min: 1, max: 255), required: endpoint.needsKey,
                    "Makes repeating the request safe: the first answer is kept for 24 hours and given again."
                        + unsettled))
        }
        if let limits = endpoint.operation.waits {
            headers.append(
                OpenAPIParts.header(
                    "Prefer", ["type": "string", "examples": ["wait=5"]], required: false,
                    "`wait=N`: answer when the result is settled, or with 202 after N seconds; "
                        + "\(limits.usual.components.seconds) when left out, at most "
                        + "\(limits.longest.components.seconds)."))
        }
        return headers
    }

    private var answers: [JSONMember] {
        let example = parsedExample
        let schema = endpoint.operation.answerSchema()
        let mediaType = endpoint.operation.mediaType ?? "application/json"
        return endpoint.operation.statuses.map { (status: Int) -> JSONMember in
            var response: JSONValue = ["description": .string(OpenAPIParts.reason(status))]
            if !(300...399).contains(status) {
                var content: JSONValue = ["schema": schema]
                if let example { content = JSONSchema.adding(content, "example", example) }
                let typed: JSONValue = .object([JSONMember(name: mediaType, value: content)])
                response = JSONSchema.adding(response, "content", typed)
            }
            let headers: [OpenAPIHeader] = OpenAPIHeader.ofAnswer(endpoint, status: status)
            return JSONMember(name: String(status), value: OpenAPIHeader.adding(headers, to: response))
        }
    }

    private var parsedExample: JSONValue? {
        if endpoint.operation.mediaType != nil { return nil }
        do {
            return try parseJSON(endpoint.operation.answerExample())
        } catch {
            preconditionFailure("the sample of \(endpoint.path) is not JSON: \(error)")
        }
    }

    /// Problems by status, each with the codes it may carry.
    private var problems: [JSONMember] {
        var codes: [Int: [String]] = [:]
        for text in OpenAPIParts.commonProblems(endpoint) + endpoint.operation.problems {
            let (status, code) = OpenAPIParts.problem(text)
            if codes[status]?.contains(code) != true { codes[status, default: []].append(code) }
        }
        return codes.sorted { $0.key < $1.key }.map { (status: Int, codes: [String]) -> JSONMember in
            let content: JSONValue = [
                "application/problem+json": ["schema": ["$ref": "#/components/schemas/Problem"]]
            ]
            let text = "\(OpenAPIParts.reason(status)): " + codes.map { "`\($0)`" }.joined(separator: ", ")
            let headers: [OpenAPIHeader] = OpenAPIHeader.ofProblem(endpoint, status: status, codes: codes)
            let response: JSONValue = ["description": .string(text), "content": content]
            return JSONMember(name: String(status), value: OpenAPIHeader.adding(headers, to: response))
        }
    }
}
