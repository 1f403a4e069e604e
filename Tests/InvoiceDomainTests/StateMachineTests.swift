import BillingCore
import InvoiceDomain
import Testing

@Suite("An invoice's states") struct StateMachineTests {
    /// Every step there is; whatever is not here must be refused.
    static let allowed: [InvoiceStatus: Set<InvoiceStatus>] = [
        .draft: [.finalized],
        .finalized: [.paid, .void, .uncollectible],
        .uncollectible: [.paid, .void],
        .paid: [],
        .void: [],
    ]

    static func move(_ invoice: inout Invoice, to next: InvoiceStatus) throws {
        switch next {
        case .draft, .uncollectible: throw InvoiceRefusal.illegalTransition(from: invoice.status, to: next)
        case .finalized: try invoice.finalize(number: Given.number(8), at: Given.end)
        case .paid: try invoice.pay(with: Given.payment, amount: invoice.total, at: Given.paidAt)
        case .void: try invoice.void(reason: "signup_expired", at: Given.paidAt)
        }
    }

    @Test("every step is either in the table or refused without a trace", arguments: InvoiceStatus.allCases)
    func transitions(from: InvoiceStatus) throws {
        // Nothing gives an invoice up yet.
        for next in InvoiceStatus.allCases where next != .uncollectible {
            var invoice = try Given.invoice(from)
            let before = invoice
            if Self.allowed[from, default: []].contains(next) {
                try Self.move(&invoice, to: next)
                #expect(invoice.status == next)
            } else {
                #expect(throws: InvoiceRefusal.illegalTransition(from: from, to: next)) {
                    try Self.move(&invoice, to: next)
                }
                #expect(invoice == before)
            }
        }
    }

    @Test("the published successors are the table") func successors() {
        for status in InvoiceStatus.allCases { #expect(status.successors == Self.allowed[status]) }
        #expect(InvoiceStatus.allCases.filter(\.isOpen) == [.finalized, .uncollectible])
    }

    @Test("finalizing sets number and time, which no later step changes") func finalizing() throws {
        let voided = try Given.invoice(.void)
        #expect(voided.state.number == (try Given.number(7)))
        #expect(voided.state.issuedAt == Given.start)
        #expect(voided.state.voidReason == "upgrade_failed")
        let paid = try Given.invoice(.paid)
        #expect(paid.state.number == (try Given.number(7)))
        #expect(paid.state.paymentID == Given.payment)
        #expect(paid.state.paidAt == Given.paidAt)
        #expect(paid.amountPaid == Given.total)
    }

    @Test("a total of zero is settled without a payment, any other is not") func zero() throws {
        let free = try Given.invoice(.paid, total: .zero(.jpy))
        #expect(free.status == .paid)
        #expect(free.state.paymentID == nil)
        #expect(free.amountPaid.isZero)
        var dear = try Given.invoice(.finalized)
        #expect(throws: InvoiceRefusal.paymentRequired(due: Given.total)) { try dear.settleZero(at: Given.paidAt) }
        #expect(dear.status == .finalized)
        var draft = try Given.invoice(.draft, total: .zero(.usd))
        #expect(throws: InvoiceRefusal.illegalTransition(from: .draft, to: .paid)) {
            try draft.settleZero(at: Given.paidAt)
        }
    }

    @Test("only exactly the total pays", arguments: [Int64.min, -1_299, 0, 1_298, 1_300, Int64.max])
    func amounts(minor: Int64) throws {
        var invoice = try Given.invoice(.finalized)
        let wrong = Money(minor: minor, currency: .usd)
        #expect(throws: InvoiceRefusal.amountDiffers(due: Given.total, paid: wrong)) {
            try invoice.pay(with: Given.payment, amount: wrong, at: Given.paidAt)
        }
        #expect(invoice.status == .finalized)
    }
}

@Suite("A payment that succeeded for an invoice") struct PaymentApplicationTests {
    private let other: PaymentID = .new(at: Given.end)

    @Test("settles what is due") func due() throws {
        for status in [InvoiceStatus.finalized, .uncollectible] {
            var invoice = try Given.invoice(status)
            #expect(try invoice.apply(other, amount: Given.total, at: Given.end) == .applied)
            #expect(invoice.status == .paid)
            #expect(invoice.state.paymentID == other)
            #expect(invoice.state.paidAt == Given.end)
        }
    }

    @Test("changes nothing when it is told twice") func twice() throws {
        var invoice = try Given.invoice(.paid)
        let before = invoice
        #expect(try invoice.apply(Given.payment, amount: Given.total, at: Given.end) == .repeated)
        #expect(invoice == before)
    }

    @Test("is set aside, never absorbed, when the invoice cannot accept it") func setAside() throws {
        let euros = Money(minor: Given.total.minor, currency: .eur)
        let less = Money(minor: 1, currency: .usd)
        let cases: [(InvoiceStatus, Money, UnappliedReason)] = [
            (.void, Given.total, .invoiceVoid), (.paid, Given.total, .paidByAnother),
            (.finalized, euros, .currencyDiffers), (.finalized, less, .amountDiffers),
            (.uncollectible, less, .amountDiffers),
        ]
        for (status, amount, reason) in cases {
            var invoice = try Given.invoice(status)
            let before = invoice
            #expect(try invoice.apply(other, amount: amount, at: Given.end) == .unapplied(reason))
            #expect(invoice == before)
        }
    }

    @Test("cannot be for a draft") func draft() throws {
        var invoice = try Given.invoice(.draft)
        #expect(throws: InvoiceRefusal.illegalTransition(from: .draft, to: .paid)) {
            try invoice.apply(other, amount: Given.total, at: Given.end)
        }
    }
}

@Suite("Refunds of an invoice") struct RefundTests {
    @Test("add up to at most what was paid") func addUp() throws {
        var invoice = try Given.invoice(.paid)
        try invoice.refund(Money(minor: 1_000, currency: .usd), of: Given.payment)
        let left = Money(minor: 299, currency: .usd)
        let asked = Money(minor: 300, currency: .usd)
        #expect(throws: InvoiceRefusal.refundExceedsPaid(left: left, asked: asked)) {
            try invoice.refund(asked, of: Given.payment)
        }
        #expect(throws: InvoiceRefusal.self) {
            try invoice.refund(Money(minor: .max, currency: .usd), of: Given.payment)
        }
        try invoice.refund(left, of: Given.payment)
        #expect(invoice.amountRefunded == Given.total)
        #expect(invoice.status == .paid)
        #expect(throws: InvoiceRefusal.self) { try invoice.refund(Money(minor: 1, currency: .usd), of: Given.payment) }
    }

    @Test("are for a positive amount in the invoice's currency of the payment that paid it") func refused() throws {
        var invoice = try Given.invoice(.paid)
        let before = invoice
        for minor: Int64 in [0, -1, .min] {
            let amount = Money(minor: minor, currency: .usd)
            #expect(throws: InvoiceRefusal.refundNotPositive(amount)) {
                try invoice.refund(amount, of: Given.payment)
            }
        }
        #expect(throws: InvoiceRefusal.arithmetic(.currencyMismatch(.usd, .eur))) {
            try invoice.refund(Money(minor: 1, currency: .eur), of: Given.payment)
        }
        #expect(throws: InvoiceRefusal.otherPayment(Given.payment)) {
            try invoice.refund(Money(minor: 1, currency: .usd), of: .new(at: Given.end))
        }
        #expect(invoice == before)
    }

    @Test("need a paid invoice", arguments: [InvoiceStatus.draft, .finalized, .void, .uncollectible])
    func unpaid(status: InvoiceStatus) throws {
        var invoice = try Given.invoice(status)
        #expect(throws: InvoiceRefusal.otherPayment(nil)) {
            try invoice.refund(Money(minor: 1, currency: .usd), of: Given.payment)
        }
    }
}
