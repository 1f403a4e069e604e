public import BillingCore

extension SCAEngine {
    /// What a payment adds to the counters of article 16 when it goes through without authentication, in the currency of
    /// the law it is under, rounded up. One whose worth there is not known uses the limit up.
    /// - Returns: `nil` for a payment that is not counted: not the customer's own, or outside of the law.
    /// - Throws: ``MoneyError/overflow``.
    public func counted(_ payment: SCAPayment) throws(MoneyError) -> Money? {
        guard payment.initiation == .customer, case .inside(let regime) = Self.scope(of: payment) else { return nil }
        let value: ExactDecimal = try Self.value(of: payment, in: regime.currency) ?? regime.lowValueTotal
        let minor: ExactDecimal = try value.multiplied(by: ExactDecimal(Self.minorUnits(regime.currency)))
            .rounded(scale: 0, rounding: .up)
        guard let count = Int64(exactly: minor.coefficient) else { throw .overflow }
        return Money(minor: count, currency: regime.currency)
    }

    private static func minorUnits(_ currency: Currency) -> Int64 {
        (0..<currency.exponent).reduce(1) { units, _ in units * 10 }
    }
}

extension SCAAssessment {
    /// The decision's name: `exempt`, `required`, `out_of_scope` or `blocked`.
    public var decision: String {
        switch outcome {
        case .exempt: "exempt"
        case .required: "required"
        case .outOfScope: "out_of_scope"
        case .blocked: "blocked"
        }
    }

    /// Its reason: the exemption, the cause, or why the law does not ask.
    public var reason: String {
        switch outcome {
        case .exempt(let exemption): exemption.rawValue
        case .required(let cause): cause.rawValue
        case .outOfScope(let scope): scope.rawValue
        case .blocked: SCACause.risk.rawValue
        }
    }
}
