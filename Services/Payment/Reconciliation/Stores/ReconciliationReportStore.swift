package import BillingCore
import JSON
import PaymentDomain
import PaymentRecords
package import Postgres

/// Counts and sums of the lines of one state. A sum may have more than the 64 bits of what it is made of.
struct SettlementTally: Sendable {
    let count: Int64
    /// Sums in minor units.
    let gross: Int128
    let fee: Int128
    let net: Int128
}

/// A day of a provider in one currency.
package struct ReconciliationReport: Sendable {
    let provider: String
    let currency: Currency
    let date: CivilDate
    /// The day's payouts, and those that came back.
    let payouts: [SettlementPayout]
    /// Lines of the day by what became of them; states without lines are absent.
    let tallies: [SettlementState: SettlementTally]
    /// What was paid out on the day, minor units.
    let paidOut: Int128
    /// Cases that were not closed at the day's end, by age.
    let openCases: [ReconciliationAge: (count: Int64, amount: Int128)]
}

/// A transfer to our bank account, or one that came back.
struct SettlementPayout: Sendable {
    let lineID: String
    let reference: String?
    /// Minor units; negative for one that came back. The smallest of 64 bits has no opposite in them.
    let amount: Int128
    let occurredAt: Instant
    let arrivesAt: Instant?
    let arrival: String?

    static let sample = SettlementPayout(
        lineID: "txn_1PgafyB7WZ01zgkWUEdz2mrH", reference: "po_1PgafyB7WZ01zgkW", amount: 11_280,
        occurredAt: .sample, arrivesAt: .sample, arrival: "awaited")
}

/// What a provider's account holds, by its reports and by our books.
package struct SettlementBalance: Sendable {
    let provider: String
    /// The ledger may hold others than ISO 4217's.
    let currency: String
    let date: CivilDate
    /// In minor units, as the others: by our books at the day's end.
    let ledger: Int128
    /// The sum of everything the provider has reported up to the day's end.
    let reported: Int128
    /// Reported and not in our books.
    let notBooked: Int128
    /// In our books and not reported.
    let notReported: Int128

    /// What the account differs by.
    var difference: Int128 { reported - ledger }
    /// The rest: both sides know of it, but with another amount, or on another day.
    var differing: Int128 { difference - notBooked + notReported }
}

/// What a provider has reported up to a day in one currency, in minor units.
private struct SettlementTotals: PostgresRecord, Sendable {
    let currency: String
    /// The nets of all lines, and of those without a partner.
    let reported: Int128
    let waiting: Int128
    /// What of our books, up to that day, lines stand for.
    let confirmed: Int128

    init(row: inout PostgresRow) throws {
        currency = try row.next()
        reported = try row.next()
        waiting = try row.next()
        confirmed = try row.next()
    }
}

/// SQL over what was reconciled.
package enum ReconciliationReportStore {
    /// Payouts of one day's report.
    static let payoutLimit = 500

    /// The first moment of a day and of the next, UTC.
    static func span(of date: CivilDate) -> (from: Instant, to: Instant) {
        let start = Instant(seconds: Int64(date.dayNumber) * 86_400)
        return (start, start + .seconds(86_400))
    }

    /// The reports of a day, by provider and currency.
    package static func reports(
        of date: CivilDate, provider: String?, in db: borrowing PostgresTransaction
    ) throws -> [ReconciliationReport] {
        let (from, to): (Instant, Instant) = span(of: date)
        var drafts: [Key: Draft] = [:]
        let tallies: [(Key, SettlementState, SettlementTally, Int128)] = try db.query(
            """
            SELECT provider, currency, state, count(*), sum(gross), sum(fee), sum(net),
                coalesce(-sum(gross) FILTER (WHERE kind = 'payout'), 0)
            FROM settlement_lines
            WHERE occurred_at >= \(from) AND occurred_at < \(to) AND \(of(provider)) GROUP BY 1, 2, 3
            """
        ) { row in
            let key = Key(provider: try row.next(), currency: try row.next())
            let state: SettlementState = try row.nextCase()
            let tally = SettlementTally(
                count: try row.next(), gross: try row.next(), fee: try row.next(), net: try row.next())
            return (key, state, tally, try row.next())
        }
        for (key, state, tally, paidOut) in tallies {
            drafts[key, default: Draft()].tallies[state] = tally
            drafts[key, default: Draft()].paidOut += paidOut
        }
        for cases in try openCases(before: to, provider, in: db) {
            let age = ReconciliationAge(days: cases.days)
            let before = drafts[cases.key, default: Draft()].cases[age] ?? (0, 0)
            drafts[cases.key, default: Draft()].cases[age] = (before.count + cases.count, before.amount + cases.amount)
        }
        for (key, payout) in try payouts(from: from, to: to, provider, in: db) {
            drafts[key, default: Draft()].payouts.append(payout)
        }
        return drafts.sorted { $0.key < $1.key }.map { key, draft in
            ReconciliationReport(
                provider: key.provider, currency: key.currency, date: date, payouts: draft.payouts,
                tallies: draft.tallies,
                paidOut: draft.paidOut, openCases: draft.cases)
        }
    }

    /// Cases that were not closed at a moment, by the whole days since they were opened.
    private static func openCases(
        before end: Instant, _ provider: String?, in db: borrowing PostgresTransaction
    ) throws -> [(key: Key, days: Int64, count: Int64, amount: Int128)] {
        try db.query(
            """
            SELECT provider, currency, floor(extract(epoch FROM \(end)::timestamptz - opened_at) / 86400)::bigint,
                count(*), sum(amount)
            FROM reconciliation_cases
            WHERE opened_at < \(end) AND (closed_at IS NULL OR closed_at >= \(end)) AND \(of(provider))
            GROUP BY 1, 2, 3
            """
        ) { row in
            let key = Key(provider: try row.next(), currency: try row.next())
            return (key, try row.next(), try row.next(), try row.next())
        }
    }

    private static func payouts(
        from: Instant, to: Instant, _ provider: String?, in db: borrowing PostgresTransaction
    ) throws -> [(Key, SettlementPayout)] {
        try db.query(
            """
            SELECT provider, currency, line_id, source, -gross::numeric, occurred_at, available_at, arrival
            FROM settlement_lines
            WHERE kind IN ('payout', 'payout_failure') AND occurred_at >= \(from) AND occurred_at < \(to)
                AND \(of(provider))
            ORDER BY occurred_at, line_id LIMIT \(payoutLimit)
            """
        ) { row in
            let key = Key(provider: try row.next(), currency: try row.next())
            let payout = SettlementPayout(
                lineID: try row.next(), reference: try row.next(), amount: try row.next(),
                occurredAt: try row.next(), arrivesAt: try row.next(), arrival: try row.next())
            return (key, payout)
        }
    }

    /// The balances at a day's end, by currency: running totals of the ledger and of what was reported, by day. What it
    /// costs grows with the days, not with what happened on them.
    /// - Parameter db: A snapshot: the ledger and the reports are read one after the other.
    package static func balances(
        of provider: String, at date: CivilDate, in db: borrowing PostgresTransaction
    ) throws -> [SettlementBalance] {
        let booked: [AccountBalance] = try LedgerBalances.read(
            before: span(of: date).to, account: Ledger.providerBalance(provider), in: db)
        let ledger: [String: Int128] = Dictionary(booked.map { ($0.currency, $0.balance) }) { $1 }
        let totals: [SettlementTotals] = try db.query(
            """
            SELECT currency, sum(reported), sum(waiting), sum(confirmed) FROM settlement_totals
            WHERE provider = \(provider) AND day <= \(date) GROUP BY currency
            """, as: SettlementTotals.self)
        let reported: [String: SettlementTotals] = Dictionary(totals.map { ($0.currency, $0) }) { $1 }
        return Set(ledger.keys).union(reported.keys).sorted().map { currency in
            let (held, told): (Int128, SettlementTotals?) = (ledger[currency] ?? 0, reported[currency])
            return SettlementBalance(
                provider: provider, currency: currency, date: date, ledger: held, reported: told?.reported ?? 0,
                notBooked: told?.waiting ?? 0, notReported: held - (told?.confirmed ?? 0))
        }
    }

    private static func of(_ provider: String?) -> SQL { provider.map { "provider = \($0)" } ?? "true" }

    private struct Key: Hashable, Comparable {
        let provider: String
        let currency: Currency

        static func < (left: Key, right: Key) -> Bool {
            (left.provider, left.currency) < (right.provider, right.currency)
        }
    }

    private struct Draft {
        var tallies: [SettlementState: SettlementTally] = [:]
        var paidOut: Int128 = 0
        var payouts: [SettlementPayout] = []
        var cases: [ReconciliationAge: (count: Int64, amount: Int128)] = [:]
    }
}
