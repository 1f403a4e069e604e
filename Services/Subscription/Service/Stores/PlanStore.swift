package import BillingCore
package import Postgres
package import SubscriptionDomain

/// A plan with what only the API knows of it.
package struct StoredPlan: Sendable, Equatable {
    package let plan: Plan
    package let isActive: Bool
    package let metadata: [String: String]
    package let createdAt: Instant
}

package enum PlanStore {
    private static let columns: SQL =
        """
        id, name, amount, currency, billing_interval, interval_count, trial_days, active, metadata, created_at
        """

    /// Adds a plan.
    /// - Returns: `false` when the id is taken; nothing is changed then.
    static func insert(_ stored: StoredPlan, in db: borrowing PostgresTransaction) throws -> Bool {
        let plan: Plan = stored.plan
        return try db.execute(
            """
            INSERT INTO plans (\(columns))
            VALUES (\(plan.id), \(plan.name), \(plan.price.minor), \(plan.price.currency.code),
                \(plan.rule.interval.rawValue), \(plan.rule.count), \(plan.trialDays), \(stored.isActive),
                \(MetadataColumn.encode(stored.metadata))::jsonb, \(stored.createdAt))
            ON CONFLICT (id) DO NOTHING
            """) == 1
    }

    /// Sets whether a plan can be subscribed to.
    static func setActive(_ isActive: Bool, _ id: PlanID, in db: borrowing PostgresTransaction) throws {
        _ = try db.execute("UPDATE plans SET active = \(isActive) WHERE id = \(id)")
    }

    /// Reads one plan; `nil` when there is none.
    static func find(_ id: PlanID, in db: borrowing PostgresTransaction) throws -> StoredPlan? {
        try db.first("SELECT \(columns) FROM plans WHERE id = \(id)", read)
    }

    /// A page, newest first.
    package static func list(after cursor: PlanID?, limit: Int, in db: borrowing PostgresTransaction) throws
        -> [StoredPlan]
    {
        var sql: SQL = "SELECT \(columns) FROM plans"
        if let cursor {
            sql += " WHERE (created_at, id) < (SELECT p.created_at, p.id FROM plans p WHERE p.id = \(cursor))"
        }
        return try db.query(sql + " ORDER BY created_at DESC, id DESC LIMIT \(limit)", read)
    }

    private static func read(_ row: inout PostgresRow) throws -> StoredPlan {
        let plan: Plan = try PlanColumns.read(&row)
        let isActive: Bool = try row.next()
        let metadata: String = try row.next()
        let createdAt: Instant = try row.next()
        return StoredPlan(
            plan: plan, isActive: isActive, metadata: try MetadataColumn.decode(metadata), createdAt: createdAt)
    }
}
