/// Where a refund stands.
public enum RefundStatus: String, Sendable, CaseIterable {
    /// The amount is reserved; the provider is asked, or its answer is not known yet.
    case processing
    /// The money is on its way back, and booked.
    case succeeded
    /// The provider refused for good; the amount can be refunded again.
    case failed
}
