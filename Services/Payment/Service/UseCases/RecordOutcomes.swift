import PaymentAuthentication
package import PaymentContract
import PaymentRecords
package import BillingCore
import PaymentExchange
import PaymentRouting
import BillingEvents
import HTTPKit
import Messaging
package import PaymentDomain
import Postgres

/// What the provider said of an attempt.
package struct Outcome: Sendable {
    let attempt: ApprovedAttempt
    let answer: ChargeAnswer
    /// What a refusal means; `nil` for any other answer.
    let reading: DeclineReading?
    /// Whether the provider could pass on all that the charge says of its customer's authentication.
    let isCarried: Bool
    /// It counts only as long as the payment has made no step since; `nil` where it counts anyway.
    let since: Instant?
    /// Whether another provider may be asked after a refusal.
    let mayCascade: Bool
    /// How long what nobody was asked for is left alone before it is asked for again; `nil` where that was not decided here.
    let rest: Duration?

    /// An answer to an attempt.
    package init(
        attempt: ApprovedAttempt, answer: ChargeAnswer, reading: DeclineReading? = nil, isCarried: Bool = true,
        since: Instant? = nil, mayCascade: Bool = true, rest: Duration? = nil
    ) {
        self.attempt = attempt
        self.answer = answer
        self.reading = reading
        self.isCarried = isCarried
        self.since = since
        self.mayCascade = mayCascade
        self.rest = rest
    }

    /// An answer to an attempt, its refusals read by the provider that gave it.
    package init(attempt: ApprovedAttempt, answer: ChargeAnswer, by provider: any PaymentProvider) {
        let isCarried: Bool = provider.capabilities.carries(attempt.request)
        if case .declined(let told) = answer {
            let refusal: ProviderDecline = told.of(brand: attempt.brand)
            self.init(
                attempt: attempt, answer: .declined(refusal), reading: provider.reading(of: refusal),
                isCarried: isCarried)
        } else {
            self.init(attempt: attempt, answer: answer, isCarried: isCarried)
        }
    }

    /// The state it leads to. An off-session payment cannot wait for the customer: it fails and may be confirmed later. A
    /// bank that asks for the customer again after they have authenticated, or could not, has declined.
    func settled(_ offSession: Bool) -> (status: PaymentStatus, decline: Decline?) {
        if asksForCustomer, !attempt.mayStepUp || (isSoftDecline && attempt.request.stepUp) {
            return (.failed, .doNotHonor)
        }
        return switch answer {
        case .captured: (.succeeded, nil)
        case .authorized: (.authorized, nil)
        case .declined(let refusal): (.failed, reading?.decline ?? Decline(code: refusal.code))
        case .actionRequired: offSession ? (.failed, .authenticationRequired) : (.requiresAction, nil)
        case .pending: (.processing, nil)
        }
    }

    /// What the provider knows the charge by.
    var reference: String? {
        switch answer {
        case .captured(let charge), .authorized(let charge): charge.reference
        case .declined(let decline): decline.reference
        case .actionRequired(let reference, _), .pending(let reference): reference
        }
    }

    /// Until when the money is held.
    var heldUntil: Instant? {
        if case .authorized(let charge) = answer { return charge.expiresAt }
        return nil
    }

    /// What the customer has to do.
    var nextAction: NextAction? {
        if case .actionRequired(_, let action) = answer, settled(false).status == .requiresAction { return action }
        return nil
    }

    /// The bank wants the customer to authenticate; the pages of other providers' methods are no such wish.
    var asksForCustomer: Bool {
        switch answer {
        case .actionRequired(_, .challenge): true
        case .declined: isSoftDecline
        case .captured, .authorized, .actionRequired, .pending: false
        }
    }

    /// A refusal for want of authentication.
    var isSoftDecline: Bool { refusal != nil && reading?.decline == .authenticationRequired }

    /// A refusal in the provider's own words.
    var refusal: ProviderDecline? {
        if case .declined(let refusal) = answer { return refusal }
        return nil
    }

    /// For later charges without the customer.
    var networkTransactionID: String? {
        switch answer {
        case .captured(let charge), .authorized(let charge): charge.networkTransactionID
        case .declined, .actionRequired, .pending: nil
        }
    }

    /// How the provider has authenticated the customer itself.
    var authentication: ProviderAuthentication? {
        switch answer {
        case .captured(let charge), .authorized(let charge): charge.authentication
        case .declined, .actionRequired, .pending: nil
        }
    }

    /// Whether the provider goes on by itself, and its word is to be looked for again: after a page of its own, and while
    /// a bank is about it. A challenge of ours ends with a request instead.
    var isOpen: Bool {
        switch answer {
        case .pending: true
        case .actionRequired(_, let action): action != .challenge
        case .captured, .authorized, .declined: false
        }
    }
}

extension ApprovedAttempt {
    /// Whether the customer can still be asked to authenticate: they have not, and it was not tried in vain.
    var mayStepUp: Bool { !request.authenticated && request.claim != .unavailable }
}

/// Records outcomes in batches: payment, attempt, journal entry, event and the caller's stored answer in one transaction.
///
/// An outcome counts once: only a payment that waits for this very attempt's moves, or one that has ended with it while the
/// provider went on (``LateOutcomes``).
package struct RecordOutcomes: Sendable {
    /// What a batch does.
    package let booking: BookOutcomes
    private let group: GroupCommit<Outcome, FollowingAttempt?>
    private let pool: PostgresPool
    private let cascade: CascadePayment?
    private let clock: any WallClock

    init(
        pool: PostgresPool, waiters: PaymentWaiters, clock: any WallClock, policy: ActionPolicy,
        cascade: CascadePayment?, exchange: BookExchange, pages: ChallengePages? = nil
    ) {
        self.pool = pool
        self.cascade = cascade
        self.clock = clock
        let booking = BookOutcomes(waiters: waiters, policy: policy, cascade: cascade, exchange: exchange, pages: pages)
        self.booking = booking
        group = GroupCommit(pool, maxBatch: 200, gather: .microseconds(500)) { db, outcomes in
            let next: [AttemptID: FollowingAttempt] = try booking.record(outcomes, at: clock.now, in: db)
            return outcomes.map { .success(next[$0.attempt.request.idempotencyKey]) }
        }
    }

    /// Records one outcome; it shares a transaction with what else is waiting.
    package func callAsFunction(_ outcome: Outcome) async throws { _ = try await group.submit(outcome) }

    /// The same.
    /// - Returns: The attempt that follows at another provider; it is stored, and to be charged now.
    func following(_ outcome: Outcome) async throws -> ApprovedAttempt? {
        try await group.submit(outcome).map(outcome.attempt.followed)
    }

    /// Lets another provider follow after a fault that is certain to have done nothing.
    /// - Returns: `nil` where none does: the attempt is as it was.
    func following(_ attempt: ApprovedAttempt, after fault: ProviderFault) async throws -> ApprovedAttempt? {
        guard let cascade, let steppedAt: Instant = attempt.steppedAt, CascadeOutcome(fault) == .outage else {
            return nil
        }
        let id: AttemptID = attempt.request.idempotencyKey
        let ended = EndedAttempt(paymentID: attempt.paymentID, attemptID: id, end: .outage(steppedAt: steppedAt))
        let now: Instant = clock.now
        let next: FollowingAttempt? = try await pool.transactionRetrying { db in
            try cascade([ended], at: now, in: db)[id]
        }
        return next.map(attempt.followed)
    }
}

/// How long a customer has for what a payment asks of them; `payment.action_expires_seconds`.
package struct ActionPolicy: Sendable {
    let seconds: Int64

    package init(seconds: Int64) { self.seconds = seconds }

    /// When the time is over that begins now.
    func end(from now: Instant) -> Instant { Instant(seconds: now.seconds + seconds) }

    /// How long a link for several payments keeps a place at most for who is on a provider's page.
    private static let placeSeconds: Int64 = 1_800

    /// When the time is over for who is on a provider's page and keeps others from the place of a link.
    func endOfPlace(from now: Instant) -> Instant { Instant(seconds: now.seconds + min(seconds, Self.placeSeconds)) }
}
