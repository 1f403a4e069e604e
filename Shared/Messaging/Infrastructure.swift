import Postgres

extension PostgresError {
    /// Whether the failure says nothing about the event: the same batch may succeed later, as it is.
    ///
    /// A statement that ran out of time is not such: what the event asks for may always take too long, and the others of
    /// its partition would wait for it for ever. Retried behind its key it loses nothing where the database was slow.
    var isInfrastructure: Bool {
        if kind == .statementTimeout { return false }
        if isRetryable || kind == .commitUnknown || kind == .shutdown { return true }
        // 53: resources, 57: operator intervention, 58: system error.
        return ["53", "57", "58"].contains { code.hasPrefix($0) }
    }
}
