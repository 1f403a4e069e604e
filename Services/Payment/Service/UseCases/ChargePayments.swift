package import PaymentContract
package import BillingCore
import PaymentRouting
import Logging
import PaymentAuthentication
import PaymentDomain
import Postgres
import Synchronization
import Telemetry

/// An approved attempt on its way to the provider; the payment is stored as `processing` before it gets here.
package struct ApprovedAttempt: Sendable {
    package let paymentID: PaymentID
    /// Who is asked.
    private(set) var provider: String
    package private(set) var request: ChargeRequest
    /// When the payment made its last step: whoever has taken it since may have asked, too. `nil` where nobody can have.
    private(set) var steppedAt: Instant?
    /// It is a card's, and there is something to decide about its customer's authentication.
    let mayAuthenticate: Bool
    /// The card's, as the stored method has it.
    let brand: String?
    /// What the charge is taken from, where that is kept sealed.
    let sealed: SealedSource?
    /// What its customer's authentication came to, sealed for the payment.
    private let sealedProof: [UInt8]?
    /// The trace that the outcome's events continue, by the customer's key.
    let trace: (key: String, traceparent: String)?

    /// An attempt at a payment.
    package init(
        paymentID: PaymentID, provider: String, request: ChargeRequest, steppedAt: Instant? = nil,
        mayAuthenticate: Bool = false, brand: String? = nil, sealed: SealedSource? = nil, sealedProof: [UInt8]? = nil,
        trace: (key: String, traceparent: String)? = nil
    ) {
        self.paymentID = paymentID
        self.provider = provider
        self.request = request
        self.steppedAt = steppedAt
        self.mayAuthenticate = mayAuthenticate
        self.brand = brand
        self.sealed = sealed
        self.sealedProof = sealedProof
        self.trace = trace
    }

    /// The same attempt, sent elsewhere.
    func routed(_ route: Route) -> ApprovedAttempt {
        with { routed in
            routed.provider = route.provider
            routed.request = request.again(as: request.idempotencyKey, from: route.source)
        }
    }

    /// The same attempt, with what was decided of the customer's authentication.
    func asking(stepUp: Bool, claim: AuthenticationClaim?) -> ApprovedAttempt {
        with { $0.request = request.asking(stepUp: stepUp, claim: claim) }
    }

    /// The same attempt; where no answer has told what the provider calls the charge, what was heard counts for this call.
    func known(as heard: String?) -> ApprovedAttempt {
        guard let heard, request.reference == nil else { return self }
        return with { $0.request = request.known(as: heard) }
    }

    /// The attempt that follows this one: at another provider, or with the customer's authentication.
    func followed(by next: FollowingAttempt) -> ApprovedAttempt {
        let again: ChargeRequest = request.again(as: next.attemptID, from: next.route.source)
        return with { following in
            following.provider = next.route.provider
            following.request = next.stepUp ? again.asking(stepUp: true, claim: nil) : again
            following.steppedAt = next.steppedAt
        }
    }

    /// The same attempt, taken now; as another where that takes its place.
    func taken(at now: Instant, as next: AttemptID? = nil) -> ApprovedAttempt {
        with { taken in
            taken.steppedAt = now
            if let next { taken.request = request.again(as: next, from: request.source) }
        }
    }

    /// The attempt with what is sealed of it opened, for the length of a call.
    /// - Throws: ``CredentialSeal/Broken``: the key is another one than when it was sealed.
    func opened(by seal: CredentialSeal) throws -> ApprovedAttempt {
        var request: ChargeRequest = request
        if let sealed {
            let card: WalletCard = try seal.open(sealed.bytes, for: sealed.methodID.rawValue)
            request = request.taken(from: .walletCard(card))
        }
        if let sealedProof { request = request.proven(by: try seal.open(sealedProof, for: paymentID)) }
        return with { $0.request = request }
    }

    private func with(_ change: (inout ApprovedAttempt) -> Void) -> ApprovedAttempt {
        var copy = self
        change(&copy)
        return copy
    }
}

/// A charge's source as it is kept for the charge: sealed, for a payment method.
package struct SealedSource: Sendable {
    let bytes: [UInt8]
    let methodID: PaymentMethodID
}

extension ChargeSource {
    /// Stands where nothing has been opened; no provider knows a method of this name.
    static var unopened: ChargeSource { .stored(token: "", providerCustomer: nil) }
}

/// Asks the provider and has the outcome recorded. What is not known afterwards stays `processing` for the sweeper.
final class ChargePayments: Sendable {
    /// Attempts under way at once; more wait for the sweeper instead of piling up in memory.
    static let limit = 4_096

    private let providers: PaymentProviders
    private let record: RecordOutcomes
    private let waiters: PaymentWaiters
    private let seal: CredentialSeal
    private let pool: PostgresPool
    private let clock: any WallClock
    private let logger: Logger
    private let inFlight = Atomic<Int>(0)
    private let unknown: Counter = Metrics.shared.counter(
        "provider_unknown_outcomes_total", help: "Provider calls without a known outcome")

    init(
        providers: PaymentProviders, record: RecordOutcomes, waiters: PaymentWaiters, seal: CredentialSeal,
        pool: PostgresPool, clock: any WallClock, logger: Logger
    ) {
        self.providers = providers
        self.record = record
        self.waiters = waiters
        self.seal = seal
        self.pool = pool
        self.clock = clock
        self.logger = logger
    }

    /// Starts attempts without waiting for them.
    /// - Parameter late: Those that are marked as not sent: it is to be seen first whether they are made still, and as what.
    func start(_ attempts: [ApprovedAttempt], late: Set<AttemptID> = []) {
        for attempt in attempts {
            guard inFlight.load(ordering: .relaxed) < Self.limit else { return }
            inFlight.add(1, ordering: .relaxed)
            Task {
                if late.contains(attempt.request.idempotencyKey) {
                    await self.runLate(attempt)
                } else {
                    await self.run(attempt)
                }
                self.inFlight.subtract(1, ordering: .relaxed)
            }
        }
    }

    private func runLate(_ attempt: ApprovedAttempt) async {
        do { try await resume(attempt) } catch {
            unknown.increment()
            tell("the outcome of a charge is not known yet", attempt, error)
        }
    }

    private func run(_ first: ApprovedAttempt) async {
        var next: ApprovedAttempt? = first
        while let attempt: ApprovedAttempt = next {
            do { next = try await ask(attempt) } catch {
                unknown.increment()
                return tell("the outcome of a charge is not known yet", attempt, error)
            }
        }
    }

    /// Asks the provider and has its answer recorded; after a fault it is read back, never guessed. A refused request is
    /// certain not to have happened, and would be rejected again; one that was not sent is asked for anew later
    /// (``UnsentAttempts``); both only as long as nobody else has asked meanwhile.
    /// - Returns: The attempt that follows at another provider, where one does.
    /// - Throws: ``ProviderFault`` while the outcome is not known, or nobody was asked.
    private func ask(_ sealed: ApprovedAttempt) async throws -> ApprovedAttempt? {
        let attempt: ApprovedAttempt = try sealed.opened(by: seal)
        let provider: any PaymentProvider = try providers.named(attempt.provider)
        let began: ContinuousClock.Instant = .now
        let word: Result<ChargeAnswer, ProviderFault> = await Self.word(of: provider, on: attempt.request)
        waiters.took(.now - began, over: attempt.paymentID)
        guard case .failure(let fault) = word else {
            return try await record.following(Outcome(attempt: attempt, answer: try word.get(), by: provider))
        }
        if fault.isAlarming(on: .charge) { tell("a charge came to a fault", attempt, fault) }
        if let next: ApprovedAttempt = try await record.following(attempt, after: fault) { return next }
        if let code: String = fault.refusalCode {
            return try await record.following(
                Outcome(
                    attempt: attempt, answer: .declined(ProviderDecline(code: code)),
                    reading: DeclineReading(fault.refusal), since: attempt.steppedAt))
        }
        if CascadeOutcome(fault) == .outage, try await isMarked(unsent: sealed) { throw fault }
        let answer: ChargeAnswer = try await provider.outcome(of: attempt.request)
        return try await record.following(Outcome(attempt: attempt, answer: answer, by: provider))
    }

    private func isMarked(unsent attempt: ApprovedAttempt) async throws -> Bool {
        try await pool.transactionRetrying { db in try UnsentAttempts.mark(attempt, in: db) }
    }

    private static func word(
        of provider: any PaymentProvider, on request: ChargeRequest
    ) async -> Result<ChargeAnswer, ProviderFault> {
        do throws(ProviderFault) { return .success(try await provider.charge(request)) } catch {
            return .failure(error)
        }
    }

    /// Names the payment, which the provider's alarm (``ProviderAlarms``) knows nothing of.
    private func tell(_ what: Logger.Message, _ attempt: ApprovedAttempt, _ error: any Error) {
        logger.warning(
            what,
            metadata: [
                "payment_id": "\(attempt.paymentID)", "provider": "\(attempt.provider)", "error": "\(error)",
            ])
    }

    /// Reads an attempt's outcome back from the provider and records it: one that was lost, one that waits for the
    /// customer or the bank. One that was never sent is asked for instead, or ended where it is not to be made any more.
    /// An attempt that follows at another provider is started; one that the payment has left behind is left alone.
    /// - Throws: ``ProviderFault`` while it is not known; nothing is recorded then.
    func resume(_ sealed: ApprovedAttempt) async throws {
        let now: Instant = clock.now
        let turn: UnsentAttempts.Turn = try await pool.transactionRetrying { db in
            try UnsentAttempts.take(sealed, at: now, in: db)
        }
        switch turn {
        case .movedOn: return
        case .charge(let unsent):
            if let next: ApprovedAttempt = try await ask(unsent) { start([next]) }
            return
        case .end(let unsent, let rest):
            let decline = ProviderDecline(code: "processing_error")
            return try await record(
                Outcome(
                    attempt: unsent, answer: .declined(decline),
                    reading: DeclineReading(Decline(code: decline.code)), since: unsent.steppedAt, mayCascade: false,
                    rest: rest))
        case .readBack: break
        }
        let attempt: ApprovedAttempt = try sealed.opened(by: seal)
        let provider: any PaymentProvider = try providers.named(attempt.provider)
        let answer: ChargeAnswer = try await provider.outcome(of: attempt.request)
        let next: ApprovedAttempt? = try await record.following(Outcome(attempt: attempt, answer: answer, by: provider))
        if let next { start([next]) }
    }

    /// Gives up an attempt that waits for the customer at the provider: it is released there, and failed here. Where the
    /// provider will not let go, the customer has finished: its word counts.
    /// - Throws: ``ProviderFault`` while it is not known; nothing is recorded then.
    func expire(_ attempt: ApprovedAttempt) async throws {
        let provider: any PaymentProvider = try providers.named(attempt.provider)
        guard let reference: String = attempt.request.reference else { return try await resume(attempt) }
        let release = ReleaseRequest(idempotencyKey: attempt.request.idempotencyKey, reference: reference)
        switch try await provider.release(release) {
        case .released:
            let decline = ProviderDecline(code: "action_expired", reference: reference)
            try await record(
                Outcome(
                    attempt: attempt, answer: .declined(decline),
                    reading: DeclineReading(Decline(code: decline.code))))
        case .refused: try await resume(attempt)
        }
    }
}

extension ProviderFault {
    /// What a refusal of our request, or of our credentials, is to the payment.
    fileprivate var refusal: Decline {
        if case .unauthorized = self { return .providerCredentials }
        return Decline(code: "provider_configuration")
    }
}
