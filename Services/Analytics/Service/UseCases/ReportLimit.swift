package import HTTPKit
package import Postgres

/// How long one statement of a report may take. Reports read whole tables, so their cost grows with the business.
package struct ReportLimit: Sendable {
    /// `analytics.report_seconds` unless configured.
    package static let defaultSeconds = 5

    private let milliseconds: Int

    /// - Parameter duration: Counted in milliseconds; zero leaves it at the request's own deadline.
    package init(_ duration: Duration = .seconds(defaultSeconds)) {
        milliseconds = Int(duration / .milliseconds(1))
    }

    /// Reads within the limit. Plans may read whole tables meanwhile, which services otherwise forbid.
    /// - Throws: ``ReportTooCostly``; what `read` throws.
    package func callAsFunction<Report>(
        in db: borrowing PostgresTransaction, _ read: () throws -> Report
    ) throws -> Report {
        try db.enqueue(SQL(stringLiteral: "SET LOCAL statement_timeout = \(milliseconds)"))
        try db.enqueue("SET LOCAL enable_seqscan = on")
        do { return try read() } catch let error as PostgresError where error.kind == .statementTimeout {
            throw ReportTooCostly()
        }
    }
}

/// A report was given up, so that it takes nothing from the work that feeds it.
package struct ReportTooCostly: Error, Equatable, ProblemConvertible {
    /// What routes declare.
    package static let declared = "503 report_too_costly"
    private static let retryAfterSeconds = 60

    package init() {}

    /// 503: it may work when less is asked for, or when there is less to do.
    package var problem: Problem {
        Problem(
            503, code: "report_too_costly", title: "The report takes too long",
            detail: "It was given up. Ask for fewer months or one currency, or try again later.",
            headers: [HeaderField("Retry-After", String(Self.retryAfterSeconds))])
    }
}
