import BillingCore
import BillingEvents
import InvoiceDomain
import InvoiceService
import JSON
import Messaging
import Postgres
import TestKit
import Testing

@Suite("Reading invoices") struct ReadingTests {
    @Test("lists are newest first, narrowed by customer, subscription and status, and page by id")
    func lists() async throws {
        try await withInvoices { world in
            let (ada, bob) = (CustomerID.new(at: Sample.start), CustomerID.new(at: Sample.start))
            let subscription = SubscriptionID.new(at: Sample.start)
            try await world.receive(
                Sample.billed(customer: ada, subscription: subscription), Sample.billed(customer: bob),
                Sample.billed(customer: ada, subscription: subscription), Sample.billed(customer: ada))
            let ids = try await world.published(InvoiceFinalizedV1.self).map(\.invoiceID)
            try await world.receive(Sample.succeeded(ids[0]))
            func numbers(_ filter: InvoiceFilter, after: InvoiceID? = nil, limit: Int = 10) async throws -> [String?] {
                try await world.invoices(filter, after: after, limit: limit).map { $0["number"]?.stringValue }
            }
            let all = ["INV-000004", "INV-000003", "INV-000002", "INV-000001"]
            #expect(try await numbers(InvoiceFilter()) == all)
            #expect(try await numbers(InvoiceFilter(customerID: ada)) == [all[0], all[1], all[3]])
            #expect(try await numbers(InvoiceFilter(subscriptionID: subscription)) == [all[1], all[3]])
            #expect(try await numbers(InvoiceFilter(status: .paid)) == [all[3]])
            #expect(try await numbers(InvoiceFilter(customerID: bob, status: .paid)).isEmpty)
            #expect(try await numbers(InvoiceFilter(), limit: 2) == [all[0], all[1]])
            #expect(try await numbers(InvoiceFilter(), after: ids[2], limit: 2) == [all[2], all[3]])
        }
    }

    @Test("an issued invoice keeps its addressee, whatever becomes of the customer") func addressee() async throws {
        try await withInvoices { world in
            let id = CustomerID.new(at: Sample.start)
            try await world.receive(
                CustomerCreatedV1(
                    customerID: id, email: "a@example.com", name: "Ada", country: "DE", timeZone: "Europe/Berlin"))
            try await world.receive(Sample.billed(customer: id))
            try await world.receive(CustomerUpdatedV1(customerID: id, email: "b@example.com", name: "Ada Byron Ltd"))
            try await world.receive(Sample.billed(customer: id))
            let addresses: [JSONValue?] = try await world.invoices().map { $0["bill_to"] }
            #expect(addresses.map { $0?["name"]?.stringValue } == ["Ada Byron Ltd", "Ada"])
            #expect(addresses.map { $0?["email"]?.stringValue } == ["b@example.com", "a@example.com"])
            #expect(addresses.map { $0?["country"]?.stringValue } == ["DE", "DE"])
        }
    }

    @Test("an invoice that was issued before its customer was known is addressed to the customer as last told")
    func address() async throws {
        try await withInvoices { world in
            let id = CustomerID.new(at: Sample.start)
            try await world.receive(Sample.billed(customer: id))
            #expect(try await world.invoice()["bill_to"] == .null)
            try await world.receive(
                CustomerCreatedV1(
                    customerID: id, email: "a@example.com", name: "Ada", country: "DE", timeZone: "Europe/Berlin"))
            try await world.receive(
                CustomerUpdatedV1(customerID: id, email: "b@example.com", name: "Ada L."),
                CustomerUpdatedV1(customerID: id, email: "c@example.com", name: "Ada Lovelace"))
            let address = try await world.invoice()["bill_to"]
            #expect(address?["name"]?.stringValue == "Ada Lovelace")
            #expect(address?["email"]?.stringValue == "c@example.com")
            #expect(address?["country"]?.stringValue == "DE")
            await #expect(throws: Refusal.self) {
                try await world.receive(
                    CustomerUpdatedV1(customerID: .new(at: Sample.start), email: "x@y.z", name: "X"))
            }
        }
    }

    @Test("every filter of a list is answered by an index in order, without a sort")
    func plans() async throws {
        try await withInvoices { world in
            try await world.bill((0..<3_000).map { _ in Sample.billed() })
            try await world.execute("ANALYZE invoices")
            let id = CustomerID.new(at: Sample.start)
            let subscription = SubscriptionID.new(at: Sample.start)
            let filters = [
                InvoiceFilter(), InvoiceFilter(customerID: id), InvoiceFilter(subscriptionID: subscription),
                InvoiceFilter(status: .void),
            ]
            for filter in filters {
                let listing = InvoiceDocumentStore.listing(filter, after: .new(at: Sample.end), limit: 20)
                let plan: String = try await world.database.transaction { db in
                    try db.query("EXPLAIN \(listing)") { try $0.next() as String }.joined(separator: "\n")
                }
                #expect(plan.contains("Index Scan") && !plan.contains("Seq Scan"), "\(plan)")
            }
        }
    }

    @Test("there is no invoice under an id nobody was given") func missing() async throws {
        try await withInvoices { world in
            let found = try await world.database.transaction(readOnly: true) { db in
                try InvoiceDocumentStore.find(.new(at: Sample.start), in: db) != nil
            }
            #expect(!found)
        }
    }
}

@Suite("Invoice's part of the consistency check") struct BooksTests {
    @Test("tells counts, ids and amounts of what was issued, paid and voided") func facts() async throws {
        try await withInvoices { world in
            let withdrawn = Sample.billed()
            try await world.receive(
                Sample.billed(), withdrawn, Sample.billed(Money(minor: 500, currency: .jpy)), Sample.billed(.zero(.usd))
            )
            let ids = try await world.published(InvoiceFinalizedV1.self).map(\.invoiceID)
            try await world.receive(
                Sample.succeeded(ids[0]), Sample.succeeded(ids[2], Money(minor: 500, currency: .jpy)))
            try await world.receive(Sample.withdrawn(withdrawn.billingID))
            let facts = try await world.facts()
            #expect(facts["finalized_invoices"]?["count"]?.intValue == 4)
            #expect(facts["finalized_invoices"]?["amount"]?["USD"]?.intValue == 2_598)
            #expect(facts["paid_invoices"]?["count"]?.intValue == 3)
            #expect(facts["paid_invoices"]?["amount"]?["USD"]?.intValue == 1_299)
            #expect(facts["paid_invoices"]?["amount"]?["JPY"]?.intValue == 500)
            #expect(facts["void_invoices"]?["count"]?.intValue == 1)
            #expect(facts["payments_of_paid_invoices"]?["count"]?.intValue == 2)
            #expect(facts["paid_billings"]?["count"]?.intValue == 3)
            #expect(facts["paid_billings"]?["id_sum"]?.stringValue != facts["paid_invoices"]?["id_sum"]?.stringValue)
            #expect(try await world.violations().isEmpty)
        }
    }

    @Test("names every broken promise") func violations() async throws {
        try await withInvoices { world in
            let ids = try await world.issue(8)
            try await world.receive(Sample.succeeded(ids[0]), Sample.succeeded(ids[1]))
            #expect(try await world.violations().isEmpty)
            for constraint: SQL in ["invoices_paid_by", "invoices_refunded"] {
                try await world.execute("ALTER TABLE invoices DROP CONSTRAINT \(constraint)")
            }
            try await world.execute("DELETE FROM invoices WHERE number IN (3, 4, 6)")
            try await world.execute("UPDATE invoices SET payment_id = NULL WHERE number = 1")
            try await world.execute("UPDATE invoices SET amount_refunded = amount_paid + 1 WHERE number = 2")
            try await world.execute("UPDATE invoice_lines SET amount = amount - 1 WHERE invoice_id = \(ids[4])")
            try await world.execute("UPDATE invoice_numbers SET last = 9")
            let found = try await world.violations().joined(separator: "\n")
            #expect(found.contains("the series stands at 9, the last number is 8"))
            #expect(found.contains("numbers are missing: 3–4, 6"))
            #expect(found.contains("paid without a payment: \(ids[0])"))
            #expect(found.contains("more refunded than paid: \(ids[1])"))
            #expect(found.contains("the refunds do not add up: \(ids[1])"))
            #expect(found.contains("the lines do not add up to the total: \(ids[4])"))
            #expect(found.contains("lines without an invoice"))
        }
    }

    @Test("the database itself refuses what must never be") func constraints() async throws {
        try await withInvoices { world in
            _ = try await world.issue(2)
            let forbidden: [SQL] = [
                "UPDATE invoices SET number = 2 WHERE number = 1",
                "UPDATE invoices SET number = NULL WHERE number = 1",
                "UPDATE invoices SET status = 'paid', amount_paid = total WHERE number = 1",
                "UPDATE invoices SET status = 'paid', payment_id = 'pay_1', amount_paid = total - 1 WHERE number = 1",
                "UPDATE invoices SET amount_refunded = 1 WHERE number = 1",
                "UPDATE invoices SET total = -1 WHERE number = 1",
                "UPDATE invoices SET status = 'lost' WHERE number = 1",
            ]
            for sql in forbidden {
                await #expect(throws: PostgresError.self) { try await world.execute(sql) }
            }
        }
    }
}
