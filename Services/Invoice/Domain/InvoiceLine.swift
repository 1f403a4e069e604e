public import BillingCore

/// One priced line.
public struct InvoiceLine: Equatable, Sendable {
    /// What it is for.
    public let description: String
    /// How many.
    public let quantity: Int64
    /// Price of one.
    public let unitAmount: Money
    /// Price of the line; negative for a credit.
    public let amount: Money
    /// Start of the time paid for.
    public let periodStart: Instant
    /// End of the time paid for.
    public let periodEnd: Instant
    /// Whether it is a part of a period, so that the amount is not simply quantity times price.
    public let proration: Bool

    /// The whole line.
    public init(
        description: String, quantity: Int64, unitAmount: Money, amount: Money, periodStart: Instant,
        periodEnd: Instant, proration: Bool
    ) {
        self.description = description
        self.quantity = quantity
        self.unitAmount = unitAmount
        self.amount = amount
        self.periodStart = periodStart
        self.periodEnd = periodEnd
        self.proration = proration
    }

    /// Whether the amount is quantity times price; a part of a period was priced by time and is taken as it is.
    public var isPricedRight: Bool {
        if proration { return unitAmount.currency == amount.currency }
        do { return try unitAmount.multiplied(by: quantity) == amount } catch { return false }
    }
}

/// What the lines of an invoice add up to.
public struct InvoiceTotals: Equatable, Sendable {
    /// Sum of the lines.
    public let subtotal: Money
    /// What is due. Equal to the subtotal until there is tax.
    public let total: Money

    /// Adds lines up.
    /// - Throws: ``InvoiceRefusal/arithmetic(_:)`` beyond 64 bits or for mixed currencies,
    ///   ``InvoiceRefusal/negativeTotal(_:)`` when credits outweigh charges: that is a credit note, not an invoice.
    public init(of lines: [InvoiceLine], in currency: Currency) throws(InvoiceRefusal) {
        var sum: Money = .zero(currency)
        for line in lines {
            do { sum = try sum.adding(line.amount) } catch { throw .arithmetic(error) }
        }
        guard !sum.isNegative else { throw .negativeTotal(sum) }
        subtotal = sum
        total = sum
    }
}
