import Logging
import Postgres
import Synchronization
import TestKit

/// A list that several threads add to.
final class Ledger<Element: Sendable>: Sendable {
    private let list = Mutex<[Element]>([])

    var entries: [Element] { list.withLock { $0 } }

    func add(_ element: Element) { list.withLock { $0.append(element) } }
}

struct Refused: Error, Equatable {}

let quiet: Logger = Logger(label: "test") { _ in SwiftLogNoOpLogHandler() }

/// Lends a database and a pool on it, and closes the pool in the end.
func withPool<R>(
    connections: Int = 2, _ adjust: (inout PostgresConfiguration) -> Void = { _ in },
    _ body: (PostgresPool, LentDatabase) async throws -> R
) async throws -> R {
    try await withLentDatabase { database in
        var configuration: PostgresConfiguration = database.configuration(connections: connections)
        adjust(&configuration)
        let pool = PostgresPool(configuration, logger: quiet)
        let result: Result<R, any Error>
        do {
            result = .success(try await body(pool, database))
        } catch {
            result = .failure(error)
        }
        await pool.shutdown()
        return try result.get()
    }
}

/// Runs something that must fail with a `PostgresError` and returns that.
func failure<R>(_ body: () async throws -> R) async -> PostgresError? {
    do {
        _ = try await body()
        return nil
    } catch {
        return error as? PostgresError
    }
}

extension PostgresPool {
    /// Runs statements that matter to nobody's result.
    func prepare(_ statements: SQL...) async throws {
        try await transaction { db in for sql in statements { try db.execute(sql) } }
    }

    /// One number read in a transaction of its own.
    func count(_ sql: SQL) async throws -> Int {
        try await transaction { db in try db.first(sql) { row in try row.next(Int.self) } ?? 0 }
    }

    func backendPID() async throws -> Int { try await count("SELECT pg_backend_pid()") }
}

/// Hands a session from one test thread to the next.
///
/// `@unchecked Sendable`: the test uses it on one thread at a time, each after the other's end.
final class Box<Value>: @unchecked Sendable {
    let value: Value

    init(_ value: Value) {
        self.value = value
    }
}
