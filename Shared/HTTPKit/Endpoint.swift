import JSON
import Postgres

/// A route, declared once: the router's entry and the operation in the OpenAPI document both come from it.
///
/// Make one with `Endpoint.read`, `.list`, `.whole`, `.write`, `.task` or `.delivery`.
public struct Endpoint: Sendable {
    /// The HTTP methods that endpoints answer.
    public enum Method: String, Sendable, CaseIterable {
        case get = "GET"
        case post = "POST"
        case put = "PUT"
        case patch = "PATCH"
        case delete = "DELETE"

        /// Whether requests of this method carry a JSON body.
        var hasBody: Bool { self != .get && self != .delete }
    }

    /// The method.
    public let method: Method
    /// The path with its parameters in braces: `/v1/customers/{id}`.
    public let path: String
    /// The scope the caller must have; `nil` for an open route.
    public let scope: String?
    /// Whether the route is left out of the document because only our own services call it.
    public let isInternal: Bool
    let query: [QueryParameter]
    /// Whether parameters that are not declared are passed over: browsers arrive with other sites' own.
    let ignoresUnknownQuery: Bool
    let needsKey: Bool
    /// Whether an idempotency key is honoured; where it is not, one that comes along is passed over.
    let takesKey: Bool
    let timeout: Duration?
    let operation: OperationDocument
    let handling: Handling

    /// How a request's body reaches the endpoint.
    enum Handling: Sendable {
        /// Read as JSON.
        case json(@Sendable (Call, JSONValue, PostgresPool) async throws -> RawReply)
        /// As it came, with the headers, up to so many bytes.
        case delivery(maxBodyBytes: Int, @Sendable (Call, Delivery) async throws -> RawReply)

        var isDelivery: Bool { if case .delivery = self { true } else { false } }
    }

    init(
        _ method: Method, _ path: String, scope: String?, isInternal: Bool = false, query: [QueryParameter] = [],
        ignoresUnknownQuery: Bool = false, needsKey: Bool, takesKey: Bool? = nil, timeout: Duration? = nil,
        operation: OperationDocument,
        run: @escaping @Sendable (Call, JSONValue, PostgresPool) async throws -> RawReply
    ) {
        self.init(
            method, path, scope: scope, isInternal: isInternal, query: query,
            ignoresUnknownQuery: ignoresUnknownQuery, needsKey: needsKey, takesKey: takesKey, timeout: timeout,
            operation: operation, handling: .json(run))
    }

    init(
        _ method: Method, _ path: String, scope: String?, isInternal: Bool = false, query: [QueryParameter] = [],
        ignoresUnknownQuery: Bool = false, needsKey: Bool, takesKey: Bool? = nil, timeout: Duration? = nil,
        operation: OperationDocument, handling: Handling
    ) {
        precondition(path.utf8.first == UInt8(ascii: "/"), "a path starts with a slash: \(path)")
        if let scope { precondition(Scopes.isScope(scope) && scope != "*", "\(scope) is not a scope") }
        self.method = method
        self.path = path
        self.scope = scope
        self.isInternal = isInternal
        self.query = query
        self.ignoresUnknownQuery = ignoresUnknownQuery
        self.needsKey = needsKey
        self.takesKey = takesKey ?? needsKey
        self.timeout = timeout
        self.operation = operation
        self.handling = handling
    }

    /// The names of the path's parameters, in order.
    var parameterNames: [String] {
        path.split(separator: "/").compactMap { (segment: Substring) -> String? in
            segment.hasPrefix("{") && segment.hasSuffix("}") ? String(segment.dropFirst().dropLast()) : nil
        }
    }

    /// Reads the input out of a request's body.
    static func input<In: JSONInput>(_ type: In.Type, _ json: JSONValue) throws(Problem) -> In {
        do {
            return try decode(type, from: json, unknownFields: .refuse)
        } catch {
            throw Problem.invalid(error.faults)
        }
    }
}

/// How long an endpoint waits for a settled result before it answers 202, in whole seconds.
public struct WaitLimits: Sendable {
    /// The wait for a caller who says nothing.
    public let usual: Duration
    /// The longest wait a caller may ask for; more is cut.
    public let longest: Duration

    /// Makes limits.
    public init(usual: Duration, longest: Duration) {
        self.usual = usual
        self.longest = longest
    }

    /// How long to wait for a caller.
    /// - Parameter preferred: What the caller asked for, if anything.
    public func wait(_ preferred: Duration?) -> Duration { min(max(preferred ?? usual, .zero), longest) }
}

/// What the OpenAPI document says about an endpoint besides its route. Schemas are made when the document is asked for.
struct OperationDocument: Sendable {
    let summary: String
    let statuses: [Int]
    let problems: [String]
    /// How long it waits for a settled result; `nil` where it heeds no `Prefer: wait=N`.
    var waits: WaitLimits?
    /// Whether what it makes (201, 202) is named in `Location`.
    var tellsLocation = false
    /// What its answers are, when not JSON.
    var mediaType: String?
    let requestSchema: (@Sendable () -> JSONValue)?
    let answerSchema: @Sendable () -> JSONValue
    let answerExample: @Sendable () -> [UInt8]
}
