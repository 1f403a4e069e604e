import Synchronization
import Threads

/// A result that is set once and seen by everyone who waits for it, tasks and threads alike.
///
/// Whoever finishes it first wins: an acknowledgement, a failure, a timeout, a cancellation or a shutdown. Every
/// waiter is called exactly once, also one that comes after the result.
final class Completion: Sendable {
    typealias Outcome = Result<Void, KafkaError>
    private struct State {
        var outcome: Outcome?
        var waiters: [@Sendable (Outcome) -> Void] = []
    }
    private let state = Mutex(State())

    /// The result, `nil` while it is open.
    var outcome: Outcome? { state.withLock { $0.outcome } }

    /// Sets the result unless there is one.
    /// - Returns: Whether this call set it.
    @discardableResult
    func finish(_ outcome: Outcome) -> Bool {
        let waiters: [@Sendable (Outcome) -> Void]? = state.withLock { state in
            guard state.outcome == nil else { return nil }
            state.outcome = outcome
            defer { state.waiters = [] }
            return state.waiters
        }
        guard let waiters else { return false }
        for waiter in waiters { waiter(outcome) }
        return true
    }

    /// Calls a closure with the result, at once when it is known.
    func whenFinished(_ waiter: @escaping @Sendable (Outcome) -> Void) {
        let known: Outcome? = state.withLock { state in
            if state.outcome == nil { state.waiters.append(waiter) }
            return state.outcome
        }
        if let known { waiter(known) }
    }

    /// Waits in a task; cancelling the task finishes the result with ``KafkaError/Kind/cancelled``.
    func valueOrCancelled() async throws(KafkaError) {
        let outcome: Outcome = await withTaskCancellationHandler {
            await value
        } onCancel: {
            finish(.failure(KafkaError(.cancelled, message: "the waiting task was cancelled")))
        }
        try outcome.get()
    }

    /// Waits in a task, through its cancellation.
    var value: Outcome {
        get async {
            await withCheckedContinuation { (continuation: CheckedContinuation<Outcome, Never>) in
                whenFinished { continuation.resume(returning: $0) }
            }
        }
    }

    /// Waits on the calling thread, which must be an owned one.
    /// - Returns: `nil` when the time was over first; the result stays open.
    func wait(_ timeout: Duration) -> Outcome? {
        let (lock, finished) = (ThreadLock(), ThreadCondition())
        whenFinished { _ in lock.with { finished.signal() } }
        let deadline = ContinuousClock.now.advanced(by: timeout)
        lock.lock()
        defer { lock.unlock() }
        while true {
            if let outcome { return outcome }
            let left = ContinuousClock.now.duration(to: deadline)
            guard left > .zero else { return nil }
            finished.wait(lock, for: left)
        }
    }
}
