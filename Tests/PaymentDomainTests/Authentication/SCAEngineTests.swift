import BillingCore
import PaymentDomain
import Testing

@Suite("Whether a payment needs authentication") struct SCAEngineTests {
    @Test(
        "both sides must be under one law",
        arguments: [
            ("DE", "FR", SCAOutcome.required(.regulation)), ("NO", "IS", .required(.regulation)),
            ("LI", "RE", .required(.regulation)), ("GB", "GI", .required(.regulation)),
            (nil, "FR", .required(.regulation)), (nil, "GB", .required(.regulation)),
            ("US", "FR", .outOfScope(.oneLegOut)), ("DE", "US", .outOfScope(.oneLegOut)),
            ("GB", "FR", .outOfScope(.oneLegOut)), ("DE", "GB", .outOfScope(.oneLegOut)),
            ("CH", "DE", .outOfScope(.oneLegOut)), ("US", "CA", .outOfScope(.elsewhere)),
            (nil, "US", .outOfScope(.elsewhere)), ("de", "FR", .outOfScope(.oneLegOut)),
        ] as [(String?, String, SCAOutcome)])
    func regions(customer: String?, merchant: String, expected: SCAOutcome) throws {
        let engine = SCAEngine()
        let assessment = try engine.assess(Law.payment(from: customer, to: merchant))
        #expect(assessment.outcome == expected)
        #expect(assessment.liability == (expected == .required(.regulation) ? .issuerOnceAuthenticated : .merchant))
        #expect(!assessment.needsReview)
    }

    @Test("the EEA has 30 countries, and seven territories with codes of their own") func countries() {
        let letters: [Character] = Array("ABCDEFGHIJKLMNOPQRSTUVWXYZ")
        let codes: [String] = letters.flatMap { first in letters.map { "\(first)\($0)" } }
        #expect(codes.count { SCARegion(country: $0) == .eea } == 37)
        #expect(codes.filter { SCARegion(country: $0) == .uk } == ["GB", "GI"])
        for code in ["", "D", "DEU", "EU", "UK", "XX"] { #expect(SCARegion(country: code) == .elsewhere) }
    }

    /// Who sets it off, from where to where, and the outcome.
    private static let initiations: [(SCAPayment.Initiation, String, SCAOutcome)] = [
        (.customer, "DE", .required(.regulation)),
        (.merchant(agreementAuthenticated: true, networkTransactionID: "1"), "DE", .outOfScope(.merchantInitiated)),
        (.merchant(agreementAuthenticated: true, networkTransactionID: nil), "DE", .required(.unprovenAgreement)),
        (.merchant(agreementAuthenticated: false, networkTransactionID: "1"), "DE", .required(.unprovenAgreement)),
        (.merchant(agreementAuthenticated: false, networkTransactionID: nil), "DE", .required(.unprovenAgreement)),
        (.merchant(agreementAuthenticated: false, networkTransactionID: nil), "US", .outOfScope(.oneLegOut)),
    ]

    @Test("who sets it off", arguments: 0..<initiations.count)
    func initiation(index: Int) throws {
        let (initiation, customer, expected) = Self.initiations[index]
        #expect(try Law.outcome(Law.payment(from: customer) { $0.initiation = initiation }) == expected)
    }

    /// A later payment's amount against 9.99 EUR authenticated.
    private static let series: [(SCAPayment.Series, Money, SCAOutcome)] = [
        (.none, Law.eur(999), .required(.regulation)),
        (.setUp, Law.eur(999), .required(.agreement)),
        (.following(authenticated: Law.eur(999)), Law.eur(999), .exempt(.recurring)),
        (.following(authenticated: Law.eur(999)), Law.eur(998), .required(.agreement)),
        (.following(authenticated: Law.eur(999)), Law.eur(1_000), .required(.agreement)),
        (.following(authenticated: Law.gbp(999)), Law.eur(999), .required(.agreement)),
    ]

    @Test("a series is authenticated at its start and at every change", arguments: 0..<series.count)
    func recurring(index: Int) throws {
        let (series, amount, expected) = Self.series[index]
        #expect(try Law.outcome(Law.payment(amount) { $0.series = series }) == expected)
    }

    @Test("no exemption helps when a series or an agreement is set up") func setUp() throws {
        let payment = Law.payment(Law.eur(1)) {
            $0.series = .setUp
            $0.isTrustedBeneficiary = true
            $0.counters = Law.counters(Law.eur(0), 0)
            $0.riskScore = .zero
            $0.acquirerFraudRate = .zero
        }
        #expect(try Law.outcome(payment) == .required(.agreement))
    }

    /// A payment that every exemption holds for.
    private static let everything = Law.payment(Law.eur(1)) {
        $0.series = .following(authenticated: Law.eur(1))
        $0.isTrustedBeneficiary = true
        $0.counters = Law.counters(Law.eur(0), 0)
        $0.riskScore = .zero
        $0.acquirerFraudRate = .zero
    }

    @Test("exemptions come in order, and only those the merchant claims") func order() throws {
        let order: [(SCAExemption, SCALiability, String)] = [
            (.trustedBeneficiary, .issuer, "08"), (.recurring, .merchant, "02"),
            (.riskAnalysis, .merchant, "05"), (.lowValue, .merchant, "02"),
        ]
        #expect(Set(order.map(\.0)) == Set(SCAExemption.allCases))
        var claimed: Set<SCAExemption> = Set(SCAExemption.allCases)
        for (exemption, liability, indicator) in order {
            let assessment = try SCAEngine(exemptions: claimed).assess(Self.everything)
            #expect(assessment.outcome == .exempt(exemption))
            #expect(assessment.liability == liability)
            #expect(assessment.challengeIndicator == indicator)
            claimed.remove(exemption)
        }
        #expect(try Law.outcome(Self.everything, SCAEngine(exemptions: [])) == .required(.regulation))
    }

    /// Score, who sets it off, the policy for absent customers, the outcome, and whether a person looks at it.
    private static let risks: [(String, SCAPayment.Initiation, SCAEngine.WithoutCustomer, SCAOutcome, Bool)] = [
        ("0.4999", .customer, .review, .exempt(.trustedBeneficiary), false),
        ("0.5", .customer, .review, .exempt(.trustedBeneficiary), true),
        ("0.7499", .customer, .block, .exempt(.trustedBeneficiary), true),
        ("0.75", .customer, .block, .required(.risk), false),
        ("0.9499", .customer, .review, .required(.risk), false),
        ("0.95", .customer, .review, .blocked, false),
        ("1", proven, .review, .blocked, false),
        ("0.5", proven, .review, .outOfScope(.merchantInitiated), true),
        ("0.75", proven, .review, .outOfScope(.merchantInitiated), true),
        ("0.75", proven, .block, .blocked, false),
        ("0.75", unproven, .review, .required(.unprovenAgreement), true),
        ("0.4999", proven, .block, .outOfScope(.merchantInitiated), false),
        ("0.95", proven, .review, .blocked, false),
    ]
    private static let proven = SCAPayment.Initiation.merchant(
        agreementAuthenticated: true, networkTransactionID: "1")
    private static let unproven = SCAPayment.Initiation.merchant(
        agreementAuthenticated: false, networkTransactionID: nil)

    @Test("the risk score goes before the exemptions", arguments: 0..<risks.count)
    func risk(index: Int) throws {
        let (score, initiation, policy, expected, needsReview) = Self.risks[index]
        let payment = try Law.payment {
            $0.riskScore = try ExactDecimal(parsing: score)
            $0.initiation = initiation
            $0.isTrustedBeneficiary = true
        }
        let assessment = try SCAEngine(withoutCustomer: policy).assess(payment)
        #expect(assessment.outcome == expected)
        #expect(assessment.needsReview == needsReview)
    }

    @Test("a score that asks for review is no low risk, and other exemptions stay; step-up goes beyond the law's reach")
    func review() throws {
        let payment = try Law.payment(Law.eur(1)) {
            $0.acquirerFraudRate = .zero
            $0.riskScore = try ExactDecimal(parsing: "0.5")
        }
        #expect(try Law.outcome(payment) == .required(.regulation))
        var low = payment
        low.counters = Law.counters(Law.eur(0), 0)
        #expect(try Law.outcome(low) == .exempt(.lowValue))
        var abroad = payment
        abroad.customerCountry = "US"
        abroad.riskScore = try ExactDecimal(parsing: "0.75")
        #expect(try Law.outcome(abroad) == .required(.risk))
    }
}
