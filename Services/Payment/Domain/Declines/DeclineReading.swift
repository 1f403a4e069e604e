/// A provider's or network's refusal, read into our table.
public struct DeclineReading: Hashable, Sendable {
    /// Our reason.
    public let decline: Decline
    /// When the same card may be tried again: the reason's rule, or the network's own word where that is stricter.
    public let retry: RetryRule

    /// Takes a reason, and the network's word on retrying where there is one.
    ///
    /// A soft reason that the network never wants to see again becomes a hard one, and one that it wants to see with other
    /// data only becomes the customer's to act on: dunning goes by the class, and neither is tried again as it is.
    public init(_ decline: Decline, advice: MerchantAdviceCode? = nil) {
        self.init(decline, retry: decline.reason.retry, word: advice.flatMap(\.retry), reason: advice?.decline)
    }

    /// A network's response code (ISO 8583 field 39): `51`.
    ///
    /// - Parameters:
    ///   - code: Two characters, as the network sent them; an unmapped one reads as ``Decline/unknown``.
    ///   - brand: The card's brand, by the names of ``CardNumber/brand``: Mastercard's `65` asks for authentication.
    ///   - authenticated: Whether the attempt came with an authentication.
    ///   - advice: The merchant advice code beside it, for Mastercard.
    public init(
        network code: String, brand: String = "unknown", authenticated: Bool = true,
        advice: MerchantAdviceCode? = nil
    ) {
        if NetworkDeclines.isSoftDecline(code, brand: brand, authenticated: authenticated) {
            self.init(.authenticationRequired, advice: advice)
            return
        }
        let decline: Decline? = NetworkDeclines.codes[code].map(Decline.init(code:))
        switch (decline, advice) {
        // Beside a decline for security, Mastercard's 01 asks to make sure of the cardholder, not for a new card.
        case (_, .newAccountInformation?) where code == "83": self.init(.otherDataRequired)
        // Codes without a meaning of their own (05, 79, 82…) are explained by the advice.
        case (nil, let advice?), (.some(.doNotHonor), let advice?):
            self.init(advice.decline ?? decline ?? .unknown, advice: advice)
        default: self.init(decline ?? .unknown, advice: advice)
        }
    }

    /// Stripe's `decline_code`, or its error `code` where there is no decline code.
    ///
    /// - Parameters:
    ///   - code: As Stripe wrote it; an unmapped one is looked up as a network code, then reads as ``Decline/unknown``.
    ///   - networkCode: `network_decline_code`, read where Stripe's own code says nothing (`generic_decline`).
    ///   - adviceCode: Stripe's `advice_code`.
    ///   - networkAdvice: `network_advice_code`.
    public init(
        stripe code: String, networkCode: String? = nil, adviceCode: String? = nil,
        networkAdvice: MerchantAdviceCode? = nil
    ) {
        let own: Decline? = StripeDeclines.codes[code].map(Decline.init(code:))
        let network: DeclineReading? = networkCode.map { DeclineReading(network: $0, advice: networkAdvice) }
        var decline: Decline = own ?? .unknown
        if own == nil || own == .genericDecline, let network, network.decline != .unknown { decline = network.decline }
        let read = DeclineReading(decline, advice: networkAdvice)
        let word: RetryRule? = adviceCode.flatMap { StripeDeclines.advice[$0] }
        self.init(read.decline, retry: read.retry, word: word)
    }

    /// PayPal's issue (`INSTRUMENT_DECLINED`), or its processor response code (`5120`) where there is one.
    ///
    /// - Parameters:
    ///   - issue: The `issue` of the error, or `nil` when a capture was answered as declined.
    ///   - processorCode: `processor_response.response_code`, which says more than the issue.
    ///   - adviceCode: `processor_response.payment_advice_code`, which means other things on Visa than on Mastercard.
    ///   - brand: The card's, by the names of ``CardNumber/brand``.
    public init(
        paypal issue: String?, processorCode: String? = nil, adviceCode: String? = nil, brand: String? = nil
    ) {
        let processor: String? = processorCode.flatMap { PayPalDeclines.processorCodes[$0] }
        let code: String? =
            processor
            ?? issue.flatMap {
                PayPalDeclines.issues[$0] ?? PayPalDeclines.reasons[$0] ?? PayPalDeclines.statuses[$0]
            }
        let decline: Decline = code.map(Decline.init(code:)) ?? .unknown
        if brand == "visa", let stopped = adviceCode.flatMap({ PayPalDeclines.visaAdvice[$0] }) {
            self.init(decline, retry: decline.reason.retry, word: .never, reason: Decline(code: stopped))
        } else {
            self.init(decline, advice: adviceCode.flatMap { MerchantAdviceCode($0, brand: brand) })
        }
    }

    /// - Parameters:
    ///   - retry: The rule so far.
    ///   - word: The network's or the provider's own, which is kept to where it is stricter.
    ///   - reason: What the word stands for: it takes the place of a soft reason that is not to be tried again as it is.
    private init(_ decline: Decline, retry: RetryRule, word: RetryRule?, reason: Decline? = nil) {
        self.retry = word.map(retry.stricter) ?? retry
        switch word {
        case .never where decline.declineClass == .soft: self.decline = reason ?? Decline(code: "do_not_try_again")
        case .onceCorrected where decline.declineClass == .soft: self.decline = reason ?? .otherDataRequired
        default: self.decline = decline
        }
    }
}
