import BillingCore
import InvoiceDomain
import Postgres

/// The `invoice_lines` table: written with the invoice, then only read.
enum InvoiceLineStore {
    /// A line and where it stands.
    private struct Placed {
        let invoice: InvoiceID
        let position: Int
        let line: InvoiceLine
    }

    /// Inserts the lines of several invoices, each list in its order.
    static func insertion(_ invoices: [(id: InvoiceID, lines: [InvoiceLine])]) -> SQL {
        let rows: [Placed] = invoices.flatMap { invoice in
            invoice.lines.enumerated().map { Placed(invoice: invoice.id, position: $0 + 1, line: $1) }
        }
        return """
            INSERT INTO invoice_lines (invoice_id, position, description, quantity, unit_amount, amount, period_start,
                period_end, proration)
            SELECT * FROM unnest(
                \(rows.map(\.invoice))::text[], \(rows.map(\.position))::integer[],
                \(rows.map(\.line.description))::text[], \(rows.map(\.line.quantity))::bigint[],
                \(rows.map(\.line.unitAmount.minor))::bigint[], \(rows.map(\.line.amount.minor))::bigint[],
                \(rows.map(\.line.periodStart))::timestamptz[], \(rows.map(\.line.periodEnd))::timestamptz[],
                \(rows.map(\.line.proration))::boolean[])
            """
    }

    /// The lines of invoices, in order.
    static func lines(
        of invoices: [Invoice], in db: borrowing PostgresTransaction
    ) throws -> [InvoiceID: [InvoiceLine]] {
        let currencies: [InvoiceID: Currency] = Dictionary(
            invoices.map { ($0.id, $0.currency) }, uniquingKeysWith: { first, _ in first })
        let rows: [(InvoiceID, InvoiceLine)?] = try db.query(
            """
            SELECT invoice_id, description, quantity, unit_amount, amount, period_start, period_end, proration
            FROM invoice_lines WHERE invoice_id = ANY(\(invoices.map(\.id))) ORDER BY invoice_id, position
            """
        ) { row in
            let id: InvoiceID = try row.next()
            guard let currency = currencies[id] else { return nil }
            let line = InvoiceLine(
                description: try row.next(), quantity: try row.next(),
                unitAmount: Money(minor: try row.next(), currency: currency),
                amount: Money(minor: try row.next(), currency: currency), periodStart: try row.next(),
                periodEnd: try row.next(), proration: try row.next())
            return (id, line)
        }
        var lines: [InvoiceID: [InvoiceLine]] = [:]
        for case .some((let id, let line)) in rows { lines[id, default: []].append(line) }
        return lines
    }
}
