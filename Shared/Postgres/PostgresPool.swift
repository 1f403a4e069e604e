public import Logging
import Telemetry

/// A fixed number of connections, each on a thread of its own, and a bounded queue in front of them.
///
/// Callers wait without blocking a thread. Sessions open when first needed, and a lost one is replaced before the next
/// transaction begins. Closing: ``shutdown()``; a pool that is let go closes by itself.
public final class PostgresPool: Sendable {
    let core: PoolCore
    private let logger: Logger

    /// Starts the threads; connections follow on demand.
    public init(_ configuration: PostgresConfiguration, logger: Logger) {
        core = PoolCore(configuration)
        self.logger = logger
    }

    deinit {
        core.stop(nil)
    }

    /// Runs `body` in one transaction on one of the pool's threads and commits it.
    ///
    /// Nothing is retried, except that a connection found dead before BEGIN is replaced. Actions left with
    /// ``PostgresTransaction/onCommit(_:)`` have run when this returns.
    /// - Parameters:
    ///   - readOnly: Lets the server refuse writes.
    ///   - snapshot: Reads only, and every statement sees the state that the first one saw. Without it each statement sees
    ///     what was committed before it.
    ///   - deadline: When the caller stops being interested: the work does not start later, and statements running
    ///     then are cancelled. A COMMIT under way is not.
    ///   - body: Talks to the database synchronously. What it throws is thrown on, after ROLLBACK.
    /// - Returns: What `body` returned, after COMMIT.
    /// - Throws: What `body` throws; ``PostgresError`` when there is no connection in time, when the queue is full, when
    ///   COMMIT is refused or its outcome unknown; `CancellationError` when the task was cancelled before the work
    ///   began. Work that has begun runs to its end.
    @discardableResult
    public func transaction<R: Sendable>(
        readOnly: Bool = false, snapshot: Bool = false, deadline: ContinuousClock.Instant? = nil,
        _ body: @Sendable @escaping (borrowing PostgresTransaction) throws -> R
    ) async throws -> R {
        let (limit, isCallers) = core.startLimit(deadline)
        let job = TransactionJob(
            startLimit: limit, isCallersLimit: isCallers, readOnly: readOnly, snapshot: snapshot, deadline,
            Self.traced(TraceContext.current, body))
        return try await withTaskCancellationHandler {
            try await withCheckedThrowingContinuation { continuation in
                job.continuation = continuation
                core.submit(job)
            }
        } onCancel: {
            core.cancel(job)
        }
    }

    /// Runs `body` like ``transaction(readOnly:snapshot:deadline:_:)``, and again from its start when it lost a race against
    /// another transaction or its connection before COMMIT.
    /// - Parameter attempts: How often it may run in all.
    @discardableResult
    public func transactionRetrying<R: Sendable>(
        attempts: Int = 4, readOnly: Bool = false, deadline: ContinuousClock.Instant? = nil,
        _ body: @Sendable @escaping (borrowing PostgresTransaction) throws -> R
    ) async throws -> R {
        var attempt: Int = 1
        while true {
            do {
                return try await transaction(readOnly: readOnly, deadline: deadline, body)
            } catch let error as PostgresError where error.deservesRetry && attempt < attempts {
                logger.debug("transaction is run again", metadata: ["kind": "\(error.label)", "attempt": "\(attempt)"])
                core.countRetry()
                try await Task.sleep(for: Self.pause(afterAttempt: attempt))
                attempt += 1
            }
        }
    }

    /// The body with the caller's trace in place, although it runs on a thread of the pool.
    private static func traced<R: Sendable>(
        _ trace: TraceContext?, _ body: @Sendable @escaping (borrowing PostgresTransaction) throws -> R
    ) -> @Sendable (borrowing PostgresTransaction) throws -> R {
        guard let trace else { return body }
        return { (db: borrowing PostgresTransaction) in
            try TraceContext.$current.withValue(trace) { try body(db) }
        }
    }

    /// What the pool has counted and how it stands.
    public var statistics: PostgresPoolStatistics { core.statistics }

    /// Refuses new work, fails what waits, lets running transactions end and closes the connections.
    public func shutdown() async {
        await withCheckedContinuation { core.stop($0) }
    }

    private static let firstPause: Duration = .milliseconds(5)

    /// A growing pause with jitter, so that the losers of a race do not meet again.
    private static func pause(afterAttempt attempt: Int) -> Duration {
        firstPause * (1 << min(attempt, 6)) * Double.random(in: 0.5...1)
    }
}

/// A transaction with a caller that awaits it.
///
/// `@unchecked Sendable`: as its superclass says.
private final class TransactionJob<R: Sendable>: PoolJob, @unchecked Sendable {
    /// Set before the job is submitted; taken by the one call of `complete` or `fail`.
    var continuation: CheckedContinuation<R, any Error>?
    private let readOnly: Bool
    private let snapshot: Bool
    private let deadline: ContinuousClock.Instant?
    private let body: @Sendable (borrowing PostgresTransaction) throws -> R
    private var outcome: Result<R, any Error>?

    init(
        startLimit: ContinuousClock.Instant, isCallersLimit: Bool, readOnly: Bool, snapshot: Bool,
        _ deadline: ContinuousClock.Instant?, _ body: @escaping @Sendable (borrowing PostgresTransaction) throws -> R
    ) {
        self.readOnly = readOnly
        self.snapshot = snapshot
        self.deadline = deadline
        self.body = body
        super.init(startLimit: startLimit, isCallersLimit: isCallersLimit)
    }

    override func run(on connection: Connection) -> JobCounts {
        do {
            outcome = .success(
                try connection.transaction(readOnly: readOnly, snapshot: snapshot, deadline: deadline, body))
            return JobCounts(transactions: 1)
        } catch {
            outcome = .failure(error)
            return JobCounts(rollbacks: 1)
        }
    }

    override func complete() {
        guard let outcome else { preconditionFailure("a job is completed after it ran") }
        resume(with: outcome)
    }

    override func fail(_ error: any Error) {
        resume(with: .failure(error))
    }

    private func resume(with result: Result<R, any Error>) {
        guard let continuation else { preconditionFailure("a job is answered once") }
        self.continuation = nil
        continuation.resume(with: result)
    }
}
