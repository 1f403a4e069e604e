public import BillingCore
public import Telemetry

/// Who calls.
public struct Principal: Sendable, Hashable {
    /// The id that limits and audit entries are kept under: the key's id, or issuer and subject.
    public let id: String
    /// Who it is for as long as a key is only rotated: the first key's id. Idempotency keys are kept under it, and two who
    /// must not be one person are told apart by it.
    public let lineage: String
    /// The API key that was used; `nil` for tokens and open routes.
    public let keyID: APIKeyID?
    /// What the caller may do.
    public let scopes: Scopes

    /// Makes a principal.
    /// - Parameter lineage: Where idempotency keys are kept under another id than the principal's own.
    public init(id: String, lineage: String? = nil, keyID: APIKeyID? = nil, scopes: Scopes) {
        self.id = id
        self.lineage = lineage ?? id
        self.keyID = keyID
        self.scopes = scopes
    }

    /// The caller of a route that asks for no authentication.
    public static let anonymous = Principal(id: "anonymous", scopes: .none)
}

/// One request after all checks: who, when, until when, and what the path, query and headers said.
public struct Call: Sendable {
    /// The id under which logs and answers name this request.
    public let requestID: String
    /// Who calls.
    public let principal: Principal
    /// The span of this request; also `TraceContext.current` while the endpoint runs.
    public let trace: TraceContext
    /// When the answer is no longer of use.
    public let deadline: ContinuousClock.Instant
    /// The business time at which the request arrived; the test clock moves it.
    public let now: Instant
    /// The real time at which the request arrived; expiry of keys goes by it.
    public let receivedAt: Instant
    /// The caller's idempotency key; always present where the endpoint demands one, `nil` where it takes none.
    public let idempotencyKey: IdempotencyKey?
    /// How long the caller is willing to wait for a settled result (`Prefer: wait=N`).
    public let preferWait: Duration?
    /// The caller's address, as the gateway or the socket told it.
    public let clientAddress: String
    /// The caller's `User-Agent`.
    public let userAgent: String
    /// The query parameters, checked against the endpoint's declaration.
    public let query: QueryValues
    let method: String
    let path: String
    let pathParameters: [PathParameter]
    let requestHash: RequestHash?

    /// The text of a path parameter.
    /// - Parameter name: The name in the endpoint's path; asking for another is a mistake of ours and traps.
    public func parameter(_ name: String) -> String {
        guard let found = pathParameters.first(where: { $0.name == name }) else {
            preconditionFailure("the path has no parameter \(name)")
        }
        return found.value
    }

    /// A path parameter as an id.
    /// - Throws: ``Problem/notFound(_:_:)`` when it is not an id of this kind, since nothing can exist under it.
    public func id<ID: TypedID>(_ name: String = "id", as type: ID.Type = ID.self) throws -> ID {
        let text = parameter(name)
        guard let id = ID(text) else { throw Problem.notFound("resource", text.count <= 64 ? text : nil) }
        return id
    }

    /// The claim of this request's idempotency key; `nil` when it has none.
    /// - Parameter resourceID: The resource the request is about to create.
    public func claim(resourceID: String? = nil) -> IdempotencyClaim? {
        guard let idempotencyKey, let requestHash else { return nil }
        return IdempotencyClaim(
            scope: principal.lineage, key: idempotencyKey, operation: "\(method) \(path)", requestHash: requestHash,
            resourceID: resourceID, claimedAt: receivedAt)
    }
}

extension Call {
    /// A POST as it comes out of the pipeline, for tests of what handles calls.
    /// - Parameters:
    ///   - body: What the key's request hash covers.
    ///   - key: The idempotency key.
    ///   - deadline: When the answer is no longer of use.
    ///   - parameters: What stands in the path's braces.
    package init(
        post path: String, body: [UInt8], key: IdempotencyKey?, preferWait: Duration? = nil,
        deadline: ContinuousClock.Instant = .now + .seconds(30), now: Instant, receivedAt: Instant,
        parameters: [String: String] = [:]
    ) {
        self.init(
            requestID: "req_test", principal: Principal(id: "key_test", scopes: .none), trace: .new(),
            deadline: deadline, now: now, receivedAt: receivedAt, idempotencyKey: key,
            preferWait: preferWait, clientAddress: "127.0.0.1", userAgent: "test", query: .none, method: "POST",
            path: path, pathParameters: parameters.map { PathParameter(name: $0.key, value: $0.value) },
            requestHash: RequestHash(method: "POST", path: path, body: body))
    }
}

/// A named part of a path with its text.
struct PathParameter: Sendable {
    let name: String
    let value: String
}

/// What a list endpoint is asked for.
public struct ListRequest: Sendable {
    /// How many items at most, 1–100.
    public let limit: Int
    /// The id after which the page starts; `nil` for the first page.
    public let startingAfter: String?

    /// How many rows to ask the database for: one more than the page tells whether there are more.
    public var fetchLimit: Int { limit + 1 }

    /// The cursor as an id.
    /// - Throws: ``Problem/invalid(_:code:_:)`` when it is not an id of this kind.
    public func cursor<ID: TypedID>(as type: ID.Type = ID.self) throws -> ID? {
        guard let startingAfter else { return nil }
        guard let id = ID(startingAfter) else {
            throw Problem.invalid("starting_after", code: "invalid_id", "is not an id of this kind (\(ID.prefix)_…)")
        }
        return id
    }

    /// The page of rows that were fetched with ``fetchLimit``.
    public func page<Item: Sendable>(_ rows: [Item]) -> Page<Item> {
        Page(items: Array(rows.prefix(limit)), hasMore: rows.count > limit)
    }
}
