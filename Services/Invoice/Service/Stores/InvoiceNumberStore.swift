import InvoiceDomain
import Postgres

/// The `invoice_numbers` table: one row, the last number given out.
enum InvoiceNumberStore {
    /// Why there is no next number: the row is gone, or 64 bits are used up.
    enum Failure: Error { case seriesMissing, spent }

    /// Takes the next numbers and keeps the series locked until the transaction ends.
    ///
    /// A rollback gives them back, so there are no gaps; whoever numbers at the same time waits, so there are no
    /// duplicates. One call numbers a whole batch: the lock is held for one commit, not for one per invoice.
    /// - Parameter count: How many, at least one.
    /// - Returns: The first; the others follow it.
    static func take(_ count: Int, in db: borrowing PostgresTransaction) throws -> Int64 {
        let last: Int64? = try db.first(
            """
            UPDATE invoice_numbers SET last = last + \(count) WHERE series = \(InvoiceNumber.series) RETURNING last
            """
        ) { row in try row.next() }
        guard let last else { throw Failure.seriesMissing }
        return last - Int64(count) + 1
    }
}
