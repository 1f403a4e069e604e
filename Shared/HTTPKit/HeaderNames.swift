import HTTPTypes

extension HTTPField.Name {
    static let idempotencyReplayed = known("Idempotency-Replayed")
    static let requestID = known("X-Request-Id")

    /// A name that is written in the source and therefore valid.
    private static func known(_ name: String) -> HTTPField.Name {
        guard let parsed = HTTPField.Name(name) else { preconditionFailure("\(name) is not a header name") }
        return parsed
    }
}

/// A header of an answer.
public struct HeaderField: Sendable, Hashable {
    /// The header's name; case does not matter.
    public let name: String
    /// The header's value, without line breaks.
    public let value: String

    /// Makes a header.
    public init(_ name: String, _ value: String) {
        self.name = name
        self.value = value
    }
}
