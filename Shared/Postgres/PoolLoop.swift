import Threads

/// A pool's threads and the queue between them and the callers.
///
/// `@unchecked Sendable`: `state` is read and written with `lock` held; everything else is constant.
final class PoolCore: @unchecked Sendable {
    private let lock = ThreadLock()
    private let conditions: [ThreadCondition]
    private let timer = ThreadCondition()
    private let settings: ConnectionSettings
    private var state: PoolState
    let queueTimeout: Duration

    init(_ configuration: PostgresConfiguration) {
        let threads: Int = max(1, configuration.connections)
        settings = ConnectionSettings(configuration)
        queueTimeout = configuration.queueTimeout
        conditions = (0..<threads).map { _ in ThreadCondition() }
        state = PoolState(threads: threads, queueLimit: configuration.queueLimit)
        for index in 0..<threads { OwnedThread.start("pg-\(index)") { self.work(index) } }
        OwnedThread.start("pg-timer") { self.watch() }
    }

    var statistics: PostgresPoolStatistics { lock.with { state.statistics } }

    func countRetry() { lock.with { state.statistics.retries += 1 } }

    /// The latest moment a job may start, from the caller's deadline and the pool's patience.
    func startLimit(_ deadline: ContinuousClock.Instant?) -> (limit: ContinuousClock.Instant, isCallers: Bool) {
        let own: ContinuousClock.Instant = .now + queueTimeout
        guard let deadline, deadline < own else { return (own, false) }
        return (deadline, true)
    }

    /// Queues a job; its `complete` or `fail` is called exactly once.
    func submit(_ job: PoolJob) {
        let verdict: PoolState.Verdict = lock.with { state.submit(job, now: .now) }
        act(on: verdict, job)
    }

    /// Takes a job out of the queue if it still waits there.
    func cancel(_ job: PoolJob) {
        if lock.with({ state.cancel(job) }) { job.fail(CancellationError()) }
    }

    /// Fails what waits, lets running transactions end, and resumes `closer` when every connection is closed.
    func stop(_ closer: CheckedContinuation<Void, Never>?) {
        let (waiting, isOver): ([PoolJob], Bool) = lock.with {
            let waiting: [PoolJob] = state.stop()
            if let closer, state.liveThreads > 0 { state.closers.append(closer) }
            return (waiting, state.liveThreads == 0)
        }
        for condition in conditions { condition.signal() }
        timer.signal()
        for job in waiting { job.fail(PostgresError.closing) }
        if isOver { closer?.resume() }
    }

    private func act(on verdict: PoolState.Verdict, _ job: PoolJob) {
        switch verdict {
        case .wake(let thread): conditions[thread].signal()
        case .wait(let armTimer): if armTimer { timer.signal() }
        case .refuse(let error): job.fail(error)
        }
    }
}

extension PoolCore {
    /// The life of a thread that owns a connection.
    private func work(_ thread: Int) {
        let connection = Connection(settings)
        var failures: Int = 0
        var hadSession: Bool = false
        while let job = next(thread) {
            let wasOpen: Bool = connection.isOpen
            do {
                try connection.ensureOpen()
            } catch {
                failures += 1
                giveBack(job, after: error, lostSession: wasOpen)
                pause(thread, settings.pause(afterFailures: failures))
                continue
            }
            failures = 0
            noteOpening(connection, wasOpen: wasOpen, isReplacement: hadSession)
            hadSession = true
            let counts: JobCounts = job.run(on: connection)
            settle(counts, connection)
            job.complete()
            finishLook(connection)
        }
        connection.close()
        threadEnded()
    }

    /// Waits for a job; `nil` when the pool closes.
    private func next(_ thread: Int) -> PoolJob? {
        while true {
            var expired: [PoolJob] = []
            let job: PoolJob? = lock.with { awaitJob(thread, &expired) }
            fail(expired)
            if job != nil || expired.isEmpty { return job }
        }
    }

    /// Returns with a job, with expired jobs, or with neither when the pool closes. Called with the lock held.
    private func awaitJob(_ thread: Int, _ expired: inout [PoolJob]) -> PoolJob? {
        while true {
            if let job = state.take(expired: &expired) { return job }
            if !expired.isEmpty || state.isStopping { return nil }
            state.rest(thread)
            while !state.woken[thread] { conditions[thread].wait(lock) }
        }
    }

    private func giveBack(_ job: PoolJob, after error: PostgresError, lostSession: Bool) {
        let verdict: PoolState.Verdict = lock.with {
            state.statistics.busy -= 1
            state.statistics.connectFailures += 1
            if lostSession { state.statistics.open -= 1 }
            state.lastConnectError = error
            return state.giveBack(job)
        }
        act(on: verdict, job)
    }

    /// Keeps a thread that cannot connect away from the queue for a while.
    private func pause(_ thread: Int, _ duration: Duration) {
        let end: ContinuousClock.Instant = .now + duration
        lock.with {
            while !state.isStopping {
                let now: ContinuousClock.Instant = .now
                if now >= end { return }
                conditions[thread].wait(lock, for: end - now)
            }
        }
    }

    private func noteOpening(_ connection: Connection, wasOpen: Bool, isReplacement: Bool) {
        let opened: Int = connection.takeOpened()
        if opened == 0 { return }
        lock.with {
            state.lastConnectError = nil
            state.statistics.connects += opened
            if isReplacement { state.statistics.reconnects += opened }
            if !wasOpen { state.statistics.open += 1 }
        }
    }

    private func settle(_ counts: JobCounts, _ connection: Connection) {
        let reopened: Int = connection.takeOpened()
        lock.with {
            state.statistics.busy -= 1
            state.statistics.transactions += counts.transactions
            state.statistics.rollbacks += counts.rollbacks
            state.statistics.connects += reopened
            state.statistics.reconnects += reopened
            if !connection.isOpen { state.statistics.open -= 1 }
        }
    }

    /// Reads what follows the job's COMMIT: the job's caller is answered and does not wait for it.
    private func finishLook(_ connection: Connection) {
        guard connection.pendingLook != nil else { return }
        connection.finishLook()
        if !connection.isOpen { lock.with { state.statistics.open -= 1 } }
    }

    private func threadEnded() {
        let closers: [CheckedContinuation<Void, Never>] = lock.with {
            state.liveThreads -= 1
            if state.liveThreads > 0 { return [] }
            state.statistics.open = 0
            defer { state.closers = [] }
            return state.closers
        }
        for closer in closers { closer.resume() }
    }

    private func fail(_ expired: [PoolJob]) {
        if expired.isEmpty { return }
        let reasons: [PostgresError] = lock.with { expired.map { state.reasonForTimeout($0) } }
        for (job, reason) in zip(expired, reasons) { job.fail(reason) }
    }

    /// The life of the timer thread: gives up what waits for too long while every connection is busy or lost.
    private func watch() {
        while true {
            let expired: [PoolJob]? = lock.with {
                while !state.isStopping {
                    guard let alarm = state.alarm else {
                        timer.wait(lock)
                        continue
                    }
                    let now: ContinuousClock.Instant = .now
                    if alarm <= now { return state.expire(now) }
                    timer.wait(lock, for: alarm - now)
                }
                return nil
            }
            guard let expired else { break }
            fail(expired)
        }
        threadEnded()
    }
}
