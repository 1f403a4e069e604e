import BillingCore
import PaymentContract
import Postgres
import Synchronization

/// How many more steps a daemon has: a request is two, one before it is sent and one after it was carried out. With the
/// last step it is dead: it sends nothing, hears nothing and reaches no database any more.
final class MatrixLife: Sendable {
    private let left: Mutex<Int>

    init(steps: Int) { left = Mutex(steps) }

    var isOver: Bool { left.withLock { $0 <= 0 } }

    func step() -> Bool {
        left.withLock { left in
            left -= 1
            return left > 0
        }
    }

    func end() { left.withLock { $0 = 0 } }
}

/// The way of a daemon to its provider, which ends with the daemon.
struct MortalTransport: ProviderTransport {
    let life: MatrixLife
    let transport: SocketTransport

    func send(_ request: ProviderHTTPRequest) async throws(ProviderFault) -> ProviderHTTPAnswer {
        guard life.step() else { throw .timedOut }
        let answer: ProviderHTTPAnswer = try await transport.send(request)
        guard life.step() else { throw .timedOut }
        return answer
    }
}

/// The machine's clock, as wrong as it is set.
struct WrongClock: WallClock {
    let error: Duration
    var now: Instant { SystemClock().now + error }
}

/// Breaks transactions of a database by chance: at a statement, at COMMIT, by an error or by the end of the connection.
enum DatabaseStorm {
    static func install(in pool: PostgresPool) async throws {
        try await pool.transaction { db in
            _ = try db.execute("CREATE TABLE storm (chance double precision NOT NULL)")
            _ = try db.execute("INSERT INTO storm VALUES (0)")
            _ = try db.execute(
                """
                CREATE FUNCTION storm_breaks() RETURNS trigger LANGUAGE plpgsql AS $storm$
                BEGIN
                    IF random() < (SELECT chance FROM storm) THEN
                        IF random() < 0.3 THEN PERFORM pg_terminate_backend(pg_backend_pid()); END IF;
                        RAISE EXCEPTION 'the storm breaks this transaction';
                    END IF;
                    RETURN NULL;
                END $storm$
                """)
            _ = try db.execute(
                """
                DO $storm$ DECLARE t text; BEGIN
                    FOREACH t IN ARRAY ARRAY['payments', 'payment_attempts', 'captures', 'refunds', 'journal_entries',
                        'outbox', 'payment_methods', 'inbound_webhooks'] LOOP
                        EXECUTE format('CREATE TRIGGER storm AFTER INSERT OR UPDATE ON %I FOR EACH STATEMENT '
                            'EXECUTE FUNCTION storm_breaks()', t);
                        EXECUTE format('CREATE CONSTRAINT TRIGGER storm_commit AFTER INSERT OR UPDATE ON %I '
                            'DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION storm_breaks()', t);
                    END LOOP;
                END $storm$
                """)
        }
    }

    static func blow(_ chance: Double, in pool: PostgresPool) async throws {
        let chance = String(chance)
        try await pool.transactionRetrying { db in
            _ = try db.execute("UPDATE storm SET chance = \(chance)::text::double precision")
        }
    }
}
