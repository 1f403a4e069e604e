/// A provider's or network's refusal, read into our table.
public struct DeclineReading: Hashable, Sendable {
    /// Our reason.
    public let decline: Decline
    /// When the same card may be tried again: the reason's rule, or the network's own word where that is stricter.
    public let retry: RetryRule

    /// Takes a reason, and the network's word on retrying where there is one.
    ///
    /// A soft reason that the network never wants to see again becomes a hard one: dunning goes by the class.
    public init(_ decline: Decline, advice: MerchantAdviceCode? = nil) {
        let own: RetryRule = decline.reason.retry
        let word: RetryRule? = advice.flatMap(\.retry)
        self.init(decline, retry: word.map(own.stricter) ?? own, final: word == .never ? advice?.decline : nil)
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
        self.init(read.decline, retry: word.map(read.retry.stricter) ?? read.retry)
    }

    /// PayPal's issue (`INSTRUMENT_DECLINED`), or its processor response code (`5120`) where there is one.
    ///
    /// - Parameters:
    ///   - issue: The `issue` of the error, or `nil` when a capture was answered as declined.
    ///   - processorCode: `processor_response.response_code`, which says more than the issue.
    ///   - advice: `processor_response.payment_advice_code`, Mastercard's.
    public init(paypal issue: String?, processorCode: String? = nil, advice: MerchantAdviceCode? = nil) {
        let processor: String? = processorCode.flatMap { PayPalDeclines.processorCodes[$0] }
        let code: String? = processor ?? issue.flatMap { PayPalDeclines.issues[$0] ?? PayPalDeclines.statuses[$0] }
        self.init(code.map(Decline.init(code:)) ?? .unknown, advice: advice)
    }

    /// - Parameter final: The reason in the place of a soft one that is never to be tried again.
    private init(_ decline: Decline, retry: RetryRule, final: Decline? = nil) {
        let isOver: Bool = retry == .never && decline.declineClass == .soft
        self.decline = isOver ? final ?? Decline(code: "do_not_try_again") : decline
        self.retry = retry
    }
}
