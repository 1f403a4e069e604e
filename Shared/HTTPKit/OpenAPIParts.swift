import JSON

/// Pieces that every operation of the document shares.
enum OpenAPIParts {
    /// What any endpoint may answer by its nature, without declaring it.
    static func commonProblems(_ endpoint: Endpoint) -> [String] {
        var problems = ["400 invalid_header", "500 internal_error", "503 unavailable"]
        if endpoint.scope != nil {
            problems += [
                "401 authentication_required", "401 invalid_token", "403 insufficient_scope", "429 rate_limited",
            ]
        }
        if endpoint.handling.isDelivery {
            problems.append("413 body_too_large")
        } else if endpoint.method.hasBody {
            problems += [
                "400 invalid_json", "413 body_too_large", "415 unsupported_media_type",
                "415 unsupported_content_encoding", "422 invalid_request",
            ]
        }
        if endpoint.needsKey { problems.append("400 idempotency_key_required") }
        if endpoint.takesKey {
            problems += ["400 idempotency_key_invalid", "409 idempotency_key_in_use", "422 idempotency_key_reused"]
        }
        if !endpoint.query.isEmpty { problems.append("422 invalid_request") }
        if !endpoint.parameterNames.isEmpty { problems.append("404 not_found") }
        return problems
    }

    /// Whether an endpoint's operation tells of a problem.
    static func declares(_ endpoint: Endpoint, _ problem: Problem) -> Bool {
        (commonProblems(endpoint) + endpoint.operation.problems).contains {
            Self.problem($0) == (problem.status, problem.code)
        }
    }

    /// Reads `404 not_found`; a code without a status is 422.
    static func problem(_ text: String) -> (status: Int, code: String) {
        let parts = text.split(separator: " ", maxSplits: 1)
        if parts.count == 2, let status = Int(parts[0]), (400...599).contains(status) {
            return (status, String(parts[1]))
        }
        return (text == "not_found" ? 404 : 422, text)
    }

    static func header(_ name: String, _ schema: JSONValue, required: Bool, _ doc: String) -> JSONValue {
        [
            "name": .string(name), "in": "header", "required": .bool(required), "schema": schema,
            "description": .string(doc),
        ]
    }

    static func reason(_ status: Int) -> String {
        switch status {
        case 200: "Done"
        case 201: "Created"
        case 202: "Accepted; the work goes on"
        case 303: "Go on at the address in `Location`"
        case 400: "The request cannot be read"
        case 401: "The caller is not known"
        case 403: "The caller may not do this"
        case 404: "No such resource"
        case 409: "The state of things does not allow it"
        case 413: "The body is too large"
        case 415: "The body is not JSON"
        case 422: "The request is not valid"
        case 429: "Too many requests"
        case 500: "A fault of ours"
        case 503: "Not now; try again later"
        default: "Answer"
        }
    }

    /// RFC 9457 with the members that this API adds.
    static var problemSchema: JSONValue {
        [
            "type": "object",
            "required": ["type", "title", "status", "code", "request_id"],
            "properties": [
                "type": JSONSchema.string(format: "uri"),
                "title": JSONSchema.string(),
                "status": ["type": "integer", "minimum": 400, "maximum": 599],
                "detail": JSONSchema.string(),
                "code": JSONSchema.documented(JSONSchema.string(), "The fixed word for programs"),
                "param": JSONSchema.documented(JSONSchema.string(), "The one field at fault"),
                "request_id": JSONSchema.string(),
                "errors": JSONSchema.documented(JSONSchema.array(of: fault), "Every fault of the input"),
            ],
        ]
    }

    private static var fault: JSONValue {
        [
            "type": "object", "required": ["param", "code", "message"],
            "properties": [
                "param": JSONSchema.documented(JSONSchema.string(), "The path of the field, such as `items[2].price`"),
                "code": JSONSchema.string(), "message": JSONSchema.string(),
            ],
        ]
    }
}
