import AnalyticsDomain
import BillingCore
import Postgres

/// Issued invoices and where they stand.
enum InvoiceStore {
    /// Takes in what a batch says of its invoices, one state each; travels with the next statement. The rule is
    /// ``InvoiceState/merge(_:)``.
    static func merge(_ states: [InvoiceState], in db: borrowing PostgresTransaction) throws {
        guard !states.isEmpty else { return }
        try db.enqueue(
            """
            INSERT INTO invoices AS i (
                invoice_id, customer_id, subscription_id, number, amount_minor, currency, status, issued_at, paid_at)
            SELECT * FROM unnest(
                \(states.map(\.invoiceID))::text[], \(states.map(\.customerID))::text[],
                \(states.map(\.subscriptionID))::text[], \(states.map(\.number))::text[],
                \(states.map(\.amount.minor))::bigint[], \(states.map(\.amount.currency))::text[],
                \(states.map(\.status.rawValue))::text[], \(states.map(\.issuedAt))::timestamptz[],
                \(states.map(\.paidAt))::timestamptz[])
            ON CONFLICT (invoice_id) DO UPDATE SET
                status = CASE WHEN i.status = 'finalized' THEN excluded.status ELSE i.status END,
                number = COALESCE(i.number, excluded.number),
                issued_at = COALESCE(i.issued_at, excluded.issued_at),
                paid_at = COALESCE(i.paid_at, excluded.paid_at)
            """)
    }
}
