import BillingCore
import PaymentContract
package import PaymentDomain
package import PaymentExchange
import PaymentRecords
import Postgres

/// Decides for approved attempts whether their customers must authenticate: by risk, because the bank asked, or by the
/// law where the country of the card's issuer is known. Others are left to their banks.
///
/// Runs in the transaction that moves them to `processing`: a crash leaves the payment undecided or decided, and nobody
/// has been asked yet. What was decided is with the attempt, so that the sweeper asks the same.
package struct AssessAuthentication: Sendable {
    let policy: SCAPolicy
    let risk: RiskPolicy
    let rates: RatesInForce

    package init(policy: SCAPolicy = SCAPolicy(), risk: RiskPolicy = .standard, rates: RatesInForce = RatesInForce()) {
        self.policy = policy
        self.risk = risk
        self.rates = rates
    }

    /// Assesses attempts whose payments this transaction has locked. Payments of one card take turns here, until the
    /// transactions that decide them are over, and count what is on its way: low value is never used up twice.
    /// - Returns: All of them, with what is asked of their providers.
    func callAsFunction(
        _ approved: [ApprovedAttempt], _ verdicts: [AttemptID: Verdict], by providers: PaymentProviders,
        at now: Instant, in db: borrowing PostgresTransaction
    ) throws -> [ApprovedAttempt] {
        let asked: [ApprovedAttempt] = approved.filter(\.mayAuthenticate)
        guard !asked.isEmpty else { return approved }
        var decided: [PaymentID: SCADecision] = [:]
        var known = Known(
            counters: try SCACounterStore.lock(asked.map(\.paymentID), in: db), fraudRate: try fraudRate(in: db),
            now: now)
        let able: [PaymentID: ProviderCapabilities.Authentication] = Dictionary(
            asked.compactMap { attempt in
                providers.capabilities(of: attempt.provider).map { (attempt.paymentID, $0.authentication) }
            }
        ) { first, _ in first }
        for facts in try SCAFacts.read(asked.map(\.paymentID), in: db) where !facts.isSettled {
            let decision: SCADecision? = try decide(
                facts, verdicts[facts.attemptID]?.risk, able: able[facts.paymentID] ?? .ofProvider, known, in: db)
            decided[facts.paymentID] = decision
            if let counted: Money = decision?.counting { try known.counters.add(counted, of: facts.fingerprint) }
        }
        try SCADecision.store(decided, in: db)
        return approved.map { attempt in
            decided[attempt.paymentID].map { attempt.asking(stepUp: $0.stepUp, claim: $0.claim) } ?? attempt
        }
    }

    /// What payments of a batch are held against.
    private struct Known {
        var counters: SCACounters
        let fraudRate: ExactDecimal?
        let now: Instant
    }

    /// The acquirer's own rate, or what is measured here where that is worse; without the acquirer's nothing is claimed.
    private func fraudRate(in db: borrowing PostgresTransaction) throws -> ExactDecimal? {
        guard let acquirer: ExactDecimal = policy.fraudRate else { return nil }
        guard let measured: ExactDecimal = try FraudRateStore.latest(in: db) else { return acquirer }
        return max(acquirer, measured)
    }

    private func decide(
        _ facts: SCAFacts, _ verdict: RiskVerdict?, able: ProviderCapabilities.Authentication, _ known: Known,
        in db: borrowing PostgresTransaction
    ) throws -> SCADecision? {
        let asksByRisk: Bool =
            verdict.map { risk.action(for: $0, offSession: facts.offSession, authenticated: false) == .stepUp } ?? false
        // The risk comes first: it does not go away where nobody can be asked.
        let asked: SCACause? = asksByRisk ? .risk : facts.isDue ? .softDecline : nil
        guard policy.isOn, let country: String = facts.country, let exemptions = able.exemptions else {
            return asked.map {
                SCADecision(facts, SCAAssessment(outcome: .required($0), needsReview: false), counted: nil)
            }
        }
        let payment: SCAPayment = try payment(facts, country, verdict, known, in: db)
        let engine: SCAEngine = policy.engine.claiming(only: exemptions)
        let assessment: SCAAssessment =
            try asked.map { SCAAssessment(outcome: .required($0), needsReview: false) } ?? engine.assess(payment)
        return SCADecision(facts, assessment, counted: try engine.counted(payment))
    }

    /// Only a score below every threshold, ours and the law's, is an analysis to rely on, and only where the spending of
    /// late was looked at (article 18 (2) (c) of the RTS); what is done with any other is not decided here.
    private func payment(
        _ facts: SCAFacts, _ country: String, _ verdict: RiskVerdict?, _ known: Known,
        in db: borrowing PostgresTransaction
    ) throws -> SCAPayment {
        var payment = SCAPayment(
            amount: facts.amount, customerCountry: country, merchantCountry: policy.acquirer(for: country))
        if facts.offSession {
            // The agreement was made with a charge that went through: providers that tell no network's id of it keep that
            // themselves and send it along.
            payment.initiation = .merchant(
                agreementAuthenticated: facts.hasAuthenticatedAgreement,
                networkTransactionID: facts.networkTransactionID ?? "kept by the provider")
        }
        if facts.isOfSeries {
            payment.series = facts.seriesAmount.map { .following(authenticated: $0) } ?? .setUp
        }
        if facts.keepsMethod, !facts.offSession { payment.series = .setUp }
        if let verdict, !verdict.reasons.contains("velocity_unavailable"),
            let score: ExactDecimal = verdict.score.flatMap({ ExactDecimal($0) }),
            score < risk.reviewFrom, RiskBand(score: score) == .low
        {
            payment.riskScore = score
        }
        payment.acquirerFraudRate = known.fraudRate
        payment.isTrustedBeneficiary = facts.isTrusted
        guard let regime: SCARegime = SCARegion(country: payment.merchantCountry).regime else { return payment }
        payment.counters = known.counters.of(facts.fingerprint, in: regime.currency)
        if facts.amount.currency != regime.currency {
            payment.rates = try rate(facts.amount.currency, regime.currency, at: known.now, in: db).map { [$0] } ?? []
        }
        return payment
    }

    private func rate(
        _ from: Currency, _ to: Currency, at now: Instant, in db: borrowing PostgresTransaction
    ) throws -> SCAPayment.Rate? {
        do {
            let rate: ExchangeRate = try rates.rate(
                from: from, to: to, on: CivilDate(dayNumber: Int(now.seconds / 86_400)), in: db)
            return SCAPayment.Rate(from: from, to: to, rate: try rate.decimal(scale: 10))
        } catch is ExchangeError {
            return nil  // No threshold is claimed to be kept then.
        }
    }
}

/// What was decided for an attempt.
struct SCADecision {
    /// The customer is to authenticate before the charge.
    let stepUp: Bool
    /// What is claimed in its place.
    let claim: AuthenticationClaim?
    let attemptID: AttemptID
    let authentication: AttemptAuthentication

    /// What it adds to the counters while it is on its way; `nil` where the customer is asked first.
    var counting: Money? { stepUp ? nil : authentication.counted }

    init(_ facts: SCAFacts, _ assessment: SCAAssessment, counted: Money?) {
        attemptID = facts.attemptID
        var authentication = AttemptAuthentication(decision: assessment.decision, reason: assessment.reason)
        authentication.counted = counted
        switch assessment.outcome {
        case .required:
            stepUp = !facts.offSession
            claim = nil
            // Nobody is there: the bank decides, and the merchant bears what it lets pass.
            authentication.liability = facts.offSession ? SCALiability.merchant.rawValue : nil
        case .exempt(let exemption):
            stepUp = false
            claim = .exemption(exemption)
            authentication.liability = assessment.liability.rawValue
        case .outOfScope, .blocked:
            stepUp = false
            claim = nil
            authentication.liability = assessment.liability.rawValue
        }
        self.authentication = authentication
    }

    /// Writes decisions to payments, whose rows are locked, and to their attempts.
    static func store(_ decisions: [PaymentID: SCADecision], in db: borrowing PostgresTransaction) throws {
        guard !decisions.isEmpty else { return }
        let all: [(id: PaymentID, decision: SCADecision)] = decisions.map { ($0, $1) }
        let texts: [String] = all.map(\.decision.authentication.stored)
        try db.enqueue(
            """
            UPDATE payments p SET step_up = d.step_up, authentication = d.authentication::jsonb
            FROM unnest(\(all.map(\.id.rawValue))::text[], \(all.map(\.decision.stepUp))::boolean[], \(texts)::text[])
                AS d(id, step_up, authentication)
            WHERE p.id = d.id
            """)
        try db.enqueue(
            """
            UPDATE payment_attempts a SET authentication = d.authentication::jsonb
            FROM unnest(\(all.map(\.decision.attemptID.rawValue))::text[], \(texts)::text[]) AS d(id, authentication)
            WHERE a.id = d.id
            """)
    }
}
