import PaymentDomain
import Testing

@Suite("Orders to stop under a later agreement") struct StopOrderTests {
    private func left(
        _ decline: String?, _ code: String?, _ advice: MerchantAdviceCode? = nil
    ) -> CardAttempt.Outcome {
        CardAttempt.Outcome.declined(networkCode: code, advice: advice, decline: decline.map(Decline.init(code:)))
            .agreedAnew()
    }

    @Test("an order goes with all words about it, whoever named it: the decline, the network's code, its advice")
    func order() {
        #expect(StopOrder.networkCodes == ["R0", "R1", "R3"])
        let nothing: CardAttempt.Outcome = .declined(networkCode: nil, advice: nil)
        for decline in StopOrder.declines {
            #expect(DeclineReading(Decline(code: decline)).decline.code == decline, "it is in the table")
            #expect(left(decline, nil, .doNotTryAgain) == nothing)
        }
        for code in StopOrder.networkCodes {
            #expect(left("do_not_try_again", code, .doNotTryAgain) == nothing)
            #expect(
                left("do_not_honor", code, .doNotTryAgain)
                    == .declined(networkCode: nil, advice: nil, decline: .doNotHonor))
        }
        #expect(left("revocation_of_authorization", "05", .paymentCancellation) == nothing)
        #expect(left("do_not_try_again", nil, .paymentCancellation) == nothing)
    }

    @Test("what else was wrong with the card stays, and so does how an attempt ended that was not declined")
    func others() {
        let stolen = Decline(code: "stolen_card")
        #expect(
            left("stolen_card", "43", .paymentCancellation)
                == .declined(networkCode: "43", advice: nil, decline: stolen))
        #expect(left("stolen_card", "R1") == .declined(networkCode: nil, advice: nil, decline: stolen))
        #expect(
            left("do_not_honor", "57", .doNotTryAgain)
                == .declined(networkCode: "57", advice: .doNotTryAgain, decline: .doNotHonor))
        #expect(
            left("do_not_try_again", "51") == .declined(networkCode: "51", advice: nil, decline: .doNotTryAgain))
        #expect(left(nil, nil) == .declined(networkCode: nil, advice: nil))
        for outcome in [CardAttempt.Outcome.approved, .unknown] { #expect(outcome.agreedAnew() == outcome) }
    }
}
