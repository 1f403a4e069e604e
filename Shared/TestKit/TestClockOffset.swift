public import BillingCore
public import Postgres

/// Sets a service's test clock, from which its queries have the time; unlike the service's own it may go back, so that what
/// is tested is independent of the day.
/// - Parameters:
///   - now: The time it shows in this transaction, and goes on from.
///   - db: A transaction of the role that owns the schema; the rule against going back is gone from its database.
/// - Throws: `PostgresError`, for instance where there is no test clock.
public func setTestClock(to now: Instant, in db: borrowing PostgresTransaction) throws {
    try db.execute("ALTER TABLE test_clock DROP CONSTRAINT IF EXISTS test_clock_offset_microseconds_check")
    try db.execute(
        """
        UPDATE test_clock
        SET offset_microseconds = (extract(epoch FROM \(now)::timestamptz - now()) * 1000000)::bigint
        """)
}
