/// What went wrong between a caller and the database, with what is needed to decide what to do about it.
///
/// The message is the server's (or this library's) sentence; parameter values are never part of ``description``.
public struct PostgresError: Error, Sendable, CustomStringConvertible {
    /// The fixed set of failures, usable as a metric label.
    public enum Kind: String, Sendable, CaseIterable {
        /// No connection could be made.
        case connectionFailed = "connection_failed"
        /// The connection broke before COMMIT was sent: nothing of the transaction remains.
        case connectionLost = "connection_lost"
        /// The connection broke while COMMIT was under way: it may or may not have happened.
        case commitUnknown = "commit_unknown"
        /// The bounded queue had no place left.
        case queueFull = "queue_full"
        /// The work waited in the queue for as long as it may.
        case queueTimeout = "queue_timeout"
        /// The caller's own deadline passed.
        case deadlineExceeded = "deadline_exceeded"
        /// The pool is closing or closed.
        case shutdown
        /// The transaction lost against a concurrent one (SQLSTATE 40001).
        case serialization
        /// The server chose this transaction to resolve a deadlock (40P01).
        case deadlock
        /// A lock was not granted in time (55P03).
        case lockTimeout = "lock_timeout"
        /// The statement ran for too long or was cancelled (57014).
        case statementTimeout = "statement_timeout"
        /// A prepared statement no longer fits the tables; the next use prepares it anew.
        case stalePlan = "stale_plan"
        /// A unique constraint refused the row (23505).
        case uniqueViolation = "unique_violation"
        /// A foreign key refused the row (23503).
        case foreignKeyViolation = "foreign_key_violation"
        /// A check constraint refused the row (23514).
        case checkViolation = "check_violation"
        /// A column that may not be null was (23502).
        case notNullViolation = "not_null_violation"
        /// An exclusion constraint refused the row (23P01).
        case exclusionViolation = "exclusion_violation"
        /// The role may not do this (42501).
        case permissionDenied = "permission_denied"
        /// An earlier statement of the transaction had failed, so nothing more can be done in it (25P02).
        case transactionAborted = "transaction_aborted"
        /// A value was not acceptable to the server or cannot be sent (class 22).
        case invalidValue = "invalid_value"
        /// A column did not hold what the caller wanted to read.
        case decoding
        /// The SQL itself is wrong (class 42).
        case invalidStatement = "invalid_statement"
        /// A database function raised an exception of its own (P0001).
        case raised
        /// A migration was refused; the message says why.
        case migrationRefused = "migration_refused"
        /// Anything else the server reported.
        case server
    }

    /// The failure's place in the fixed set.
    public let kind: Kind
    /// The SQLSTATE; for failures found on this side the code of the standard's matching class.
    public let code: String
    /// One sentence saying what happened.
    public let message: String
    /// The server's detail line. It may quote stored values: keep it out of answers and logs.
    public let detail: String?
    /// The name of the violated constraint.
    public let constraint: String?
    /// The text of the failed statement, with `$n` in place of values.
    public let statement: String?
    /// The error that led to this one.
    public let underlying: (any Error)?

    /// Makes an error; the library's own code and test doubles are the users.
    public init(
        kind: Kind, code: String, message: String, detail: String? = nil, constraint: String? = nil,
        statement: String? = nil, underlying: (any Error)? = nil
    ) {
        self.kind = kind
        self.code = code
        self.message = message
        self.detail = detail
        self.constraint = constraint
        self.statement = statement
        self.underlying = underlying
    }

    /// Whether the same transaction, run again from its start, may succeed.
    ///
    /// False for ``Kind/commitUnknown``: only a caller that knows its work to be idempotent may repeat that.
    public var isRetryable: Bool {
        switch kind {
        case .connectionFailed, .connectionLost, .queueFull, .queueTimeout, .serialization, .deadlock, .lockTimeout,
            .stalePlan:
            true
        case .transactionAborted:
            (underlying as? PostgresError)?.isRetryable ?? false
        default:
            false
        }
    }

    /// Whether a unique constraint refused the row.
    public var isUniqueViolation: Bool { kind == .uniqueViolation }

    /// The kind's name in the fixed set, for metric labels.
    public var label: String { kind.rawValue }

    /// Kind, code and message, without parameter values or stored data.
    public var description: String {
        var text: String = "\(kind.rawValue) [\(code)] \(message)"
        if let constraint { text += " (constraint \(constraint))" }
        return text
    }
}

extension PostgresError {
    /// Whether the session that reported this can no longer be used.
    var endsSession: Bool { kind == .connectionLost || kind == .connectionFailed || kind == .commitUnknown }

    /// Whether running again at once is worth it: the loser of a race, or the victim of a lost connection.
    var deservesRetry: Bool { isRetryable && kind != .queueFull && kind != .queueTimeout }

    /// The kind that an SQLSTATE stands for.
    static func kind(code: String, message: String) -> Kind {
        switch code {
        case "40001": .serialization
        case "40P01": .deadlock
        case "55P03": .lockTimeout
        case "57014": .statementTimeout
        case "26000": .stalePlan
        case "0A000" where message.hasPrefix("cached plan must not change result type"): .stalePlan
        case "23505": .uniqueViolation
        case "23503": .foreignKeyViolation
        case "23514": .checkViolation
        case "23502": .notNullViolation
        case "23P01": .exclusionViolation
        case "42501": .permissionDenied
        case "25P02": .transactionAborted
        case "P0001": .raised
        case "57P01", "57P02", "57P03", "25P03": .connectionLost
        case "53300": .connectionFailed
        default: kind(ofClass: code.prefix(2))
        }
    }

    private static func kind(ofClass sqlClass: Substring) -> Kind {
        switch sqlClass {
        case "08": .connectionLost
        case "28": .connectionFailed
        case "22": .invalidValue
        case "42": .invalidStatement
        default: .server
        }
    }

    static func lost(_ message: String) -> PostgresError {
        PostgresError(kind: .connectionLost, code: "08006", message: message)
    }

    static func unreachable(_ message: String) -> PostgresError {
        PostgresError(kind: .connectionFailed, code: "08001", message: message)
    }

    static func refusedValue(_ message: String) -> PostgresError {
        PostgresError(kind: .invalidValue, code: "22021", message: message)
    }

    static func undecodable(_ message: String) -> PostgresError {
        PostgresError(kind: .decoding, code: "22P02", message: message)
    }

    static func misuse(_ message: String) -> PostgresError {
        PostgresError(kind: .invalidStatement, code: "2D000", message: message)
    }

    static var deadline: PostgresError {
        PostgresError(kind: .deadlineExceeded, code: "57014", message: "the caller's deadline has passed")
    }

    static var closing: PostgresError {
        PostgresError(kind: .shutdown, code: "57P03", message: "the pool is shutting down")
    }

    static func full(_ limit: Int) -> PostgresError {
        PostgresError(kind: .queueFull, code: "53400", message: "\(limit) callers are waiting already")
    }

    /// The connection went away while COMMIT was under way.
    static func commitUnknown(_ cause: PostgresError) -> PostgresError {
        PostgresError(
            kind: .commitUnknown, code: "08007", message: "the connection was lost during COMMIT", underlying: cause)
    }

    /// The body ended normally although one of its statements had failed.
    static func aborted(by cause: PostgresError?) -> PostgresError {
        PostgresError(
            kind: .transactionAborted, code: "25P02",
            message: "a statement had failed, so the transaction was rolled back", underlying: cause)
    }
}
