public import BillingCore

/// Why something is billed. The raw value travels in `subscription.billed.v1`.
public enum BillingReason: String, CaseIterable, Sendable, Hashable {
    /// First period of a subscription without a trial.
    case signup
    /// Any later period.
    case cycle
    /// First period after a trial.
    case trialEnd = "trial_end"
    /// An immediate change of plan.
    case upgrade
}

/// How far a billing has come.
public enum BillingStatus: String, CaseIterable, Sendable, Hashable {
    /// Its invoice is being made or collected.
    case open
    /// Its invoice is paid.
    case paid
    /// Given up: its invoice is void.
    case withdrawn
}

/// Why a billing was given up. The raw value travels in `subscription.billing_withdrawn.v1`.
public enum WithdrawalReason: String, CaseIterable, Sendable, Hashable {
    /// The sign-up was not paid in time.
    case signupExpired = "signup_expired"
    /// The payment for a change of plan failed for good.
    case upgradeFailed = "upgrade_failed"
    /// Dunning ended without a payment.
    case dunningExhausted = "dunning_exhausted"
    /// The subscription was canceled.
    case canceled
}

/// One priced line of a billing, in the billing's currency.
public struct BillingLine: Hashable, Sendable {
    /// What it is, for people.
    public let description: String
    /// Minor units; negative for a credit.
    public let amount: Int64
    /// Start of the time paid for.
    public let periodStart: Instant
    /// End of the time paid for.
    public let periodEnd: Instant
    /// Whether it is for a part of a period.
    public let proration: Bool

    /// Makes a line for one unit.
    public init(description: String, amount: Int64, periodStart: Instant, periodEnd: Instant, proration: Bool) {
        self.description = description
        self.amount = amount
        self.periodStart = periodStart
        self.periodEnd = periodEnd
        self.proration = proration
    }
}

/// What a subscription was before an immediate change of plan, to go back to when the change is not paid.
public struct UpgradeOrigin: Hashable, Sendable {
    /// The plan.
    public let plan: Plan
    /// What its periods are counted from.
    public let anchor: BillingAnchor
    /// The period.
    public let period: BillingPeriod
    /// What the plan was to become at the end of the period.
    public let pendingPlan: Plan?

    /// Remembers a state.
    public init(plan: Plan, anchor: BillingAnchor, period: BillingPeriod, pendingPlan: Plan? = nil) {
        self.plan = plan
        self.anchor = anchor
        self.period = period
        self.pendingPlan = pendingPlan
    }
}

/// One demand for money: becomes exactly one invoice.
public struct Billing: Hashable, Sendable {
    /// Its id.
    public let id: BillingID
    /// Why.
    public let reason: BillingReason
    /// Where it stands.
    public internal(set) var status: BillingStatus
    /// Sum of the lines: nothing, or what can be collected in its currency.
    public let amount: Money
    /// The priced lines.
    public let lines: [BillingLine]
    /// What is paid for.
    public let period: BillingPeriod
    /// Minor units taken from the subscription's balance: credit used, and what is carried to the next billing.
    public internal(set) var creditApplied: Int64
    /// Minor units put into the subscription's balance: credit kept, and what was carried here.
    public internal(set) var creditAdded: Int64
    /// The invoice, once it is known.
    public internal(set) var invoiceID: InvoiceID?
    /// Attempts to collect: those asked for, the first one included, and those of the customer's that are known of.
    public internal(set) var attempts: Int64
    /// Payment's number of the latest attempt that is known to have begun there: numbers rise, so that what is told of
    /// earlier ones is old. None as long as nothing is known.
    public internal(set) var begunAttempt: Int64?
    /// Payment's number of the latest attempt whose failure is told, or that a new payment method was to follow: word of its
    /// challenge that comes after is old.
    public internal(set) var failedAttempt: Int64?
    /// Whether an attempt is under way whose outcome is not known yet.
    public internal(set) var isCollecting: Bool
    /// When the latest attempt was asked for, or the customer made it.
    public internal(set) var requestedAt: Instant
    /// When the first attempt failed.
    public internal(set) var firstFailedAt: Instant?
    /// How the latest attempt failed, those of the customer with a method of their own left out.
    public internal(set) var lastDecline: DeclineClass?
    /// The payment method of the latest attempt that is known to have begun, those of the customer with a method of their own
    /// left out.
    public internal(set) var paymentMethodID: PaymentMethodID?
    /// Payment's number of the attempt that the customer makes on a page with a method of their own, which is not the one that
    /// dunning collects with: what becomes of it changes no plan. Where Payment has gone on with it by itself, the number told
    /// last. None where the latest attempt is no such one.
    public internal(set) var ownAttempt: Int64?
    /// The payment method of that attempt.
    public internal(set) var ownMethodID: PaymentMethodID?
    /// When the scheduler was to look again before that attempt began; none where an attempt was awaited then, or was asked
    /// for since.
    public internal(set) var plannedAt: Instant?
    /// The default payment method that came while an attempt was under way, as long as none is known to use it.
    public internal(set) var newMethodID: PaymentMethodID?
    /// The new payment method that an attempt was asked for with, as long as none is known to use it: Payment leaves one alone
    /// that is under way.
    public internal(set) var askedMethodID: PaymentMethodID?
    /// Whether an attempt was planned after the last one of the policy, for a provider that takes none before.
    public internal(set) var hasExtraRetry: Bool
    /// What to go back to when an upgrade is not paid.
    public let origin: UpgradeOrigin?
    /// When it was billed.
    public let billedAt: Instant
    /// When it was paid or given up.
    public internal(set) var settledAt: Instant?
    /// Whether it was paid after it had been given up.
    public internal(set) var isPaidLate: Bool

    /// Puts a stored billing together.
    public init(
        id: BillingID, reason: BillingReason, status: BillingStatus = .open, amount: Money, lines: [BillingLine],
        period: BillingPeriod, creditApplied: Int64 = 0, creditAdded: Int64 = 0, invoiceID: InvoiceID? = nil,
        attempts: Int64 = 1, begunAttempt: Int64? = nil, failedAttempt: Int64? = nil, isCollecting: Bool = true,
        requestedAt: Instant? = nil, firstFailedAt: Instant? = nil, lastDecline: DeclineClass? = nil,
        paymentMethodID: PaymentMethodID? = nil, newMethodID: PaymentMethodID? = nil,
        askedMethodID: PaymentMethodID? = nil, hasExtraRetry: Bool = false, ownAttempt: Int64? = nil,
        ownMethodID: PaymentMethodID? = nil, plannedAt: Instant? = nil, origin: UpgradeOrigin? = nil,
        billedAt: Instant, settledAt: Instant? = nil, isPaidLate: Bool = false
    ) {
        self.id = id
        self.reason = reason
        self.status = status
        self.amount = amount
        self.lines = lines
        self.period = period
        self.creditApplied = creditApplied
        self.creditAdded = creditAdded
        self.invoiceID = invoiceID
        self.attempts = attempts
        self.begunAttempt = begunAttempt
        self.failedAttempt = failedAttempt
        self.isCollecting = isCollecting
        self.requestedAt = requestedAt ?? billedAt
        self.firstFailedAt = firstFailedAt
        self.lastDecline = lastDecline
        self.paymentMethodID = paymentMethodID
        self.newMethodID = newMethodID
        self.askedMethodID = askedMethodID
        self.hasExtraRetry = hasExtraRetry
        self.ownAttempt = ownAttempt
        self.ownMethodID = ownMethodID
        self.plannedAt = plannedAt
        self.origin = origin
        self.billedAt = billedAt
        self.settledAt = settledAt
        self.isPaidLate = isPaidLate
    }

    /// Whether a failure with this number is news: of the latest attempt known to have begun, or of a later one. That the
    /// customer is asked for is news only as long as the attempt is not known to have failed.
    ///
    /// An attempt that could not even begin, for want of a payment method, gets no number of its own: its failure bears
    /// the number of the one before. As long as no number is known, any outcome is that of the attempt under way.
    func isNews(of attempt: Int64, because reason: StatusReason) -> Bool {
        if reason == .actionRequired, let failedAttempt, attempt <= failedAttempt { return false }
        guard let begunAttempt else { return isCollecting || attempt >= attempts }
        return attempt >= begunAttempt
    }
}

extension Billing {
    /// Whether a new payment method came that no attempt is known to use.
    var hasNewMethod: Bool { newMethodID != nil && newMethodID != paymentMethodID }

    /// Whether word of a default payment method that was attached then counts beside the latest attempt.
    ///
    /// Payment's own order decides: the method that the attempt uses is not new, any other is. Times are those of two
    /// clocks and bound it only: by a day, against old news that is told again, and by ``clockTolerance`` where the
    /// attempt's method is not known. It is not where an attempt never began for want of a method, nor before anything
    /// is told of it: its beginning and its failure both say what it uses.
    func isRecent(_ attachedAt: Instant) -> Bool {
        let tolerance: Duration = latestMethodID == nil ? Self.clockTolerance : .seconds(86_400)
        return attachedAt.adding(tolerance) > requestedAt
    }

    /// How far Payment's clock may be behind ours without a new payment method being missed.
    private static let clockTolerance: Duration = .seconds(30)

    /// Whether an attempt that ends is not the one asked for with a new payment method but another, with another one, that
    /// had begun before Payment was asked: the new method was not tried.
    /// - Parameter method: The attempt's. A challenge does not tell it; the attempt's beginning has.
    func hasMissedMethod(_ attempt: Int64, with method: PaymentMethodID?, because reason: StatusReason) -> Bool {
        guard let askedMethodID, attempt > failedAttempt ?? 0 else { return false }
        let isOfBegun: Bool = reason == .actionRequired && begunAttempt.map { attempt >= $0 } ?? false
        let begun: PaymentMethodID? = isOfBegun ? latestMethodID : nil
        guard let used: PaymentMethodID = method ?? begun else { return false }
        return used != askedMethodID
    }

    /// Notes the payment method of the latest attempt, which is none of the customer's own.
    mutating func use(_ method: PaymentMethodID) {
        paymentMethodID = method
        ownAttempt = nil
        ownMethodID = nil
        plannedAt = nil
        if newMethodID == method { newMethodID = nil }
        if askedMethodID == method { askedMethodID = nil }
    }

    /// Another is the default now.
    mutating func forgetNewMethods() {
        newMethodID = nil
        askedMethodID = nil
    }
}

extension Billing {
    /// The payment method of the latest attempt that is known to have begun, whoever's it is.
    var latestMethodID: PaymentMethodID? {
        ownAttempt != nil && ownAttempt == begunAttempt ? ownMethodID : paymentMethodID
    }

    /// Whether an attempt that begins with the customer there is with a method of their own: neither the one that was collected
    /// with last, nor the default that has come since. Before any failure is known there is no plan that it could change.
    func isOwn(_ method: PaymentMethodID) -> Bool {
        lastDecline != nil && method != paymentMethodID && method != newMethodID && method != askedMethodID
    }

    /// Whether what is told is the end, or the challenge, of the attempt with the customer's own method. That none could begin,
    /// for want of a payment method, bears the number of the one before, and no method.
    ///
    /// Payment may go on with an attempt by itself, at another provider or with its customer's authentication: nobody is told
    /// that it begins, and its end or challenge bears a later number. After the own attempt's failure a later number is that of
    /// another attempt, as dunning's with what was the customer's own and is the default now.
    /// - Parameter method: The attempt's; a challenge does not tell it.
    func isOwn(_ attempt: Int64, with method: PaymentMethodID?, because reason: StatusReason) -> Bool {
        guard let ownAttempt, ownAttempt == begunAttempt, reason == .actionRequired || method == ownMethodID else {
            return false
        }
        return attempt == ownAttempt || (attempt > ownAttempt && failedAttempt ?? 0 < ownAttempt)
    }

    /// Whether what is told is how the attempt collected here failed before the customer's own one, which is under way: dunning
    /// goes on by that.
    func isBehindOwn(_ attempt: Int64, with method: PaymentMethodID?, because reason: StatusReason) -> Bool {
        guard let ownAttempt, ownAttempt == begunAttempt, isCollecting, reason != .actionRequired else { return false }
        return attempt < ownAttempt && attempt > failedAttempt ?? 0 && method != nil && method == paymentMethodID
    }

    /// Whether the customer's own attempt is the latest, uses this method, and is not known to have failed.
    func isUnderWay(_ method: PaymentMethodID) -> Bool {
        guard let ownAttempt, ownAttempt == begunAttempt else { return false }
        return ownMethodID == method && failedAttempt ?? 0 < ownAttempt
    }

    /// Notes the customer's own attempt, and what was planned.
    mutating func useOwn(_ method: PaymentMethodID, in attempt: Int64, plannedAt: Instant?) {
        ownAttempt = attempt
        ownMethodID = method
        self.plannedAt = plannedAt
    }
}
