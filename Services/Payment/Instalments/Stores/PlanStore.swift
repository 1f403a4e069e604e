package import BillingCore
import PaymentDomain
import PaymentRecords
package import Postgres

/// SQL that reads plans.
package enum PlanStore {
    private static let columns: SQL = """
        p.id, p.customer_id, p.payment_method_id, p.status, p.amount, p.currency, p.down_payment, p.started_on, p.day, \
        p.purchase_left, p.overpaid, p.awaited_payment_id, p.next_step_at, p.entries, p.description, p.metadata::text, \
        p.created_at, t.name, t.count, t.interval, t.first_instalment, t.annual_rate, t.fee, t.late_fee, \
        t.late_fee_share, t.grace_days, t.default_after_days, t.retry_days
        """

    /// One plan; `nil` when there is none.
    package static func find(_ id: InstalmentPlanID, in db: borrowing PostgresTransaction) throws -> PlanRecord? {
        try read("WHERE p.id = \(id)", in: db).first
    }

    /// The plan that a payment is an instalment of; `nil` for any other.
    package static func find(of payment: PaymentID, in db: borrowing PostgresTransaction) throws -> PlanRecord? {
        try read(which(of: payment), in: db).first
    }

    /// The same, its row locked: before the payment's, as always.
    package static func lock(of payment: PaymentID, in db: borrowing PostgresTransaction) throws -> PlanRecord? {
        try read("\(which(of: payment)) FOR UPDATE OF p", in: db).first
    }

    private static func which(of payment: PaymentID) -> SQL {
        """
        WHERE p.id = (SELECT i.plan_id FROM payments y JOIN instalments i ON i.id = y.instalment_id WHERE y.id = \(payment))
        """
    }

    /// Newest first, after a cursor.
    static func list(
        customer: CustomerID?, after: InstalmentPlanID?, limit: Int, in db: borrowing PostgresTransaction
    ) throws -> [PlanRecord] {
        let matching: SQL = .matching(customer.map { "p.customer_id = \($0)" }, after.map { "p.id < \($0)" })
        return try read("\(matching) ORDER BY p.id DESC LIMIT \(limit)", in: db)
    }

    /// Plans, their rows locked in order of id.
    static func lock(_ ids: [InstalmentPlanID], in db: borrowing PostgresTransaction) throws -> [PlanRecord] {
        guard !ids.isEmpty else { return [] }
        return try read(
            "WHERE p.id = ANY(\(ids.map(\.rawValue))::text[]) ORDER BY p.id FOR UPDATE OF p", in: db)
    }

    /// Running plans of customers, their rows locked in order of id.
    static func lock(
        runningOf customers: [CustomerID], in db: borrowing PostgresTransaction
    ) throws -> [PlanRecord] {
        try read(
            """
            WHERE p.customer_id = ANY(\(customers.map(\.rawValue))::text[]) AND p.status IN ('active', 'late')
            ORDER BY p.id FOR UPDATE OF p
            """, in: db)
    }

    /// Plans with something to do, their rows locked; those that another instance works on are passed over.
    static func lockDue(by now: Instant, limit: Int, in db: borrowing PostgresTransaction) throws -> [PlanRecord] {
        try read(due(by: now, limit: limit), in: db)
    }

    /// The ids of the same, for whoever reads them one by one.
    static func lockDueIDs(
        by now: Instant, limit: Int, in db: borrowing PostgresTransaction
    ) throws -> [InstalmentPlanID] {
        try db.query("SELECT p.id FROM instalment_plans p \(due(by: now, limit: limit))") { row in try row.next() }
    }

    private static func due(by now: Instant, limit: Int) -> SQL {
        "\(due(by: now)) LIMIT \(limit) FOR UPDATE OF p SKIP LOCKED"
    }

    private static func due(by now: Instant) -> SQL { "WHERE p.next_step_at <= \(now) ORDER BY p.next_step_at" }

    /// Plans with something to do by a time.
    static func waiting(by time: Instant) -> SQL { "SELECT p.id FROM instalment_plans p \(due(by: time))" }

    /// When the next plan has something to do.
    static func nextStep(in db: borrowing PostgresTransaction) throws -> Instant? {
        try db.first("SELECT min(next_step_at) FROM instalment_plans WHERE next_step_at IS NOT NULL") { row in
            try row.next(Instant?.self)
        } ?? nil
    }

    private static func read(_ which: SQL, in db: borrowing PostgresTransaction) throws -> [PlanRecord] {
        let rows: [PlanRow] = try db.query(
            "SELECT \(columns) FROM instalment_plans p JOIN instalment_terms t ON t.id = p.terms_id \(which)",
            as: PlanRow.self)
        guard !rows.isEmpty else { return [] }
        let ids: [String] = rows.map(\.id.rawValue)
        let parts: [PartRow] = try db.query(
            """
            SELECT i.plan_id, i.id, i.number, i.due_on, i.status, i.principal, i.charge, i.late_fee, i.paid,
                i.earned_before, i.earning_from, i.judged_on, i.next_attempt_on,
                CASE WHEN a.payment_method_id = coalesce(p.payment_method_id, m.id) THEN a.retry_at END,
                y.id, y.status, y.amount_refunded
            FROM instalments i JOIN instalment_plans p ON p.id = i.plan_id
            LEFT JOIN payments y ON y.instalment_id = i.id LEFT JOIN payment_attempts a ON a.id = y.attempt_id
            LEFT JOIN payment_methods m ON m.customer_id = p.customer_id AND m.is_default
            WHERE i.plan_id = ANY(\(ids)::text[]) ORDER BY i.plan_id, i.number
            """, as: PartRow.self)
        let settlements: [SettlementRow] = try db.query(
            """
            SELECT DISTINCT ON (s.plan_id) s.plan_id, s.id, s.amount, s.rebate, s.rounding, s.status, y.id, y.status,
                y.amount_refunded, (coalesce(sum(y.amount_refunded) OVER (PARTITION BY s.plan_id), 0))::bigint
            FROM instalment_settlements s LEFT JOIN payments y ON y.instalment_id = s.id
            WHERE s.plan_id = ANY(\(ids)::text[]) ORDER BY s.plan_id, s.id DESC
            """, as: SettlementRow.self)
        let byPlan: [InstalmentPlanID: [PartRow]] = Dictionary(grouping: parts, by: \.planID)
        let ended: [InstalmentPlanID: SettlementRow] = Dictionary(
            settlements.map { ($0.planID, $0) }
        ) { first, _ in first }
        return try rows.map { try $0.record(byPlan[$0.id] ?? [], ended[$0.id]) }
    }
}
