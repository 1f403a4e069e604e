import AnalyticsDomain
import JSON
package import Postgres
package import ServiceKit

/// Says what Analytics believes, in the terms in which the owners can say it too, and which of its own promises are
/// broken.
package struct CheckConsistency: Sendable {
    /// Nothing to configure.
    package init() {}

    /// Reads the whole; one state where the transaction is a snapshot.
    package func callAsFunction(in db: borrowing PostgresTransaction) throws -> ConsistencyFacts {
        let paid: JSONValue = try FactStore.invoices(paidOnly: true, in: db)
        return ConsistencyFacts(
            facts: [
                ("active_subscriptions", number(try FactStore.subscriptions(status: .active, in: db))),
                ("past_due_subscriptions", number(try FactStore.subscriptions(status: .pastDue, in: db))),
                ("mrr", try FactStore.mrr(in: db)),
                ("succeeded_payments", try FactStore.succeededPayments(in: db)),
                ("captures", try FactStore.captures(in: db)),
                ("lost_disputes", try FactStore.lostDisputes(in: db)),
                ("refunds", try FactStore.refunds(in: db)),
                ("finalized_invoices", try FactStore.invoices(paidOnly: false, in: db)),
                ("paid_invoices", paid),
                ("event_history", try FactStore.history(in: db)),
            ],
            violations: try FactStore.violations(in: db))
    }

    private func number(_ value: Int64) -> JSONValue { .number(String(value)) }
}
