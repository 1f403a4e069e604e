/// Where a refund or a capture stands: an operation that follows a charge.
public enum FollowUpStatus: String, Sendable, CaseIterable {
    /// The amount is reserved; the provider is asked, or its answer is not known yet.
    case processing
    /// The provider did it, and it is booked.
    case succeeded
    /// The provider refused for good; the amount is free again.
    case failed
}
