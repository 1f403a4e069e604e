import Synchronization

/// Principals by the hash of their credential, for a few seconds.
///
/// When the entry of a good credential gets old, one request has it asked for again, and all go on with the old answer for at
/// most as long again. So a revocation made elsewhere takes effect within twice the time, and one made by this process at once.
final class CredentialCache: Sendable {
    /// What a look into the cache says.
    enum Look {
        /// Known, and still fresh enough. `nil` is a credential known to be worthless.
        case known(Principal?)
        /// Known and getting old: go on, and ask beside it, then store.
        case renew(Principal)
        /// Ask, then ``CredentialCache/store(_:for:changes:validFor:now:)``. Whether it was good when it was asked for last.
        case ask(isKnown: Bool)
    }

    private struct Entry {
        var principal: Principal?
        var freshUntil: ContinuousClock.Instant
        var usableUntil: ContinuousClock.Instant
        var isBeingAsked: Bool
    }

    private struct State {
        var changes = 0
        var entries: [RequestHash: Entry] = [:]
    }

    private let lifetime: Duration
    private let limit: Int
    private let state = Mutex(State())

    /// - Parameter limit: How many credentials are remembered; a flood of wrong ones empties the cache, no more.
    init(lifetime: Duration, limit: Int = 10_000) {
        self.lifetime = lifetime
        self.limit = limit
    }

    /// Looks a credential up.
    /// - Parameter changes: How often keys have changed so far; a new number empties the cache.
    func look(_ hash: RequestHash, changes: Int, now: ContinuousClock.Instant) -> Look {
        state.withLock { (state: inout State) -> Look in
            if state.changes != changes {
                state.entries.removeAll(keepingCapacity: true)
                state.changes = changes
            }
            guard var entry = state.entries[hash] else { return .ask(isKnown: false) }
            if now < entry.freshUntil { return .known(entry.principal) }
            if entry.isBeingAsked, now < entry.usableUntil { return .known(entry.principal) }
            let isFirst: Bool = !entry.isBeingAsked
            entry.isBeingAsked = true
            state.entries[hash] = entry
            guard let principal: Principal = entry.principal else { return .ask(isKnown: false) }
            return isFirst && now < entry.usableUntil ? .renew(principal) : .ask(isKnown: true)
        }
    }

    /// Remembers an answer, unless keys have changed since it was asked for.
    /// - Parameter validFor: The credential's own remaining life, when that is shorter.
    func store(
        _ principal: Principal?, for hash: RequestHash, changes: Int, validFor: Duration? = nil,
        now: ContinuousClock.Instant
    ) {
        let life = min(lifetime, validFor ?? lifetime)
        let usable = min(lifetime * 2, validFor ?? lifetime * 2)
        state.withLock { (state: inout State) in
            guard state.changes == changes else { return }
            if state.entries.count >= limit { state.entries.removeAll(keepingCapacity: true) }
            state.entries[hash] = Entry(
                principal: principal, freshUntil: now + life, usableUntil: now + usable, isBeingAsked: false)
        }
    }
}
