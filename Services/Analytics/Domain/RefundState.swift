public import BillingCore

/// One refund as its events tell it: that money went back, and that it failed since.
public struct RefundState: Hashable, EventState {
    /// The refund.
    public let refundID: RefundID
    /// The payment.
    public let paymentID: PaymentID
    /// The customer.
    public let customerID: CustomerID
    /// The amount.
    public let amount: Money
    /// When the money went back; while only the failure has been seen, when it failed.
    public private(set) var refundedAt: Instant
    /// When it failed; `nil` while it has not.
    public private(set) var failedAt: Instant?

    /// What one event says.
    /// - Parameters:
    ///   - at: Business time of the event.
    ///   - hasFailed: Whether the event tells of the failure.
    public init(
        refundID: RefundID, paymentID: PaymentID, customerID: CustomerID, amount: Money, at: Instant, hasFailed: Bool
    ) {
        self.refundID = refundID
        self.paymentID = paymentID
        self.customerID = customerID
        self.amount = amount
        refundedAt = at
        failedAt = hasFailed ? at : nil
    }

    /// The refund.
    public var subject: RefundID { refundID }

    /// Takes in what another event of the same refund says: the money went back no later than anything else.
    public mutating func merge(_ other: RefundState) {
        precondition(other.refundID == refundID, "states of two refunds were merged")
        refundedAt = min(refundedAt, other.refundedAt)
        failedAt = earlier(failedAt, other.failedAt)
    }
}
