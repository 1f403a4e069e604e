import Synchronization

/// Holds for good once everything was there: whoever sends requests to a service wants to know that it has begun. Taking it
/// out whenever the broker is away would stop what goes on without one: reads, payments whose events wait in the outbox,
/// webhooks that are stored. What is missing later is told by metrics and logs.
package final class ReachedOnce: Sendable {
    private let isReached = Atomic<Bool>(false)

    /// Nothing is reached yet.
    package init() {}

    /// What is missing; `nil` from the first time on at which nothing was.
    package func missing(_ look: () -> String?) -> String? {
        if isReached.load(ordering: .acquiring) { return nil }
        guard let what: String = look() else {
            isReached.store(true, ordering: .releasing)
            return nil
        }
        return what
    }
}
