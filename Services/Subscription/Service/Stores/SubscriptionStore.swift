package import BillingCore
import Messaging
package import Postgres
package import SubscriptionDomain

package enum SubscriptionStore {
    /// Locks subscriptions in the order of their ids, waiting where another transaction has one, and reads them with
    /// their plans and open billings.
    ///
    /// Two statements: what is joined must be read after the locks are held, or it may be from before the change that
    /// was waited for.
    static func lock(_ ids: some Sequence<SubscriptionID>, in db: borrowing PostgresTransaction) throws
        -> [Subscription]
    {
        let wanted: [SubscriptionID] = Set(ids).sorted()
        guard !wanted.isEmpty else { return [] }
        return try db.pipeline(
            ["SELECT 1 FROM subscriptions WHERE id = ANY(\(wanted)::text[]) ORDER BY id FOR UPDATE"],
            last: selection(wanted), read)
    }

    /// Locks all subscriptions of customers, in the order of their ids, without reading them. Travels with the next statement.
    static func lockAll(of customers: [CustomerID], in db: borrowing PostgresTransaction) throws {
        guard !customers.isEmpty else { return }
        try db.enqueue(
            "SELECT 1 FROM subscriptions WHERE customer_id = ANY(\(customers)::text[]) ORDER BY id FOR UPDATE")
    }

    /// Locks a customer's subscriptions that await money, in the order of their ids, and reads them.
    static func lockUnpaid(
        of customers: [CustomerID], in db: borrowing PostgresTransaction
    ) throws -> [Subscription] {
        let ids: [SubscriptionID] = try db.query(
            """
            SELECT s.id FROM subscriptions s
            WHERE s.customer_id = ANY(\(customers)::text[])
                AND s.status IN ('incomplete', 'trialing', 'active', 'past_due', 'unpaid')
                AND EXISTS (SELECT 1 FROM billings b WHERE b.subscription_id = s.id AND b.status = 'open')
            ORDER BY s.id FOR UPDATE OF s
            """
        ) { row in try row.next() }
        return try read(ids, in: db)
    }

    /// What is due: what could be read, and why the rest could not.
    struct Due {
        var subscriptions: [Subscription] = []
        var unreadable: [(id: SubscriptionID, reason: String)] = []
    }

    /// Locks what is due and free, the longest due first, and reads it. What another worker holds is passed over. One
    /// that cannot be read does not keep the others from being read.
    /// - Throws: The database's failures only.
    static func lockDue(by now: Instant, limit: Int, in db: borrowing PostgresTransaction) throws -> Due {
        let ids: [SubscriptionID] = try db.query(
            """
            SELECT id FROM subscriptions WHERE next_action_at <= \(now)
            ORDER BY next_action_at LIMIT \(limit) FOR UPDATE SKIP LOCKED
            """
        ) { row in try row.next() }
        do {
            return Due(subscriptions: try read(ids, in: db))
        } catch let error where isOfRow(error) {
            return try readEach(ids, in: db)
        }
    }

    private static func readEach(_ ids: [SubscriptionID], in db: borrowing PostgresTransaction) throws -> Due {
        var due = Due()
        for id in ids {
            do {
                due.subscriptions += try read([id], in: db)
            } catch let error where isOfRow(error) {
                due.unreadable.append((id: id, reason: "\(error)"))
            }
        }
        return due
    }

    /// Whether a failure is that of a row which cannot be read, and not the database's.
    private static func isOfRow(_ error: any Error) -> Bool {
        (error as? PostgresError).map { $0.kind == .decoding } ?? true
    }

    /// Moves the next look at locked subscriptions.
    static func putOff(
        _ ids: [SubscriptionID], until time: Instant, in db: borrowing PostgresTransaction
    ) throws {
        try db.enqueue("UPDATE subscriptions SET next_action_at = \(time) WHERE id = ANY(\(ids)::text[])")
    }

    /// When the scheduler has something to do next, if it is not later than a time.
    package static func nextDue(upTo limit: Instant?, in db: borrowing PostgresTransaction) throws -> Instant? {
        var sql: SQL = "SELECT next_action_at FROM subscriptions WHERE next_action_at IS NOT NULL"
        if let limit { sql += " AND next_action_at <= \(limit)" }
        return try db.first(sql + " ORDER BY next_action_at LIMIT 1") { row in try row.next() }
    }

    /// Reads subscriptions without locking them, in no particular order.
    package static func read(_ ids: [SubscriptionID], in db: borrowing PostgresTransaction) throws -> [Subscription] {
        guard !ids.isEmpty else { return [] }
        return try db.query(selection(ids), read)
    }

    /// A page, newest first.
    package static func list(
        customer: CustomerID?, status: SubscriptionStatus?, after cursor: SubscriptionID?, limit: Int,
        in db: borrowing PostgresTransaction
    ) throws -> [Subscription] {
        let matching: SQL = .matching(
            customer.map { "s.customer_id = \($0)" }, status.map { "s.status = \($0)" },
            cursor.map { "(s.created_at, s.id) < (SELECT c.created_at, c.id FROM subscriptions c WHERE c.id = \($0))" })
        let ids: [SubscriptionID] = try db.query(
            "SELECT s.id FROM subscriptions s \(matching) ORDER BY s.created_at DESC, s.id DESC LIMIT \(limit)"
        ) { row in try row.next() }
        var byID: [SubscriptionID: Subscription] = [:]
        for subscription in try read(ids, in: db) { byID[subscription.id] = subscription }
        return ids.compactMap { byID[$0] }
    }

    private static func selection(_ ids: [SubscriptionID]) -> SQL {
        """
        SELECT s.id, s.customer_id, s.time_zone, s.status, s.anchor_date, s.anchor_seconds, s.period_index,
            s.period_start, s.period_end, s.trial_end, s.cancel_at_period_end, s.canceled_at, s.credit,
            s.latest_billing_id, s.next_action_at, s.metadata, s.created_at,
            p.id, p.name, p.amount, p.currency, p.billing_interval, p.interval_count, p.trial_days,
            q.id, q.name, q.amount, q.currency, q.billing_interval, q.interval_count, q.trial_days,
            \(BillingStore.columns)
        FROM subscriptions s
        JOIN plans p ON p.id = s.plan_id
        LEFT JOIN plans q ON q.id = s.pending_plan_id
        LEFT JOIN billings b ON b.subscription_id = s.id AND b.status = 'open'
        LEFT JOIN plans o ON o.id = b.origin_plan_id
        LEFT JOIN plans w ON w.id = b.origin_pending_plan_id
        WHERE s.id = ANY(\(ids)::text[])
        """
    }

    private static func read(_ row: inout PostgresRow) throws -> Subscription {
        let id: SubscriptionID = try row.next()
        let customerID: CustomerID = try row.next()
        let zoneName: String = try row.next()
        let status: SubscriptionStatus = try row.next()
        let anchorDate: CivilDate = try row.next()
        let anchorSeconds: Int = try row.next()
        let period: BillingPeriod = try BillingStore.readPeriod(&row)
        let trialEnd: Instant? = try row.next()
        let cancelsAtPeriodEnd: Bool = try row.next()
        let canceledAt: Instant? = try row.next()
        let credit: Int64 = try row.next()
        let latestBillingID: BillingID? = try row.next()
        let nextActionAt: Instant? = try row.next()
        let metadata: String = try row.next()
        let createdAt: Instant = try row.next()
        let plan: Plan = try PlanColumns.read(&row)
        let pendingPlan: Plan? = try PlanColumns.readOptional(&row)
        guard let zone = TimeZoneID(zoneName) else { throw StoredValueFault.unknownZone(zoneName) }
        return Subscription(
            id: id, customerID: customerID, zone: zone, plan: plan, pendingPlan: pendingPlan, status: status,
            anchor: BillingAnchor(date: anchorDate, secondsOfDay: anchorSeconds), period: period, trialEnd: trialEnd,
            cancelsAtPeriodEnd: cancelsAtPeriodEnd, canceledAt: canceledAt, createdAt: createdAt, credit: credit,
            open: try BillingStore.readOptional(&row), latestBillingID: latestBillingID, nextActionAt: nextActionAt,
            metadata: try MetadataColumn.decode(metadata))
    }
}
