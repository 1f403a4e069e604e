/// Where a refund or a capture stands: an operation that follows a charge.
public enum FollowUpStatus: String, Sendable, CaseIterable {
    /// The amount is reserved; the provider is asked, or its answer is not known yet.
    case processing
    /// The provider did it, and it is booked.
    case succeeded
    /// The provider refused for good, or a refund that it had made came back to it; the amount is free again.
    case failed

    /// What may happen to one.
    public enum Step: String, Sendable, CaseIterable {
        /// The provider did it.
        case confirm
        /// The provider refused for good.
        case refuse
        /// The provider did it, and it failed later: the customer's bank sent a refund back.
        case bounce
    }

    /// The state after a step.
    /// - Returns: `nil` when the step is not allowed in this state.
    public func after(_ step: Step) -> FollowUpStatus? {
        switch (self, step) {
        case (.processing, .confirm): .succeeded
        case (.processing, .refuse): .failed
        case (.succeeded, .bounce): .failed
        default: nil
        }
    }
}
