/// Waiting for news that another service has published a moment ago.
package enum News {
    /// How long what concerns an unknown customer is held: the news of them may be under way.
    package static let patience: Duration = .seconds(1)

    /// Repeats `work` while it fails with something that news may change, for at most `patience`.
    package static func patiently<Result>(
        _ patience: Duration, until mayChange: (any Error) -> Bool, _ work: () async throws -> Result
    ) async throws -> Result {
        let end: ContinuousClock.Instant = .now + patience
        var pause: Duration = .milliseconds(10)
        while true {
            do { return try await work() } catch {
                guard mayChange(error), ContinuousClock.now + pause < end else { throw error }
            }
            try await Task.sleep(for: pause)
            pause = min(pause * 2, .milliseconds(160))
        }
    }
}
