import JSON
public import Postgres
import Telemetry

/// What a browser is shown: bytes of any kind, with what it must know of them.
public struct PageReply: Sendable {
    /// The HTTP status.
    public let status: Int
    /// The media type, with its charset where it is text.
    public let contentType: String
    /// The body.
    public let body: [UInt8]
    /// How long it may be kept; nothing is by default.
    public let cacheControl: String
    /// Headers besides the usual ones.
    public let headers: [HeaderField]

    /// Makes an answer.
    public init(
        status: Int = 200, contentType: String, body: [UInt8], cacheControl: String = "no-store",
        headers: [HeaderField] = []
    ) {
        self.status = status
        self.contentType = contentType
        self.body = body
        self.cacheControl = cacheControl
        self.headers = headers
    }

    /// 303: the browser goes on to an address, with a GET.
    public static func seeOther(_ location: String) -> PageReply {
        PageReply(
            status: 303, contentType: "text/plain; charset=utf-8", body: [],
            headers: [HeaderField("Location", location)])
    }

    var raw: RawReply {
        RawReply(status: status, body: body, headers: headers, contentType: contentType, cacheControl: cacheControl)
    }
}

extension Endpoint {
    /// A GET that shows something other than JSON out of a read-only transaction: an image, a page.
    /// - Parameters:
    ///   - scope: What the caller must be allowed; `nil` opens the route to everyone.
    ///   - mediaType: What the document says of its answers; `nil` leaves the route out of it.
    ///   - query: The parameters it reads. Others are ignored: whoever sends a browser here adds their own.
    public static func page(
        _ path: String, scope: String? = nil, summary: String, mediaType: String? = nil, query: [QueryParameter] = [],
        problems: [String] = [], _ body: @escaping @Sendable (borrowing PostgresTransaction, Call) throws -> PageReply
    ) -> Endpoint {
        page(path, scope, summary, mediaType, query, problems) { call, pool in
            try await pool.transaction(readOnly: true, deadline: call.deadline) {
                (db: borrowing PostgresTransaction) -> PageReply in
                try TraceContext.$current.withValue(call.trace) { try body(db, call) }
            }
        }
    }

    /// A GET that shows something to a browser after more than one look at the database.
    package static func livePage(
        _ path: String, summary: String, query: [QueryParameter] = [],
        _ body: @escaping @Sendable (Call, PostgresPool) async throws -> PageReply
    ) -> Endpoint {
        page(path, nil, summary, nil, query, [], body)
    }

    /// A GET that shows something that is in memory already: a style sheet, a script.
    public static func asset(
        _ path: String, summary: String, query: [QueryParameter] = [],
        _ body: @escaping @Sendable (Call) throws -> PageReply
    ) -> Endpoint {
        page(path, nil, summary, nil, query, []) { call, _ in try body(call) }
    }

    private static func page(
        _ path: String, _ scope: String?, _ summary: String, _ mediaType: String?, _ query: [QueryParameter],
        _ problems: [String], _ body: @escaping @Sendable (Call, PostgresPool) async throws -> PageReply
    ) -> Endpoint {
        let operation = OperationDocument(
            summary: summary, statuses: [200], problems: problems, mediaType: mediaType, requestSchema: nil,
            answerSchema: { ["type": "string"] }, answerExample: { [] })
        return Endpoint(
            .get, path, scope: scope, isInternal: mediaType == nil, query: query, ignoresUnknownQuery: true,
            needsKey: false, operation: operation
        ) { call, _, pool in try await body(call, pool).raw }
    }
}
