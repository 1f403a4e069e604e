import Foundation
import Postgres
import TestKit
import Testing
import Threads

/// A directory of migration files that goes away with the test.
private struct MigrationFolder {
    let path: String

    init(_ files: [String: String]) throws {
        path = NSTemporaryDirectory() + "refrain-migrations-" + UUID().uuidString
        try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: true)
        for (name, text) in files { try write(name, text) }
    }

    func write(_ name: String, _ text: String) throws {
        try Data(text.utf8).write(to: URL(fileURLWithPath: "\(path)/\(name)"))
    }

    func delete(_ name: String) throws { try FileManager.default.removeItem(atPath: "\(path)/\(name)") }

    func remove() { try? FileManager.default.removeItem(atPath: path) }
}

@Suite("Migrations", .serialized) struct MigratorTests {
    private let first: String = """
        CREATE TABLE songs (id int PRIMARY KEY, title text);
        INSERT INTO songs VALUES (1, 'a;b'); -- a comment; with a semicolon
        CREATE FUNCTION loud(t text) RETURNS text LANGUAGE plpgsql AS $$ BEGIN RETURN upper(t); END; $$;
        """

    private func withFolder(
        _ files: [String: String], _ body: (LentDatabase, MigrationFolder, Migrator) async throws -> Void
    ) async throws {
        try await withLentDatabase { database in
            let folder: MigrationFolder = try MigrationFolder(files)
            defer { folder.remove() }
            try await body(database, folder, Migrator(directory: folder.path, schema: "music"))
        }
    }

    /// Reads a table in a transaction that ends when the gate opens.
    private func holdingSongs(_ pool: PostgresPool) async throws -> (Task<Void, any Error>, Gate) {
        let gate = Gate()
        let holder = Task {
            try await pool.transaction { db in
                try db.execute("LOCK TABLE songs IN ACCESS SHARE MODE")
                gate.pass()
            }
        }
        try await gate.awaitVisitor()
        return (holder, gate)
    }

    private func refusal(_ migrator: Migrator, _ database: LentDatabase) async -> PostgresError? {
        await failure { try await migrator.migrate(url: database.url) }
    }

    @Test("files run in order, once, and leave other files alone") func inOrder() async throws {
        let files: [String: String] = [
            "0002_more.sql": "INSERT INTO songs VALUES (2, loud('b'));", "0001_songs.sql": first,
            "0002_more_test.sql": "SELECT broken", "README.md": "words",
        ]
        try await withFolder(files) { database, folder, migrator in
            #expect(try await migrator.migrate(url: database.url) == ["0001_songs", "0002_more"])
            #expect(try await migrator.migrate(url: database.url) == [])
            try folder.write("0003_last.sql", "DELETE FROM songs WHERE id = 1;")
            #expect(try await migrator.migrate(url: database.url) == ["0003_last"])
            let pool: PostgresPool = database.pool(schema: "music")
            #expect(try await pool.count("SELECT count(*) FROM songs WHERE title = 'B'") == 1)
            #expect(try await pool.count("SELECT count(*) FROM schema_migrations") == 3)
            await pool.shutdown()
        }
    }

    @Test("eight instances that start at once apply everything once") func concurrent() async throws {
        let files: [String: String] = ["0001_songs.sql": first, "0002_slow.sql": "SELECT pg_sleep(0.2);"]
        try await withFolder(files) { database, _, migrator in
            let applied: [[String]] = try await withThrowingTaskGroup(of: [String].self) { group in
                for _ in 0..<8 { group.addTask { try await migrator.migrate(url: database.url) } }
                return try await group.reduce(into: []) { $0.append($1) }
            }
            #expect(applied.filter { $0 == ["0001_songs", "0002_slow"] }.count == 1)
            #expect(applied.filter(\.isEmpty).count == 7)
        }
    }

    @Test("an edited, renamed or missing file is refused and nothing is applied") func edited() async throws {
        let files: [String: String] = ["0001_songs.sql": first, "0002_more.sql": "SELECT 1;"]
        try await withFolder(files) { database, folder, migrator in
            _ = try await migrator.migrate(url: database.url)
            try folder.write("0003_new.sql", "CREATE TABLE never (n int);")
            try folder.write("0001_songs.sql", first + " ")
            let edited = await refusal(migrator, database)
            #expect(edited?.kind == .migrationRefused)
            #expect(edited?.message.contains("0001_songs") == true)
            try folder.write("0001_songs.sql", first)
            try folder.delete("0002_more.sql")
            #expect(await refusal(migrator, database)?.kind == .migrationRefused)
            try folder.write("0002_other.sql", "SELECT 1;")
            #expect(await refusal(migrator, database)?.kind == .migrationRefused)
            let pool: PostgresPool = database.pool(schema: "music")
            #expect(try await pool.count("SELECT count(*) FROM pg_class WHERE relname = 'never'") == 0)
            await pool.shutdown()
        }
    }

    @Test("a file that comes before an applied one is refused; a newer instance's files are not") func order()
        async throws
    {
        try await withFolder(["0002_b.sql": "SELECT 1;"]) { database, folder, migrator in
            _ = try await migrator.migrate(url: database.url)
            try folder.write("0001_a.sql", "SELECT 1;")
            #expect(await refusal(migrator, database)?.kind == .migrationRefused)
            try folder.delete("0001_a.sql")
            try folder.write("0003_c.sql", "SELECT 1;")
            _ = try await migrator.migrate(url: database.url)
            try folder.delete("0003_c.sql")
            #expect(try await migrator.migrate(url: database.url) == [])
        }
    }

    @Test("a failing file leaves nothing of itself and keeps what came before") func failing() async throws {
        let files: [String: String] = [
            "0001_songs.sql": first,
            "0002_bad.sql": "CREATE TABLE half (n int); SELECT 1/0; CREATE TABLE rest (n int);",
        ]
        try await withFolder(files) { database, folder, migrator in
            #expect(await refusal(migrator, database)?.code == "22012")
            let pool: PostgresPool = database.pool(schema: "music")
            #expect(try await pool.count("SELECT count(*) FROM schema_migrations") == 1)
            #expect(try await pool.count("SELECT count(*) FROM pg_class WHERE relname IN ('half', 'rest')") == 0)
            try folder.write("0002_bad.sql", "CREATE TABLE half (n int);")
            #expect(try await migrator.migrate(url: database.url) == ["0002_bad"])
            await pool.shutdown()
        }
    }

    @Test("transaction commands in a file are refused") func transactionCommands() async throws {
        try await withFolder(["0001_a.sql": "SELECT 1; COMMIT; BEGIN; SELECT 2;"]) { database, _, migrator in
            #expect(await refusal(migrator, database)?.kind == .migrationRefused)
        }
        try await withFolder(["0001_a.sql": "SELECT 1; COMMIT;"]) { database, _, migrator in
            #expect(await refusal(migrator, database) != nil)
        }
    }

    @Test("names of another form, doubled numbers and missing directories are refused") func names() async throws {
        try await withFolder(["1_a.sql": "SELECT 1;"]) { database, folder, migrator in
            #expect(await refusal(migrator, database)?.kind == .migrationRefused)
            try folder.delete("1_a.sql")
            try folder.write("0001_a.sql", "SELECT 1;")
            try folder.write("0001_b.sql", "SELECT 1;")
            #expect(await refusal(migrator, database)?.kind == .migrationRefused)
            let nowhere = Migrator(directory: folder.path + "/missing", schema: "music")
            #expect(await refusal(nowhere, database)?.kind == .migrationRefused)
        }
    }

    @Test("sets of one schema are numbered independently") func sets() async throws {
        try await withFolder(["0001_a.sql": "CREATE TABLE a (n int);"]) { database, folder, migrator in
            _ = try await migrator.migrate(url: database.url)
            let other: MigrationFolder = try MigrationFolder(["0001_b.sql": "CREATE TABLE b (n int);"])
            defer { other.remove() }
            let second = Migrator(directory: other.path, schema: "music", set: "messaging")
            #expect(try await second.migrate(url: database.url) == ["0001_b"])
            #expect(try await migrator.migrate(url: database.url) == [])
            #expect(folder.path != other.path)
        }
    }

    @Test("a migration gives up on a lock that a busy table holds") func lockTimeout() async throws {
        try await withFolder(["0001_songs.sql": first]) { database, folder, migrator in
            var migrator: Migrator = migrator
            (migrator.lockTimeout, migrator.tries, migrator.pause) = (.milliseconds(50), 2, .milliseconds(1))
            _ = try await migrator.migrate(url: database.url)
            try folder.write("0002_alter.sql", "ALTER TABLE songs ADD COLUMN year int;")
            let pool: PostgresPool = database.pool(schema: "music")
            let (holder, gate) = try await holdingSongs(pool)
            #expect(await refusal(migrator, database)?.kind == .lockTimeout)
            gate.open()
            try await holder.value
            #expect(try await migrator.migrate(url: database.url) == ["0002_alter"])
            await pool.shutdown()
        }
    }

    @Test("a migration that does not get its lock lets the table's users by, and tries again") func lockTries()
        async throws
    {
        try await withFolder(["0001_songs.sql": first]) { database, folder, migrator in
            var patient: Migrator = migrator
            (patient.lockTimeout, patient.tries, patient.pause) = (.milliseconds(50), 10_000, .milliseconds(10))
            _ = try await patient.migrate(url: database.url)
            try folder.write("0002_alter.sql", "ALTER TABLE songs ADD COLUMN year int;")
            let pool: PostgresPool = database.pool(schema: "music")
            let (holder, gate) = try await holdingSongs(pool)
            let migration: Task<[String], any Error> = Task { [patient] in
                try await patient.migrate(url: database.url)
            }
            try await eventually(within: .seconds(10), "the migration waits for the table") {
                try await pool.count(
                    """
                    SELECT count(*) FROM pg_locks
                    WHERE relation = 'songs'::regclass AND mode = 'AccessExclusiveLock' AND NOT granted
                    """) > 0
            }
            #expect(try await pool.count("SELECT count(*) FROM songs") == 1, "a reader comes in behind it")
            gate.open()
            try await holder.value
            #expect(try await migration.value == ["0002_alter"])
            await pool.shutdown()
        }
    }
}

@Suite("Roles and schemas", .serialized) struct ProvisionerTests {
    @Test("a role uses its own schema and is refused every other") func isolation() async throws {
        try await withLentDatabase { database in
            let alpha = PostgresPool(try await database.provision(schema: "alpha"), logger: quiet)
            let beta = PostgresPool(try await database.provision(schema: "beta"), logger: quiet)
            try await alpha.prepare("CREATE TABLE mine (n int)", "INSERT INTO mine VALUES (1)")
            #expect(try await alpha.count("SELECT n FROM mine") == 1)
            let statements: [SQL] = [
                "SELECT * FROM alpha.mine", "INSERT INTO alpha.mine VALUES (2)", "DROP TABLE alpha.mine",
                "CREATE TABLE alpha.theirs (n int)", "CREATE TABLE public.theirs (n int)", "CREATE SCHEMA gamma",
                "GRANT USAGE ON SCHEMA alpha TO CURRENT_USER", "CREATE ROLE intruder",
                "SELECT pg_read_file('/etc/passwd')",
            ]
            for statement in statements {
                let error = await failure { try await beta.transaction { db in try db.execute(statement) } }
                #expect(error?.kind == .permissionDenied, "\(statement)")
            }
            let user: String? = try await beta.transaction { db in
                try db.first("SELECT current_user::text") { row in try row.next() }
            }
            #expect(user?.hasPrefix("test_beta_") == true)
            await alpha.shutdown()
            await beta.shutdown()
        }
    }

    @Test("provisioning again changes the password and keeps the tables; many at once are safe") func again()
        async throws
    {
        try await withLentDatabase { database in
            let configuration: PostgresConfiguration = try await database.provision(schema: "alpha")
            let pool = PostgresPool(configuration, logger: quiet)
            try await pool.prepare("CREATE TABLE mine (n int)", "INSERT INTO mine VALUES (1)")
            await pool.shutdown()
            let role: String = try #require(configuration.role)
            try await withThrowingTaskGroup(of: Void.self) { group in
                for _ in 0..<6 {
                    group.addTask {
                        try await OwnedThread.run("test") {
                            try SchemaProvisioner(url: database.url).provision(
                                schema: "alpha", role: role, password: "it's \"new\"")
                        }
                    }
                }
                try await group.waitForAll()
            }
            var renewed: PostgresConfiguration = configuration
            renewed.password = "it's \"new\""
            let second = PostgresPool(renewed, logger: quiet)
            #expect(try await second.count("SELECT n FROM mine") == 1)
            await second.shutdown()
        }
    }

    @Test("a role may migrate its own schema") func migrate() async throws {
        try await withLentDatabase { database in
            let configuration: PostgresConfiguration = try await database.provision(schema: "alpha")
            let folder: MigrationFolder = try MigrationFolder(["0001_a.sql": "CREATE TABLE a (n int);"])
            defer { folder.remove() }
            let applied: [String] = try await Migrator(directory: folder.path, schema: "alpha").migrate(
                url: configuration.url, role: configuration.role, password: configuration.password)
            #expect(applied == ["0001_a"])
        }
    }

    @Test("a configuration never prints its URL or password") func redaction() {
        let configuration = PostgresConfiguration(url: "postgresql://u:hunter2@h/d", role: "r", password: "hunter3")
        var text: String = "\(configuration) \(String(reflecting: configuration))"
        dump(configuration, to: &text)
        #expect(!text.contains("hunter"))
    }
}
