public import JSON

/// The answer of an endpoint, already encoded.
public struct Reply<Out: JSONOutput>: Sendable {
    /// The HTTP status.
    public let status: Int
    /// The JSON body.
    public let body: [UInt8]
    /// Headers besides the usual ones.
    public let headers: [HeaderField]
    /// Whether this answer was given before, under the same idempotency key.
    public let isReplay: Bool

    /// An answer with any status.
    public init(status: Int, _ output: Out, headers: [HeaderField] = []) {
        self.status = status
        self.body = encode(output)
        self.headers = headers
        self.isReplay = false
    }

    /// The answer that was stored for an earlier request with the same idempotency key.
    public init(replaying stored: StoredReply) {
        status = stored.status
        body = stored.body
        headers = stored.headers
        isReplay = true
    }

    private init(_ reply: Reply, adding header: HeaderField) {
        status = reply.status
        body = reply.body
        headers = reply.headers + [header]
        isReplay = reply.isReplay
    }

    /// The same answer with one more header, which ``stored`` keeps too.
    public func adding(_ header: HeaderField) -> Reply { Reply(self, adding: header) }

    /// 200 with a result.
    public static func ok(_ output: Out) -> Reply { Reply(status: 200, output) }

    /// 201 with the new resource.
    /// - Parameter location: The path under which it can be read.
    public static func created(_ output: Out, location: String? = nil) -> Reply {
        Reply(status: 201, output, headers: location.map { [HeaderField("Location", $0)] } ?? [])
    }

    /// 202 with the state so far of work that goes on.
    public static func accepted(_ output: Out, location: String? = nil) -> Reply {
        Reply(status: 202, output, headers: location.map { [HeaderField("Location", $0)] } ?? [])
    }

    /// What is kept for later requests with the same idempotency key.
    public var stored: StoredReply { StoredReply(status: status, headers: headers, body: body) }

    var raw: RawReply { RawReply(status: status, body: body, headers: headers, isReplay: isReplay) }
}

/// An answer as it is kept under an idempotency key.
public struct StoredReply: Sendable, Equatable {
    /// The HTTP status.
    public let status: Int
    /// Headers besides the usual ones.
    public let headers: [HeaderField]
    /// The JSON body.
    public let body: [UInt8]

    /// Makes one from its parts.
    public init(status: Int, headers: [HeaderField] = [], body: [UInt8]) {
        self.status = status
        self.headers = headers
        self.body = body
    }
}

/// An answer of any endpoint.
struct RawReply: Sendable {
    var status: Int
    var body: [UInt8]
    var headers: [HeaderField] = []
    var contentType = "application/json"
    var cacheControl = "no-store"
    var isReplay = false
}

/// One page of a list: `{"object":"list","data":[…],"has_more":…}`.
struct ListAnswer<Item: JSONOutput>: JSONOutput {
    let items: [Item]
    let hasMore: Bool

    func write(to o: inout ObjectWriter) {
        o.field("object", "list", doc: "Always `list`")
        o.field("data", items, doc: "The items of this page")
        o.field("has_more", hasMore, doc: "Whether there are more after the last item")
    }

    static var sample: Self { Self(items: [Item.sample], hasMore: false) }
}

/// The input of requests that take no body; an empty object is accepted as well.
public struct NoInput: JSONInput {
    /// Reads nothing.
    public init(_ f: inout InputFields) {}
    /// The input of a call that has none.
    public init() {}
}
