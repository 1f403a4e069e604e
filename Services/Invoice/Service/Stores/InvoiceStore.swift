import BillingCore
import InvoiceDomain
import Postgres

/// The `invoices` table. Rows are locked in the order of their ids, whatever asks for them.
enum InvoiceStore {
    /// The columns ``read(_:)`` expects, of the table under the name `i`.
    static let columns: SQL = """
        i.id, i.billing_id, i.subscription_id, i.customer_id, i.reason, i.period_start, i.period_end, i.currency,
        i.subtotal, i.total, i.status, i.number, i.issued_at, i.paid_at, i.payment_id, i.amount_refunded, i.voided_at,
        i.void_reason
        """

    /// The billings among these that have an invoice already.
    static func billed(_ ids: [BillingID], in db: borrowing PostgresTransaction) throws -> Set<BillingID> {
        let known: [BillingID] = try db.query("SELECT billing_id FROM invoices WHERE billing_id = ANY(\(ids))") { row in
            try row.next()
        }
        return Set(known)
    }

    /// Reads invoices without locking them.
    static func find(_ ids: [InvoiceID], in db: borrowing PostgresTransaction) throws -> [InvoiceID: Invoice] {
        keyed(try db.query("SELECT \(columns) FROM invoices i WHERE i.id = ANY(\(ids))", read))
    }

    /// Reads invoices and keeps their rows locked until the transaction ends.
    static func lock(_ ids: [InvoiceID], in db: borrowing PostgresTransaction) throws -> [InvoiceID: Invoice] {
        keyed(
            try db.query("SELECT \(columns) FROM invoices i WHERE i.id = ANY(\(ids)) ORDER BY i.id FOR UPDATE", read))
    }

    /// Reads the invoices of billings and keeps their rows locked until the transaction ends.
    static func lock(billings: [BillingID], in db: borrowing PostgresTransaction) throws -> [BillingID: Invoice] {
        let invoices: [Invoice] = try db.query(
            "SELECT \(columns) FROM invoices i WHERE i.billing_id = ANY(\(billings)) ORDER BY i.id FOR UPDATE", read)
        return Dictionary(invoices.map { ($0.billing.id, $0) }, uniquingKeysWith: { first, _ in first })
    }

    /// Inserts whole invoices, addressed to their customers as known now: that stays so, whatever becomes of the customers.
    static func insertion(_ invoices: [Invoice]) -> SQL {
        """
        INSERT INTO invoices (id, billing_id, subscription_id, customer_id, reason, period_start, period_end, currency,
            subtotal, total, amount_paid, status, number, issued_at, paid_at, bill_to_name, bill_to_email,
            bill_to_country)
        SELECT n.*, c.name, c.email, c.country FROM unnest(
            \(invoices.map(\.id))::text[], \(invoices.map(\.billing.id))::text[],
            \(invoices.map(\.billing.subscriptionID))::text[], \(invoices.map(\.billing.customerID))::text[],
            \(invoices.map(\.billing.reason))::text[], \(invoices.map(\.billing.periodStart))::timestamptz[],
            \(invoices.map(\.billing.periodEnd))::timestamptz[], \(invoices.map(\.currency.code))::text[],
            \(invoices.map(\.subtotal.minor))::bigint[], \(invoices.map(\.total.minor))::bigint[],
            \(invoices.map(\.amountPaid.minor))::bigint[], \(invoices.map(\.status.rawValue))::text[],
            \(invoices.map(\.state.number?.sequence))::bigint[], \(invoices.map(\.state.issuedAt))::timestamptz[],
            \(invoices.map(\.state.paidAt))::timestamptz[])
            AS n(id, billing_id, subscription_id, customer_id, reason, period_start, period_end, currency, subtotal, total,
                amount_paid, status, number, issued_at, paid_at)
        LEFT JOIN customers c ON c.id = n.customer_id
        """
    }

    /// Whom invoices are addressed to: as known when each was issued. Where nobody was known then, as known now; none where
    /// nobody is.
    static func addressees(
        of ids: [InvoiceID], in db: borrowing PostgresTransaction
    ) throws -> [InvoiceID: Addressee] {
        let found: [(InvoiceID, Addressee)] = try db.query(
            """
            SELECT i.id, coalesce(i.bill_to_name, c.name), coalesce(i.bill_to_email, c.email),
                coalesce(i.bill_to_country, c.country)
            FROM invoices i LEFT JOIN customers c ON c.id = i.customer_id
            WHERE i.id = ANY(\(ids)) AND (i.bill_to_name IS NOT NULL OR c.id IS NOT NULL)
            """
        ) { row in
            (try row.next(), Addressee(name: try row.next(), email: try row.next(), country: try row.next()))
        }
        return Dictionary(found, uniquingKeysWith: { first, _ in first })
    }

    /// Writes back what moves after an invoice was issued. The caller holds the rows' locks.
    static func update(_ invoices: [Invoice]) -> SQL {
        """
        UPDATE invoices i SET status = c.status, amount_paid = c.amount_paid, amount_refunded = c.amount_refunded,
            paid_at = c.paid_at, payment_id = c.payment_id, voided_at = c.voided_at, void_reason = c.void_reason
        FROM unnest(
            \(invoices.map(\.id))::text[], \(invoices.map(\.status.rawValue))::text[],
            \(invoices.map(\.amountPaid.minor))::bigint[], \(invoices.map(\.state.refundedMinor))::bigint[],
            \(invoices.map(\.state.paidAt))::timestamptz[], \(invoices.map(\.state.paymentID))::text[],
            \(invoices.map(\.state.voidedAt))::timestamptz[], \(invoices.map(\.state.voidReason))::text[])
            AS c(id, status, amount_paid, amount_refunded, paid_at, payment_id, voided_at, void_reason)
        WHERE i.id = c.id
        """
    }

    /// Reads ``columns``.
    static func read(_ row: inout PostgresRow) throws -> Invoice {
        let id: InvoiceID = try row.next()
        let billing = Invoice.Billing(
            id: try row.next(), subscriptionID: try row.next(), customerID: try row.next(), reason: try row.next(),
            periodStart: try row.next(), periodEnd: try row.next())
        let currency: Currency = try row.next()
        let subtotal = Money(minor: try row.next(), currency: currency)
        let total = Money(minor: try row.next(), currency: currency)
        var state = Invoice.State()
        state.status = try row.nextCase()
        let sequence: Int64? = try row.next()
        state.number = sequence.flatMap { InvoiceNumber(sequence: $0) }
        state.issuedAt = try row.next()
        state.paidAt = try row.next()
        state.paymentID = try row.next()
        state.refundedMinor = try row.next()
        state.voidedAt = try row.next()
        state.voidReason = try row.next()
        return Invoice(id: id, billing: billing, subtotal: subtotal, total: total, state: state)
    }

    private static func keyed(_ invoices: [Invoice]) -> [InvoiceID: Invoice] {
        Dictionary(invoices.map { ($0.id, $0) }, uniquingKeysWith: { first, _ in first })
    }
}
