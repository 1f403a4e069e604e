package import Postgres

/// A dispute that is to be read from its provider.
package struct DisputeReading: Sendable, Hashable {
    package let provider: String
    package let reference: String
    /// How often it has been told of.
    let noted: Int
    let tries: Int
}

/// A provider's turn to be asked what has changed.
struct PollTurn: Sendable {
    /// How far its news is known.
    let cursor: String?
}

/// SQL over disputes that are to be read, and over how far each provider's news of them is known.
package enum DisputeReadingStore {
    /// Has disputes read that a provider tells of; a webhook's effect and a poll's.
    package static func note(
        _ references: [String], at provider: String, in db: borrowing PostgresTransaction
    ) throws {
        guard !references.isEmpty else { return }
        _ = try db.execute(
            """
            INSERT INTO dispute_readings (provider, reference)
            SELECT \(provider), r FROM unnest(\(Set(references).sorted())::text[]) AS r
            ON CONFLICT (provider, reference) DO UPDATE SET noted = dispute_readings.noted + 1, due_at = now()
            """)
    }

    /// Disputes that are due to be read.
    /// - Parameter whose: Which providers' are meant, a condition on `provider`.
    static func waiting(_ whose: SQL) -> SQL {
        "SELECT provider, reference FROM dispute_readings WHERE due_at <= now() AND \(whose) ORDER BY due_at"
    }

    /// Names some of those, the longest due first; none is taken by that.
    /// - Parameter whose: As for ``waiting(_:)``.
    static func due(
        _ whose: SQL, limit: Int, in db: borrowing PostgresTransaction
    ) throws -> [(provider: String, reference: String)] {
        try db.query("\(waiting(whose)) LIMIT \(limit)") { row in
            (provider: try row.next(), reference: try row.next())
        }
    }

    /// Takes a dispute that is due to be read; no other instance gets it for a while.
    /// - Parameter lease: How many seconds.
    /// - Returns: `nil` where it is not due any more, or is another instance's.
    static func take(
        _ reference: String, at provider: String, for lease: Int, in db: borrowing PostgresTransaction
    ) throws -> DisputeReading? {
        try db.first(
            """
            UPDATE dispute_readings
            SET due_at = now() + make_interval(secs => \(lease)::double precision), tries = tries + 1
            WHERE provider = \(provider) AND reference = \(reference) AND due_at <= now()
            RETURNING provider, reference, noted, tries
            """
        ) { row in
            DisputeReading(
                provider: try row.next(), reference: try row.next(), noted: try row.next(), tries: try row.next())
        }
    }

    /// It is read; unless it has been told of since, that is all.
    static func done(_ reading: DisputeReading, in db: borrowing PostgresTransaction) throws {
        _ = try db.execute(
            """
            DELETE FROM dispute_readings WHERE provider = \(reading.provider) AND reference = \(reading.reference)
                AND noted = \(reading.noted)
            """)
    }

    /// It could not be read or booked: another try follows, later each time.
    static func failed(
        _ reading: DisputeReading, _ fault: String, again seconds: Int, in db: borrowing PostgresTransaction
    ) throws {
        _ = try db.execute(
            """
            UPDATE dispute_readings SET fault = \(fault),
                due_at = now() + make_interval(secs => \(seconds)::double precision)
            WHERE provider = \(reading.provider) AND reference = \(reading.reference) AND noted = \(reading.noted)
            """)
    }

    /// Whether it is a provider's turn to be polled.
    static func isTurn(of provider: String, every seconds: Int64) -> SQL {
        "NOT EXISTS (SELECT 1 FROM dispute_cursors WHERE provider = \(provider) AND NOT (\(isOver(seconds))))"
    }

    private static func isOver(_ seconds: Int64) -> SQL {
        "dispute_cursors.polled_at <= now() - make_interval(secs => \(seconds)::double precision)"
    }

    /// How far a provider's news is known, as ``PollTurn/cursor``.
    static func cursor(of provider: String) -> SQL {
        "SELECT cursor FROM dispute_cursors WHERE provider = \(provider)"
    }

    /// Takes a provider's turn to be polled.
    /// - Returns: `nil` when it is not its turn.
    static func turn(
        of provider: String, every seconds: Int64, in db: borrowing PostgresTransaction
    ) throws -> PollTurn? {
        try db.first(
            """
            INSERT INTO dispute_cursors (provider, polled_at) VALUES (\(provider), now())
            ON CONFLICT (provider) DO UPDATE SET polled_at = now() WHERE \(isOver(seconds))
            RETURNING cursor
            """
        ) { row in PollTurn(cursor: try row.next()) }
    }

    /// Moves a provider's cursor on, unless another instance has.
    static func move(
        _ provider: String, from old: String?, to new: String?, in db: borrowing PostgresTransaction
    ) throws {
        _ = try db.execute(
            """
            UPDATE dispute_cursors SET cursor = \(new)
            WHERE provider = \(provider) AND cursor IS NOT DISTINCT FROM \(old)
            """)
    }

    /// What is under way: disputes to be read that have not failed yet, answers to be handed in, and what the sandbox
    /// has to tell by the business clock. A dispute whose reading failed waits for the world. News of further acquirers is not
    /// waited for: one that was taken out of the configuration is never asked for it.
    package static func inFlight(in db: borrowing PostgresTransaction) throws -> Int64 {
        try db.first(
            """
            WITH business AS (
                SELECT now() + offset_microseconds * interval '1 microsecond' AS now FROM test_clock)
            SELECT (SELECT count(*) FROM dispute_readings WHERE fault IS NULL OR due_at <= now())
                 + (SELECT count(*) FROM dispute_responses WHERE status = 'processing')
                 + (SELECT count(*) FROM sandbox_charges, business WHERE dispute_at <= business.now AND captured > 0)
                 + (SELECT count(*) FROM business CROSS JOIN sandbox_disputes d
                    JOIN sandbox_charges c ON c.idempotency_key = d.charge_key
                    WHERE d.verdict_at <= business.now OR d.due_by <= business.now
                        OR c.provider IN ('sandbox', 'sandbox_local') AND d.changed > coalesce(
                            (SELECT cursor::bigint FROM dispute_cursors WHERE provider = c.provider), 0))
            """
        ) { row in try row.next() } ?? 0
    }
}
