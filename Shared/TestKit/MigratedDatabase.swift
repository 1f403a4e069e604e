import Glibc
public import Postgres
import Threads

/// A database that has a service's tables, for one test.
public struct MigratedDatabase: Sendable {
    /// The database itself, as the superuser sees it.
    public let lent: LentDatabase
    /// Logs in as the role that owns the schema.
    public let configuration: PostgresConfiguration
    /// Sessions of that role. Shut down after the test.
    public let pool: PostgresPool
}

/// Lends a database with a schema that has been migrated, and drops it afterwards.
///
/// The migrations run once for each state of their files: the result is kept on the server as a template, under a name
/// made of what the files say, and every test gets a copy of it.
/// - Parameters:
///   - schema: The schema the migrations work in.
///   - sets: Name and folder of each set of migrations, in order; the folder is relative to the package.
///   - connections: How many sessions the pool may open.
///   - body: Gets the database.
/// - Throws: ``MissingInfrastructure`` when the server is away; `PostgresError` when a migration fails; what `body`
///   throws.
public func withMigratedDatabase<R>(
    isolation: isolated (any Actor)? = #isolation, schema: String, sets: KeyValuePairs<String, String>,
    connections: Int = 4, _ body: (MigratedDatabase) async throws -> R
) async throws -> R {
    let template = try DatabaseTemplate(schema: schema, sets: located(sets))
    try await template.prepare()
    return try await withPool(
        template: template.name,
        { lent in
            PostgresConfiguration(
                url: lent.url, role: template.name, password: template.name, schema: schema,
                applicationName: "refrain-test", connections: connections)
        }, body)
}

/// Lends a database with all tables of a service, in the schema that bears its name; see
/// ``withMigratedDatabase(isolation:schema:sets:connections:_:)``.
public func withMigratedDatabase<R>(
    isolation: isolated (any Actor)? = #isolation, service: String, connections: Int = 4,
    _ body: (MigratedDatabase) async throws -> R
) async throws -> R {
    try await withMigratedDatabase(
        schema: service.lowercased(), sets: sets(of: service), connections: connections, body)
}

/// Lends a database with the tables of a service as they were before one of its own migrations, for rows of then; the rest
/// follows with ``MigratedDatabase/applyRest(of:)``.
/// - Parameters:
///   - service: The service, as its folder is called.
///   - version: The number of the first migration that is left out, such as `0047`.
///   - connections: How many sessions the pool may open.
///   - body: Gets the database.
/// - Throws: As ``withMigratedDatabase(isolation:schema:sets:connections:_:)``.
public func withMigratedDatabase<R>(
    isolation: isolated (any Actor)? = #isolation, service: String, before version: String, connections: Int = 4,
    _ body: (MigratedDatabase) async throws -> R
) async throws -> R {
    try await withPool(
        template: "template1",
        { lent in
            let owner: PostgresConfiguration = try await lent.provision(
                schema: service.lowercased(), connections: connections)
            try await migrate(owner, located(sets(of: service)), before: version)
            return owner
        }, body)
}

extension MigratedDatabase {
    /// Applies the migrations of a service that are missing.
    /// - Throws: `PostgresError` when one fails; those before it stay applied.
    public func applyRest(of service: String) async throws {
        try await migrate(configuration, located(sets(of: service)))
    }
}

/// Lends a copy of a database, with a pool on it that the configuration is made for.
private func withPool<R>(
    isolation: isolated (any Actor)? = #isolation, template: String,
    _ configure: (LentDatabase) async throws -> PostgresConfiguration,
    _ body: (MigratedDatabase) async throws -> R
) async throws -> R {
    try await withLentDatabase(template: template) { lent in
        let configuration: PostgresConfiguration = try await configure(lent)
        let pool = PostgresPool(configuration, logger: LentDatabase.logger)
        let result: Result<R, any Error>
        do {
            result = .success(try await body(MigratedDatabase(lent: lent, configuration: configuration, pool: pool)))
        } catch {
            result = .failure(error)
        }
        await pool.shutdown()
        return try result.get()
    }
}

/// Name and folder of a set of migrations.
private typealias MigrationSet = (name: String, directory: String)

/// The sets of a service, in order, with folders relative to the package; its own is the last.
private func sets(of service: String) -> KeyValuePairs<String, String> {
    [
        "messaging": "Shared/Messaging", "http": "Shared/HTTPKit", "service_kit": "Shared/ServiceKit",
        "main": "Services/\(service)",
    ]
}

/// The sets with whole paths.
private func located(_ sets: KeyValuePairs<String, String>) -> [MigrationSet] {
    let path = "/Shared/TestKit/MigratedDatabase.swift"
    let root: String = String(#filePath.prefix(#filePath.count - path.count))
    return sets.map { ($0.key, "\(root)/\($0.value)/Migrations") }
}

/// Applies sets of migrations; of the last set those that come before a version, where one is given.
private func migrate(
    _ owner: PostgresConfiguration, _ sets: [MigrationSet], before version: String? = nil
) async throws {
    try await OwnedThread.run("test-migrate") {
        guard let version, let own: MigrationSet = sets.last else { return try apply(sets, to: owner) }
        let earlier: String = try links(to: own.directory, before: version)
        defer { removeLinks(earlier) }
        var begun: [MigrationSet] = sets
        begun[begun.count - 1].directory = earlier
        try apply(begun, to: owner)
    }
}

/// Applies sets of migrations as a schema's owner. Blocks the calling thread.
private func apply(_ sets: [MigrationSet], to owner: PostgresConfiguration) throws {
    for (set, directory) in sets {
        try Migrator(directory: directory, schema: owner.schema ?? "public", set: set).run(
            url: owner.url, role: owner.role, password: owner.password)
    }
}

/// Makes a folder of links to those migrations of another one that come before a version.
private func links(to directory: String, before version: String) throws -> String {
    var name: [CChar] = Array("/tmp/refrain-test-XXXXXX".utf8CString)
    let made: String? = name.withUnsafeMutableBufferPointer { buffer in
        buffer.baseAddress.flatMap { mkdtemp($0) }.map { String(cString: $0) }
    }
    guard let made else { throw MissingInfrastructure("no folder can be made in /tmp") }
    for file in try files(of: directory) where file < version {
        guard symlink("\(directory)/\(file)", "\(made)/\(file)") == 0 else {
            throw MissingInfrastructure("no link can be made in \(made)")
        }
    }
    return made
}

private func removeLinks(_ folder: String) {
    for file in (try? files(of: folder)) ?? [] { unlink("\(folder)/\(file)") }
    rmdir(folder)
}

/// A database that others are copied from. Its role, which owns the schema, bears its name and has it as password: the
/// server listens on loopback only and holds nothing but tests.
private struct DatabaseTemplate: Sendable {
    let name: String
    private let schema: String
    private let sets: [MigrationSet]

    /// Names the template by what its migrations say now.
    init(schema: String, sets: [MigrationSet]) throws {
        self.schema = schema
        self.sets = sets
        var fingerprint: UInt64 = 0xcbf2_9ce4_8422_2325
        for (name, directory) in self.sets {
            fingerprint.mix(name.utf8)
            for file in try files(of: directory) { fingerprint.mix(try contents(of: "\(directory)/\(file)")) }
        }
        name = "template_\(schema)_\(String(fingerprint, radix: 36))"
    }

    /// Makes the template unless it is there. Processes that come at once wait for the one that makes it; one that was
    /// left half made is made anew.
    func prepare() async throws {
        let template = self
        let server: String = try testSetting("REFRAIN_TEST_POSTGRES")
        try await Administration.perform { session in
            if try template.isThere(session) { return }
            try session.execute("SELECT pg_advisory_lock(hashtextextended('refrain.test.template', 0))")
            defer { _ = try? session.execute("SELECT pg_advisory_unlock_all()") }
            if try template.isThere(session) { return }
            try session.script("DROP DATABASE IF EXISTS \(template.name) WITH (FORCE)")
            try session.script("CREATE DATABASE \(template.name)")
            try template.migrate(databaseURL(server, database: template.name))
            try session.script("ALTER DATABASE \(template.name) IS_TEMPLATE true ALLOW_CONNECTIONS false")
        }
    }

    private func isThere(_ session: PostgresSession) throws -> Bool {
        let found: Bool? = try session.first(
            "SELECT datistemplate FROM pg_database WHERE datname = \(name)"
        ) { row in try row.next() }
        return found == true
    }

    private func migrate(_ url: String) throws {
        try SchemaProvisioner(url: url).provision(schema: schema, role: name, password: name)
        try apply(sets, to: PostgresConfiguration(url: url, role: name, password: name, schema: schema))
    }
}

/// The names in a directory that end in `.sql`, in order.
private func files(of directory: String) throws -> [String] {
    guard let stream = opendir(directory) else { throw MissingInfrastructure("\(directory) cannot be opened") }
    defer { closedir(stream) }
    var names: [String] = []
    while let entry = readdir(stream) {
        let name: String = withUnsafeBytes(of: entry.pointee.d_name) { bytes in
            String(decoding: bytes.prefix { $0 != 0 }, as: UTF8.self)
        }
        if name.hasSuffix(".sql") { names.append(name) }
    }
    return names.sorted()
}

private func contents(of path: String) throws -> [UInt8] {
    guard let file = fopen(path, "re") else { throw MissingInfrastructure("\(path) cannot be read") }
    defer { fclose(file) }
    var bytes: [UInt8] = []
    var piece: [UInt8] = Array(repeating: 0, count: 65_536)
    while true {
        let count: Int = fread(&piece, 1, piece.count, file)
        if count == 0 { return bytes }
        bytes.append(contentsOf: piece.prefix(count))
    }
}

extension UInt64 {
    /// FNV-1a: one more text, ended by a byte that no text has.
    fileprivate mutating func mix(_ bytes: some Sequence<UInt8>) {
        for byte in bytes { self = (self ^ UInt64(byte)) &* 0x100_0000_01b3 }
        self = (self ^ 0xff) &* 0x100_0000_01b3
    }
}
