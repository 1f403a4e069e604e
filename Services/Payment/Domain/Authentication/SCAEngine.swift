public import BillingCore

/// Says whether a payment needs strong customer authentication, under the law of the EEA and of the UK.
public struct SCAEngine: Sendable {
    /// Which count of article 16 is kept to. The law leaves the choice to the issuer, who does not tell.
    public enum LowValueCount: Sendable, Hashable, CaseIterable {
        /// What payments add up to.
        case total
        /// How many there were.
        case payments
        /// Both, which suits every issuer.
        case both
    }

    /// What happens to a payment without the customer whose score asks for authentication.
    public enum WithoutCustomer: Sendable, Hashable, CaseIterable {
        /// It does not go on.
        case block
        /// A person looks at it, the authorization is held.
        case review
    }

    /// The exemptions the merchant wants to claim.
    public let exemptions: Set<SCAExemption>
    /// Which count of article 16 is kept to.
    public let lowValueCount: LowValueCount
    /// What happens when the customer is needed and absent.
    public let withoutCustomer: WithoutCustomer

    /// Makes an engine; by default it claims every exemption and is careful otherwise.
    public init(
        exemptions: Set<SCAExemption> = Set(SCAExemption.allCases), lowValueCount: LowValueCount = .both,
        withoutCustomer: WithoutCustomer = .review
    ) {
        self.exemptions = exemptions
        self.lowValueCount = lowValueCount
        self.withoutCustomer = withoutCustomer
    }

    /// The same, without the exemptions that a payment's provider cannot be told of.
    public func claiming(only told: Set<SCAExemption>) -> SCAEngine {
        SCAEngine(
            exemptions: exemptions.intersection(told), lowValueCount: lowValueCount, withoutCustomer: withoutCustomer)
    }

    /// Assesses a payment.
    /// - Throws: ``MoneyError/overflow`` when a conversion has more digits than fit.
    public func assess(_ payment: SCAPayment) throws(MoneyError) -> SCAAssessment {
        let band: RiskBand? = payment.riskScore.map(RiskBand.init(score:))
        if band == .blocked { return SCAAssessment(outcome: .blocked, needsReview: false) }
        let scope: Scope = Self.scope(of: payment)
        if band == .stepUp { return stepUp(payment, scope) }
        let outcome: SCAOutcome =
            switch scope {
            case .outside(let reason): .outOfScope(reason)
            case .inside(let regime): try inScope(payment, under: regime, band)
            }
        return SCAAssessment(outcome: outcome, needsReview: band == .review)
    }

    /// Whether the law asks at all.
    enum Scope {
        case outside(SCAScope)
        case inside(SCARegime)
    }

    /// A score that asks for authentication: exemptions and scope do not help, an absent customer does.
    private func stepUp(_ payment: SCAPayment, _ scope: Scope) -> SCAAssessment {
        if payment.initiation == .customer {
            return SCAAssessment(outcome: .required(.risk), needsReview: false)
        }
        guard withoutCustomer == .review else { return SCAAssessment(outcome: .blocked, needsReview: false) }
        return switch scope {
        case .outside(let reason): SCAAssessment(outcome: .outOfScope(reason), needsReview: true)
        case .inside: SCAAssessment(outcome: .required(.unprovenAgreement), needsReview: true)
        }
    }

    private func inScope(
        _ payment: SCAPayment, under regime: SCARegime, _ band: RiskBand?
    ) throws(MoneyError) -> SCAOutcome {
        if case .merchant = payment.initiation { return .required(.unprovenAgreement) }
        switch payment.series {
        case .setUp: return .required(.agreement)
        case .following(let authenticated) where authenticated != payment.amount: return .required(.agreement)
        case .following, .none: break
        }
        // What the issuer answers for comes first; then what needs no guess at the issuer's counters.
        if claims(.trustedBeneficiary), payment.isTrustedBeneficiary { return .exempt(.trustedBeneficiary) }
        if claims(.recurring), payment.series != .none { return .exempt(.recurring) }
        guard let value = try Self.value(of: payment, in: regime.currency) else { return .required(.regulation) }
        if claims(.riskAnalysis), band == .low, Self.isWithinBands(value, payment.acquirerFraudRate, regime) {
            return .exempt(.riskAnalysis)
        }
        if claims(.lowValue), try isLowValue(value, payment.counters, regime) { return .exempt(.lowValue) }
        return .required(.regulation)
    }

    private func claims(_ exemption: SCAExemption) -> Bool { exemptions.contains(exemption) }

    /// Both sides must be under the same law: since the UK left, each is a leg out to the other (directive (EU)
    /// 2015/2366 article 2).
    static func scope(of payment: SCAPayment) -> Scope {
        let merchant = SCARegion(country: payment.merchantCountry)
        let customer: SCARegion = payment.customerCountry.map(SCARegion.init(country:)) ?? merchant
        guard merchant == customer else { return .outside(.oneLegOut) }
        guard let regime = merchant.regime else { return .outside(.elsewhere) }
        if case .merchant(true, .some) = payment.initiation { return .outside(.merchantInitiated) }
        return .inside(regime)
    }

    /// The amount in major units of a currency, exactly; `nil` without a rate.
    static func value(of payment: SCAPayment, in currency: Currency) throws(MoneyError) -> ExactDecimal? {
        let amount: Money = payment.amount
        let own = try ExactDecimal(coefficient: Int128(amount.minor), scale: amount.currency.exponent)
        guard amount.currency != currency else { return own }
        let rate: SCAPayment.Rate? = payment.rates.first { $0.from == amount.currency && $0.to == currency }
        guard let rate, rate.rate > .zero else { return nil }
        return try own.multiplied(by: rate.rate)
    }

    /// Article 18: the lowest band that holds the amount must hold the fraud rate.
    private static func isWithinBands(_ value: ExactDecimal, _ rate: ExactDecimal?, _ regime: SCARegime) -> Bool {
        guard let rate, !rate.isNegative else { return false }
        guard let band = regime.riskAnalysis.first(where: { value <= $0.upTo }) else { return false }
        return rate <= band.fraudRate
    }

    /// Article 16: the limits are on the payments before this one.
    private func isLowValue(
        _ value: ExactDecimal, _ counters: SCAPayment.Counters?, _ regime: SCARegime
    ) throws(MoneyError) -> Bool {
        guard value <= regime.lowValue, let counters, counters.total.currency == regime.currency else { return false }
        let total = try ExactDecimal(coefficient: Int128(counters.total.minor), scale: regime.currency.exponent)
        let isTotalLow: Bool = total <= regime.lowValueTotal
        let isCountLow: Bool = counters.payments <= regime.lowValueCount
        switch lowValueCount {
        case .total: return isTotalLow
        case .payments: return isCountLow
        case .both: return isTotalLow && isCountLow
        }
    }
}
