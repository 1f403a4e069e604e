import Glibc
import Logging
import Threads

/// Brings a schema to the state its numbered SQL files describe. Files only go forward and are never edited.
///
/// Applied files are listed with their checksums in the schema's own table `schema_migrations`. Many instances may
/// start at once: a session lock lets one work while the others wait and then find nothing to do.
public struct Migrator: Sendable {
    private let directory: String
    private let schema: String
    private let set: String
    /// How long one try of a file may wait for a table's lock. Whoever wants the table meanwhile waits behind it, so it is
    /// short, and shorter than what daemons wait for locks.
    public var lockTimeout: Duration = .seconds(1)
    /// How often a file is tried that does not get its locks, and how long the table's users have it to themselves before
    /// the next try.
    public var tries = 60
    /// See ``tries``.
    public var pause: Duration = .seconds(1)

    /// Prepares migrations.
    /// - Parameters:
    ///   - directory: Where the files `NNNN_name.sql` lie. Files ending in `_test.sql` are left alone.
    ///   - schema: The schema they work in; it is created when it is missing and the role may do so.
    ///   - set: Names the files of this directory when a schema gets its tables from several, each numbered from 0001.
    public init(directory: String, schema: String, set: String = "main") {
        self.directory = directory
        self.schema = schema
        self.set = set
    }

    /// Applies what is new, each file in a transaction of its own. Blocks the calling thread.
    /// - Parameters:
    ///   - url: A connection URL of the schema's owner.
    ///   - role: The role to log in as, in place of the URL's.
    ///   - password: The role's password, in place of the URL's.
    /// - Returns: The names of the files applied now.
    /// - Throws: ``PostgresError`` of kind `migrationRefused` when an applied file was edited, removed or overtaken, or
    ///   has transaction commands of its own; `lockTimeout` when no try of a file got its locks; any other kind when a file
    ///   fails. Files before it stay applied.
    @discardableResult
    public func run(url: String, role: String? = nil, password: String? = nil) throws -> [String] {
        let files: [MigrationFile] = try MigrationFile.read(directory: directory)
        var configuration = PostgresConfiguration(
            url: url, role: role, password: password, schema: schema, applicationName: "refrain-migrate")
        configuration.statementTimeout = .zero
        configuration.lockTimeout = .zero
        configuration.idleInTransactionTimeout = .zero
        let session = PostgresSession(configuration, logger: Logger(label: "postgres.migrator"))
        try session.connect()
        defer { session.close() }
        // Held until the session ends, however it ends.
        try session.execute("SELECT pg_advisory_lock(hashtextextended(\("refrain.migrate." + schema), 0))")
        try prepare(session)
        return try apply(files, session)
    }

    /// Applies what is new on a thread of its own, for callers that may not block; see
    /// ``run(url:role:password:)``.
    @discardableResult
    public func migrate(url: String, role: String? = nil, password: String? = nil) async throws -> [String] {
        try await OwnedThread.run("pg-migrate") { try run(url: url, role: role, password: password) }
    }

    private func prepare(_ session: PostgresSession) throws {
        let exists: Bool? = try session.first("SELECT true FROM pg_namespace WHERE nspname = \(schema)") { row in
            try row.next()
        }
        if exists == nil { try session.execute("CREATE SCHEMA \(identifier: schema)") }
        try session.execute(
            """
            CREATE TABLE IF NOT EXISTS schema_migrations (
                set text NOT NULL,
                version integer NOT NULL,
                name text NOT NULL,
                checksum text NOT NULL,
                applied_at timestamptz NOT NULL DEFAULT now(),
                PRIMARY KEY (set, version)
            )
            """)
    }

    private struct Applied {
        let version: Int
        let name: String
        let checksum: String
    }

    private func apply(_ files: [MigrationFile], _ session: PostgresSession) throws -> [String] {
        let applied: [Applied] = try session.query(
            "SELECT version, name, checksum FROM schema_migrations WHERE set = \(set) ORDER BY version"
        ) { row in
            try Applied(version: row.next(), name: row.next(), checksum: row.next())
        }
        let checksums: [String] = try session.query(
            """
            SELECT encode(sha256(convert_to(content, 'UTF8')), 'hex')
            FROM unnest(\(files.map(\.text))::text[]) WITH ORDINALITY AS file(content, position) ORDER BY position
            """
        ) { row in try row.next() }
        let pending: [(MigrationFile, String)] = try check(zip(files, checksums).map { ($0, $1) }, against: applied)
        for (file, checksum) in pending { try applyPatiently(file, checksum, session) }
        return pending.map(\.0.name)
    }

    /// Refuses a history that is not the beginning of the files. Newer versions than any file are another, newer
    /// instance's: allowed, so that old instances can restart during a roll-out.
    private func check(
        _ files: [(MigrationFile, String)], against applied: [Applied]
    ) throws(PostgresError) -> [(MigrationFile, String)] {
        var known: [Int: Applied] = [:]
        for entry in applied { known[entry.version] = entry }
        let newest: Int = applied.last?.version ?? 0
        var pending: [(MigrationFile, String)] = []
        for (file, checksum) in files {
            guard let entry = known.removeValue(forKey: file.version) else {
                guard file.version > newest else {
                    throw .migration("\(file.name) comes before \(newest), which is applied already")
                }
                pending.append((file, checksum))
                continue
            }
            guard entry.name == file.name, entry.checksum == checksum else {
                throw .migration("\(file.name) was edited after it had been applied as \(entry.name)")
            }
        }
        let last: Int = files.last?.0.version ?? 0
        if let missing = known.values.filter({ $0.version < last }).min(by: { $0.version < $1.version }) {
            throw .migration("\(missing.name) is applied but its file is missing")
        }
        return pending
    }

    /// Tries a file until it gets its locks: a table that is busy for long delays the migration, and its users never for
    /// longer than ``lockTimeout``.
    private func applyPatiently(_ file: MigrationFile, _ checksum: String, _ session: PostgresSession) throws {
        for _ in 1..<max(1, tries) {
            do { return try apply(file, checksum, session) } catch let error as PostgresError {
                guard error.kind == .lockTimeout else { throw error }
                usleep(UInt32(pause / .microseconds(1)))
            }
        }
        try apply(file, checksum, session)
    }

    private func apply(_ file: MigrationFile, _ checksum: String, _ session: PostgresSession) throws {
        let limit: Int64 = lockTimeout.wholeMilliseconds
        try session.transaction { db in
            let before: String = try transactionID(db)
            try db.execute("SELECT set_config('lock_timeout', \("\(limit)ms"), true)")
            try session.script(file.text)
            guard try transactionID(db) == before else {
                throw PostgresError.migration("\(file.name) has transaction commands of its own")
            }
            try db.execute(
                """
                INSERT INTO schema_migrations (set, version, name, checksum)
                VALUES (\(set), \(file.version), \(file.name), \(checksum))
                """
            )
        }
    }

    private func transactionID(_ db: borrowing PostgresTransaction) throws -> String {
        let id: String? = try db.first("SELECT pg_current_xact_id()::text") { row in try row.next() }
        return id ?? ""
    }
}
