/// Where a payment stands.
public enum PaymentStatus: String, Sendable, CaseIterable {
    /// Recorded; waits for its fraud assessment.
    case created
    /// Assessed; the provider is asked, or its answer is not known yet.
    case processing
    /// The customer must authenticate (3-D Secure).
    case requiresAction = "requires_action"
    /// Captured and booked.
    case succeeded
    /// The last attempt failed; another may follow.
    case failed
    /// Ended without money moving, for good.
    case canceled

    /// What may happen to a payment.
    public enum Step: String, Sendable, CaseIterable {
        /// Fraud, or the fallback policy, let it go on.
        case approve
        /// Fraud blocked it.
        case block
        /// The provider captured the money.
        case capture
        /// The provider declined, or authentication failed.
        case decline
        /// The provider wants the customer to authenticate.
        case challenge
        /// The customer authenticated.
        case authenticate
        /// A new attempt begins.
        case retry
        /// It is given up before money moved.
        case cancel
    }

    /// The state after a step.
    /// - Returns: `nil` when the step is not allowed in this state.
    public func after(_ step: Step) -> PaymentStatus? {
        switch (self, step) {
        case (.created, .approve): .processing
        case (.created, .block): .failed
        case (.created, .cancel): .canceled
        case (.processing, .capture): .succeeded
        case (.processing, .decline): .failed
        case (.processing, .challenge): .requiresAction
        case (.requiresAction, .authenticate): .created
        case (.requiresAction, .decline): .failed
        case (.requiresAction, .cancel): .canceled
        case (.failed, .retry): .created
        case (.failed, .cancel): .canceled
        default: nil
        }
    }

    /// Whether the caller's answer is complete: nothing more happens without a new request or a retry.
    public var isSettled: Bool { self != .created && self != .processing }
}
