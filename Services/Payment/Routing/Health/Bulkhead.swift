import Synchronization

/// Keeps a slow provider from taking up everything: so many calls at once, and no more.
///
/// The limit holds for all instances together and is dealt out evenly among those that are alive.
final class Bulkhead: Sendable {
    private struct State {
        var inFlight = 0
        var share: Int
    }

    /// For all instances together.
    let limit: Int
    private let state: Mutex<State>

    init(limit: Int) {
        self.limit = limit
        state = Mutex(State(share: limit))
    }

    /// How many calls are under way here, and how many there may be.
    var load: (inFlight: Int, share: Int) { state.withLock { ($0.inFlight, $0.share) } }

    /// Deals the limit out among instances; each may have one call.
    func share(among instances: Int) {
        let share: Int = max(1, limit / max(1, instances))
        state.withLock { $0.share = share }
    }

    /// Takes a place; give it back with ``leave()``.
    /// - Returns: `false` when all are taken.
    func enter() -> Bool {
        state.withLock { state in
            guard state.inFlight < state.share else { return false }
            state.inFlight += 1
            return true
        }
    }

    func leave() { state.withLock { $0.inFlight -= 1 } }
}
