package import BillingCore
import Synchronization

/// Lets a request wait until the first invoice of a sign-up is settled. The consumer that hears of the outcome in this
/// process wakes it; another instance may hear of it instead, so waiting ends after a while and the caller looks again.
package final class SettlementWaiters: Sendable {
    /// How often a waiting request looks for itself.
    package static let pollInterval: Duration = .milliseconds(250)

    private struct State {
        var nextID: Int = 0
        var waiters: [SubscriptionID: [Int: Signal]] = [:]
        /// Nobody waits any more.
        var isStopping = false
    }

    private let state = Mutex(State())

    /// Nobody waits.
    package init() {}

    /// Signals that something happened to subscriptions. Cheap when nobody waits for them.
    package func wake(_ ids: some Sequence<SubscriptionID>) {
        let signals: [Signal] = state.withLock { state in
            state.waiters.isEmpty ? [] : ids.flatMap { id in state.waiters[id].map { Array($0.values) } ?? [] }
        }
        for signal in signals { signal.fire() }
    }

    /// Ends all waits, and those to come, with what is found then: the process is about to end.
    package func stop() {
        let signals: [Signal] = state.withLock { state in
            state.isStopping = true
            return state.waiters.values.flatMap(\.values)
        }
        for signal in signals { signal.fire() }
    }

    /// Looks at a subscription until what is found satisfies, the time is over, or the process is about to end.
    /// - Parameters:
    ///   - limit: How long to wait at most.
    ///   - look: Reads the present state.
    ///   - isSettled: Whether waiting is over.
    /// - Returns: The last state found.
    package func wait<Found: Sendable>(
        for id: SubscriptionID, atMost limit: Duration, look: @Sendable () async throws -> Found,
        until isSettled: @Sendable (Found) -> Bool
    ) async throws -> Found {
        let deadline: ContinuousClock.Instant = .now.advanced(by: limit)
        while true {
            // Registered before looking, so that nothing that happens in between is missed.
            let (ticket, signal) = register(id)
            defer { unregister(id, ticket) }
            let found: Found = try await look()
            let left: Duration = ContinuousClock.now.duration(to: deadline)
            if isSettled(found) || left <= .zero || isStopping { return found }
            await signal.wait(atMost: min(left, Self.pollInterval))
            try Task.checkCancellation()
        }
    }

    private var isStopping: Bool { state.withLock { $0.isStopping } }

    private func register(_ id: SubscriptionID) -> (Int, Signal) {
        let signal = Signal()
        let ticket: Int = state.withLock { state in
            state.nextID += 1
            state.waiters[id, default: [:]][state.nextID] = signal
            return state.nextID
        }
        return (ticket, signal)
    }

    private func unregister(_ id: SubscriptionID, _ ticket: Int) {
        state.withLock { state in
            state.waiters[id]?[ticket] = nil
            if state.waiters[id]?.isEmpty == true { state.waiters[id] = nil }
        }
    }
}

/// Fires once; whoever waits goes on, whether the waiting began before or after.
final class Signal: Sendable {
    private enum State {
        case idle
        case waiting(CheckedContinuation<Void, Never>)
        case fired
    }

    private let state = Mutex(State.idle)

    func fire() {
        let waiter: CheckedContinuation<Void, Never>? = state.withLock { state in
            defer { state = .fired }
            if case .waiting(let continuation) = state { return continuation }
            return nil
        }
        waiter?.resume()
    }

    /// Returns when fired, when the time is over, or when the task is cancelled.
    func wait(atMost limit: Duration) async {
        await withTaskGroup(of: Void.self) { group in
            group.addTask {
                // Cancellation only ends the sleep early.
                try? await Task.sleep(for: limit)
                self.fire()
            }
            await withTaskCancellationHandler {
                await suspend()
            } onCancel: {
                fire()
            }
            group.cancelAll()
        }
    }

    private func suspend() async {
        await withCheckedContinuation { continuation in
            let isOver: Bool = state.withLock { state in
                if case .fired = state { return true }
                state = .waiting(continuation)
                return false
            }
            if isOver { continuation.resume() }
        }
    }
}
