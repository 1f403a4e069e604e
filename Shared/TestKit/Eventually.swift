/// A condition did not come true in time.
public struct NotInTime: Error, CustomStringConvertible {
    /// What was waited for, and how long.
    public let description: String
}

/// Waits until a condition is true, looking again every few milliseconds.
/// - Parameters:
///   - limit: How long to wait at most.
///   - what: Words for the failure.
///   - condition: Looked at on the caller's task; an error it throws ends the wait.
/// - Throws: ``NotInTime`` when the time is over, and whatever the condition throws.
public func eventually(
    within limit: Duration, _ what: String = "condition", isolation: isolated (any Actor)? = #isolation,
    _ condition: () async throws -> Bool
) async throws {
    let deadline = ContinuousClock.now.advanced(by: limit)
    var pause: Duration = .milliseconds(1)
    while true {
        if try await condition() { return }
        guard ContinuousClock.now < deadline else { throw NotInTime(description: "\(what) not true within \(limit)") }
        try await Task.sleep(for: pause)
        pause = min(pause * 2, .milliseconds(20))
    }
}
