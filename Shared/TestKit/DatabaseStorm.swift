public import Postgres

/// Breaks transactions of a database by chance: at a statement, at COMMIT, by an error or by the end of the connection.
public enum DatabaseStorm {
    /// Makes the triggers that break transactions over rows of these tables; none breaks before ``blow(_:in:)``.
    public static func install(on tables: [String], in pool: PostgresPool) async throws {
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
                CREATE FUNCTION storm_over(tables text[]) RETURNS void LANGUAGE plpgsql AS $storm$
                DECLARE t text; BEGIN
                    FOREACH t IN ARRAY tables LOOP
                        EXECUTE format('CREATE TRIGGER storm AFTER INSERT OR UPDATE ON %I FOR EACH STATEMENT '
                            'EXECUTE FUNCTION storm_breaks()', t);
                        EXECUTE format('CREATE CONSTRAINT TRIGGER storm_commit AFTER INSERT OR UPDATE ON %I '
                            'DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION storm_breaks()', t);
                    END LOOP;
                END $storm$
                """)
            _ = try db.execute("SELECT storm_over(\(tables)::text[])")
        }
    }

    /// Sets how likely each statement, and each changed row at COMMIT, is to break its transaction.
    public static func blow(_ chance: Double, in pool: PostgresPool) async throws {
        let chance = String(chance)
        try await pool.transactionRetrying { db in
            _ = try db.execute("UPDATE storm SET chance = \(chance)::text::double precision")
        }
    }
}
