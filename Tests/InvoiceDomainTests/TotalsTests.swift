import BillingCore
import InvoiceDomain
import Testing

@Suite("What lines add up to") struct TotalsTests {
    @Test("charges and credits are summed exactly, at the edge of 64 bits too") func sums() throws {
        let tables: [([Int64], Int64)] = [
            ([], 0), ([0], 0), ([999], 999), ([2_000, -701], 1_299), ([500, -500], 0),
            ([.max - 1, 1], .max), ([.max, -.max], 0),
        ]
        for (amounts, sum) in tables {
            let totals = try InvoiceTotals(of: amounts.map { Given.line($0) }, in: .usd)
            #expect(totals.total.minor == sum)
            #expect(totals.subtotal == totals.total)
        }
    }

    @Test("a sum beyond 64 bits, of two currencies or below zero is refused") func refused() throws {
        #expect(throws: InvoiceRefusal.arithmetic(.overflow)) {
            try InvoiceTotals(of: [Given.line(.max), Given.line(1)], in: .usd)
        }
        #expect(throws: InvoiceRefusal.arithmetic(.currencyMismatch(.usd, .eur))) {
            try InvoiceTotals(of: [Given.line(1), Given.line(1, currency: .eur)], in: .usd)
        }
        let owed = Money(minor: -1, currency: .usd)
        #expect(throws: InvoiceRefusal.negativeTotal(owed)) {
            try InvoiceTotals(of: [Given.line(100), Given.line(-101)], in: .usd)
        }
    }

    @Test("a draft is only made when the lines agree with what was billed") func drafts() throws {
        let draft = try Given.draft([Given.line(2_000), Given.line(-701, proration: true)], billed: Given.total)
        #expect(draft.status == .draft)
        #expect(draft.total == Given.total)
        #expect(draft.state.number == nil)
        let billed = Money(minor: 1_300, currency: .usd)
        #expect(throws: InvoiceRefusal.linesDisagree(sum: Given.total, billed: billed)) {
            try Given.draft([Given.line(1_299)], billed: billed)
        }
    }

    @Test("a line's amount is its quantity times its price, unless it is for a part of a period") func lines() throws {
        _ = try Given.draft([Given.line(1_299, quantity: 3, unit: 433)], billed: Given.total)
        _ = try Given.draft([Given.line(1_299, quantity: 1, unit: 9_999, proration: true)], billed: Given.total)
        #expect(throws: InvoiceRefusal.lineDisagrees(position: 2)) {
            try Given.draft([Given.line(299), Given.line(1_000, quantity: 3, unit: 333)], billed: Given.total)
        }
        #expect(throws: InvoiceRefusal.lineDisagrees(position: 1)) {
            try Given.draft([Given.line(1_299, quantity: .max, unit: 3)], billed: Given.total)
        }
    }

    @Test("a period does not end before it starts") func period() throws {
        let reversed = Invoice.Billing(
            id: .new(at: Given.start), subscriptionID: .new(at: Given.start), customerID: .new(at: Given.start),
            reason: "cycle", periodStart: Given.end, periodEnd: Given.start)
        #expect(throws: InvoiceRefusal.periodReversed) {
            try Invoice.draft(
                id: .new(at: Given.start), billing: reversed, lines: [Given.line(1_299)], billed: Given.total)
        }
    }
}

@Suite("Invoice numbers") struct InvoiceNumberTests {
    @Test("have six digits, and more after a million") func format() throws {
        let table: [(Int64, String)] = [
            (1, "INV-000001"), (42, "INV-000042"), (999_999, "INV-999999"), (1_000_000, "INV-1000000"),
            (.max, "INV-9223372036854775807"),
        ]
        for (sequence, text) in table {
            #expect(try Given.number(sequence).description == text)
            #expect(InvoiceNumber(text)?.sequence == sequence)
        }
        #expect(InvoiceNumber(sequence: 0) == nil)
        #expect(InvoiceNumber(sequence: -1) == nil)
    }

    @Test("are ordered by position, not by text") func order() throws {
        #expect(try Given.number(999_999) < Given.number(1_000_000))
    }

    @Test(
        "are only read in the one form they are written in",
        arguments: [
            "", "INV-", "INV-1", "INV-0000001", "INV-000000", "inv-000001", "INV-00000a", "INV-+00001", " INV-000001",
            "INV-000001 ", "INV-99999999999999999999", "XYZ-000001",
        ])
    func strict(text: String) {
        #expect(InvoiceNumber(text) == nil)
    }
}
