import BillingCore
import Postgres
import SubscriptionDomain

/// An invoice's first attempt to collect, and the payment method it uses.
struct FirstAttempt {
    let subscription: SubscriptionID
    let invoice: InvoiceID
    let method: PaymentMethodID
}

enum BillingStore {
    /// The columns in the order of ``readOptional(_:)``; the origin's plan is joined as `o`, what was planned there as `w`.
    static let columns: SQL =
        """
        b.id, b.reason, b.status, b.amount, b.currency, b.lines, b.period_index, b.period_start, b.period_end,
        b.credit_applied, b.credit_added, b.invoice_id, b.attempts, b.begun_attempt, b.failed_attempt, b.is_collecting,
        b.requested_at, b.first_failed_at, b.last_decline, b.payment_method_id, \(newMethod), b.asked_method_id,
        b.has_extra_retry, b.own_attempt, b.own_method_id, b.planned_at, b.billed_at, b.settled_at, b.is_paid_late,
        b.origin_anchor_date, b.origin_anchor_seconds, b.origin_period_index, b.origin_period_start,
        b.origin_period_end,
        o.id, o.name, o.amount, o.currency, o.billing_interval, o.interval_count, o.trial_days,
        w.id, w.name, w.amount, w.currency, w.billing_interval, w.interval_count, w.trial_days
        """

    /// The new method that no attempt is known to use. Instances of the release before say only that there is one.
    private static let newMethod: SQL =
        "CASE WHEN b.has_new_method THEN coalesce(b.new_method_id, 'pm_unknown') END"

    /// Reads billings by id; the subscriptions they belong to should be locked.
    static func load(_ ids: [BillingID], in db: borrowing PostgresTransaction) throws -> [BillingID: Billing] {
        guard !ids.isEmpty else { return [:] }
        let found: [Billing?] = try db.query(
            """
            SELECT \(columns) FROM billings b LEFT JOIN plans o ON o.id = b.origin_plan_id
                LEFT JOIN plans w ON w.id = b.origin_pending_plan_id
            WHERE b.id = ANY(\(ids)::text[])
            """, readOptional)
        var billings: [BillingID: Billing] = [:]
        for billing in found.compactMap({ $0 }) { billings[billing.id] = billing }
        return billings
    }

    /// Notes invoices on billings.
    /// - Returns: How many billings were found.
    /// - Note: One statement; locks the billings' rows.
    static func setInvoices(
        _ pairs: [(billing: BillingID, invoice: InvoiceID)], in db: borrowing PostgresTransaction
    ) throws -> Int {
        try db.execute(
            """
            UPDATE billings b SET invoice_id = coalesce(b.invoice_id, e.invoice_id)
            FROM unnest(\(pairs.map(\.billing))::text[], \(pairs.map(\.invoice))::text[]) AS e(id, invoice_id)
            WHERE b.id = e.id
            """)
    }

    /// Notes the payment methods of invoices' first attempts on the open billings, whose invoices may not be known yet.
    /// A later attempt's method, known already, stays.
    /// - Note: Enqueues one statement, which locks the billings' rows.
    static func setFirstMethods(_ first: [FirstAttempt], in db: borrowing PostgresTransaction) throws {
        guard !first.isEmpty else { return }
        let methods: [PaymentMethodID] = first.map(\.method)
        try db.enqueue(
            """
            UPDATE billings b SET payment_method_id = e.method_id,
                new_method_id = nullif(b.new_method_id, e.method_id),
                has_new_method = b.has_new_method AND b.new_method_id IS DISTINCT FROM e.method_id
            FROM unnest(\(first.map(\.subscription))::text[], \(first.map(\.invoice))::text[], \(methods)::text[])
                AS e(subscription_id, invoice_id, method_id)
            WHERE b.subscription_id = e.subscription_id AND b.status = 'open'
                AND coalesce(b.invoice_id, e.invoice_id) = e.invoice_id AND coalesce(b.begun_attempt, 1) = 1
            """)
    }

    /// The billings whose credit the payments of these invoices are behind: those of the invoices that were paid late, and paid
    /// changes of plan that credited unused time which they had paid for. The subscriptions should be locked.
    static func credited(
        _ invoices: [InvoiceID], in db: borrowing PostgresTransaction
    ) throws -> [(subscription: SubscriptionID, billing: BillingID)] {
        guard !invoices.isEmpty else { return [] }
        return try db.query(
            """
            SELECT subscription_id, id FROM billings
            WHERE is_paid_late AND credit_added > 0 AND invoice_id = ANY(\(invoices)::text[])
            UNION ALL
            SELECT subscription_id, id FROM billings
            WHERE unused_invoice_id = ANY(\(invoices)::text[]) AND status = 'paid' AND NOT is_paid_late
            """
        ) { row in (subscription: try row.next(), billing: try row.next()) }
    }

    /// What came to the balance of billing `b`'s subscription after the late payment of `b`, and has not gone back, minor units: of
    /// a balance the oldest is used first.
    static let newerCredit: SQL = """
        (SELECT coalesce(sum(n.credit_added - n.credit_returned), 0)::bigint FROM billings n
            WHERE n.subscription_id = b.subscription_id AND n.reason = 'upgrade' AND n.status <> 'withdrawn'
                AND n.credit_added > n.credit_returned
                AND (CASE WHEN n.is_paid_late THEN n.settled_at ELSE n.billed_at END, n.id) > (b.settled_at, b.id))
        """

    /// Credit of late payments that these subscriptions have, as far as it has not gone back; the latest first.
    static func lateCredit(
        of subscriptions: [SubscriptionID], in db: borrowing PostgresTransaction
    ) throws -> [(subscription: SubscriptionID, credit: LateCredit)] {
        let found: [(subscription: SubscriptionID, id: BillingID, left: Int64, newer: Int64)] = try db.query(
            """
            SELECT b.subscription_id, b.id, b.credit_added - b.credit_returned, \(newerCredit) FROM billings b
            WHERE b.is_paid_late AND b.credit_added > b.credit_returned
                AND b.subscription_id = ANY(\(subscriptions)::text[])
            ORDER BY b.settled_at DESC, b.id DESC
            """
        ) { row in (subscription: try row.next(), id: try row.next(), left: try row.next(), newer: try row.next()) }
        let billings: [BillingID: Billing] = try load(found.map(\.id), in: db)
        return found.compactMap { late in
            billings[late.id].map { billing in
                (
                    subscription: late.subscription,
                    credit: LateCredit(billing: billing, left: late.left, newer: late.newer)
                )
            }
        }
    }

    /// Notes that of the credit which these billings gave as much is returned as has gone of the payments behind it, refunded
    /// or lost in disputes: of a late payment in all, of unused time's since the change. Releases before migration 0007 counted
    /// refunds and returned nothing. The subscriptions should be locked.
    /// - Returns: By how much each billing's subscription has less; below zero where money came back.
    static func returnCredit(
        _ billings: [BillingID], in db: borrowing PostgresTransaction
    ) throws -> [(subscription: SubscriptionID, amount: Int64)] {
        try db.query(
            """
            UPDATE billings b SET credit_returned = g.gone
            FROM (SELECT b.id, b.credit_returned AS before,
                    CASE WHEN b.is_paid_late THEN b.amount_refunded + \(DisputeStore.lost)
                        ELSE greatest(least(\(RefundStore.gone(of: "b.unused_invoice_id")) - b.unused_gone,
                            b.unused_credit), -b.unused_withheld) END AS gone
                FROM billings b
                WHERE b.id = ANY(\(billings)::text[]) AND (b.is_paid_late OR b.unused_invoice_id IS NOT NULL)) AS g
            WHERE b.id = g.id AND g.gone <> g.before
            RETURNING b.subscription_id, g.gone - g.before
            """
        ) { row in (subscription: try row.next(), amount: try row.next()) }
    }

    /// Adds what was given back of invoices whose billings were paid late, and takes off what came back. Of all invoices
    /// ``RefundStore`` counts it.
    /// - Parameter changes: One for each invoice: each change counts.
    static func addRefunded(
        _ changes: [(invoice: InvoiceID, amount: Int64)], in db: borrowing PostgresTransaction
    ) throws {
        try db.enqueue(
            """
            UPDATE billings b SET amount_refunded = b.amount_refunded + e.amount
            FROM unnest(\(changes.map(\.invoice))::text[], \(changes.map(\.amount))::bigint[])
                AS e(invoice_id, amount)
            WHERE b.is_paid_late AND b.invoice_id = e.invoice_id
            """)
    }

    /// One INSERT for new billings. A second billing of a period, or a second open one, violates a unique index.
    static func insertion(
        _ billings: [(billing: Billing, subscription: Subscription, unused: UnusedTime?)]
    ) -> SQL {
        let unused: [UnusedTime?] = billings.map(\.unused)
        let all: [Billing] = billings.map(\.billing)
        let origins: [UpgradeOrigin?] = all.map(\.origin)
        let subscriptions: [SubscriptionID] = billings.map(\.subscription.id)
        let customers: [CustomerID] = billings.map(\.subscription.customerID)
        let plans: [PlanID?] = origins.map { $0?.plan.id }
        let planned: [PlanID?] = origins.map { $0?.pendingPlan?.id }
        let dates: [CivilDate?] = origins.map { $0?.anchor.date }
        let seconds: [Int?] = origins.map { $0?.anchor.secondsOfDay }
        let indices: [Int?] = origins.map { $0?.period.index }
        let starts: [Instant?] = origins.map { $0?.period.start }
        let ends: [Instant?] = origins.map { $0?.period.end }
        return """
            INSERT INTO billings (id, subscription_id, customer_id, reason, amount, currency, lines, period_index,
                period_start, period_end, credit_applied, credit_added, billed_at, origin_plan_id,
                origin_pending_plan_id, origin_anchor_date, origin_anchor_seconds, origin_period_index,
                origin_period_start, origin_period_end, unused_invoice_id, unused_gone, unused_credit, unused_withheld,
                \(stateColumns))
            SELECT n.* FROM unnest(\(all.map(\.id))::text[], \(subscriptions)::text[], \(customers)::text[],
                \(all.map(\.reason))::text[], \(all.map(\.amount.minor))::bigint[],
                \(all.map(\.amount.currency.code))::text[], \(all.map { LinesColumn.encode($0.lines) })::jsonb[],
                \(all.map(\.period.index))::int[], \(all.map(\.period.start))::timestamptz[],
                \(all.map(\.period.end))::timestamptz[], \(all.map(\.creditApplied))::bigint[],
                \(all.map(\.creditAdded))::bigint[], \(all.map(\.billedAt))::timestamptz[], \(plans)::text[],
                \(planned)::text[], \(dates)::date[], \(seconds)::int[], \(indices)::int[], \(starts)::timestamptz[],
                \(ends)::timestamptz[], \(unused.map { $0?.invoiceID })::text[], \(unused.map { $0?.gone })::bigint[],
                \(unused.map { $0?.credit })::bigint[], \(unused.map { $0?.withheld })::bigint[],
                \(stateArrays(all))) AS n
            """
    }

    /// One UPDATE for what changes in a billing. The credit changes only when a withdrawn billing is paid late, and when that
    /// credit is given back because nothing uses it: then none of it is to be returned.
    static func update(_ billings: [Billing]) -> SQL {
        """
        UPDATE billings b SET credit_applied = n.credit_applied, credit_added = n.credit_added, status = n.status,
            credit_returned = CASE WHEN n.is_paid_late AND n.credit_added = 0 THEN 0 ELSE b.credit_returned END,
            invoice_id = coalesce(n.invoice_id, b.invoice_id), attempts = n.attempts,
            begun_attempt = n.begun_attempt, failed_attempt = n.failed_attempt, is_collecting = n.is_collecting,
            requested_at = n.requested_at, first_failed_at = n.first_failed_at, last_decline = n.last_decline,
            payment_method_id = coalesce(n.payment_method_id, b.payment_method_id),
            new_method_id = n.new_method_id, has_new_method = n.new_method_id IS NOT NULL,
            asked_method_id = nullif(n.asked_method_id, 'pm_unknown'),
            has_extra_retry = n.has_extra_retry, own_attempt = n.own_attempt, own_method_id = n.own_method_id,
            planned_at = n.planned_at, settled_at = n.settled_at, is_paid_late = n.is_paid_late
        FROM unnest(\(billings.map(\.id))::text[], \(billings.map(\.creditApplied))::bigint[],
            \(billings.map(\.creditAdded))::bigint[], \(stateArrays(billings)))
            AS n(id, credit_applied, credit_added, \(stateColumns))
        WHERE b.id = n.id
        """
    }

    private static let stateColumns: SQL =
        """
        status, invoice_id, attempts, begun_attempt, failed_attempt, is_collecting, requested_at, first_failed_at,
        last_decline, payment_method_id, new_method_id, asked_method_id, has_extra_retry, own_attempt, own_method_id,
        planned_at, settled_at, is_paid_late
        """

    private static func stateArrays(_ all: [Billing]) -> SQL {
        """
        \(all.map(\.status))::text[], \(all.map(\.invoiceID))::text[], \(all.map(\.attempts))::bigint[],
        \(all.map(\.begunAttempt))::bigint[], \(all.map(\.failedAttempt))::bigint[],
        \(all.map(\.isCollecting))::boolean[], \(all.map(\.requestedAt))::timestamptz[],
        \(all.map(\.firstFailedAt))::timestamptz[], \(all.map(\.lastDecline))::text[],
        \(all.map(\.paymentMethodID))::text[], \(all.map(\.newMethodID))::text[],
        \(all.map(\.askedMethodID))::text[], \(all.map(\.hasExtraRetry))::boolean[],
        \(all.map(\.ownAttempt))::bigint[], \(all.map(\.ownMethodID))::text[],
        \(all.map(\.plannedAt))::timestamptz[],
        \(all.map(\.settledAt))::timestamptz[], \(all.map(\.isPaidLate))::boolean[]
        """
    }
}

extension BillingStore {
    /// Reads the columns of an outer join; `nil` when there is no billing.
    static func readOptional(_ row: inout PostgresRow) throws -> Billing? {
        guard let id: BillingID = try row.next() else {
            for _ in 0..<47 { row.skip() }
            return nil
        }
        let reason: BillingReason = try row.next()
        let status: BillingStatus = try row.next()
        let amount: Int64 = try row.next()
        let currency: Currency = try row.next()
        let lines: String = try row.next()
        let period: BillingPeriod = try readPeriod(&row)
        let creditApplied: Int64 = try row.next()
        let creditAdded: Int64 = try row.next()
        let invoiceID: InvoiceID? = try row.next()
        let attempts: Int64 = try row.next()
        let begunAttempt: Int64? = try row.next()
        let failedAttempt: Int64? = try row.next()
        let isCollecting: Bool = try row.next()
        let requestedAt: Instant = try row.next()
        let firstFailedAt: Instant? = try row.next()
        let lastDecline: DeclineClass? = try row.next()
        let paymentMethodID: PaymentMethodID? = try row.next()
        let newMethodID: PaymentMethodID? = try row.next()
        let askedMethodID: PaymentMethodID? = try row.next()
        let hasExtraRetry: Bool = try row.next()
        let ownAttempt: Int64? = try row.next()
        let ownMethodID: PaymentMethodID? = try row.next()
        let plannedAt: Instant? = try row.next()
        let billedAt: Instant = try row.next()
        let settledAt: Instant? = try row.next()
        let isPaidLate: Bool = try row.next()
        return Billing(
            id: id, reason: reason, status: status, amount: Money(minor: amount, currency: currency),
            lines: try LinesColumn.decode(lines), period: period, creditApplied: creditApplied,
            creditAdded: creditAdded, invoiceID: invoiceID, attempts: attempts, begunAttempt: begunAttempt,
            failedAttempt: failedAttempt, isCollecting: isCollecting, requestedAt: requestedAt,
            firstFailedAt: firstFailedAt, lastDecline: lastDecline, paymentMethodID: paymentMethodID,
            newMethodID: newMethodID, askedMethodID: askedMethodID, hasExtraRetry: hasExtraRetry,
            ownAttempt: ownAttempt, ownMethodID: ownMethodID, plannedAt: plannedAt, origin: try readOrigin(&row),
            billedAt: billedAt, settledAt: settledAt, isPaidLate: isPaidLate)
    }

    static func readPeriod(_ row: inout PostgresRow) throws -> BillingPeriod {
        let index: Int = try row.next()
        let start: Instant = try row.next()
        let end: Instant = try row.next()
        return BillingPeriod(index: index, start: start, end: end)
    }

    private static func readOrigin(_ row: inout PostgresRow) throws -> UpgradeOrigin? {
        let date: CivilDate? = try row.next()
        let seconds: Int? = try row.next()
        let index: Int? = try row.next()
        let start: Instant? = try row.next()
        let end: Instant? = try row.next()
        let plan: Plan? = try PlanColumns.readOptional(&row)
        let pendingPlan: Plan? = try PlanColumns.readOptional(&row)
        guard let plan else { return nil }
        guard let date, let seconds, let index, let start, let end else { throw StoredValueFault.incompleteOrigin }
        return UpgradeOrigin(
            plan: plan, anchor: BillingAnchor(date: date, secondsOfDay: seconds),
            period: BillingPeriod(index: index, start: start, end: end), pendingPlan: pendingPlan)
    }
}
