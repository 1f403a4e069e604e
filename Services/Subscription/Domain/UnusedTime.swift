public import BillingCore

/// What paid for the time that is running, and how much of that money has gone back since.
public struct PaidTime: Hashable, Sendable {
    /// The invoice.
    public let invoiceID: InvoiceID
    /// What the time was charged at, minor units; paid in money or out of the balance.
    public let charge: Int64
    /// What was refunded of the invoice's payment or lost in disputes, minor units.
    public let gone: Int64

    /// Says what paid.
    public init(invoiceID: InvoiceID, charge: Int64, gone: Int64) {
        self.invoiceID = invoiceID
        self.charge = charge
        self.gone = gone
    }
}

/// Credit that an immediate change of plan gives for unused time: no more than is left of what paid for that time.
///
/// What had gone before may have been for time that was used, so it takes off credit only where too little is left. What goes
/// after the change takes as much of the credit, or the customer would have both.
public struct UnusedTime: Hashable, Sendable {
    /// The invoice that paid for the time.
    public let invoiceID: InvoiceID
    /// What of its payment had gone before the change, minor units.
    public let gone: Int64
    /// What is credited, minor units; not negative.
    public let credit: Int64
    /// What is not, because its payment has gone; given when that money comes back.
    public let withheld: Int64

    /// Settles what unused time is worth against what is left of its payment.
    /// - Parameter worth: Minor units; not negative.
    public init(worth: Int64, paid: PaidTime) {
        invoiceID = paid.invoiceID
        gone = paid.gone
        credit = min(worth, max(paid.charge - paid.gone, 0))
        withheld = worth - credit
    }
}

/// Credit that a late payment became, as far as its money has not gone back.
public struct LateCredit: Hashable, Sendable {
    /// The billing that was paid late.
    public let billing: Billing
    /// Minor units.
    public let left: Int64
    /// What came to the balance later, minor units: it is used after this.
    public let newer: Int64

    /// Says what is left.
    public init(billing: Billing, left: Int64, newer: Int64) {
        self.billing = billing
        self.left = left
        self.newer = newer
    }
}

extension Subscription {
    /// Whether no billing follows, as far as is known, that would use the credit there is.
    public var leavesCredit: Bool { credit > 0 && (status.isFinal || (cancelsAtPeriodEnd && open == nil)) }

    /// Gives back late payments whose credit nothing is going to use, and takes it off the balance. One of which a part was
    /// used keeps the rest: Payment gives back whole payments only.
    /// - Parameter late: The latest first: what was used is the oldest.
    public mutating func giveBack(_ late: [LateCredit]) {
        guard leavesCredit else { return }
        let balance: Int64 = credit
        for unused in late where unused.left > 0 && unused.newer + unused.left <= balance {
            guard let invoiceID: InvoiceID = unused.billing.invoiceID else { continue }
            var billing: Billing = unused.billing
            billing.creditAdded = 0
            credit -= unused.left
            effects.billings[billing.id] = billing
            effects.events.append(.refundDue(billing.id, invoiceID))
        }
    }
}
