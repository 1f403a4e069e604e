import BillingCore
import PaymentDomain

/// What a payment's captures came to in the currency of settlement, and how much of that refunds and disputes have taken
/// back, less what came again.
struct ExchangePosition {
    private var captured: Money
    private var capturedAs: Money
    private var refunded: Money
    private var refundedAs: Money

    /// - Parameters:
    ///   - movements: All of the payment's that were exchanged.
    ///   - currency: The payment's.
    /// - Returns: `nil` when no capture was exchanged.
    init?(_ movements: [ExchangedMovement], _ currency: Currency) throws {
        guard let first: ExchangedMovement = movements.first(where: { $0.amount.isPositive && !$0.isReturn }) else {
            return nil
        }
        try self.init(movements, currency, in: first.position.currency)
    }

    /// - Parameter settlement: What they became; those that became another currency do not count.
    init(_ movements: [ExchangedMovement], _ currency: Currency, in settlement: Currency) throws {
        captured = .zero(currency)
        refunded = .zero(currency)
        capturedAs = .zero(settlement)
        refundedAs = capturedAs
        for movement in movements where movement.position.currency == settlement && movement.amount.currency == currency
        {
            if movement.amount.isPositive, !movement.isReturn {
                captured = try captured.adding(movement.amount)
                capturedAs = try capturedAs.adding(movement.position)
            } else {
                refunded = try refunded.subtracting(movement.amount)
                refundedAs = try refundedAs.subtracting(movement.position)
            }
        }
    }

    /// How much of a refund was exchanged on the way in, and what that came to. Counted from all refunds so far, so that
    /// the parts add up to the whole.
    /// - Returns: `nil` when nothing of it was.
    func part(of refund: Money) throws -> (exchanged: Money, part: Money)? {
        let left: Money = try captured.subtracting(refunded)
        let exchanged: Money = refund.minor < left.minor ? refund : left
        guard exchanged.isPositive else { return nil }
        return (exchanged, try worth(of: refunded.adding(exchanged)).subtracting(refundedAs))
    }

    /// At what value an amount that was taken back had left, so that nothing is there once all of it has come again.
    /// - Returns: `nil` when less was taken back.
    func part(returning amount: Money) throws -> Money? {
        guard captured.isPositive, amount.minor <= refunded.minor else { return nil }
        return try refundedAs.subtracting(worth(of: refunded.subtracting(amount)))
    }

    /// What a capture that was settled after its refunds is on the exchange account: what it came to, and what they took at
    /// another rate.
    func part(capturing amount: Money, as settled: Money) throws -> Money {
        guard refunded.minor > captured.minor else { return settled }
        var after: ExchangePosition = self
        after.captured = try captured.adding(amount)
        after.capturedAs = try capturedAs.adding(settled)
        let backed: Money = refunded.minor < after.captured.minor ? refunded : after.captured
        // Of what is not captured yet the next one takes its part.
        guard backed == refunded else { return settled }
        return try settled.adding(refundedAs).subtracting(after.worth(of: backed))
    }

    /// By how much more than the captures came to all of them were taken back, less what is still beyond them, at the rate
    /// at which a dispute's was taken.
    /// - Returns: `nil` where not all of them were, and where more is beyond them than this dispute took.
    func excess(of dispute: ExchangedMovement) throws -> Money? {
        let beyond: Money = try refunded.subtracting(captured)
        let taken: Money = try dispute.amount.negated()
        guard captured.isPositive, !beyond.isNegative, beyond.minor <= taken.minor else { return nil }
        let share = try Ratio(numerator: beyond.minor, denominator: taken.minor)
        let worth: Money = try (dispute.settled ?? dispute.settlement).negated()
            .multiplied(by: share, rounding: .halfEven)
        return try refundedAs.subtracting(capturedAs).subtracting(worth)
    }

    /// What a part of the captures came to.
    private func worth(of amount: Money) throws -> Money {
        let share: Ratio = try Ratio(numerator: amount.minor, denominator: captured.minor)
        return try capturedAs.multiplied(by: share, rounding: .halfEven)
    }
}
