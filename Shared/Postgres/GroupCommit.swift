import Glibc
import Synchronization

/// Turns many small pieces of work into few transactions: what waits while a batch runs becomes the next batch.
///
/// A quiet service pays no delay, as the first item starts a batch of one at once; under load the batches grow and the
/// cost per item falls.
public final class GroupCommit<Item: Sendable, Output: Sendable>: Sendable {
    private let lanes: GroupLanes<Item, Output>

    /// Makes a group.
    /// - Parameters:
    ///   - pool: Where the batches run.
    ///   - maxBatch: Items in a transaction at most.
    ///   - lanes: How many batches may run at once.
    ///   - interval: The least time between the starts of two batches of a steady stream, which is so cut into batches of
    ///     this length; what follows them works in such batches too.
    ///   - burst: So many batches may start without such a distance after a quiet time: what comes now and then is not
    ///     delayed, though two should come close together.
    ///   - gather: How long a batch waits for what comes with its first item, where it follows another one closely or the
    ///     last one, a short while ago, was of several: answers of one batch that come back one by one stay one batch, here
    ///     and wherever they go next.
    ///   - queueLimit: Items that may wait before more are refused.
    ///   - body: Does the work of all items in one transaction and returns one result per item, in order. An item that
    ///     fails must leave nothing behind (a savepoint helps). When `body` throws, every item is run again alone; one that was
    ///     alone only where it lost against another transaction, and once. Once the server is lost none of them starts.
    public init(
        _ pool: PostgresPool, maxBatch: Int, lanes: Int = 1, interval: Duration = .zero, burst: Int = 1,
        gather: Duration = .zero, queueLimit: Int = 4096,
        _ body: @escaping @Sendable (borrowing PostgresTransaction, [Item]) throws -> [Result<Output, any Error>]
    ) {
        self.lanes = GroupLanes(
            core: pool.core,
            limits: GroupLimits(
                batch: max(1, maxBatch), lanes: max(1, lanes), interval: interval,
                slack: interval * max(0, burst - 1), gather: gather, queue: queueLimit), body)
    }

    /// Adds an item to the next batch and returns when that has been committed.
    /// - Parameter deadline: When the caller stops being interested; the item does not start later.
    /// - Throws: The item's own failure; ``PostgresError`` when the queue is full, when there is no connection or when
    ///   the outcome of COMMIT is unknown; `CancellationError` when the task was cancelled before its batch began.
    @discardableResult
    public func submit(_ item: Item, deadline: ContinuousClock.Instant? = nil) async throws -> Output {
        let entry = GroupEntry<Item, Output>(item, deadline)
        return try await withTaskCancellationHandler {
            try await withCheckedThrowingContinuation { continuation in
                lanes.add(entry, continuation)
            }
        } onCancel: {
            lanes.cancel(entry)
        }
    }

    /// What the group has counted and how it stands.
    public var statistics: GroupCommitStatistics { lanes.statistics }
}

/// Counts of a group since it was made, and its state at the moment of asking.
public struct GroupCommitStatistics: Sendable, Equatable {
    /// Items waiting for a batch.
    public internal(set) var queueDepth: Int = 0
    /// Batches run.
    public internal(set) var batches: Int = 0
    /// Items run.
    public internal(set) var items: Int = 0
    /// The largest batch.
    public internal(set) var largestBatch: Int = 0
    /// Batches whose items had to be run one by one.
    public internal(set) var splits: Int = 0
    /// Items refused because the queue was full.
    public internal(set) var refused: Int = 0
    /// Items cancelled while they waited.
    public internal(set) var cancelled: Int = 0
}

struct GroupLimits: Sendable {
    let batch: Int
    let lanes: Int
    let interval: Duration
    /// How far batches may run ahead of a steady stream's.
    let slack: Duration
    let gather: Duration
    let queue: Int

    /// A batch that follows within this time gathers: it may be what has come back first of several.
    var close: Duration { gather * 6 }

    /// After so long without a batch of several the next one does not gather: what comes alone is not delayed, though
    /// something else came a moment before.
    var quiet: Duration { gather * 60 }

    /// After so long without a batch an item counts as alone: callers that a batch has woken together are back before.
    var calm: Duration { max(quiet, interval, .milliseconds(30)) }
}

/// One item and its caller.
///
/// `@unchecked Sendable`: `phase` and `continuation` are touched under the lanes' lock while the item waits, and
/// afterwards by the one thread that took it out.
final class GroupEntry<Item: Sendable, Output: Sendable>: @unchecked Sendable {
    let item: Item
    let deadline: ContinuousClock.Instant?
    var phase: PoolJob.Phase = .new
    var continuation: CheckedContinuation<Output, any Error>?

    init(_ item: Item, _ deadline: ContinuousClock.Instant?) {
        self.item = item
        self.deadline = deadline
    }

    func resume(with result: Result<Output, any Error>) {
        guard let continuation else { preconditionFailure("an item is answered once") }
        self.continuation = nil
        continuation.resume(with: result)
    }
}

/// The waiting items and the batches under way.
final class GroupLanes<Item: Sendable, Output: Sendable>: Sendable {
    typealias Entry = GroupEntry<Item, Output>
    typealias Body = @Sendable (borrowing PostgresTransaction, [Item]) throws -> [Result<Output, any Error>]

    private struct State {
        var waiting: [Entry] = []
        var running: Int = 0
        /// When the next batch of a steady stream is due; the slack may be used up before.
        var nextDue: ContinuousClock.Instant = .now
        /// When the last batch took its items, and how many.
        var lastBatch: ContinuousClock.Instant?
        var lastSize: Int = 0
        /// When the last batch was over.
        var lastEnd: ContinuousClock.Instant?
        var statistics = GroupCommitStatistics()

        /// Whether nothing came with the item that waits, and nothing was done a moment before.
        func isAlone(at now: ContinuousClock.Instant, _ limits: GroupLimits) -> Bool {
            guard waiting.count == 1 else { return false }
            guard let lastEnd: ContinuousClock.Instant else { return true }
            return now - lastEnd >= limits.calm
        }
    }

    let body: Body
    private let core: PoolCore
    private let limits: GroupLimits
    private let state = Mutex(State())

    init(core: PoolCore, limits: GroupLimits, _ body: @escaping Body) {
        self.core = core
        self.limits = limits
        self.body = body
    }

    var statistics: GroupCommitStatistics {
        state.withLock { state in
            state.statistics.queueDepth = state.waiting.count
            return state.statistics
        }
    }

    func add(_ entry: Entry, _ continuation: CheckedContinuation<Output, any Error>) {
        let (refusal, startsLane): ((any Error)?, Bool) = state.withLock { state in
            if entry.phase == .cancelled {
                state.statistics.cancelled += 1
                return (CancellationError(), false)
            }
            guard state.waiting.count < limits.queue else {
                state.statistics.refused += 1
                return (PostgresError.full(limits.queue), false)
            }
            entry.phase = .queued
            entry.continuation = continuation
            state.waiting.append(entry)
            guard state.running < limits.lanes else { return (nil, false) }
            state.running += 1
            return (nil, true)
        }
        if let refusal { continuation.resume(throwing: refusal) }
        if startsLane { startBatch() }
    }

    func cancel(_ entry: Entry) {
        let wasWaiting: Bool = state.withLock { state in
            let wasQueued: Bool = entry.phase == .queued
            guard wasQueued || entry.phase == .new else { return false }
            entry.phase = .cancelled
            guard wasQueued else { return false }
            state.waiting.removeAll { $0 === entry }
            state.statistics.cancelled += 1
            return true
        }
        if wasWaiting { entry.resume(with: .failure(CancellationError())) }
    }

    /// Hands a batch job to the pool, at once or when the interval is over.
    private func startBatch() {
        let now: ContinuousClock.Instant = .now
        let (start, isAlone): (ContinuousClock.Instant, Bool) = state.withLock { state in
            let due: ContinuousClock.Instant = max(now, state.nextDue)
            state.nextDue = due + limits.interval
            return (max(now, due - limits.slack), state.isAlone(at: now, limits))
        }
        // On the caller's thread: a task would only be one more to wake.
        if isAlone, start <= now { return submitBatch() }
        // Behind what is ready to run already: callers that one batch has woken together meet in the next one.
        Task { [self] in
            if start > now { try? await Task.sleep(until: start, clock: .continuous) }
            submitBatch()
        }
    }

    /// The job takes its items when it starts, so late ones still join.
    private func submitBatch() {
        core.submit(GroupJob(self, startLimit: core.startLimit(nil).limit))
    }

    /// Waits on the batch's thread for what comes with its first item, unless that came alone or the batch is full. A stream
    /// keeps itself together: its first item goes alone, what is close behind gathers, and then the size of that counts.
    func gather() {
        guard limits.gather > .zero else { return }
        let isWorthIt: Bool = state.withLock { state in
            guard let last: ContinuousClock.Instant = state.lastBatch, state.waiting.count < limits.batch else {
                return false
            }
            let since: Duration = ContinuousClock.now - last
            return since < limits.close || (state.lastSize > 1 && since < limits.quiet)
        }
        guard isWorthIt else { return }
        usleep(UInt32(limits.gather / .microseconds(1)))
    }

    /// Takes the items of the next batch.
    func takeBatch() -> [Entry] {
        state.withLock { state in
            state.lastBatch = .now
            let batch: [Entry] = Array(state.waiting.prefix(limits.batch))
            state.lastSize = batch.count
            state.waiting.removeFirst(batch.count)
            for entry in batch { entry.phase = .taken }
            if !batch.isEmpty {
                state.statistics.batches += 1
                state.statistics.items += batch.count
                state.statistics.largestBatch = max(state.statistics.largestBatch, batch.count)
            }
            return batch
        }
    }

    func countSplit() { state.withLock { $0.statistics.splits += 1 } }

    /// Ends a batch; the lane goes on when more is waiting.
    func endBatch() {
        if goesOn() { startBatch() }
    }

    /// Answers everything that waits with an error: the pool cannot run a batch. The lane ends.
    func failWaiting(_ error: any Error) {
        let entries: [Entry] = state.withLock { state in
            defer { state.waiting = [] }
            state.running -= 1
            for entry in state.waiting { entry.phase = .taken }
            return state.waiting
        }
        for entry in entries { entry.resume(with: .failure(error)) }
    }

    private func goesOn() -> Bool {
        state.withLock { state in
            state.lastEnd = .now
            if !state.waiting.isEmpty { return true }
            state.running -= 1
            return false
        }
    }
}
