import Postgres

extension PostgresError {
    /// Whether the failure says nothing about the event: the same batch may succeed later, as it is.
    ///
    /// A statement that ran out of time is not such, nor a lock that was not granted in time: what the event asks for
    /// may always take too long, somebody may hold the row for hours, and the others of its partition would wait for it
    /// all the while. Retried behind its key it loses nothing where the database was slow.
    var isInfrastructure: Bool {
        switch kind {
        case .statementTimeout, .lockTimeout:
            return false
        case .transactionAborted:
            return (underlying as? PostgresError)?.isInfrastructure ?? false
        case .commitUnknown, .shutdown:
            return true
        default:
            // 53: resources, 57: operator intervention, 58: system error.
            return isRetryable || ["53", "57", "58"].contains { code.hasPrefix($0) }
        }
    }
}
