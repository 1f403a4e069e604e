import Postgres

extension PostgresError {
    /// Whether the failure says nothing about the event: the same batch may succeed later, as it is.
    var isInfrastructure: Bool {
        if isRetryable || kind == .commitUnknown || kind == .shutdown { return true }
        // 53: resources, 57: operator intervention, 58: system error.
        return ["53", "57", "58"].contains { code.hasPrefix($0) }
    }
}
