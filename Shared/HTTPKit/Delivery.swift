public import JSON

/// A request whose sender is known by what it signed: the very bytes, and the headers that go with them.
public struct Delivery: Sendable {
    /// In the order they came, with repetitions; names in the case they came in.
    public let headers: [(name: String, value: String)]
    /// The bytes as they came; `nil` when there are more than the endpoint takes, which are not read.
    public let body: [UInt8]?

    /// A delivery; the pipeline and tests make them.
    public init(headers: [(name: String, value: String)], body: [UInt8]?) {
        self.headers = headers
        self.body = body
    }
}

extension Endpoint {
    /// A POST that takes its body as it came: a provider's webhook. The route is open and asks for no idempotency key and
    /// no content type; whether the sender is believed is the endpoint's business, and so is a body that is too long,
    /// which reaches it as `nil`: it may want to note that before it refuses with ``Problem/bodyTooLarge(_:)``.
    /// - Parameters:
    ///   - maxBodyBytes: What is read at most.
    ///   - problems: What it may answer besides the usual ones, as `401 webhook_not_believed`.
    public static func delivery<Out: JSONOutput>(
        _ path: String, summary: String, maxBodyBytes: Int, answers: Out.Type, problems: [String] = [],
        _ body: @escaping @Sendable (Call, Delivery) async throws -> Reply<Out>
    ) -> Endpoint {
        let operation = OperationDocument(
            summary: summary, statuses: [200], problems: problems, requestSchema: nil,
            answerSchema: { outputSchema(of: Out.self) }, answerExample: { encode(Out.sample) })
        return Endpoint(
            .post, path, scope: nil, needsKey: false, operation: operation,
            handling: .delivery(maxBodyBytes: maxBodyBytes) { call, delivery in try await body(call, delivery).raw })
    }

    /// The same for one whose answer is a message of another protocol, or sends a browser on.
    /// - Parameters:
    ///   - statuses: The statuses it returns, for the document; 303 has no body.
    ///   - mediaType: What its bodies are, for the document.
    public static func delivery(
        _ path: String, summary: String, maxBodyBytes: Int, statuses: [Int], mediaType: String = "application/json",
        problems: [String] = [], _ body: @escaping @Sendable (Call, Delivery) async throws -> PageReply
    ) -> Endpoint {
        let operation = OperationDocument(
            summary: summary, statuses: statuses, problems: problems, mediaType: mediaType, requestSchema: nil,
            answerSchema: { [:] }, answerExample: { [] })
        return Endpoint(
            .post, path, scope: nil, needsKey: false, operation: operation,
            handling: .delivery(maxBodyBytes: maxBodyBytes) { call, delivery in try await body(call, delivery).raw })
    }
}

extension Problem {
    /// 413: the body is longer than what is taken.
    public static func bodyTooLarge(_ maxBytes: Int) -> Problem {
        Problem(
            413, code: "body_too_large", title: "The body is too large",
            detail: "A body may have at most \(maxBytes) bytes.")
    }
}
