package import JSON
package import Postgres
import ServiceKit

/// What the consistency check asks of Invoice: totals that others know too, and promises of its own that may be broken.
/// Amounts are exact numbers of any length.
package enum InvoiceBooks {
    /// How many broken things of one kind are named; the rest are counted.
    static let namedAtMost = 20

    /// Totals over all invoices.
    package static func facts(in db: borrowing PostgresTransaction) throws -> [(String, JSONValue)] {
        let lastNumber: String? = try db.first("SELECT COALESCE(max(number), 0)::text FROM invoices") { try $0.next() }
        return [
            ("finalized_invoices", try total(of: "FROM invoices WHERE number IS NOT NULL", in: db)),
            ("paid_invoices", try total(of: "FROM invoices WHERE status = 'paid'", in: db)),
            ("void_invoices", try total(of: "FROM invoices WHERE status = 'void'", in: db)),
            ("open_invoices", try total(of: "FROM invoices WHERE status IN ('finalized', 'uncollectible')", in: db)),
            (
                "payments_of_paid_invoices",
                try Fingerprint.of(
                    "SELECT id FROM invoices WHERE status = 'paid' AND payment_id IS NOT NULL", in: db)
            ),
            ("paid_billings", try Fingerprint.of("SELECT billing_id FROM invoices WHERE status = 'paid'", in: db)),
            (
                "refunded_amount",
                try amounts(
                    """
                    SELECT currency, sum(amount_refunded)::text FROM invoices
                    WHERE amount_refunded > 0 GROUP BY 1 ORDER BY 1
                    """, in: db)
            ),
            ("last_number", .number(lastNumber ?? "0")),
        ]
    }

    /// One sentence for each broken promise.
    package static func violations(in db: borrowing PostgresTransaction) throws -> [String] {
        var found: [String] = try numbering(in: db)
        for (what, sql) in promises {
            let ids: [String] = try db.query("SELECT b.id FROM (\(sql)) b ORDER BY b.id LIMIT \(namedAtMost + 1)") {
                try $0.next()
            }
            guard !ids.isEmpty else { continue }
            let named: String = ids.prefix(namedAtMost).joined(separator: ", ")
            found.append("\(what): \(named)" + (ids.count > namedAtMost ? " and more" : ""))
        }
        return found
    }

    /// What must never be, and the ids of what is.
    private static let promises: [(String, SQL)] = [
        ("a number is used twice", "SELECT number::text AS id FROM invoices GROUP BY number HAVING count(number) > 1"),
        ("drafts outlived their transaction", "SELECT id FROM invoices WHERE status = 'draft'"),
        (
            "paid without a payment",
            "SELECT id FROM invoices WHERE status = 'paid' AND total <> 0 AND payment_id IS NULL"
        ),
        (
            "the lines do not add up to the total",
            """
            SELECT i.id FROM invoices i
            LEFT JOIN (SELECT invoice_id, sum(amount) AS amount FROM invoice_lines GROUP BY 1) l ON l.invoice_id = i.id
            WHERE i.total <> COALESCE(l.amount, 0)
            """
        ),
        (
            "lines without an invoice",
            """
            SELECT DISTINCT l.invoice_id AS id FROM invoice_lines l
            WHERE NOT EXISTS (SELECT 1 FROM invoices i WHERE i.id = l.invoice_id)
            """
        ),
        ("more refunded than paid", "SELECT id FROM invoices WHERE amount_refunded > amount_paid"),
        (
            "the refunds do not add up",
            """
            SELECT i.id FROM invoices i
            LEFT JOIN (SELECT invoice_id, sum(amount) AS amount FROM invoice_refunds
                       WHERE NOT unapplied AND failed_at IS NULL GROUP BY 1) r ON r.invoice_id = i.id
            WHERE i.amount_refunded <> COALESCE(r.amount, 0)
            """
        ),
        (
            "payments whose invoice could not accept them were not given back",
            """
            SELECT u.payment_id AS id FROM unapplied_payments u
            WHERE u.amount_refunded < u.amount AND u.amount_refunded + COALESCE((
                SELECT sum(d.amount) FROM invoice_disputes d
                WHERE d.payment_id = u.payment_id AND d.currency = u.currency AND d.outcome = 'lost'), 0) < u.amount
            """
        ),
    ]

    /// Numbers run from 1 without a gap, and the series stands at the last of them.
    private static func numbering(in db: borrowing PostgresTransaction) throws -> [String] {
        let state: (count: Int64, last: Int64, series: Int64)? = try db.first(
            """
            SELECT count(number), COALESCE(max(number), 0),
                COALESCE((SELECT last FROM invoice_numbers WHERE series = 'INV'), -1)
            FROM invoices
            """
        ) { row in (try row.next(), try row.next(), try row.next()) }
        guard let state else { return [] }
        var found: [String] = []
        if state.series != state.last {
            found.append("the series stands at \(state.series), the last number is \(state.last)")
        }
        let gaps: [String] = try db.query(
            """
            SELECT CASE WHEN number - before = 2 THEN (before + 1)::text
                ELSE (before + 1)::text || '–' || (number - 1)::text END
            FROM (SELECT number, COALESCE(lag(number) OVER (ORDER BY number), 0) AS before
                  FROM invoices WHERE number IS NOT NULL) n
            WHERE number - before > 1 ORDER BY number LIMIT \(namedAtMost)
            """
        ) { try $0.next() }
        if !gaps.isEmpty { found.append("numbers are missing: \(gaps.joined(separator: ", "))") }
        return found
    }

    /// Count, sum of the ids' hashes, and total amount by currency.
    private static func total(of invoices: SQL, in db: borrowing PostgresTransaction) throws -> JSONValue {
        guard case .object(let members) = try Fingerprint.of("SELECT id \(invoices)", in: db) else { return .null }
        let amount: JSONValue = try amounts(
            "SELECT currency, sum(total)::text \(invoices) GROUP BY 1 ORDER BY 1", in: db)
        return .object(members + [JSONMember(name: "amount", value: amount)])
    }

    private static func amounts(_ sql: SQL, in db: borrowing PostgresTransaction) throws -> JSONValue {
        .object(try db.query(sql) { row in JSONMember(name: try row.next(), value: .number(try row.next())) })
    }
}
