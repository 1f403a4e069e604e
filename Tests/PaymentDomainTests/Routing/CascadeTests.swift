import BillingCore
import PaymentDomain
import Testing

@Suite("Trying the next provider") struct CascadeTests {
    /// Every outcome, at the first of two providers.
    private static let table: [(CascadeOutcome, CascadeStep)] = [
        (.paid, .stop(.paid)),
        (.waiting, .stop(.waiting)),
        (.unknown, .stop(.unknownOutcome)),
        (.outage, .next("b")),
        (.declined(.insufficientFunds), .next("b")),
        (.declined(.doNotHonor), .next("b")),
        (.declined(Decline(code: "processing_error")), .next("b")), (.declined(.tokenGone), .next("b")),
        (.declined(.expiredCard), .stop(.hard)),
        (.declined(Decline(code: "stolen_card")), .stop(.hard)),
        (.declined(Decline(code: "fraudulent")), .stop(.fraud)),
        (.declined(.blockedByRisk), .stop(.fraud)),
        (.declined(.authenticationRequired), .stop(.action)),
        (.declined(.holdReleased), .stop(.released)),
        (.declined(.unknown), .stop(.unknownDecline)),
        (.declined(Decline(code: "nobody_knows")), .stop(.unknownDecline)),
    ]

    @Test("every outcome leads where the table says", arguments: 0..<table.count)
    func steps(index: Int) {
        let cascade = Cascade(["a", "b"])
        let (outcome, step) = Self.table[index]
        #expect(cascade.step(after: outcome, at: "a") == step)
        let last: CascadeStep = step == .next("b") ? .stop(.exhausted) : step
        #expect(cascade.step(after: outcome, at: "b") == last)
        #expect(cascade.step(after: outcome, at: "elsewhere") == last)
    }

    @Test("of declines only soft ones, save a hold let go, and tokens that are gone go on, whatever the table grows to")
    func classes() {
        let cascade = Cascade(["a", "b"])
        for reason in DeclineReason.all {
            let step = cascade.step(after: .declined(Decline(code: reason.code)), at: "a")
            let goesOn: Bool =
                reason.declineClass == .soft && reason.code != Decline.holdReleased.code
                || reason.code == Decline.tokenGone.code
            #expect((step == .next("b")) == goesOn, "\(reason.code)")
        }
    }

    @Test("soft declines walk the whole cascade once") func walk() throws {
        let decision = try Given.rules(attempts: 3).decide(Given.request(), among: Given.candidates("abcd"))
        let cascade = Cascade(decision.cascade)
        var at = cascade.providers[0]
        var walked: [String] = [at]
        while case .next(let next) = cascade.step(after: .declined(.doNotHonor), at: at) {
            walked.append(next)
            at = next
        }
        #expect(walked == ["a", "b", "c"])
    }
}
