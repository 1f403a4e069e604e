/// Work for one of a pool's threads.
///
/// `@unchecked Sendable`: `phase` and `queuedAt` are touched with the pool's lock held only; what subclasses add is
/// set before submission and afterwards touched by the one thread that took the job out of the queue.
class PoolJob: @unchecked Sendable {
    enum Phase {
        case new
        case queued
        case taken
        case cancelled
    }

    var phase: Phase = .new
    var queuedAt: ContinuousClock.Instant?
    /// When the job may no longer start.
    let startLimit: ContinuousClock.Instant
    /// Whether the limit is the caller's own rather than the pool's.
    let isCallersLimit: Bool

    init(startLimit: ContinuousClock.Instant, isCallersLimit: Bool) {
        self.startLimit = startLimit
        self.isCallersLimit = isCallersLimit
    }

    /// Does the work and keeps the outcome. Called at most once.
    func run(on connection: Connection) -> JobCounts { JobCounts() }

    /// Tells the caller the outcome of `run`.
    func complete() {}

    /// Tells the caller that the work did not and will not run.
    func fail(_ error: any Error) {}
}

/// What a job did, for the statistics.
struct JobCounts {
    var transactions: Int = 0
    var rollbacks: Int = 0
}

/// The queue, the idle threads and the counts: a value that decides, and leaves acting to the pool.
struct PoolState {
    /// What is to be done about a submitted job.
    enum Verdict {
        case wake(Int)
        case wait(armTimer: Bool)
        case refuse(any Error)
    }

    private(set) var queue: [PoolJob] = []
    private(set) var isStopping: Bool = false
    /// Idle threads, the one that worked last at the end: a few warm sessions do the work of a quiet time.
    private var idle: [Int] = []
    var woken: [Bool]
    var statistics = PostgresPoolStatistics()
    var lastConnectError: PostgresError?
    /// When the timer thread looks next.
    var alarm: ContinuousClock.Instant?
    var liveThreads: Int
    var closers: [CheckedContinuation<Void, Never>] = []
    private let queueLimit: Int

    init(threads: Int, queueLimit: Int) {
        woken = Array(repeating: false, count: threads)
        liveThreads = threads + 1
        idle = []
        self.queueLimit = queueLimit
    }

    mutating func submit(_ job: PoolJob, now: ContinuousClock.Instant) -> Verdict {
        if job.phase == .cancelled {
            statistics.cancelled += 1
            return .refuse(CancellationError())
        }
        if isStopping { return .refuse(PostgresError.closing) }
        if idle.isEmpty, queue.count >= queueLimit {
            statistics.refused += 1
            return .refuse(PostgresError.full(queueLimit))
        }
        job.phase = .queued
        queue.append(job)
        statistics.queueDepth = queue.count
        if let thread = popIdle() { return .wake(thread) }
        statistics.waited += 1
        job.queuedAt = now
        return .wait(armTimer: arm(job.startLimit))
    }

    /// Puts back a job whose thread could not connect.
    mutating func giveBack(_ job: PoolJob) -> Verdict {
        if isStopping { return .refuse(PostgresError.closing) }
        job.phase = .queued
        queue.insert(job, at: 0)
        statistics.queueDepth = queue.count
        if let thread = popIdle() { return .wake(thread) }
        return .wait(armTimer: arm(job.startLimit))
    }

    /// Takes the oldest job; `expired` are those whose time has passed.
    mutating func take(expired: inout [PoolJob]) -> PoolJob? {
        if queue.isEmpty { return nil }
        let now: ContinuousClock.Instant = .now
        var count: Int = 0
        var taken: PoolJob?
        for job in queue {
            count += 1
            job.phase = .taken
            if job.startLimit > now {
                taken = job
                break
            }
            statistics.timeouts += 1
            expired.append(job)
        }
        queue.removeFirst(count)
        statistics.queueDepth = queue.count
        if let taken {
            statistics.busy += 1
            if let since = taken.queuedAt { statistics.waitTime += now - since }
        }
        return taken
    }

    /// Removes what has waited for too long and sets the next alarm.
    mutating func expire(_ now: ContinuousClock.Instant) -> [PoolJob] {
        let expired: [PoolJob] = queue.filter { $0.startLimit <= now }
        if !expired.isEmpty {
            for job in expired { job.phase = .taken }
            queue.removeAll { $0.phase == .taken }
            statistics.timeouts += expired.count
            statistics.queueDepth = queue.count
        }
        alarm = queue.map(\.startLimit).min()
        return expired
    }

    /// Whether the job was still waiting, and is now out of the queue.
    mutating func cancel(_ job: PoolJob) -> Bool {
        switch job.phase {
        case .new:
            job.phase = .cancelled
            return false
        case .queued:
            job.phase = .cancelled
            queue.removeAll { $0 === job }
            statistics.queueDepth = queue.count
            statistics.cancelled += 1
            return true
        case .taken, .cancelled:
            return false
        }
    }

    mutating func rest(_ thread: Int) {
        idle.append(thread)
        woken[thread] = false
    }

    /// Refuses everything from now on and hands over what was waiting.
    mutating func stop() -> [PoolJob] {
        isStopping = true
        for index in woken.indices { woken[index] = true }
        idle = []
        defer { queue = [] }
        for job in queue { job.phase = .taken }
        statistics.queueDepth = 0
        return queue
    }

    /// Why a job that waited for too long was given up.
    func reasonForTimeout(_ job: PoolJob) -> PostgresError {
        if statistics.open == 0, let lastConnectError { return lastConnectError }
        if job.isCallersLimit { return .deadline }
        return PostgresError(kind: .queueTimeout, code: "53400", message: "no connection became free in time")
    }

    private mutating func popIdle() -> Int? {
        guard let thread = idle.popLast() else { return nil }
        woken[thread] = true
        return thread
    }

    private mutating func arm(_ limit: ContinuousClock.Instant) -> Bool {
        if let alarm, alarm <= limit { return false }
        alarm = limit
        return true
    }
}
