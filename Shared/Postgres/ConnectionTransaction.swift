import CPostgres

/// The transaction a session is in, seen from this side.
struct TransactionWork {
    enum Phase {
        /// No transaction.
        case none
        /// BEGIN is to travel with the first statement.
        case pending
        /// BEGIN was sent.
        case open
    }

    /// A statement that travels with the next one.
    struct Deferred {
        let sql: SQL
        /// Savepoint commands of our own, which cannot fail by themselves.
        let isControl: Bool
    }

    var phase: Phase = .none
    var begin: SQL = Control.begin
    var isReadOnly: Bool = false
    var isCommitting: Bool = false
    var isCancelled: Bool = false
    var deferred: [Deferred] = []
    var actions: [@Sendable () -> Void] = []
    /// Actions that come after the others.
    var lastActions: [@Sendable () -> Void] = []
    /// What is to be looked at right after COMMIT.
    var followUp: FollowUp?
    var savepoints: Int = 0
    /// The first failure, which is why the server refuses everything after it.
    var failure: PostgresError?
}

/// The statements of the library's own.
enum Control {
    static let begin: SQL = "BEGIN"
    static let beginReadOnly: SQL = "BEGIN READ ONLY"
    static let beginSnapshot: SQL = "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY"
    static let commit: SQL = "COMMIT"
    static let rollback: SQL = "ROLLBACK"
}

extension Connection {
    /// Runs `body` between BEGIN and COMMIT, then what it asked to run after COMMIT.
    /// - Throws: What `body` throws, after ROLLBACK; or the failure of BEGIN or COMMIT.
    func transaction<R>(
        readOnly: Bool, snapshot: Bool = false, deadline: ContinuousClock.Instant?,
        _ body: (borrowing PostgresTransaction) throws -> R
    ) throws -> R {
        let begin: SQL = snapshot ? Control.beginSnapshot : readOnly ? Control.beginReadOnly : Control.begin
        try start(begin, readOnly: readOnly || snapshot, deadline: deadline)
        let value: R
        do {
            value = try body(PostgresTransaction(connection: self))
        } catch {
            rollBack()
            throw error
        }
        for action in try commit() { action() }
        return value
    }

    /// Notes that a transaction begins with the next statement.
    func start(_ begin: SQL, readOnly: Bool, deadline: ContinuousClock.Instant?) throws(PostgresError) {
        work = TransactionWork()
        work.phase = .pending
        work.begin = begin
        work.isReadOnly = readOnly
        self.deadline = deadline
        if cache.needsSweep { _ = try exchange(cache.sweep()) }
    }

    /// Commits and returns the actions to run now. Nothing is sent when nothing was asked of the server. Where a look went
    /// with it, ``finishLook()`` is to be called after the actions.
    func commit() throws(PostgresError) -> [@Sendable () -> Void] {
        defer { finishWork() }
        if work.phase == .pending, work.deferred.isEmpty { return actions(and: work.followUp?.otherwise) }
        defer { ringOver() }
        if status == PQTRANS_INERROR || !isOpen {
            let failure: PostgresError? = work.failure
            rollBack()
            throw .aborted(by: failure)
        }
        if work.phase == .open, status == PQTRANS_IDLE {
            throw .misuse("the transaction was ended by one of its own statements")
        }
        work.isCommitting = true
        work.isCancelled = false
        let look: CommitLook? = work.followUp?.ask()
        do {
            _ = try run([Control.commit], then: look)
        } catch {
            if error.endsSession { throw work.isReadOnly ? error : .commitUnknown(error) }
            if status != PQTRANS_IDLE { rollBack() }
            throw error
        }
        return actions(and: pendingLook != nil ? nil : look?.missed ?? work.followUp?.otherwise)
    }

    /// The actions to run after COMMIT, with what stands in for a look that did not go with it.
    private func actions(and last: (@Sendable () -> Void)?) -> [@Sendable () -> Void] {
        let actions: [@Sendable () -> Void] = work.actions + work.lastActions
        return last.map { actions + [$0] } ?? actions
    }

    /// Ends the transaction without effect. A session that cannot even do that is closed.
    func rollBack() {
        let wasOpen: Bool = work.phase == .open
        finishWork()
        guard wasOpen else { return }
        defer { ringOver() }
        guard isOpen, status != PQTRANS_IDLE else { return }
        do {
            _ = try exchange([Control.rollback])
            if status != PQTRANS_IDLE { close() }
        } catch {
            // The caller is told the failure that led here; the next transaction gets a new session.
            close()
        }
    }

    /// Tells those who wait for it that a transaction is over, as far as this side knows.
    private func ringOver() {
        if !work.isReadOnly { TransactionBell.shared.ring() }
    }

    private func finishWork() {
        work.phase = .none
        work.isCommitting = false
        work.isCancelled = false
        work.deferred = []
        deadline = nil
    }

    /// Sends statements together with BEGIN and whatever was deferred, in one round trip.
    func run(_ statements: [SQL], then look: CommitLook? = nil) throws(PostgresError) -> Answer {
        guard work.phase != .none else { throw .misuse("there is no transaction") }
        try checkDeadline()
        // Before anything counts as sent: what was deferred stays so, and BEGIN with it.
        for sql in statements { try ParameterBuffer.check(sql) }
        var trip: [SQL] = []
        trip.reserveCapacity(work.deferred.count + statements.count + 1)
        let begins: Bool = work.phase == .pending
        if begins { trip.append(work.begin) }
        for entry in work.deferred { trip.append(entry.sql) }
        let skipping: Int = trip.count
        trip.append(contentsOf: statements)
        work.deferred.removeAll(keepingCapacity: true)
        work.phase = .open
        do {
            return try exchange(trip, skipping: skipping, then: look)
        } catch {
            if begins, error.kind == .stalePlan { return try repeatFirst(trip, skipping) }
            if work.failure == nil { work.failure = error }
            throw error
        }
    }

    /// A plan from before a change of tables failed in the first round trip: nothing happened yet, so plan anew.
    private func repeatFirst(_ trip: [SQL], _ skipping: Int) throws(PostgresError) -> Answer {
        do {
            _ = try exchange([Control.rollback])
            _ = try exchange(cache.sweep())
            return try exchange(trip, skipping: skipping)
        } catch {
            work.failure = error
            throw error
        }
    }

    /// Sends what was deferred now, if any of it can fail.
    func flushDeferred() throws(PostgresError) {
        if work.deferred.contains(where: { !$0.isControl }) { _ = try run([]) }
    }

    func deferStatement(_ sql: SQL, isControl: Bool = false) throws(PostgresError) {
        guard work.phase != .none else { throw .misuse("there is no transaction") }
        try ParameterBuffer.check(sql)
        work.deferred.append(TransactionWork.Deferred(sql: sql, isControl: isControl))
    }

    private func checkDeadline() throws(PostgresError) {
        guard let deadline, !work.isCommitting, deadline <= .now else { return }
        throw .deadline
    }
}

extension Connection {
    /// Runs `body` so that its failure undoes only what it did itself.
    func savepoint<R>(_ body: () throws -> R) throws -> R {
        try flushDeferred()
        work.savepoints += 1
        let name: String = "level\(work.savepoints)"
        defer { work.savepoints -= 1 }
        let before: Int = work.deferred.count
        let (actions, lastActions): (Int, Int) = (work.actions.count, work.lastActions.count)
        let followUp: FollowUp? = work.followUp
        try deferStatement(SQL(stringLiteral: "SAVEPOINT \(name)"), isControl: true)
        do {
            let value: R = try body()
            try release(name, unsentAt: before)
            return value
        } catch {
            work.actions.removeSubrange(min(actions, work.actions.count)...)
            work.lastActions.removeSubrange(min(lastActions, work.lastActions.count)...)
            work.followUp = followUp
            try undo(name, unsentAt: before, after: error)
            throw error
        }
    }

    /// Whether the SAVEPOINT command still waits to be sent.
    private func isUnsent(_ name: String, at index: Int) -> Bool {
        work.deferred.count > index && work.deferred[index].sql.text == "SAVEPOINT \(name)"
    }

    private func release(_ name: String, unsentAt index: Int) throws(PostgresError) {
        if status == PQTRANS_INERROR { throw .aborted(by: work.failure) }
        if isUnsent(name, at: index), work.deferred.count == index + 1 {
            work.deferred.removeLast()
            return
        }
        try deferStatement(SQL(stringLiteral: "RELEASE SAVEPOINT \(name)"), isControl: true)
        try flushDeferred()
    }

    private func undo(_ name: String, unsentAt index: Int, after error: any Error) throws {
        if isUnsent(name, at: index) {
            work.deferred.removeSubrange(index...)
            return
        }
        work.deferred.removeAll()
        guard isOpen else { return }
        work.isCancelled = false
        let kept: ContinuousClock.Instant? = deadline
        deadline = nil
        defer { deadline = kept }
        _ = try exchange([
            SQL(stringLiteral: "ROLLBACK TO SAVEPOINT \(name)"), SQL(stringLiteral: "RELEASE SAVEPOINT \(name)"),
        ])
        work.failure = nil
    }
}
