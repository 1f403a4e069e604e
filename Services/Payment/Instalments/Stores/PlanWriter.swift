import BillingCore
import Messaging
import PaymentDomain
import PaymentRecords
import Postgres

/// SQL that writes plans.
enum PlanWriter {
    /// Stores a new plan with its instalments.
    static func insert(
        _ record: PlanRecord, _ product: InstalmentProduct, in db: borrowing PostgresTransaction
    ) throws {
        let offer: InstalmentOffer = record.plan.offer
        let terms: SQL = try terms(of: offer, product, in: db)
        _ = try db.execute(
            """
            INSERT INTO instalment_plans (id, customer_id, payment_method_id, terms_id, status, amount, currency,
                down_payment, started_on, day, purchase_left, awaited_payment_id, next_step_at, description, metadata,
                created_at)
            VALUES (\(record.id), \(record.customerID), \(record.methodID), \(terms), \(record.status.rawValue),
                \(offer.purchase.minor), \(offer.purchase.currency), \(offer.terms.downPayment?.minor), \(offer.date),
                \(record.plan.day), \(record.plan.purchaseLeft.minor), \(record.awaited), \(record.nextStepAt),
                \(record.description), \(record.metadata)::jsonb, \(record.createdAt))
            """)
        let parts: [Instalment] = record.plan.instalments
        _ = try db.execute(
            """
            INSERT INTO instalments (id, plan_id, number, due_on, status, principal, charge, late_fee, paid,
                earned_before, earning_from)
            SELECT n.id, \(record.id), n.number, n.due_on, n.status, n.principal, n.charge, 0, 0, 0, n.earning_from
            FROM unnest(\(record.parts.map(\.id.rawValue))::text[], \(parts.map(\.number))::int[],
                \(parts.map(\.due))::date[], \(parts.map(\.status.rawValue))::text[],
                \(parts.map(\.principal.minor))::bigint[], \(parts.map(\.charge.minor))::bigint[],
                \(parts.map(\.earningFrom))::date[])
                AS n(id, number, due_on, status, principal, charge, earning_from)
            """)
    }

    /// Stores the terms, unless they are; each set of terms has one row.
    /// - Returns: A query of its id.
    private static func terms(
        of offer: InstalmentOffer, _ product: InstalmentProduct, in db: borrowing PostgresTransaction
    ) throws -> SQL {
        let currency: Currency = offer.purchase.currency
        let values: SQL = """
            \(product.name)::text, \(currency)::text, \(product.count.rawValue)::integer,
            \(product.interval.rawValue)::text, \(product.first.rawValue)::text, \(product.annualRate)::text,
            \(product.fees[currency])::bigint, \(product.lateFees[currency])::bigint,
            \(product.lateFeeShare)::text, \(product.graceDays)::integer,
            \(product.defaultAfterDays)::integer, \(product.dunning.retryDays)::integer[]
            """
        let columns: SQL = """
            name, currency, count, interval, first_instalment, annual_rate, fee, late_fee, late_fee_share, grace_days,
            default_after_days, retry_days
            """
        try db.enqueue("INSERT INTO instalment_terms (\(columns)) VALUES (\(values)) ON CONFLICT DO NOTHING")
        return "(SELECT id FROM instalment_terms WHERE (\(columns)) IS NOT DISTINCT FROM (\(values)))"
    }

    /// Stores what became of plans whose rows are locked, books it and tells it.
    static func save(_ works: [PlanWork], in db: borrowing PostgresTransaction) throws {
        guard !works.isEmpty else { return }
        try update(works.map(\.record), in: db)
        try updateParts(works.map(\.record), in: db)
        try InstalmentPayments.amend(works.map(\.record), in: db)
        try LedgerStore.book(works.flatMap(\.entries), in: db)
        try Outbox.append(works.flatMap(\.events), in: db)
    }

    /// Has a plan whose row is locked wait for its next step, and leaves it as it is otherwise.
    static func putOff(_ id: InstalmentPlanID, until moment: Instant, in db: borrowing PostgresTransaction) throws {
        try db.enqueue("UPDATE instalment_plans SET next_step_at = \(moment) WHERE id = \(id)")
    }

    private static func update(_ plans: [PlanRecord], in db: borrowing PostgresTransaction) throws {
        try db.enqueue(
            """
            UPDATE instalment_plans p SET status = n.status, payment_method_id = n.method, day = n.day,
                purchase_left = n.purchase_left, overpaid = n.overpaid, awaited_payment_id = n.awaited, next_step_at = n.next_step_at,
                entries = n.entries
            FROM unnest(\(plans.map(\.id.rawValue))::text[], \(plans.map(\.status.rawValue))::text[],
                \(plans.map { $0.methodID?.rawValue })::text[], \(plans.map(\.plan.day))::date[],
                \(plans.map(\.plan.purchaseLeft.minor))::bigint[], \(plans.map(\.overpaid))::bigint[],
                \(plans.map { $0.awaited?.rawValue })::text[],
                \(plans.map(\.nextStepAt))::timestamptz[], \(plans.map(\.entries))::integer[])
                AS n(id, status, method, day, purchase_left, overpaid, awaited, next_step_at, entries)
            WHERE p.id = n.id
            """)
    }

    private static func updateParts(_ plans: [PlanRecord], in db: borrowing PostgresTransaction) throws {
        let parts: [(PlanPart, Instalment)] = plans.flatMap { zip($0.parts, $0.plan.instalments) }
        try db.enqueue(
            """
            UPDATE instalments i SET status = n.status, principal = n.principal, charge = n.charge,
                late_fee = n.late_fee, paid = n.paid, earned_before = n.earned_before, earning_from = n.earning_from,
                next_attempt_on = n.next_attempt_on, judged_on = n.judged_on
            FROM unnest(\(parts.map(\.0.id.rawValue))::text[], \(parts.map(\.1.status.rawValue))::text[],
                \(parts.map(\.1.principal.minor))::bigint[], \(parts.map(\.1.charge.minor))::bigint[],
                \(parts.map(\.1.lateFee.minor))::bigint[], \(parts.map(\.1.paid.minor))::bigint[],
                \(parts.map(\.1.earnedBefore.minor))::bigint[], \(parts.map(\.1.earningFrom))::date[],
                \(parts.map(\.0.nextAttempt))::date[], \(parts.map(\.1.judgedOn))::date[])
                AS n(id, status, principal, charge, late_fee, paid, earned_before, earning_from, next_attempt_on,
                    judged_on)
            WHERE i.id = n.id
            """)
    }

    /// Stores a settlement that is about to be paid.
    static func insert(
        _ settlement: SettlementRecord, of plan: InstalmentPlanID, at now: Instant,
        in db: borrowing PostgresTransaction
    ) throws {
        _ = try db.execute(
            """
            INSERT INTO instalment_settlements (id, plan_id, amount, rebate, rounding, status, created_at)
            VALUES (\(settlement.id), \(plan), \(settlement.amount.minor), \(settlement.rebate.minor),
                \(settlement.rounding.minor), 'processing', \(now))
            """)
    }

    /// Ends a settlement.
    static func end(
        _ id: InstalmentID, _ status: FollowUpStatus, in db: borrowing PostgresTransaction
    ) throws {
        try db.enqueue("UPDATE instalment_settlements SET status = \(status.rawValue) WHERE id = \(id)")
    }
}
