import CPostgres
package import Logging

/// A session for code that has a thread of its own and may block on it: the outbox relay, migrations, maintenance.
///
/// It is not `Sendable`: open, use and close it on one thread. Nothing is retried; after a lost connection, call
/// ``connect()`` again.
package final class PostgresSession {
    let connection: Connection
    private let logger: Logger

    /// Prepares a session; nothing is opened yet.
    package init(_ configuration: PostgresConfiguration, logger: Logger) {
        connection = Connection(ConnectionSettings(configuration))
        self.logger = logger
    }

    deinit {
        connection.close()
    }

    /// Opens the session, closing an earlier one.
    /// - Throws: ``PostgresError`` of kind `connectionFailed`.
    package func connect() throws(PostgresError) {
        connection.work = TransactionWork()
        try connection.open()
        logger.debug("postgres session opened")
    }

    /// Closes the session; an open transaction is rolled back by the server.
    package func close() {
        connection.work = TransactionWork()
        connection.close()
    }

    /// The socket to poll for notifications; -1 while closed. It changes with every ``connect()``.
    package var socketDescriptor: Int32 { connection.socket }

    /// Whether a transaction was begun and not yet ended.
    package var isInTransaction: Bool { connection.work.phase != .none }

    /// Begins a transaction; BEGIN travels with the first statement.
    package func begin(readOnly: Bool = false) throws(PostgresError) {
        guard !isInTransaction else { throw .misuse("a transaction is open already") }
        try connection.start(readOnly ? Control.beginReadOnly : Control.begin, readOnly: readOnly, deadline: nil)
    }

    /// Commits, then runs the actions left with `onCommit`.
    /// - Throws: ``PostgresError``; of kind `commitUnknown` when the connection broke under it.
    package func commit() throws(PostgresError) {
        defer { connection.finishLook() }
        for action in try connection.commit() { action() }
    }

    /// Rolls back; a session that cannot is closed.
    package func rollback() {
        connection.rollBack()
    }

    /// Runs `body` between BEGIN and COMMIT, as ``PostgresPool/transaction(readOnly:snapshot:deadline:_:)`` does.
    @discardableResult
    package func transaction<R>(
        readOnly: Bool = false, _ body: (borrowing PostgresTransaction) throws -> R
    ) throws -> R {
        guard !isInTransaction else { throw PostgresError.misuse("a transaction is open already") }
        defer { connection.finishLook() }
        return try connection.transaction(readOnly: readOnly, deadline: nil, body)
    }

    /// Runs a statement, in the open transaction or on its own.
    /// - Returns: The number of affected rows.
    @discardableResult
    package func execute(_ sql: SQL) throws(PostgresError) -> Int {
        let answer: Answer = try send([sql])
        return answer.affected.first ?? 0
    }

    /// Runs a statement, in the open transaction or on its own, and reads every row.
    package func query<T>(_ sql: SQL, _ decode: (inout PostgresRow) throws -> T) throws -> [T] {
        let answer: Answer = try send([sql])
        return try answer.rows(decode)
    }

    /// Runs a statement, in the open transaction or on its own, and reads its first row.
    package func first<T>(_ sql: SQL, _ decode: (inout PostgresRow) throws -> T) throws -> T? {
        let answer: Answer = try send([sql])
        return try answer.first(decode)
    }

    /// Runs two statements one after the other in one round trip and reads the rows of both, in the open transaction or on
    /// their own: then each sees what was committed before it, where the session's isolation is READ COMMITTED.
    package func query<T, U>(
        _ first: SQL, _ decodeFirst: (inout PostgresRow) throws -> T, then second: SQL,
        _ decodeSecond: (inout PostgresRow) throws -> U
    ) throws -> ([T], [U]) {
        let answer: Answer = try send([first, second])
        return (try answer.rows(of: 0, decodeFirst), try answer.rows(of: 1, decodeSecond))
    }

    /// Runs a text of several statements, which takes no parameters. Outside a transaction it is one implicit
    /// transaction, unless the text has transaction commands or is a single statement that cannot be in one.
    package func script(_ text: String) throws(PostgresError) {
        if connection.work.phase == .pending { _ = try connection.run([]) }
        try connection.script(text)
    }

    /// Starts listening on a channel.
    package func listen(_ channel: String) throws(PostgresError) {
        try execute("LISTEN \(identifier: channel)")
    }

    /// Takes the notifications that have arrived, without waiting.
    /// - Returns: Whether there was any.
    /// - Throws: ``PostgresError`` of kind `connectionLost` when the server has hung up.
    package func consumeNotifications() throws(PostgresError) -> Bool {
        guard connection.isAlive, let handle = connection.handle else {
            connection.close()
            throw .lost("the server has hung up")
        }
        var isAny: Bool = false
        while let notification = PQnotifies(handle) {
            isAny = true
            PQfreemem(notification)
        }
        return isAny
    }

    private func send(_ statements: [SQL]) throws(PostgresError) -> Answer {
        if isInTransaction { return try connection.run(statements) }
        for sql in statements { try ParameterBuffer.check(sql) }
        return try connection.exchange(statements)
    }
}
