public import BillingCore

/// The head of an invoice and its state machine: draft → finalized → paid, void or uncollectible.
///
/// Lines are given to ``draft(id:billing:lines:)`` and never change afterwards, so the later steps do without them.
public struct Invoice: Equatable, Sendable {
    /// What was billed.
    public struct Billing: Equatable, Sendable {
        /// The billing; one invoice each.
        public let id: BillingID
        /// The subscription billed.
        public let subscriptionID: SubscriptionID
        /// Who pays.
        public let customerID: CustomerID
        /// signup, cycle, trial_end or upgrade.
        public let reason: String
        /// Start of the period billed.
        public let periodStart: Instant
        /// End of the period billed.
        public let periodEnd: Instant

        /// The whole billing.
        public init(
            id: BillingID, subscriptionID: SubscriptionID, customerID: CustomerID, reason: String, periodStart: Instant,
            periodEnd: Instant
        ) {
            self.id = id
            self.subscriptionID = subscriptionID
            self.customerID = customerID
            self.reason = reason
            self.periodStart = periodStart
            self.periodEnd = periodEnd
        }
    }

    /// Everything that moves after the draft.
    public struct State: Equatable, Sendable {
        /// Where it stands.
        public var status: InvoiceStatus = .draft
        /// Set when finalized, kept for good.
        public var number: InvoiceNumber?
        /// When it was finalized.
        public var issuedAt: Instant?
        /// When it was paid.
        public var paidAt: Instant?
        /// What paid it; none for a total of zero.
        public var paymentID: PaymentID?
        /// Refunded so far, minor units.
        public var refundedMinor: Int64 = 0
        /// When it was withdrawn.
        public var voidedAt: Instant?
        /// Why it was withdrawn.
        public var voidReason: String?

        /// A draft's state; every field can be set to rebuild a stored one.
        public init() {}
    }

    /// Its own id.
    public let id: InvoiceID
    /// What was billed.
    public let billing: Billing
    /// What the lines add up to.
    public let subtotal: Money
    /// What is due.
    public let total: Money
    /// Where it stands.
    public private(set) var state: State

    /// Rebuilds a stored invoice.
    public init(id: InvoiceID, billing: Billing, subtotal: Money, total: Money, state: State) {
        self.id = id
        self.billing = billing
        self.subtotal = subtotal
        self.total = total
        self.state = state
    }

    /// Starts an invoice.
    /// - Parameter billed: What Subscription says the lines add up to.
    /// - Throws: ``InvoiceRefusal/lineDisagrees(position:)``, ``InvoiceRefusal/linesDisagree(sum:billed:)``,
    ///   ``InvoiceRefusal/negativeTotal(_:)``,
    ///   ``InvoiceRefusal/arithmetic(_:)``, ``InvoiceRefusal/periodReversed``.
    public static func draft(
        id: InvoiceID, billing: Billing, lines: [InvoiceLine], billed: Money
    ) throws(InvoiceRefusal) -> Invoice {
        for (index, line) in lines.enumerated() where !line.isPricedRight {
            throw .lineDisagrees(position: index + 1)
        }
        let totals = try InvoiceTotals(of: lines, in: billed.currency)
        guard totals.total == billed else { throw .linesDisagree(sum: totals.total, billed: billed) }
        guard billing.periodStart <= billing.periodEnd else { throw .periodReversed }
        return Invoice(id: id, billing: billing, subtotal: totals.subtotal, total: totals.total, state: State())
    }
}

extension Invoice {
    /// Where it stands.
    public var status: InvoiceStatus { state.status }
    /// The currency of every amount on it.
    public var currency: Currency { total.currency }
    /// Paid so far: nothing or everything.
    public var amountPaid: Money { status == .paid ? total : .zero(currency) }
    /// Refunded so far.
    public var amountRefunded: Money { Money(minor: state.refundedMinor, currency: currency) }

    /// draft → finalized: gives it its number; it cannot change any more.
    public mutating func finalize(number: InvoiceNumber, at: Instant) throws(InvoiceRefusal) {
        try move(to: .finalized)
        state.number = number
        state.issuedAt = at
    }

    /// → paid by a payment of exactly the total.
    /// - Throws: ``InvoiceRefusal/illegalTransition(from:to:)``, ``InvoiceRefusal/amountDiffers(due:paid:)``.
    public mutating func pay(with payment: PaymentID, amount: Money, at: Instant) throws(InvoiceRefusal) {
        guard status.successors.contains(.paid) else { throw .illegalTransition(from: status, to: .paid) }
        guard amount == total else { throw .amountDiffers(due: total, paid: amount) }
        try move(to: .paid)
        state.paymentID = payment
        state.paidAt = at
    }

    /// → paid without a payment, because nothing is due.
    /// - Throws: ``InvoiceRefusal/illegalTransition(from:to:)``, ``InvoiceRefusal/paymentRequired(due:)``.
    public mutating func settleZero(at: Instant) throws(InvoiceRefusal) {
        guard status.successors.contains(.paid) else { throw .illegalTransition(from: status, to: .paid) }
        guard total.isZero else { throw .paymentRequired(due: total) }
        try move(to: .paid)
        state.paidAt = at
    }

    /// → void: withdrawn unpaid.
    public mutating func void(reason: String, at: Instant) throws(InvoiceRefusal) {
        try move(to: .void)
        state.voidedAt = at
        state.voidReason = reason
    }

    /// Books a refund of what was paid; it stays paid.
    /// - Throws: ``InvoiceRefusal/otherPayment(_:)`` unless this payment paid it,
    ///   ``InvoiceRefusal/refundNotPositive(_:)``, ``InvoiceRefusal/refundExceedsPaid(left:asked:)``,
    ///   ``InvoiceRefusal/arithmetic(_:)`` for another currency.
    public mutating func refund(_ amount: Money, of payment: PaymentID) throws(InvoiceRefusal) {
        guard status == .paid, state.paymentID == payment else { throw .otherPayment(state.paymentID) }
        guard amount.isPositive else { throw .refundNotPositive(amount) }
        guard amount.currency == currency else { throw .arithmetic(.currencyMismatch(currency, amount.currency)) }
        let left = Money(minor: total.minor - state.refundedMinor, currency: currency)
        guard amount.minor <= left.minor else { throw .refundExceedsPaid(left: left, asked: amount) }
        state.refundedMinor += amount.minor
    }

    /// Takes back a refund that was booked, and failed since.
    /// - Throws: ``InvoiceRefusal/refundNotPositive(_:)``, ``InvoiceRefusal/refundExceedsPaid(left:asked:)`` for more than
    ///   was refunded, ``InvoiceRefusal/arithmetic(_:)`` for another currency.
    public mutating func undoRefund(_ amount: Money) throws(InvoiceRefusal) {
        guard amount.isPositive else { throw .refundNotPositive(amount) }
        guard amount.currency == currency else { throw .arithmetic(.currencyMismatch(currency, amount.currency)) }
        guard amount.minor <= state.refundedMinor else { throw .refundExceedsPaid(left: amountRefunded, asked: amount) }
        state.refundedMinor -= amount.minor
    }

    private mutating func move(to next: InvoiceStatus) throws(InvoiceRefusal) {
        guard status.successors.contains(next) else { throw .illegalTransition(from: status, to: next) }
        state.status = next
    }
}
