import BillingCore
import PaymentDomain

/// What a payment's captures came to in the currency of settlement, and how much of that its refunds have taken back.
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
        guard let first: ExchangedMovement = movements.first(where: { $0.amount.isPositive }) else { return nil }
        captured = .zero(currency)
        refunded = .zero(currency)
        capturedAs = .zero(first.position.currency)
        refundedAs = capturedAs
        for movement in movements {
            if movement.amount.isPositive {
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
        let through: Ratio = try Ratio(numerator: refunded.adding(exchanged).minor, denominator: captured.minor)
        return (
            exchanged, try capturedAs.multiplied(by: through, rounding: .halfEven).subtracting(refundedAs)
        )
    }
}
