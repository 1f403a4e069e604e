import Postgres
import Synchronization
import Threads

/// The superuser's session of the test server, kept from one test to the next: a new one takes longer than most of what is
/// asked of it.
enum Administration {
    private static let kept = Mutex<PostgresSession?>(nil)

    /// Does something as the superuser, outside of any transaction; one caller at a time.
    /// - Throws: ``MissingInfrastructure`` when the server is away; what `work` throws.
    static func perform<R: Sendable>(_ work: @escaping @Sendable (PostgresSession) throws -> R) async throws -> R {
        let server: String = try testSetting("REFRAIN_TEST_POSTGRES")
        return try await OwnedThread.run("test-admin") {
            try kept.withLock { kept in
                let session: PostgresSession = try alive(kept) ?? open(server)
                kept = session
                return try work(session)
            }
        }
    }

    /// The session, unless the server has dropped it meanwhile.
    private static func alive(_ session: PostgresSession?) throws -> PostgresSession? {
        guard let session else { return nil }
        do { _ = try session.execute("SELECT") } catch {
            session.close()
            return nil
        }
        return session
    }

    private static func open(_ server: String) throws -> PostgresSession {
        var configuration = PostgresConfiguration(url: server, applicationName: "refrain-test-admin")
        configuration.statementTimeout = .seconds(60)
        configuration.lockTimeout = .seconds(60)
        let session = PostgresSession(configuration, logger: LentDatabase.logger)
        do {
            try session.connect()
        } catch {
            throw MissingInfrastructure("the Postgres server of REFRAIN_TEST_POSTGRES is away: \(error)")
        }
        return session
    }
}
