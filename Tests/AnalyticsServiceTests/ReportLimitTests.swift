import AnalyticsService
import BillingCore
import HTTPKit
import JSON
import Logging
import Postgres
import TestKit
import Testing

@Suite("What a report may cost") struct ReportLimitTests {
    /// Runs `body` while nobody can read the tables of reports, so that every report is slow.
    private func whileSlow(_ world: World, _ body: () async throws -> Void) async throws {
        let session = PostgresSession(
            world.database.configuration, logger: Logger(label: "test") { _ in SwiftLogNoOpLogHandler() })
        try session.connect()
        defer { session.close() }
        try session.begin()
        try session.execute("LOCK TABLE payments, subscription_values IN ACCESS EXCLUSIVE MODE")
        try await body()
        session.rollback()
    }

    @Test("one that takes longer is given up, and says what helps") func slow() async throws {
        try await withAnalytics { world in
            let limit = ReportLimit(.milliseconds(50))
            try await whileSlow(world) {
                await #expect(throws: ReportTooCostly()) {
                    try await world.pool.transaction(snapshot: true) { db in
                        try SummarizeBusiness(limit: limit)(at: .sample, in: db)
                    }
                }
                await #expect(throws: ReportTooCostly()) {
                    try await world.pool.transaction(snapshot: true) { db in
                        try ListMRRMonths(limit: limit)(from: nil, through: nil, currency: nil, now: .sample, in: db)
                    }
                }
            }
            let problem: Problem = ReportTooCostly().problem
            #expect((problem.status, problem.code) == (503, "report_too_costly"))
            #expect(problem.headers.map(\.name) == ["Retry-After"])
            #expect(try await world.summary(at: "2027-01-01T00:00:00Z").active == 0, "the next is answered")
        }
    }

    @Test("the limit ends with the report: what runs on the session next has its own") func reset() async throws {
        try await withMigratedDatabase(service: "Analytics", connections: 1) { lent in
            func limit() async throws -> String? {
                try await lent.pool.transaction { db in try db.first("SHOW statement_timeout") { try $0.next() } }
            }
            let before: String? = try await limit()
            try await lent.pool.transaction(snapshot: true) { db in
                _ = try SummarizeBusiness(limit: ReportLimit(.seconds(1)))(at: .sample, in: db)
                let within: String? = try db.first("SHOW statement_timeout") { try $0.next() }
                #expect(within == "1s")
            }
            #expect(try await limit() == before)
        }
    }

    @Test("a report is of one state, whatever is recorded while it is made") func snapshot() async throws {
        try await withAnalytics { world in
            let pay = Paying()
            try await world.record([pay.succeeded(1, at: "2027-01-01T00:00:00Z")])
            let other = PostgresSession(
                world.database.configuration, logger: Logger(label: "test") { _ in SwiftLogNoOpLogHandler() })
            try other.connect()
            defer { other.close() }
            let box = Box(other)
            let (first, second): (Int64, Int64) = try await world.pool.transaction(snapshot: true) { db in
                let first = try SummarizeBusiness()(at: instant("2027-02-01T00:00:00Z"), in: db).revenue
                try box.session.execute("UPDATE payments SET amount_minor = 1")
                let second = try SummarizeBusiness()(at: instant("2027-02-01T00:00:00Z"), in: db).revenue
                return (first.map(\.paid.minor).reduce(0, +), second.map(\.paid.minor).reduce(0, +))
            }
            #expect((first, second) == (999, 999))
            #expect(try await world.summary(at: "2027-02-01T00:00:00Z").revenue.map(\.paid.minor) == [1])
        }
    }
}

/// `@unchecked Sendable`: used by one thread at a time, the pool's within the closure.
private final class Box: @unchecked Sendable {
    let session: PostgresSession
    init(_ session: PostgresSession) { self.session = session }
}
