import BillingCore
import PaymentDomain
import Testing

@Suite("What follows an assessment") struct SCAFollowUpTests {
    /// Every outcome there is.
    private static let outcomes: [SCAOutcome] =
        SCAExemption.allCases.map(SCAOutcome.exempt) + SCACause.allCases.map(SCAOutcome.required)
        + SCAScope.allCases.map(SCAOutcome.outOfScope) + [.blocked]

    @Test("a soft decline after an attempt without authentication leads to exactly one step-up") func once() {
        for outcome in Self.outcomes {
            let first = SCAAssessment(outcome: outcome, needsReview: true)
            let follow = first.followUp(to: .authenticationRequired, steppedUp: false, customerPresent: true)
            switch outcome {
            case .exempt, .outOfScope:
                guard case .stepUp(let second) = follow else {
                    Issue.record("\(outcome) is not stepped up")
                    continue
                }
                #expect(second.outcome == .required(.softDecline))
                #expect(second.challengeIndicator == "04")
                #expect(second.needsReview)
                #expect(second.liability == .issuerOnceAuthenticated)
                // The bank still asks: whichever of the two assessments is asked, it is over.
                for assessment in [first, second] {
                    let end = assessment.followUp(
                        to: .authenticationRequired, steppedUp: true, customerPresent: true)
                    #expect(end == .final)
                }
                #expect(
                    second.followUp(to: .authenticationRequired, steppedUp: false, customerPresent: true) == .final)
            case .required, .blocked: #expect(follow == .final)
            }
        }
    }

    @Test("an absent customer is called back first") func absent() {
        let first = SCAAssessment(outcome: .outOfScope(.merchantInitiated), needsReview: false)
        let follow = first.followUp(to: .authenticationRequired, steppedUp: false, customerPresent: false)
        #expect(
            follow == .recallCustomer(SCAAssessment(outcome: .required(.softDecline), needsReview: false)))
    }

    @Test("no other decline is stepped up") func others() {
        let first = SCAAssessment(outcome: .exempt(.lowValue), needsReview: false)
        for reason in DeclineReason.all where reason.code != "authentication_required" {
            let decline = Decline(code: reason.code)
            #expect(first.followUp(to: decline, steppedUp: false, customerPresent: true) == .final, "\(reason.code)")
        }
    }

    @Test("challenge indicators and liability of every outcome") func table() {
        let table: [(SCAOutcome, SCALiability, String?)] = [
            (.exempt(.trustedBeneficiary), .issuer, "08"), (.exempt(.recurring), .merchant, "02"),
            (.exempt(.lowValue), .merchant, "02"), (.exempt(.secureCorporate), .issuer, "02"),
            (.exempt(.riskAnalysis), .merchant, "05"), (.required(.regulation), .issuerOnceAuthenticated, "01"),
            (.required(.risk), .issuerOnceAuthenticated, "03"),
            (.required(.agreement), .issuerOnceAuthenticated, "04"),
            (.required(.unprovenAgreement), .issuerOnceAuthenticated, "04"),
            (.required(.softDecline), .issuerOnceAuthenticated, "04"), (.outOfScope(.elsewhere), .merchant, nil),
            (.outOfScope(.oneLegOut), .merchant, nil), (.outOfScope(.merchantInitiated), .merchant, nil),
            (.outOfScope(.mailOrTelephone), .merchant, nil), (.outOfScope(.anonymous), .merchant, nil),
            (.blocked, .merchant, nil),
        ]
        #expect(Set(table.map(\.0)) == Set(Self.outcomes))
        for (outcome, liability, indicator) in table {
            let assessment = SCAAssessment(outcome: outcome, needsReview: false)
            #expect(assessment.liability == liability, "\(outcome)")
            #expect(assessment.challengeIndicator == indicator, "\(outcome)")
        }
    }

    @Test("only Y and A shift liability", arguments: ["Y", "A", "C", "D", "N", "R", "U", "I", "", "y", "YY"])
    func liability(status: String) {
        #expect(SCALiability(transStatus: status) == (["Y", "A"].contains(status) ? .issuer : .merchant))
    }
}
