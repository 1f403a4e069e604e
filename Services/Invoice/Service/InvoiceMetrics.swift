import InvoiceDomain
import Postgres
import Telemetry

/// What the service counts. Every count goes up after the commit that made it true.
struct InvoiceMetrics: Sendable {
    /// The counters of this process.
    static let shared = InvoiceMetrics()

    private static func outcome(_ name: String) -> Counter {
        Metrics.shared.counter("invoices_total", help: "Invoices by what happened to them", labels: ["outcome": name])
    }

    private let finalized = Self.outcome("finalized")
    private let settled = Self.outcome("paid")
    private let withdrawn = Self.outcome("voided")
    private let refunds = Self.outcome("refunded")
    private let setAside = Metrics.shared.counter(
        "invoice_unapplied_payments_total", help: "Payments whose invoice could not accept them")

    private init() {}

    /// Invoices were numbered; those with nothing to pay are paid too.
    func issued(_ invoices: [Invoice], in db: borrowing PostgresTransaction) {
        add(invoices.count, to: finalized, in: db)
        add(invoices.count { $0.status == .paid }, to: settled, in: db)
    }

    /// Invoices were settled by payments.
    func paid(_ count: Int, in db: borrowing PostgresTransaction) { add(count, to: settled, in: db) }

    /// Invoices were withdrawn.
    func voided(_ count: Int, in db: borrowing PostgresTransaction) { add(count, to: withdrawn, in: db) }

    /// Refunds were booked.
    func refunded(_ count: Int, in db: borrowing PostgresTransaction) { add(count, to: refunds, in: db) }

    /// Payments were set aside.
    func unapplied(_ count: Int, in db: borrowing PostgresTransaction) { add(count, to: setAside, in: db) }

    private func add(_ count: Int, to counter: Counter, in db: borrowing PostgresTransaction) {
        guard count > 0 else { return }
        db.onCommit { counter.increment(by: count) }
    }
}
