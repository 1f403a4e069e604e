/// An answer of the server.
public indirect enum RedisReply: Sendable, Hashable {
    /// A string or a status; bytes that are not UTF-8 are replaced.
    case string(String)
    /// A number.
    case integer(Int64)
    /// Several answers.
    case array([RedisReply])
    /// Nothing is there.
    case null
    /// The command was refused; the server's words.
    case error(String)

    /// The text of a string, or a number's digits.
    public var string: String? {
        switch self {
        case .string(let text): text
        case .integer(let number): String(number)
        case .array, .null, .error: nil
        }
    }

    /// A number, also when it came as a string of digits.
    public var integer: Int64? {
        switch self {
        case .integer(let number): number
        case .string(let text): Int64(text)
        case .array, .null, .error: nil
        }
    }

    /// The parts of an array.
    public var array: [RedisReply]? {
        if case .array(let parts) = self { parts } else { nil }
    }
}

/// Why there is no answer.
public enum RedisError: Error, Sendable, Equatable {
    /// No connection now; it is being tried again. Nothing was sent, or the answer was lost.
    case unavailable
    /// The answer did not come in time; the command may have been carried out.
    case timedOut
    /// Too many commands are open.
    case overloaded
    /// The client was shut down.
    case closed
    /// The waiting task was cancelled; the command may have been carried out.
    case cancelled
    /// The server refused the command; its own words.
    case refused(String)

    /// Whether the same call may succeed later.
    public var isRetryable: Bool {
        switch self {
        case .unavailable, .timedOut, .overloaded: true
        case .closed, .cancelled, .refused: false
        }
    }

    /// Label for metrics, from a fixed set.
    public var label: String {
        switch self {
        case .unavailable: "unavailable"
        case .timedOut: "timed_out"
        case .overloaded: "overloaded"
        case .closed: "closed"
        case .cancelled: "cancelled"
        case .refused: "refused"
        }
    }
}
