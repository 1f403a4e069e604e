import BillingCore
import BillingEvents
import InvoiceDomain
import InvoiceService
import JSON
import Messaging
import Postgres
import TestKit
import Testing

@Suite("Issuing invoices") struct IssuingTests {
    @Test("a billing becomes a finalized, numbered invoice with its lines, and everybody is told")
    func issue() async throws {
        try await withInvoices { world in
            let billed = Sample.billed(lines: [Sample.line(2_000), Sample.line(-701, proration: true)])
            try await world.receive(billed)
            let invoice = try await world.invoice()
            #expect(invoice["number"]?.stringValue == "INV-000001")
            #expect(invoice["status"]?.stringValue == "finalized")
            #expect(invoice["total"]?.intValue == 1_299)
            #expect(invoice["amount_paid"]?.intValue == 0)
            #expect(invoice["billing_id"]?.stringValue == billed.billingID.rawValue)
            #expect(invoice["issued_at"]?.stringValue == Sample.start.rfc3339)
            #expect(invoice["payment_id"] == .null)
            #expect(invoice["lines"]?[0]?["amount"]?.intValue == 2_000)
            #expect(invoice["lines"]?[1]?["amount"]?.intValue == -701)
            #expect(invoice["lines"]?[1]?["proration"]?.boolValue == true)
            let event = try #require(try await world.published(InvoiceFinalizedV1.self).first)
            #expect(event.invoiceID.rawValue == invoice["id"]?.stringValue)
            #expect(event.number == "INV-000001")
            #expect(event.amount == Sample.price && event.reason == "cycle")
            #expect(event.customerID == billed.customerID)
            #expect(try await world.publishedTypes() == ["invoice.finalized.v1"])
            #expect(try await world.violations().isEmpty)
        }
    }

    @Test("one batch of five hundred is numbered without gaps in the order it came") func batch() async throws {
        try await withInvoices { world in
            let bills = (0..<500).map { _ in Sample.billed() }
            try await world.bill(bills)
            let events = try await world.published(InvoiceFinalizedV1.self)
            #expect(events.map(\.billingID) == bills.map(\.billingID))
            #expect(events.first?.number == "INV-000001")
            #expect(events.last?.number == "INV-000500")
            #expect(try await world.violations().isEmpty)
            #expect(try await world.facts()["last_number"]?.intValue == 500)
        }
    }

    @Test("nothing due is paid at once, without a payment") func zero() async throws {
        try await withInvoices { world in
            let free = Sample.billed(.zero(.jpy), lines: [Sample.line(500), Sample.line(-500)])
            try await world.receive(free, Sample.billed())
            let paid = try await world.published(InvoicePaidV1.self)
            #expect(paid.map(\.billingID) == [free.billingID])
            #expect(paid.first?.paymentID == nil)
            #expect(paid.first?.paidAt == Sample.start)
            let types = try await world.publishedTypes()
            #expect(types == ["invoice.finalized.v1", "invoice.paid.v1", "invoice.finalized.v1"])
            #expect(try await world.violations().isEmpty)
        }
    }

    @Test("the same billing under another event id stays one invoice, in one batch and across batches")
    func twice() async throws {
        try await withInvoices { world in
            let billed = Sample.billed()
            try await world.receive(billed, billed)
            try await world.receive(billed, Sample.billed())
            let events = try await world.published(InvoiceFinalizedV1.self)
            #expect(events.map(\.number) == ["INV-000001", "INV-000002"])
            #expect(try await world.invoices().count == 2)
        }
    }

    @Test("lines that do not add up, and credits that outweigh charges, are parked and use no number")
    func parked() async throws {
        try await withInvoices { world in
            let bad = [
                Sample.billed(lines: [Sample.line(1_298)]), Sample.billed(Money(minor: -5, currency: .usd)),
                Sample.billed(lines: [Sample.line(.max), Sample.line(.max)]), Sample.billed(lines: []),
            ]
            for billed in bad {
                await #expect(throws: Refusal.self) { try await world.receive(Sample.billed(), billed) }
            }
            #expect(try await world.invoices().isEmpty)
            #expect(try await world.publishedTypes().isEmpty)
            try await world.receive(Sample.billed())
            #expect(try await world.invoice()["number"]?.stringValue == "INV-000001")
        }
    }
}

@Suite("Gapless numbers") struct GaplessTests {
    private struct Crash: Error {}

    @Test("many batches at the same time, every third of them rolled back, leave 1…n") func concurrency() async throws {
        try await withInvoices(connections: 8) { world in
            let consumer = SubscriptionBilledConsumer(logger: world.logger)
            let committed: Int = await withTaskGroup(of: Int.self) { group in
                for batch in 0..<60 {
                    let events = world.envelopes((0..<(1 + batch % 7)).map { _ in Sample.billed() })
                    group.addTask {
                        do {
                            return try await world.database.transaction { db in
                                try consumer.handle(events, in: db, at: world.now)
                                if batch % 3 == 0 { throw Crash() }
                                return events.count
                            }
                        } catch { return error is Crash ? 0 : -1_000_000 }
                    }
                }
                return await group.reduce(0, +)
            }
            let numbers: [Int64] = try await world.database.transaction { db in
                try db.query("SELECT number FROM invoices ORDER BY number") { try $0.next() }
            }
            #expect(committed > 0)
            #expect(numbers == (1...Int64(committed)).map { $0 })
            #expect(try await world.violations().isEmpty)
            let told = try await world.published(InvoiceFinalizedV1.self)
            #expect(told.compactMap { InvoiceNumber($0.number)?.sequence }.sorted() == numbers)
        }
    }

    @Test("the same billings delivered to two instances at once become one invoice each") func twins() async throws {
        try await withInvoices(connections: 4) { world in
            let bills = (0..<50).map { _ in Sample.billed() }
            await withTaskGroup(of: Void.self) { group in
                for _ in 0..<4 {
                    group.addTask {
                        // A loser of the race is rolled back whole by the unique billing, and is tried again.
                        for _ in 0..<5 { if (try? await world.bill(bills)) != nil { return } }
                    }
                }
            }
            let told = try await world.published(InvoiceFinalizedV1.self)
            #expect(told.count == 50)
            #expect(try await world.invoices().count == 50)
            #expect(try await world.violations().isEmpty)
        }
    }
}
