import JSON

/// The headers of answers that the document tells of. Each is written once, under `components/headers`.
enum OpenAPIHeader: String, CaseIterable {
    case idempotencyReplayed = "Idempotency-Replayed"
    case location = "Location"
    case rateLimit = "RateLimit"
    case rateLimitPolicy = "RateLimit-Policy"
    case requestID = "X-Request-Id"
    case retryAfter = "Retry-After"

    /// What an endpoint's own answers may have.
    static func ofAnswer(_ endpoint: Endpoint, status: Int) -> [OpenAPIHeader] {
        var headers: [OpenAPIHeader] = [.requestID]
        if endpoint.takesKey { headers.append(.idempotencyReplayed) }
        let tellsLocation: Bool = endpoint.operation.tellsLocation && (status == 201 || status == 202)
        if tellsLocation || status == 303 { headers.append(.location) }
        if endpoint.scope != nil { headers.append(.rateLimit) }
        return headers
    }

    /// What a problem may have besides its request id, which its body names.
    static func ofProblem(_ endpoint: Endpoint, status: Int, codes: [String]) -> [OpenAPIHeader] {
        switch status {
        case 429 where endpoint.scope != nil: [.retryAfter, .rateLimit, .rateLimitPolicy]
        case 429, 503: [.retryAfter]
        case 409 where codes.contains("idempotency_key_in_use"): [.retryAfter]
        default: []
        }
    }

    /// A response with references to its headers.
    static func adding(_ headers: [OpenAPIHeader], to response: JSONValue) -> JSONValue {
        if headers.isEmpty { return response }
        let references: [JSONMember] = headers.map { (header: OpenAPIHeader) -> JSONMember in
            JSONMember(name: header.rawValue, value: ["$ref": .string("#/components/headers/\(header.rawValue)")])
        }
        return JSONSchema.adding(response, "headers", .object(references))
    }

    /// All of them, as the document's components.
    static var components: JSONValue {
        .object(allCases.map { JSONMember(name: $0.rawValue, value: $0.definition) })
    }

    private var definition: JSONValue {
        ["description": .string(doc), "schema": schema]
    }

    private var doc: String {
        switch self {
        case .idempotencyReplayed:
            "`true` where the answer is that of an earlier request under the same key; left out else"
        case .location: "The path of what was made, or where a browser goes on"
        case .rateLimit: "What is left of the caller's requests (`r`), and in how many seconds there are more (`t`)"
        case .rateLimitPolicy: "How many requests the caller may send (`q`) in how many seconds (`w`)"
        case .requestID:
            "The request's name, the caller's own `X-Request-Id` where it sent one; problems tell it as `request_id`"
        case .retryAfter: "In how many seconds the same request may be sent again"
        }
    }

    private var schema: JSONValue {
        switch self {
        case .idempotencyReplayed: ["type": "string", "enum": ["true"]]
        case .location: ["type": "string", "format": "uri-reference"]
        case .rateLimit: ["type": "string", "examples": ["\"default\";r=1999;t=1"]]
        case .rateLimitPolicy: ["type": "string", "examples": ["\"default\";q=2000;w=2"]]
        case .requestID: JSONSchema.string(min: 1, max: 64)
        case .retryAfter: ["type": "integer", "minimum": 1]
        }
    }
}
