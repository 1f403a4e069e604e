package import BillingCore
package import JSON
package import Postgres
import SubscriptionDomain

/// What Subscription knows to be true of its own tables, and what would be wrong if it were found there.
package enum SubscriptionFacts {
    /// How long something due may wait before it counts as stuck.
    static let patience: Duration = .seconds(3_600)
    /// How long the outcome of an attempt may be awaited: longer than a debit takes or a hold lasts.
    static let outcomePatience: Duration = .seconds(35 * 86_400)

    /// The figures that other services' figures must equal.
    package static func facts(in db: borrowing PostgresTransaction) throws -> [(String, JSONValue)] {
        var statuses: [JSONMember] = []
        var counts: [String: Int64] = [:]
        let found: [(String, Int64)] = try db.query(
            "SELECT status, count(*) FROM subscriptions GROUP BY status ORDER BY status"
        ) { row in (try row.next(), try row.next()) }
        for (status, count) in found {
            statuses.append(JSONMember(name: status, value: .number(String(count))))
            counts[status] = count
        }
        return [
            ("active", .number(String(counts["active"] ?? 0))),
            ("past_due", .number(String(counts["past_due"] ?? 0))),
            ("subscriptions", .object(statuses)),
            ("mrr", .object(try monthlyRevenue(in: db))),
            ("billings", .object(try billings(in: db))),
            ("late_payments_to_refund", .number(String(try latePayments(in: db)))),
            ("carried", .object(try carried(ended: false, in: db))),
            ("never_collected", .object(try carried(ended: true, in: db))),
        ]
    }

    /// Recurring revenue per month by currency over active and past due subscriptions: each subscription's price is
    /// normalised to a month and rounded half up on its own, then added up. See ``MonthlyRecurringRevenue``.
    private static func monthlyRevenue(in db: borrowing PostgresTransaction) throws -> [JSONMember] {
        let groups: [(price: Money, rule: BillingPeriodRule, count: Int64)] = try db.query(
            """
            SELECT p.amount, p.currency, p.billing_interval, p.interval_count, count(*)
            FROM subscriptions s JOIN plans p ON p.id = s.plan_id
            WHERE s.status IN ('active', 'past_due')
            GROUP BY p.amount, p.currency, p.billing_interval, p.interval_count
            """
        ) { row in
            let amount: Int64 = try row.next()
            let currency: Currency = try row.next()
            let interval: String = try row.next()
            let units: Int = try row.next()
            let rule = BillingPeriodRule(interval: BillingInterval(rawValue: interval) ?? .month, count: units)
            return (Money(minor: amount, currency: currency), rule, try row.next())
        }
        var sums: [Currency: Int128] = [:]
        for group in groups {
            let monthly: Money = try MonthlyRecurringRevenue.monthly(group.price, every: group.rule)
            sums[group.price.currency, default: 0] += Int128(monthly.minor) * Int128(group.count)
        }
        return sums.sorted { $0.key < $1.key }.map { JSONMember(name: $0.key.code, value: .number("\($0.value)")) }
    }

    /// Per status: how many, a sum over the ids that other services can compare, and the amounts by currency.
    private static func billings(in db: borrowing PostgresTransaction) throws -> [JSONMember] {
        let found: [(status: String, count: Int64, sum: String)] = try db.query(
            """
            SELECT status, count(*), sum(('x' || substr(md5(id), 1, 8))::bit(32)::bigint)::text
            FROM billings GROUP BY status ORDER BY status
            """
        ) { row in (try row.next(), try row.next(), try row.next()) }
        let amounts: [(status: String, currency: String, amount: String)] = try db.query(
            "SELECT status, currency, sum(amount)::text FROM billings GROUP BY status, currency ORDER BY status, currency"
        ) { row in (try row.next(), try row.next(), try row.next()) }
        return found.map { status, count, sum in
            let byCurrency: [JSONMember] = amounts.filter { $0.status == status }.map {
                JSONMember(name: $0.currency, value: .number($0.amount))
            }
            return JSONMember(
                name: status,
                value: .object([
                    JSONMember(name: "count", value: .number(String(count))),
                    JSONMember(name: "id_sum", value: .string(sum)),
                    JSONMember(name: "amount", value: .object(byCurrency)),
                ]))
        }
    }

    /// What was too little to be asked for, by currency: of subscriptions whose next billing adds it, or of ended ones.
    private static func carried(ended: Bool, in db: borrowing PostgresTransaction) throws -> [JSONMember] {
        let sums: [(String, String)] = try db.query(
            """
            SELECT p.currency, sum(-s.credit)::text FROM subscriptions s JOIN plans p ON p.id = s.plan_id
            WHERE s.credit < 0 AND (s.status IN ('canceled', 'incomplete_expired')) = \(ended)
            GROUP BY 1 ORDER BY 1
            """
        ) { row in (try row.next(), try row.next()) }
        return sums.map { JSONMember(name: $0, value: .number($1)) }
    }

    /// Payments that came after the end and were neither given back in full nor lost in disputes; of those that became credit,
    /// only where the subscription has ended since with a part of it left.
    private static func latePayments(in db: borrowing PostgresTransaction) throws -> Int64 {
        try db.first(
            """
            SELECT count(*) FROM billings b
            WHERE b.is_paid_late AND b.amount > b.amount_refunded + \(DisputeStore.lost)
                AND (b.credit_added = 0 OR b.credit_added > b.credit_returned AND EXISTS (
                    SELECT 1 FROM subscriptions s WHERE s.id = b.subscription_id AND s.credit > \(BillingStore.newerCredit)
                        AND s.status IN ('canceled', 'incomplete_expired')))
            """
        ) { row in try row.next() } ?? 0
    }
}

extension SubscriptionFacts {
    /// Every rule with the ids that break it.
    package static func violations(now: Instant, in db: borrowing PostgresTransaction) throws -> [String] {
        let all: [(rule: String, sql: SQL)] = overdue(now: now) + rules
        return try all.flatMap { try broken($0.rule, $0.sql, in: db) } + unknownZones(in: db)
    }

    /// What should have happened by now.
    private static func overdue(now: Instant) -> [(rule: String, sql: SQL)] {
        let stuckSince: Instant = now.adding(.zero - patience)
        let askedBefore: Instant = now.adding(.zero - outcomePatience)
        return [
            (
                "the period is over and nothing is billed or planned",
                """
                SELECT s.id FROM subscriptions s WHERE s.status IN ('active', 'trialing') AND s.period_end < \(stuckSince)
                    AND NOT EXISTS (SELECT 1 FROM billings b WHERE b.subscription_id = s.id AND b.status = 'open')
                """
            ),
            ("something due was not done", "SELECT id FROM subscriptions WHERE next_action_at < \(stuckSince)"),
            (
                "the outcome of an attempt is overdue",
                """
                SELECT subscription_id FROM billings
                WHERE status = 'open' AND is_collecting AND requested_at < \(askedBefore)
                """
            ),
        ]
    }

    /// What holds at any time.
    private static var rules: [(rule: String, sql: SQL)] {
        [
            (
                "there is nothing to wait for and nothing planned",
                """
                SELECT s.id FROM subscriptions s
                WHERE s.status NOT IN ('canceled', 'incomplete_expired') AND s.next_action_at IS NULL
                    AND NOT EXISTS (SELECT 1 FROM billings b
                        WHERE b.subscription_id = s.id AND b.status = 'open' AND b.is_collecting)
                """
            ),
            (
                "more than one billing is open",
                "SELECT subscription_id FROM billings WHERE status = 'open' GROUP BY 1 HAVING count(*) > 1"
            ),
            (
                "a period is billed twice",
                """
                SELECT subscription_id FROM billings WHERE reason <> 'upgrade'
                GROUP BY subscription_id, period_start HAVING count(*) > 1
                """
            ),
            (
                "an ended subscription has an open billing",
                """
                SELECT s.id FROM subscriptions s JOIN billings b ON b.subscription_id = s.id AND b.status = 'open'
                WHERE s.status IN ('canceled', 'incomplete_expired')
                """
            ),
            (
                "an overdue subscription has no open billing",
                """
                SELECT s.id FROM subscriptions s WHERE s.status IN ('incomplete', 'past_due', 'unpaid')
                    AND NOT EXISTS (SELECT 1 FROM billings b WHERE b.subscription_id = s.id AND b.status = 'open')
                """
            ),
            (
                "a billing's amount is not the sum of its lines",
                """
                SELECT id FROM billings b
                WHERE amount <> (SELECT coalesce(sum((l ->> 'amount')::bigint), 0) FROM jsonb_array_elements(b.lines) l)
                """
            ),
            (
                "the credit balance is not what its billings say",
                """
                SELECT s.id FROM subscriptions s LEFT JOIN (
                    SELECT subscription_id, sum(credit_added - credit_applied - credit_returned) AS credit
                    FROM billings WHERE status <> 'withdrawn' GROUP BY subscription_id
                ) b ON b.subscription_id = s.id
                WHERE s.credit <> coalesce(b.credit, 0)
                """
            ),
        ]
    }

    /// Subscriptions that cannot be read, and so not be worked on, because their time zone's name has gone.
    private static func unknownZones(in db: borrowing PostgresTransaction) throws -> [String] {
        let zones: [String] = try db.query("SELECT DISTINCT time_zone FROM subscriptions") { row in try row.next() }
        let unknown: [String] = zones.filter { TimeZoneID($0) == nil }
        guard !unknown.isEmpty else { return [] }
        return try broken(
            "its time zone is not known here",
            "SELECT id FROM subscriptions WHERE time_zone = ANY(\(unknown)::text[])", in: db)
    }

    private static func broken(
        _ rule: String, _ sql: SQL, in db: borrowing PostgresTransaction
    ) throws -> [String] {
        let ids: [String] = try db.query(sql + " LIMIT 20") { row in try row.next() }
        return ids.map { "\($0): \(rule)" }
    }
}
