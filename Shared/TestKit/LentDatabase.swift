import Glibc
import Logging
public import Postgres
import Threads

/// What the tests need from the machine and did not find. Missing infrastructure fails a test; it never skips it.
public struct MissingInfrastructure: Error, CustomStringConvertible {
    /// What is missing and how to provide it.
    public let description: String

    /// Makes the error from a sentence.
    public init(_ description: String) {
        self.description = description
    }
}

/// A fresh database of the test server, for one test.
public struct LentDatabase: Sendable {
    /// The superuser's connection URL of the database.
    public let url: String

    /// A configuration for the superuser, with few connections.
    public func configuration(schema: String? = nil, connections: Int = 2) -> PostgresConfiguration {
        PostgresConfiguration(url: url, schema: schema, applicationName: "refrain-test", connections: connections)
    }

    /// A pool for the superuser. Shut it down before the test ends.
    public func pool(schema: String? = nil, connections: Int = 2) -> PostgresPool {
        PostgresPool(configuration(schema: schema, connections: connections), logger: LentDatabase.logger)
    }

    /// Creates a schema with a role of its own, whose name no other test uses.
    /// - Returns: A configuration that logs in as that role.
    public func provision(schema: String, connections: Int = 2) async throws -> PostgresConfiguration {
        let role: String = "test_\(schema)_\(LentDatabase.uniqueName())"
        let password: String = LentDatabase.uniqueName()
        let url: String = url
        try await OwnedThread.run("test-provision") {
            try SchemaProvisioner(url: url).provision(schema: schema, role: role, password: password)
        }
        return PostgresConfiguration(
            url: url, role: role, password: password, schema: schema, applicationName: "refrain-test",
            connections: connections)
    }

    static let logger: Logger = Logger(label: "test.postgres") { _ in SwiftLogNoOpLogHandler() }

    fileprivate static func uniqueName() -> String {
        String(UInt64.random(in: .min ... .max), radix: 36)
    }
}

/// Lends a fresh, empty database and drops it afterwards, together with the roles made for it.
///
/// The server is the one `REFRAIN_TEST_POSTGRES` names: a libpq URL of a superuser.
/// - Throws: ``MissingInfrastructure`` when the variable is not set or the server is away; what `body` throws.
public func withLentDatabase<R>(
    isolation: isolated (any Actor)? = #isolation, _ body: (LentDatabase) async throws -> R
) async throws -> R {
    try await withLentDatabase(template: "template1", body)
}

/// Lends a copy of a database that nobody is connected to.
func withLentDatabase<R>(
    isolation: isolated (any Actor)? = #isolation, template: String, _ body: (LentDatabase) async throws -> R
) async throws -> R {
    let server: String = try testSetting("REFRAIN_TEST_POSTGRES")
    let name: String = "refrain_test_\(LentDatabase.uniqueName())"
    try await Administration.perform { session in
        try session.script("CREATE DATABASE \(name) TEMPLATE \(template)")
    }
    let database = LentDatabase(url: databaseURL(server, database: name))
    let result: Result<R, any Error>
    do {
        result = .success(try await body(database))
    } catch {
        result = .failure(error)
    }
    try await drop(name)
    return try result.get()
}

/// The server's URL with another database in its path.
func databaseURL(_ server: String, database: String) -> String {
    let parts = server.split(separator: "?", maxSplits: 1)
    let base = parts.first ?? ""
    let query: String = parts.count > 1 ? "?\(parts[1])" : ""
    guard let scheme = base.range(ofText: "://") else { return "\(server) dbname=\(database)" }
    let authority = base[scheme...].prefix { $0 != "/" }
    return "\(base[..<scheme])\(authority)/\(database)\(query)"
}

extension Substring {
    /// The index just after the first occurrence of a text.
    fileprivate func range(ofText text: String) -> Index? {
        var start: Index = startIndex
        while start < endIndex {
            if self[start...].hasPrefix(text) { return index(start, offsetBy: text.count) }
            start = index(after: start)
        }
        return nil
    }
}

/// Drops the database and then the roles that could log in to nothing else.
private func drop(_ name: String) async throws {
    try await Administration.perform { session in
        let roles: [String] = try session.query(
            """
            SELECT DISTINCT r.rolname FROM pg_db_role_setting s JOIN pg_roles r ON r.oid = s.setrole
            JOIN pg_database d ON d.oid = s.setdatabase
            WHERE d.datname = \(name) AND r.rolname LIKE 'test\\_%'
            """
        ) { row in try row.next() }
        try endSessions(of: name, session)
        try session.script("DROP DATABASE \(name) WITH (FORCE)")
        for role in roles { try session.script("DROP ROLE IF EXISTS \"\(role)\"") }
    }
}

/// Ends the sessions of a database and waits for their ends, for a short while. Those of a pool that was shut down are still
/// ending when its test has ended; DROP DATABASE, where it meets one, looks again only after 100 ms.
private func endSessions(of name: String, _ session: PostgresSession) throws {
    let deadline: ContinuousClock.Instant = ContinuousClock.now + .milliseconds(100)
    while ContinuousClock.now < deadline {
        let told: [Bool] = try session.query(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = \(name)"
        ) { row in try row.next() }
        if told.isEmpty { return }
        usleep(1_000)
    }
}
