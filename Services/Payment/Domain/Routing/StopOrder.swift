/// The cardholder's order to their bank to stop charges. No approval lifts it: who buys once more has not agreed to be charged
/// again. It ends what they agreed to before; what they agree to afterwards is a new agreement, which it does not bind.
///
/// Source: Visa's stop payment orders (R0 for one payment, R1 for those of an agreement, R3 for all of the merchant's) and
/// Mastercard's advice 21, as the networks' acquirers publish them.
package enum StopOrder {
    /// What it reads as, by ``Decline/code``.
    package static let declines: [String] = [
        "revocation_of_all_authorizations", "revocation_of_authorization", "stop_payment_order",
    ]

    /// The networks' response codes that stand for it, whatever the provider made of them.
    package static let networkCodes: [String] = NetworkDeclines.codes.filter { declines.contains($0.value) }.keys
        .sorted()

    /// The advice that tells of it beside any decline.
    package static let advice: MerchantAdviceCode = .paymentCancellation
}

extension CardAttempt.Outcome {
    /// What is left of it under an agreement that the cardholder gave after the attempt: an attempt that failed, and what
    /// else was wrong with the card, without their order to stop and the network's words about that.
    package func agreedAnew() -> CardAttempt.Outcome {
        guard case .declined(let code, let advice, let decline) = self else { return self }
        let isNamed: Bool = decline.map { StopOrder.declines.contains($0.code) } ?? false
        let isOrder: Bool = isNamed || StopOrder.networkCodes.contains(code ?? "")
        let isTold: Bool = isOrder || advice == StopOrder.advice
        return .declined(
            networkCode: isOrder ? nil : code, advice: isTold ? nil : advice,
            decline: isNamed || (isTold && decline == .doNotTryAgain) ? nil : decline)
    }
}
