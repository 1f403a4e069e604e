package import BillingCore
import JSON
package import PaymentContract
package import PaymentDomain
package import Postgres

/// How an attempt ended at its provider, for certain.
package struct EndedAttempt: Sendable {
    /// What it ended with.
    package enum End: Sendable {
        /// The provider said no: its words read into our table, and as they came.
        case declined(DeclineReading, ProviderDecline)
        /// The provider was not asked, or has not done it, for certain. `steppedAt` is the payment's as it was when this
        /// process set out to ask: a sweeper that has taken the payment since may have asked, too.
        case outage(steppedAt: Instant)
    }

    package let paymentID: PaymentID
    package let attemptID: AttemptID
    package let end: End
    /// What the provider knows the failed charge by, where there is something.
    package let reference: String?

    package init(paymentID: PaymentID, attemptID: AttemptID, end: End, reference: String? = nil) {
        self.paymentID = paymentID
        self.attemptID = attemptID
        self.end = end
        self.reference = reference
    }
}

/// The attempt that follows: stored, and to be charged once the transaction is committed.
package struct FollowingAttempt: Sendable {
    package let paymentID: PaymentID
    package let attemptID: AttemptID
    package let route: Route
    /// The payment's `stepped_at` now, for ``EndedAttempt/End/outage(steppedAt:)``.
    package let steppedAt: Instant
    /// The customer is to authenticate this time.
    package let stepUp: Bool

    package init(
        paymentID: PaymentID, attemptID: AttemptID, route: Route, steppedAt: Instant, stepUp: Bool = false
    ) {
        self.paymentID = paymentID
        self.attemptID = attemptID
        self.route = route
        self.steppedAt = steppedAt
        self.stepUp = stepUp
    }
}

extension CascadeOutcome {
    /// What a fault of ``PaymentProvider/charge(_:)`` says of the attempt. Only of `charge`, and only for who has asked
    /// first: a look-up that cannot be sent says nothing about the charge.
    package init(_ fault: ProviderFault) {
        switch fault {
        // Connectors throw these only when no try of theirs can have been carried out.
        case .notSent, .rateLimited, .rejected, .unauthorized: self = .outage
        case .timedOut, .unavailable, .unusable: self = .unknown
        }
    }
}

/// Tries the next provider within one payment, after a soft decline or a certain outage. Where nothing was decided before,
/// as there are no rules, the others that keep the method follow.
///
/// The payment stays `processing`. The ended attempt and the next one's intent are stored in one transaction, before the
/// next provider is asked under the next attempt's id. Only the attempt that the payment is at can be followed, and only
/// once, so no repeat begins a second one. Budgets of the networks are kept; Fraud is not asked again. Nobody is charged who
/// has left, or by a method that was taken off or replaced meanwhile (``UnheardCharges``).
package struct CascadePayment: Sendable {
    private let book: RoutingBook

    package init(book: RoutingBook) { self.book = book }

    /// Begins following attempts where there may be some, in the transaction that would record the ends.
    /// - Returns: Those that follow, by the attempt they follow. The others have ended as they would without routing.
    package func callAsFunction(
        _ ended: [EndedAttempt], at now: Instant, in db: borrowing PostgresTransaction
    ) throws -> [AttemptID: FollowingAttempt] {
        guard !ended.isEmpty else { return [:] }
        let standing: [CascadingPayment] = try CascadingPayment.lock(ended, in: db)
        guard !standing.isEmpty else { return [:] }
        let ends: [AttemptID: EndedAttempt] = Dictionary(ended.map { ($0.attemptID, $0) }) { first, _ in first }
        let tokens: [PaymentMethodID: [MethodToken]] = try MethodTokenStore.all(
            of: Array(Set(standing.map(\.methodID))), in: db)
        let past: [PaymentID: [CardAttempt]] = try CardHistory.read(standing, ends, in: db)
        let down: Set<String> = try book.page(in: db).down
        var steps: [CascadeStepTaken] = []
        for var payment in standing {
            guard let end: EndedAttempt = ends[payment.attemptID], payment.isStill(at: end) else { continue }
            let known: [MethodToken] = tokens[payment.methodID] ?? []
            var decided: String?
            if !payment.isRouted {
                let decision: RoutingDecision? = OwnProviderFirst.decision(
                    on: payment.request, asked: payment.provider, among: Set(known.map(\.provider)), down: down,
                    in: book)
                guard let decision else { continue }
                payment.cascade = decision.cascade
                decided = encodeString(RoutingDecisionResource(version: 0, decision: decision))
            }
            let step: CascadeStepTaken.Way = way(
                payment, end, known: known, down: down, past: past[payment.id] ?? [], at: now)
            // An outage that nobody follows has decided nothing: who is well later is asked then.
            if step.isNext || end.isDecline { payment.decided = decided }
            steps.append(CascadeStepTaken(payment: payment, end: end, way: step, next: AttemptID.new(at: now)))
        }
        let stepped: [PaymentID: Instant] = try CascadeStore.store(steps, at: now, in: db)
        var following: [AttemptID: FollowingAttempt] = [:]
        for step in steps {
            guard case .next(let token) = step.way, let steppedAt: Instant = stepped[step.payment.id] else { continue }
            book.health.remember(step.next, step.payment.segment)
            following[step.payment.attemptID] = FollowingAttempt(
                paymentID: step.payment.id, attemptID: step.next,
                route: Route(
                    provider: token.provider, token: token.token, providerCustomer: token.providerCustomer),
                steppedAt: steppedAt)
        }
        return following
    }

    /// The next provider that can be asked now, or why there is none.
    private func way(
        _ payment: CascadingPayment, _ end: EndedAttempt, known: [MethodToken], down: Set<String>,
        past: [CardAttempt], at now: Instant
    ) -> CascadeStepTaken.Way {
        // What a bank has seen of a wallet's card it does not take again; one that reached nobody is as good as new.
        if payment.isOfWallet, case .declined = end.end { return .stop("single_use") }
        let cascade = Cascade(payment.cascade)
        var step: CascadeStep = cascade.step(after: end.outcome, at: payment.provider)
        while case .next(let name) = step {
            if let token: MethodToken = known.first(where: { $0.provider == name }), book.isWell(name, down) {
                return payment.obstacle(at: now, after: past).map(CascadeStepTaken.Way.stop) ?? .next(token)
            }
            step = cascade.step(after: .outage, at: name)
        }
        guard case .stop(let why) = step else { return .stop("exhausted") }
        return .stop(why.rawValue)
    }
}

extension EndedAttempt {
    fileprivate var isDecline: Bool { if case .declined = end { true } else { false } }
}

extension CascadeStepTaken.Way {
    fileprivate var isNext: Bool { if case .next = self { true } else { false } }
}

extension CascadingPayment {
    /// Why no provider is asked now, whichever would be next.
    fileprivate func obstacle(at now: Instant, after past: [CardAttempt]) -> String? {
        if isUnwanted { return "unwanted" }
        if isAttended, UnheardCharges.isTooLate(for: attemptID, at: now) { return "customer_left" }
        return isWithinBudget(at: now, after: past) ? nil : "budget"
    }

    /// Whether its network allows another attempt now; only cards have one.
    private func isWithinBudget(at now: Instant, after past: [CardAttempt]) -> Bool {
        guard CardMethod.types.contains(type) else { return true }
        let budget: RetryBudget = .of(brand: brand ?? "")
        if case .allowed = budget.permission(for: amount, at: now, after: past) { return true }
        return false
    }
}

extension ProviderHealth {
    /// Whether a provider may be asked now.
    func isOpen(_ provider: String) -> Bool {
        if case .refused = admission(provider) { return false }
        return true
    }
}

extension EndedAttempt {
    var outcome: CascadeOutcome {
        switch end {
        case .declined(let reading, _): .declined(reading.decline)
        case .outage: .outage
        }
    }

    /// The code that the attempt ends with.
    var code: String {
        switch end {
        case .declined(let reading, _): reading.decline.code
        case .outage: "outage"
        }
    }

    var refusal: ProviderDecline? {
        if case .declined(_, let refusal) = end { refusal } else { nil }
    }
}

/// What becomes of one ended attempt.
struct CascadeStepTaken: Sendable {
    enum Way: Sendable {
        case next(MethodToken)
        case stop(String)
    }

    let payment: CascadingPayment
    let end: EndedAttempt
    let way: Way
    /// The id of the attempt that follows, if one does.
    let next: AttemptID
}
