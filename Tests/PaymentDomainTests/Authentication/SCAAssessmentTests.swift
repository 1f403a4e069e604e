import PaymentDomain
import Testing

@Suite("What follows an assessment") struct SCAAssessmentTests {
    /// Every outcome there is.
    private static let outcomes: [SCAOutcome] =
        SCAExemption.allCases.map(SCAOutcome.exempt) + SCACause.allCases.map(SCAOutcome.required)
        + SCAScope.allCases.map(SCAOutcome.outOfScope) + [.blocked]

    @Test("challenge indicators and liability of every outcome") func table() {
        let table: [(SCAOutcome, SCALiability, String?)] = [
            (.exempt(.trustedBeneficiary), .issuer, "08"), (.exempt(.recurring), .merchant, "02"),
            (.exempt(.lowValue), .merchant, "02"), (.exempt(.riskAnalysis), .merchant, "05"),
            (.required(.regulation), .issuerOnceAuthenticated, "01"),
            (.required(.risk), .issuerOnceAuthenticated, "03"),
            (.required(.agreement), .issuerOnceAuthenticated, "04"),
            (.required(.unprovenAgreement), .issuerOnceAuthenticated, "04"),
            (.required(.softDecline), .issuerOnceAuthenticated, "04"), (.outOfScope(.elsewhere), .merchant, nil),
            (.outOfScope(.oneLegOut), .merchant, nil), (.outOfScope(.merchantInitiated), .merchant, nil),
            (.blocked, .merchant, nil),
        ]
        #expect(Set(table.map(\.0)) == Set(Self.outcomes))
        for (outcome, liability, indicator) in table {
            let assessment = SCAAssessment(outcome: outcome, needsReview: false)
            #expect(assessment.liability == liability, "\(outcome)")
            #expect(assessment.challengeIndicator == indicator, "\(outcome)")
        }
    }
}
