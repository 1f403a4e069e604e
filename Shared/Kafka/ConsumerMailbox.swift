import Synchronization
import Threads

/// What the consumer's thread and the task that runs the handler share.
final class ConsumerMailbox: Sendable {
    private enum End { case running, stopping, abandoned }
    private struct State {
        var consumer: ConsumerState
        var waiting: CheckedContinuation<[KafkaMessage]?, Never>?
        var end: End = .running
        /// No batch will come any more: the handler's task may end.
        var isOver = false
        var simulatesError = false
    }
    /// A batch for a handler task that waits for one, or the news that none will come.
    private struct Delivery {
        let continuation: CheckedContinuation<[KafkaMessage]?, Never>
        let batch: [KafkaMessage]?
    }
    let wake = WakeSignal()
    let closed = Completion()
    let counters = Counted(KafkaConsumerStatistics())
    private let state: Mutex<State>
    private let isWanted: @Sendable (KafkaMessage) -> Bool

    init(_ options: KafkaConsumerOptions) {
        isWanted = options.isWanted
        state = Mutex(State(consumer: ConsumerState(maxBatch: options.maxBatch, credit: options.credit)))
    }

    // MARK: The handler's side

    /// The next batch, as soon as there is one; `nil` when the consumer has ended.
    func nextBatch() async -> [KafkaMessage]? {
        await withCheckedContinuation { continuation in
            deliver { state in
                state.waiting = continuation
            }
        }
    }

    /// The batch returned by ``nextBatch()`` has been handled.
    func finishedBatch() {
        let count = state.withLock { $0.consumer.finishBatch() }
        counters.update {
            $0.handled += count; $0.batches += 1
        }
        wake.wake()
    }

    // MARK: The thread's side

    func offer(_ messages: [KafkaMessage]) {
        let passed: Int = deliver { $0.consumer.append(messages, isWanted: isWanted) }
        counters.update {
            $0.consumed += messages.count
            $0.handled += passed
        }
    }

    /// Reads or changes the held messages; hands a batch over when the change allows one.
    func change<R: Sendable>(_ body: (inout ConsumerState) -> R) -> R {
        deliver { body(&$0.consumer) }
    }

    /// Waits on the consumer's thread until no batch runs; batches are held back from here on.
    /// - Returns: Whether that came true in time.
    func waitUntilIdle(_ timeout: Duration) -> Bool {
        let deadline = ContinuousClock.now.advanced(by: timeout)
        change { $0.holdBack() }
        while change({ $0.isRunning }) {
            let left = ContinuousClock.now.duration(to: deadline)
            if left <= .zero || isAbandoned { return false }
            wake.wait(milliseconds: left.wholeMilliseconds)
        }
        return true
    }

    // MARK: The end

    var isStopping: Bool { state.withLock { $0.end != .running } }
    var isAbandoned: Bool { state.withLock { $0.end == .abandoned } }

    /// Asks the thread to end; the running batch is waited for unless it is to be abandoned.
    func stop(abandoning: Bool = false) {
        state.withLock { state in
            if abandoning { state.end = .abandoned } else if state.end == .running { state.end = .stopping }
        }
        wake.wake()
    }

    func simulateFatalError() {
        state.withLock { $0.simulatesError = true }
        wake.wake()
    }

    func takeSimulatedError() -> Bool {
        state.withLock { state in
            defer { state.simulatesError = false }
            return state.simulatesError
        }
    }

    /// Ends the handler's task, when the thread is gone.
    func finish() {
        deliver { $0.isOver = true }
        closed.finish(.success(()))
    }

    /// Changes the state, then resumes the handler's task outside the lock if there is something for it.
    private func deliver<R: Sendable>(_ body: (inout State) -> R) -> R {
        let (result, delivery): (R, Delivery?) = state.withLock { state in
            let result = body(&state)
            guard let continuation = state.waiting else { return (result, nil) }
            if state.isOver {
                state.waiting = nil
                return (result, Delivery(continuation: continuation, batch: nil))
            }
            guard state.end == .running, let batch = state.consumer.takeBatch() else { return (result, nil) }
            state.waiting = nil
            return (result, Delivery(continuation: continuation, batch: batch))
        }
        if let delivery { delivery.continuation.resume(returning: delivery.batch) }
        return result
    }
}
