public import BillingCore
public import JSON
public import Postgres
import Telemetry

extension Endpoint {
    /// A GET that answers with one value out of a read-only transaction.
    /// - Parameters:
    ///   - path: `/v1/customers/{id}`.
    ///   - scope: What the caller must be allowed; `nil` opens the route to everyone.
    ///   - problems: What it may answer besides the usual ones, as `404 not_found`.
    ///   - snapshot: Whether all its statements see one state; for answers that need several.
    ///   - body: Runs on a thread of the pool.
    public static func read<Out: JSONOutput>(
        _ path: String, scope: String?, summary: String, query: [QueryParameter] = [], answers: Out.Type,
        problems: [String] = [], snapshot: Bool = false,
        _ body: @escaping @Sendable (borrowing PostgresTransaction, Call) throws -> Out
    ) -> Endpoint {
        let operation = OperationDocument(
            summary: summary, statuses: [200], problems: problems, requestSchema: nil,
            answerSchema: { outputSchema(of: Out.self) }, answerExample: { encode(Out.sample) })
        return Endpoint(.get, path, scope: scope, query: query, needsKey: false, operation: operation) {
            call, _, pool in
            let bytes = try await pool.transaction(readOnly: true, snapshot: snapshot, deadline: call.deadline) {
                (db: borrowing PostgresTransaction) -> [UInt8] in
                try TraceContext.$current.withValue(call.trace) { encode(try body(db, call)) }
            }
            return RawReply(status: 200, body: bytes)
        }
    }

    /// A GET that answers with one page of a list, newest first by convention.
    /// - Parameters:
    ///   - filters: Query parameters besides `limit` and `starting_after`.
    ///   - snapshot: Whether all its statements see one state; for answers that need several.
    ///   - body: Fetches ``ListRequest/fetchLimit`` rows after the cursor and returns ``ListRequest/page(_:)``.
    public static func list<Item: JSONOutput>(
        _ path: String, scope: String?, summary: String, filters: [QueryParameter] = [], item: Item.Type,
        problems: [String] = [], snapshot: Bool = false,
        _ body: @escaping @Sendable (borrowing PostgresTransaction, Call, ListRequest) throws -> Page<Item>
    ) -> Endpoint {
        read(
            path, scope: scope, summary: summary, query: filters + Self.paging, answers: ListAnswer<Item>.self,
            problems: problems, snapshot: snapshot
        ) { db, call in
            let request = ListRequest(
                limit: call.query.int("limit") ?? 20, startingAfter: call.query.string("starting_after"))
            let page = try body(db, call, request)
            return ListAnswer(items: page.items, hasMore: page.hasMore)
        }
    }

    /// A GET that answers with all of a list that is short by nature: `limit` and `starting_after` are taken as by any list and
    /// cut nothing, and `has_more` is always false.
    /// - Parameters:
    ///   - snapshot: Whether all its statements see one state; for answers that need several.
    public static func whole<Item: JSONOutput>(
        _ path: String, scope: String?, summary: String, filters: [QueryParameter] = [], item: Item.Type,
        problems: [String] = [], snapshot: Bool = false,
        _ body: @escaping @Sendable (borrowing PostgresTransaction, Call) throws -> [Item]
    ) -> Endpoint {
        read(
            path, scope: scope, summary: summary, query: filters + Self.pagingInVain, answers: ListAnswer<Item>.self,
            problems: problems, snapshot: snapshot
        ) { db, call in ListAnswer(items: try body(db, call), hasMore: false) }
    }

    /// A change whose idempotency key, effect and stored answer commit in one transaction.
    ///
    /// POST needs an `Idempotency-Key`; other methods honour one. What the body **returns** is committed and replayed
    /// for a day, whatever its status. What it **throws** rolls everything back, the key included: nothing is stored,
    /// and the same request may be sent again. The body may run again after a deadlock or a lost connection.
    /// - Parameters:
    ///   - statuses: The statuses it returns, for the document; by default 201 for POST and 200 for the others.
    ///   - tellsLocation: Whether what it makes is named in `Location`; the document then says so.
    public static func write<In: JSONInput, Out: JSONOutput>(
        _ method: Method, _ path: String, scope: String?, summary: String, query: [QueryParameter] = [],
        body input: In.Type, answers: Out.Type, statuses: [Int]? = nil, tellsLocation: Bool = false,
        problems: [String] = [],
        _ body: @escaping @Sendable (borrowing PostgresTransaction, Call, In) throws -> Reply<Out>
    ) -> Endpoint {
        precondition(method != .get, "a GET changes nothing")
        var operation = document(
            method, summary, In.self, Out.self, statuses ?? [method == .post ? 201 : 200], problems)
        operation.tellsLocation = tellsLocation
        return Endpoint(
            method, path, scope: scope, query: query, needsKey: method == .post, takesKey: true, operation: operation
        ) { call, json, pool in
            let input = try Self.input(In.self, json)
            do {
                return try await pool.transactionRetrying(deadline: call.deadline) {
                    (db: borrowing PostgresTransaction) -> RawReply in
                    try TraceContext.$current.withValue(call.trace) {
                        try once(call, in: db) { (db: borrowing PostgresTransaction) in try body(db, call, input) }
                    }
                }
            } catch let error as PostgresError where IdempotencyStore.isTwin(error) {
                throw Problem.idempotencyTwin
            }
        }
    }

    /// Runs a change under the call's idempotency key, or gives the answer it gave before.
    private static func once<Out: JSONOutput>(
        _ call: Call, in db: borrowing PostgresTransaction,
        _ change: (borrowing PostgresTransaction) throws -> Reply<Out>
    ) throws -> RawReply {
        guard let claim = call.claim() else { return try change(db).raw }
        let result = try IdempotencyStore.begin(claim, in: db)
        if case .replay(let stored) = result { return Reply<Out>(replaying: stored).raw }
        guard result == .fresh else { throw result.problem ?? Problem.idempotencyTwin }
        let reply = try change(db)
        try IdempotencyStore.finish(claim, reply.stored, in: db)
        return reply.raw
    }

    /// An endpoint that has to await: payments, the test clock. It opens its own transactions, and on POST claims
    /// ``Call/claim(resourceID:)`` in ``IdempotencyStore`` itself.
    /// - Parameters:
    ///   - tellsLocation: Whether what it makes is named in `Location`; the document then says so.
    ///   - waits: Given where it heeds `Prefer: wait=N`, within these limits; the document then says so.
    ///   - timeout: The deadline in place of the configured one.
    ///   - needsKey: Whether an `Idempotency-Key` is demanded; by default on POST. `false` for what is harmless to repeat or
    ///     is safe by other means: a key is passed over there.
    ///   - isInternal: Whether only our own services call it; it is left out of the document.
    public static func task<In: JSONInput, Out: JSONOutput>(
        _ method: Method, _ path: String, scope: String?, summary: String, query: [QueryParameter] = [],
        body input: In.Type, answers: Out.Type, statuses: [Int]? = nil, tellsLocation: Bool = false,
        waits: WaitLimits? = nil, timeout: Duration? = nil, needsKey: Bool? = nil, isInternal: Bool = false,
        problems: [String] = [],
        _ body: @escaping @Sendable (Call, In) async throws -> Reply<Out>
    ) -> Endpoint {
        var operation = document(
            method, summary, In.self, Out.self, statuses ?? [method == .post ? 201 : 200], problems)
        operation.waits = waits
        operation.tellsLocation = tellsLocation
        return Endpoint(
            method, path, scope: scope, isInternal: isInternal, query: query, needsKey: needsKey ?? (method == .post),
            timeout: timeout, operation: operation
        ) { call, json, _ in
            try await body(call, try Self.input(In.self, json)).raw
        }
    }

    /// The parameters that every list has.
    private static let paging: [QueryParameter] = [
        .int("limit", range: 1...100, doc: "How many items at most; 20 when left out"),
        .string("starting_after", max: 64, doc: "The id of the last item of the page before"),
    ]

    /// The same for lists that are told at once.
    private static let pagingInVain: [QueryParameter] = [
        .int("limit", range: 1...100, doc: "All is told at once: `limit` cuts nothing"),
        .string("starting_after", max: 64, doc: "All is told at once: `starting_after` cuts nothing"),
    ]

    private static func document<In: JSONInput, Out: JSONOutput>(
        _ method: Method, _ summary: String, _ input: In.Type, _ output: Out.Type, _ statuses: [Int],
        _ problems: [String]
    ) -> OperationDocument {
        let hasInput = method.hasBody && In.self != NoInput.self
        let describe: @Sendable () -> JSONValue = { schema(of: In.self) }
        return OperationDocument(
            summary: summary, statuses: statuses, problems: problems, requestSchema: hasInput ? describe : nil,
            answerSchema: { outputSchema(of: Out.self) }, answerExample: { encode(Out.sample) })
    }
}
