/// When an authorized amount is captured.
public enum CaptureMethod: String, Sendable, CaseIterable {
    /// With the authorization.
    case automatic
    /// By requests of their own, in one or several parts.
    case manual
}

/// Where a payment stands.
public enum PaymentStatus: String, Sendable, CaseIterable {
    /// Recorded, and nobody is asked for anything before it is confirmed.
    case requiresConfirmation = "requires_confirmation"
    /// Recorded; waits for its fraud assessment.
    case created
    /// Assessed; the provider is asked, or its answer is not known yet.
    case processing
    /// The customer must authenticate (3-D Secure), or finish on the provider's page.
    case requiresAction = "requires_action"
    /// The money is held; captures follow, or a release.
    case authorized
    /// What is held, or waits for the customer at the provider, is being released; the provider is asked.
    case canceling
    /// Captured and booked, as far as it ever will be.
    case succeeded
    /// The last attempt failed; another may follow.
    case failed
    /// Ended without money moving, for good; money that comes all the same is booked.
    case canceled

    /// What may happen to a payment.
    public enum Step: String, Sendable, CaseIterable {
        /// It is to be charged now: its first attempt begins.
        case confirm
        /// Fraud, or the fallback policy, let it go on.
        case approve
        /// Fraud blocked it.
        case block
        /// The provider holds the money.
        case authorize
        /// The provider captured a part; more may follow.
        case capturePart
        /// The provider captured the money, or released the rest after a part was captured. After the end, too: money that
        /// came all the same is never left out.
        case capture
        /// What is held is to be released.
        case release
        /// The provider declined, authentication failed, or what was held for what is still owed was let go.
        case decline
        /// The provider wants the customer to authenticate, or to finish on a page of its own.
        case challenge
        /// The customer is done, or nothing is asked of them; the provider's word comes later (a bank debit).
        case await
        /// The customer authenticated.
        case authenticate
        /// A new attempt begins.
        case retry
        /// Another attempt was asked for, and begins in the place of one that waits for its customer, or that the provider
        /// has let go of.
        case replace
        /// The provider does not let go of what it holds.
        case keep
        /// It is given up before money moved, or its provider has let go of what was held.
        case cancel
        /// Somebody decided that money which came too late makes the declined attempt good: its outcome is read again.
        case reopen
    }

    /// The state after a step.
    /// - Returns: `nil` when the step is not allowed in this state.
    public func after(_ step: Step) -> PaymentStatus? {
        switch (self, step) {
        case (.requiresConfirmation, .confirm): .created
        case (.requiresConfirmation, .cancel): .canceled
        case (.created, .approve): .processing
        case (.created, .block): .failed
        case (.created, .cancel): .canceled
        case (.processing, .capture): .succeeded
        case (.processing, .authorize): .authorized
        case (.authorized, .capturePart): .authorized
        case (.authorized, .capture): .succeeded
        case (.authorized, .release): .canceling
        case (.authorized, .decline): .failed
        case (.authorized, .cancel): .canceled
        case (.authorized, .replace): .created
        case (.canceling, .capture): .succeeded
        case (.canceling, .cancel): .canceled
        case (.canceling, .decline): .failed
        case (.canceling, .keep): .authorized
        case (.canceling, .replace): .created
        case (.processing, .decline): .failed
        case (.processing, .challenge): .requiresAction
        case (.processing, .await): .processing
        case (.requiresAction, .authenticate): .created
        case (.requiresAction, .replace): .created
        case (.requiresAction, .capture): .succeeded
        case (.requiresAction, .authorize): .authorized
        case (.requiresAction, .await): .processing
        case (.requiresAction, .release): .canceling
        case (.canceling, .await): .processing
        case (.requiresAction, .decline): .failed
        case (.requiresAction, .cancel): .canceled
        case (.failed, .retry): .created
        case (.failed, .cancel): .canceled
        case (.failed, .reopen): .processing
        case (.failed, .capture): .succeeded
        case (.canceled, .capture): .succeeded
        default: nil
        }
    }

    /// The state after an attempt has begun; `nil` where none can.
    public var afterNewAttempt: PaymentStatus? {
        after(.confirm) ?? after(.retry) ?? after(.authenticate) ?? after(.replace)
    }

    /// Whether the caller's answer is complete: nothing more happens without a new request or a retry.
    public var isSettled: Bool { self != .created && self != .processing && self != .canceling }
}
