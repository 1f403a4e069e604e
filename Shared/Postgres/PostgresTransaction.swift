/// A running transaction, lent to a closure.
///
/// It cannot be copied or kept, and the closure cannot await: the session never leaves its thread. BEGIN travels
/// with the first statement; a transaction that asks nothing of the server costs no round trip.
public struct PostgresTransaction: ~Copyable {
    private let connection: Connection

    /// Not inlined: Swift 6.3's optimizer aborts when it specialises a generic caller with this inside.
    @inline(never)
    init(connection: Connection) {
        self.connection = connection
    }

    /// Runs a statement.
    /// - Returns: The number of affected (or found) rows.
    /// - Throws: ``PostgresError``; after one of the server's, only leaving the enclosing savepoint or the
    ///   transaction helps.
    @discardableResult
    public func execute(_ sql: SQL) throws -> Int {
        let answer: Answer = try connection.run([sql])
        return answer.affected.first ?? 0
    }

    /// Runs a statement and reads every row.
    /// - Parameter decode: Reads one row; what it throws is thrown on.
    public func query<T>(_ sql: SQL, _ decode: (inout PostgresRow) throws -> T) throws -> [T] {
        let answer: Answer = try connection.run([sql])
        return try answer.rows(decode)
    }

    /// Runs a statement and reads its first row; `nil` when there is none.
    public func first<T>(_ sql: SQL, _ decode: (inout PostgresRow) throws -> T) throws -> T? {
        let answer: Answer = try connection.run([sql])
        return try answer.first(decode)
    }

    /// Runs a statement and reads every row as a record.
    public func query<T: PostgresRecord>(_ sql: SQL, as type: T.Type) throws -> [T] {
        try query(sql) { row in try T(row: &row) }
    }

    /// Runs a statement and reads its first row as a record; `nil` when there is none.
    public func first<T: PostgresRecord>(_ sql: SQL, as type: T.Type) throws -> T? {
        try first(sql) { row in try T(row: &row) }
    }

    /// Runs statements one after the other in one round trip.
    /// - Returns: The affected rows of each.
    /// - Throws: The first failure; the statements after it were not run.
    @discardableResult
    public func pipeline(_ statements: [SQL]) throws -> [Int] {
        if statements.isEmpty { return [] }
        let answer: Answer = try connection.run(statements)
        return answer.affected
    }

    /// Runs statements in one round trip and reads the rows of the last.
    /// - Throws: The first failure; the statements after it were not run.
    public func pipeline<T>(
        _ statements: [SQL], last sql: SQL, _ decode: (inout PostgresRow) throws -> T
    ) throws -> [T] {
        let answer: Answer = try connection.run(statements + [sql])
        return try answer.rows(decode)
    }

    /// Runs two statements one after the other in one round trip and reads the rows of both.
    /// - Throws: The first failure; a statement after it was not run.
    public func query<T, U>(
        _ first: SQL, _ decodeFirst: (inout PostgresRow) throws -> T, then second: SQL,
        _ decodeSecond: (inout PostgresRow) throws -> U
    ) throws -> ([T], [U]) {
        let answer: Answer = try connection.run([first, second])
        return (try answer.rows(of: 0, decodeFirst), try answer.rows(of: 1, decodeSecond))
    }

    /// Sends the statement with the next one, or with COMMIT: it costs no round trip of its own.
    ///
    /// For writes whose count nobody needs. A failure surfaces at the statement (or COMMIT) it travels with, and then
    /// rolls back like any other.
    /// - Throws: ``PostgresError`` when a value cannot be sent.
    public func enqueue(_ sql: SQL) throws {
        try connection.deferStatement(sql)
    }

    /// Runs `body` so that its failure undoes only what it did itself, and is thrown on.
    ///
    /// Actions that `body` left for after COMMIT go with it.
    @discardableResult
    public func savepoint<R>(_ body: () throws -> R) throws -> R {
        try connection.savepoint(body)
    }

    /// Runs an action on the session's thread right after COMMIT has succeeded, before the caller resumes; never if it
    /// has not. Keep it short.
    public func onCommit(_ action: @escaping @Sendable () -> Void) {
        connection.work.actions.append(action)
    }

    /// Runs an action like ``onCommit(_:)``, after all that were left with that: nobody waits for it as for those.
    package func afterOthers(onCommit action: @escaping @Sendable () -> Void) {
        connection.work.lastActions.append(action)
    }

    /// Has the database looked at right after COMMIT, in its round trip. The caller does not wait for what is found. One look
    /// follows a transaction: a further wish is dropped.
    /// - Parameters:
    ///   - ask: Asked for the look on the session's thread, before COMMIT is sent.
    ///   - otherwise: Runs after COMMIT and the actions left with ``onCommit(_:)``, where there is nothing to look for.
    package func onCommit(
        looking ask: @escaping @Sendable () -> CommitLook?, otherwise: @escaping @Sendable () -> Void
    ) {
        guard connection.work.followUp == nil else { return }
        connection.work.followUp = FollowUp(ask: ask, otherwise: otherwise)
    }

    /// The database, role and schema that the session works in.
    package var origin: DatabaseOrigin { connection.settings.origin }
}
