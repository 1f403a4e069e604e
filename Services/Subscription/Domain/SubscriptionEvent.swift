public import BillingCore

/// Why a plan changed. The raw value travels in `subscription.plan_changed.v1`.
public enum PlanChangeReason: String, CaseIterable, Sendable, Hashable {
    /// At once, with proration.
    case upgrade
    /// At the end of a period, as asked for earlier.
    case periodEnd = "period_end"
    /// Back to the old plan because the change was not paid.
    case reverted
}

/// Why an invoice is collected again. The raw value travels in `subscription.collection_due.v1`.
public enum CollectionReason: String, CaseIterable, Sendable, Hashable {
    /// The dunning schedule says so.
    case retry
    /// The customer has a new default payment method.
    case newPaymentMethod = "new_payment_method"
}

/// What happened to a subscription, with everything that must be told as it was at that moment.
public enum SubscriptionEvent: Hashable, Sendable {
    /// It exists from now on.
    case created
    /// It moved from one status to another.
    case statusChanged(
        from: SubscriptionStatus, to: SubscriptionStatus, reason: StatusReason, plan: Plan, at: Instant)
    /// It moved from one plan to another.
    case planChanged(from: Plan, to: Plan, reason: PlanChangeReason, status: SubscriptionStatus, at: Instant)
    /// Money is asked for.
    case billed(Billing)
    /// Money is asked for again.
    case collectionDue(BillingID, InvoiceID, attempt: Int64, reason: CollectionReason)
    /// Money is not asked for any more.
    case withdrawn(BillingID, reason: WithdrawalReason)
    /// Money came after the end, or became credit that nothing uses any more, and is to be given back.
    case refundDue(BillingID, InvoiceID)
}

/// What is to be stored and told beside the subscription itself.
public struct SubscriptionEffects: Hashable, Sendable {
    /// In the order in which they happened.
    public internal(set) var events: [SubscriptionEvent] = []
    /// New and changed billings in their latest form.
    public internal(set) var billings: [BillingID: Billing] = [:]
    /// What new billings of immediate changes credit for unused time, and out of which payment.
    public internal(set) var unused: [BillingID: UnusedTime] = [:]

    /// No effects.
    public init() {}

    /// Whether there is nothing to store or tell.
    public var isEmpty: Bool { events.isEmpty && billings.isEmpty }
}
