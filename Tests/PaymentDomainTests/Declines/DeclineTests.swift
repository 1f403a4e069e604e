import PaymentDomain
import Testing

@Suite("Why an attempt failed") struct DeclineTests {
    @Test(
        "every known code has its class",
        arguments: [
            ("insufficient_funds", Decline.Class.soft), ("do_not_honor", .soft), ("generic_decline", .soft),
            ("no_payment_method", .soft), ("expired_card", .hard), ("stolen_card", .hard), ("lost_card", .hard),
            ("pickup_card", .hard), ("incorrect_number", .hard), ("blocked_by_risk", .fraud), ("fraudulent", .fraud),
            ("authentication_required", .action), ("authentication_failed", .action),
        ])
    func classes(code: String, expected: Decline.Class) {
        #expect(Decline(code: code).declineClass == expected)
    }

    @Test(
        "nothing is concluded from a code nobody knows",
        arguments: ["", "EXPIRED_CARD", "expired_card ", "try_again_later", "\u{0}", "🤷"])
    func unknown(code: String) {
        #expect(Decline(code: code).declineClass == .soft)
        #expect(Decline(code: code).message == "The charge was declined.")
    }

    @Test("the named declines have a sentence of their own") func messages() {
        let named: [Decline] = [
            .insufficientFunds, .doNotHonor, .genericDecline, .expiredCard, .authenticationRequired,
            .authenticationFailed, .blockedByRisk, .noPaymentMethod,
        ]
        #expect(Set(named.map(\.message)).count == named.count)
        #expect(named.allSatisfy { $0.message != Decline(code: "").message && $0.message.hasSuffix(".") })
    }
}
