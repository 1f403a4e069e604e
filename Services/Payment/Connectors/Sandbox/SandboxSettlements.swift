package import BillingCore
package import PaymentContract
package import PaymentDomain
import Postgres

/// The sandbox settles by the day, each acquirer for itself: when a day of the business clock is over, its movements are
/// reported, and what the account holds then is paid out and arrives two days later.
extension SandboxKeeper {
    /// Any span.
    package var longestSettlementSpan: Duration { .seconds(36_500 * 86_400) }

    package var reportsDays: Bool { true }

    /// The last midnight, UTC, once what was under way then has ended.
    package func settlementHorizon(at now: Instant) -> Instant { SandboxDays.start(of: now - SandboxDays.delay) }

    package func settlementLines(in window: SettlementWindow) async throws(ProviderFault) -> ProviderSettlementPage {
        let (name, today): (String, Instant) = (name, settlementHorizon(at: clock.now))
        return try await reachable {
            try await pool.transactionRetrying { db in
                // What is due and nobody has looked at since has happened on those days.
                try SandboxDue.turn(at: today, in: db)
                try SandboxDays.payOut(of: name, before: today, in: db)
                return try SandboxDays.lines(of: name, in: window, in: db)
            }
        }
    }
}

/// SQL over the days of the sandbox's acquirers.
enum SandboxDays {
    /// How long a payout is on its way.
    static let transitDays: Int64 = 2
    /// How long a call may be under way: what it booked before midnight may be seen only after it.
    static let delay: Duration = .seconds(60)
    /// Lines of a page. Each page is sorted out of all that follows it, so that few long ones are read sooner than many short
    /// ones.
    private static let pageLimit = 5_000
    private static let daySeconds: Int64 = 86_400

    /// The midnight at which a moment's day began.
    static func start(of moment: Instant) -> Instant {
        let day: Int64 = moment.seconds / daySeconds
        return Instant(seconds: day * daySeconds)
    }

    /// Pays out what every day that is over and not paid out yet has left in an acquirer's account.
    static func payOut(
        of provider: String, before today: Instant, in db: borrowing PostgresTransaction
    ) throws {
        try db.enqueue(
            """
            INSERT INTO sandbox_paid_days (provider, day) VALUES (\(provider), '1970-01-01')
            ON CONFLICT (provider) DO NOTHING
            """)
        let last: CivilDate? = try db.first(
            "SELECT day FROM sandbox_paid_days WHERE provider = \(provider) FOR UPDATE"
        ) { row in try row.next() }
        let yesterday = CivilDate(dayNumber: Int(today.seconds / daySeconds) - 1)
        guard let last, last < yesterday else { return }
        let movements: [SandboxDay] = try db.query(
            """
            SELECT currency, greatest((occurred_at AT TIME ZONE 'UTC')::date, \(last)::date) AS day,
                sum(gross - fee)::bigint
            FROM sandbox_settlement WHERE provider = \(provider) AND kind <> 'payout' AND occurred_at < \(today)
            GROUP BY 1, 2 ORDER BY 1, 2
            """, as: SandboxDay.self)
        let paid: [(String, Int64)] = try db.query(
            "SELECT currency, sum(amount)::bigint FROM sandbox_payouts WHERE provider = \(provider) GROUP BY currency"
        ) { row in (try row.next(), try row.next()) }
        let due: [SandboxDay] = SandboxDay.payouts(movements, after: last, paid: Dictionary(paid) { $0 + $1 })
        for payout in due { try insert(payout, of: provider, in: db) }
        _ = try db.execute("UPDATE sandbox_paid_days SET day = \(yesterday) WHERE provider = \(provider)")
    }

    private static func insert(
        _ payout: SandboxDay, of provider: String, in db: borrowing PostgresTransaction
    ) throws {
        let over = Instant(seconds: Int64(payout.day.dayNumber + 1) * daySeconds)
        try db.enqueue(
            """
            INSERT INTO sandbox_payouts (reference, provider, currency, day, amount, occurred_at, arrives_at)
            VALUES (\("po_\(provider)_\(payout.currency)_\(payout.day)"), \(provider), \(payout.currency),
                \(payout.day), \(payout.net), \(over), \(over + .seconds(transitDays * daySeconds)))
            """)
    }

    /// A page of the movements of an acquirer's account, in the order of time.
    static func lines(
        of provider: String, in window: SettlementWindow, in db: borrowing PostgresTransaction
    ) throws -> ProviderSettlementPage {
        let after: (at: Instant, id: String) = place(window)
        let lines: [SettlementLine] = try db.query(
            """
            SELECT line_id, kind, currency, gross, fee, own_reference, source, taken, occurred_at, available_at
            FROM sandbox_settlement
            WHERE provider = \(provider) AND occurred_at >= \(after.at) AND occurred_at < \(window.to)
                AND (occurred_at, line_id) > (\(after.at)::timestamptz, \(after.id))
            ORDER BY occurred_at, line_id LIMIT \(pageLimit)
            """
        ) { row in try line(&row, of: provider) }
        guard lines.count == pageLimit, let last: SettlementLine = lines.last else {
            return ProviderSettlementPage(lines: lines, next: nil)
        }
        return ProviderSettlementPage(lines: lines, next: "\(last.occurredAt.microseconds)/\(last.id)")
    }

    /// Where a page begins: after the line its word names, or at the start of the span.
    private static func place(_ window: SettlementWindow) -> (at: Instant, id: String) {
        let parts: [Substring] = window.page?.split(separator: "/", maxSplits: 1) ?? []
        guard parts.count == 2, let microseconds = Int64(parts[0]) else { return (window.from, "") }
        return (Instant(microseconds: microseconds), String(parts[1]))
    }

    private static func line(_ row: inout PostgresRow, of provider: String) throws -> SettlementLine {
        let id: String = try row.next()
        let kind: SettlementLine.Kind = try row.nextCase()
        let currency: Currency = try row.next()
        let gross = Money(minor: try row.next(), currency: currency)
        let fee = Money(minor: try row.next(), currency: currency)
        return try SettlementLine(
            provider: provider, id: id, kind: kind, gross: gross, fee: fee, net: gross.subtracting(fee),
            references: SettlementLine.References(own: try row.next(), source: try row.next(), taken: try row.next()),
            occurredAt: try row.next(), availableAt: try row.next())
    }
}

/// What a day brought to the account in one currency, or took from it.
struct SandboxDay: PostgresRecord, Equatable {
    let currency: String
    let day: CivilDate
    let net: Int64

    init(currency: String, day: CivilDate, net: Int64) {
        self.currency = currency
        self.day = day
        self.net = net
    }

    init(row: inout PostgresRow) throws {
        currency = try row.next()
        day = try row.next()
        net = try row.next()
    }

    /// What is paid out day by day: what the account holds at the end of a day, if that is above zero. A debt is carried
    /// on until later days have paid it.
    /// - Parameters:
    ///   - movements: By currency, then day; those of a day that has been paid out are under `last`.
    ///   - last: The last day that has been paid out.
    ///   - paid: All that was paid out up to then.
    static func payouts(_ movements: [SandboxDay], after last: CivilDate, paid: [String: Int64]) -> [SandboxDay] {
        var held: [String: Int64] = paid.mapValues { -$0 }
        var payouts: [SandboxDay] = []
        for movement in movements {
            let balance: Int64 = held[movement.currency, default: 0] + movement.net
            guard movement.day > last, balance > 0 else {
                held[movement.currency] = balance
                continue
            }
            payouts.append(SandboxDay(currency: movement.currency, day: movement.day, net: balance))
            held[movement.currency] = 0
        }
        return payouts
    }
}
