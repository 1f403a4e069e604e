package import BillingCore
package import InvoiceDomain
package import Postgres

/// Which invoices a list is narrowed to.
package struct InvoiceFilter: Sendable {
    /// Of this customer.
    package var customerID: CustomerID?
    /// Of this subscription.
    package var subscriptionID: SubscriptionID?
    /// In this state.
    package var status: InvoiceStatus?

    /// A filter; everything left out matches.
    package init(
        customerID: CustomerID? = nil, subscriptionID: SubscriptionID? = nil, status: InvoiceStatus? = nil
    ) {
        self.customerID = customerID
        self.subscriptionID = subscriptionID
        self.status = status
    }
}

/// Reads whole invoices, as people see them: head, lines and address.
package enum InvoiceDocumentStore {
    /// One invoice; `nil` when there is none.
    package static func find(_ id: InvoiceID, in db: borrowing PostgresTransaction) throws -> InvoiceDocument? {
        try whole(
            try db.query("SELECT \(InvoiceStore.columns) FROM invoices i WHERE i.id = \(id)", InvoiceStore.read), in: db
        ).first
    }

    /// The newest invoices that match, at most `limit`, older than `after`.
    package static func list(
        _ filter: InvoiceFilter, after: InvoiceID?, limit: Int, in db: borrowing PostgresTransaction
    ) throws -> [InvoiceDocument] {
        try whole(try db.query(listing(filter, after: after, limit: limit), InvoiceStore.read), in: db)
    }

    /// The statement behind ``list(_:after:limit:in:)``. Each filter has an index that ends in the id.
    package static func listing(_ filter: InvoiceFilter, after: InvoiceID?, limit: Int) -> SQL {
        let matching: SQL = .matching(
            filter.customerID.map { "i.customer_id = \($0)" },
            filter.subscriptionID.map { "i.subscription_id = \($0)" },
            filter.status.map { "i.status = \($0.rawValue)" }, after.map { "i.id < \($0)" })
        return "SELECT \(InvoiceStore.columns) FROM invoices i \(matching) ORDER BY i.id DESC LIMIT \(limit)"
    }

    private static func whole(
        _ invoices: [Invoice], in db: borrowing PostgresTransaction
    ) throws -> [InvoiceDocument] {
        guard !invoices.isEmpty else { return [] }
        let lines: [InvoiceID: [InvoiceLine]] = try InvoiceLineStore.lines(of: invoices, in: db)
        let disputed: [InvoiceID: Int64] = try DisputeStore.lost(of: invoices.map(\.id), in: db)
        let addressees: [InvoiceID: Addressee] = try InvoiceStore.addressees(of: invoices.map(\.id), in: db)
        return invoices.map {
            InvoiceDocument(
                invoice: $0, lines: lines[$0.id] ?? [], disputedMinor: disputed[$0.id] ?? 0,
                addressee: addressees[$0.id])
        }
    }
}
