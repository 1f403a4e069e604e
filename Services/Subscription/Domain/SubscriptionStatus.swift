/// Where a subscription stands. The raw value is its name on the wire and in the database.
public enum SubscriptionStatus: String, CaseIterable, Sendable, Hashable {
    /// Signed up; the first invoice is not paid yet.
    case incomplete
    /// The first invoice was never paid. Final.
    case incompleteExpired = "incomplete_expired"
    /// In its free days.
    case trialing
    /// Paid, or its renewal is being collected for the first time.
    case active
    /// An attempt to collect failed; more may follow.
    case pastDue = "past_due"
    /// Every planned attempt failed; a new payment method still restores it.
    case unpaid
    /// Ended. Final.
    case canceled

    /// Whether nothing can happen to it any more.
    public var isFinal: Bool { self == .canceled || self == .incompleteExpired }
}

/// Why a subscription moved from one status to another. The raw value travels in `subscription.status_changed.v1`.
public enum StatusReason: String, CaseIterable, Sendable, Hashable {
    /// The first invoice was paid.
    case firstPayment = "first_payment"
    /// The first invoice was not paid in time.
    case signupExpired = "signup_expired"
    /// The invoice for the first period after the trial was paid.
    case trialConverted = "trial_converted"
    /// An attempt to collect was declined.
    case paymentFailed = "payment_failed"
    /// The customer has to authenticate the payment first.
    case actionRequired = "action_required"
    /// An overdue invoice was paid after all.
    case paymentRecovered = "payment_recovered"
    /// The last planned attempt was declined.
    case retriesExhausted = "retries_exhausted"
    /// Dunning ended without a payment.
    case dunningExhausted = "dunning_exhausted"
    /// Somebody asked for the end, at once.
    case cancelRequested = "cancel_requested"
    /// The end asked for earlier was reached.
    case periodEnded = "period_ended"
    /// The invoice of the open billing was voided by its owner.
    case invoiceVoided = "invoice_voided"
}

extension SubscriptionStatus {
    /// The reasons for which a subscription may go from this status to another; none means the move does not exist.
    ///
    /// This table is the whole state machine: every change of status goes through it.
    public func reasons(to next: SubscriptionStatus) -> Set<StatusReason> {
        switch (self, next) {
        case (.incomplete, .active): [.firstPayment]
        case (.incomplete, .incompleteExpired): [.signupExpired]
        case (.incomplete, .canceled): [.cancelRequested, .invoiceVoided]
        case (.trialing, .active): [.trialConverted]
        case (.trialing, .pastDue): [.paymentFailed, .actionRequired]
        case (.trialing, .canceled): [.cancelRequested, .periodEnded, .invoiceVoided]
        case (.active, .pastDue): [.paymentFailed, .actionRequired]
        case (.active, .canceled): [.cancelRequested, .periodEnded, .invoiceVoided]
        case (.pastDue, .active), (.unpaid, .active): [.paymentRecovered]
        case (.pastDue, .unpaid): [.retriesExhausted]
        case (.pastDue, .canceled), (.unpaid, .canceled): [.dunningExhausted, .cancelRequested, .invoiceVoided]
        default: []
        }
    }

    /// Whether the table allows the move.
    public func allows(_ next: SubscriptionStatus, because reason: StatusReason) -> Bool {
        reasons(to: next).contains(reason)
    }
}
