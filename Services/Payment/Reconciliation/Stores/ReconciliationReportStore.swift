package import BillingCore
import JSON
import PaymentDomain
package import Postgres

/// Counts and sums of the lines of one state.
struct SettlementTally: Sendable {
    let count: Int64
    /// Sums in minor units.
    let gross: Int64
    let fee: Int64
    let net: Int64
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
    let paidOut: Int64
    /// Cases that were not closed at the day's end, by age.
    let openCases: [ReconciliationAge: (count: Int64, amount: Int64)]
}

/// A transfer to our bank account, or one that came back.
struct SettlementPayout: Sendable {
    let lineID: String
    let reference: String?
    /// Minor units; negative for one that came back.
    let amount: Int64
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
    let currency: Currency
    let date: CivilDate
    /// In minor units, as the others: by our books at the day's end.
    let ledger: Int64
    /// The sum of everything the provider has reported up to the day's end.
    let reported: Int64
    /// Reported and not in our books.
    let notBooked: Int64
    /// In our books and not reported.
    let notReported: Int64

    /// What the account differs by.
    var difference: Int64 { reported - ledger }
    /// The rest: both sides know of it, but with another amount, or on another day.
    var differing: Int64 { difference - notBooked + notReported }
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
        let tallies: [(Key, SettlementState, SettlementTally, Int64)] = try db.query(
            """
            SELECT provider, currency, state, count(*), sum(gross)::bigint, sum(fee)::bigint, sum(net)::bigint,
                coalesce(sum(-gross) FILTER (WHERE kind = 'payout'), 0)::bigint
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
        let cases: [(Key, Int64, Int64)] = try db.query(
            """
            SELECT provider, currency, floor(extract(epoch FROM \(to)::timestamptz - opened_at) / 86400)::bigint, amount
            FROM reconciliation_cases
            WHERE opened_at < \(to) AND (closed_at IS NULL OR closed_at >= \(to)) AND \(of(provider))
            """
        ) { row in (Key(provider: try row.next(), currency: try row.next()), try row.next(), try row.next()) }
        for (key, days, amount) in cases {
            let age = ReconciliationAge(days: days)
            let before = drafts[key, default: Draft()].cases[age] ?? (0, 0)
            drafts[key, default: Draft()].cases[age] = (before.count + 1, before.amount + amount)
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

    private static func payouts(
        from: Instant, to: Instant, _ provider: String?, in db: borrowing PostgresTransaction
    ) throws -> [(Key, SettlementPayout)] {
        try db.query(
            """
            SELECT provider, currency, line_id, source, -gross, occurred_at, available_at, arrival FROM settlement_lines
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

    /// The balances at a day's end, by currency.
    package static func balances(
        of provider: String, at date: CivilDate, in db: borrowing PostgresTransaction
    ) throws -> [SettlementBalance] {
        let end: Instant = span(of: date).to
        return try db.query(
            """
            WITH booked AS (
                SELECT l.currency, sum(l.amount)::bigint AS amount,
                    coalesce(sum(l.amount) FILTER (WHERE s.entry_id IS NULL), 0)::bigint AS alone
                FROM journal_lines l JOIN journal_entries e ON e.id = l.entry_id
                LEFT JOIN settlement_entries s ON s.entry_id = e.id
                WHERE l.account = \(Ledger.providerBalance(provider)) AND e.occurred_at < \(end) GROUP BY 1),
            reported AS (
                SELECT currency, sum(net)::bigint AS amount,
                    coalesce(sum(net) FILTER (WHERE state IN ('open', 'unmatched')), 0)::bigint AS alone
                FROM settlement_lines WHERE provider = \(provider) AND occurred_at < \(end) GROUP BY 1)
            SELECT currency, coalesce(b.amount, 0), coalesce(r.amount, 0), coalesce(r.alone, 0), coalesce(b.alone, 0)
            FROM booked b FULL JOIN reported r USING (currency) ORDER BY currency
            """
        ) { row in
            SettlementBalance(
                provider: provider, currency: try row.next(), date: date, ledger: try row.next(),
                reported: try row.next(), notBooked: try row.next(), notReported: try row.next())
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
        var paidOut: Int64 = 0
        var payouts: [SettlementPayout] = []
        var cases: [ReconciliationAge: (count: Int64, amount: Int64)] = [:]
    }
}
