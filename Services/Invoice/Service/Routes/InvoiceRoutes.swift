import BillingCore
import HTTPKit
import InvoiceDomain
import Postgres

/// `/v1/invoices`: invoices are made by events, so HTTP only reads them.
enum InvoiceRoutes {
    static let endpoints: [Endpoint] = [list, one]

    private static let list: Endpoint = .list(
        "/v1/invoices", scope: "invoices:read", summary: "List invoices, newest first",
        filters: [
            .id("customer_id", as: CustomerID.self, doc: "Of this customer"),
            .id("subscription_id", as: SubscriptionID.self, doc: "Of this subscription"),
            .enumeration("status", of: InvoiceStatus.self, doc: "In this state"),
        ], item: InvoiceDocument.self
    ) { db, call, request in
        let filter = InvoiceFilter(
            customerID: call.query.id("customer_id"), subscriptionID: call.query.id("subscription_id"),
            status: call.query.enumeration("status"))
        let found: [InvoiceDocument] = try InvoiceDocumentStore.list(
            filter, after: try request.cursor(), limit: request.fetchLimit, in: db)
        return request.page(found)
    }

    private static let one: Endpoint = .read(
        "/v1/invoices/{id}", scope: "invoices:read", summary: "Read an invoice with its lines",
        answers: InvoiceDocument.self, problems: ["404 not_found"]
    ) { db, call in
        let id: InvoiceID = try call.id()
        guard let invoice = try InvoiceDocumentStore.find(id, in: db) else {
            throw Problem.notFound("invoice", id.rawValue)
        }
        return invoice
    }
}
