public import BillingCore

/// What settlement lines make in the books.
extension Ledger {
    /// A fee that a provider kept; a negative one was given back.
    public static func providerFee(_ fee: Money, provider: String) throws(MoneyError) -> [Posting] {
        [
            Posting(account: providerFees, amount: fee),
            Posting(account: providerBalance(provider), amount: try fee.negated()),
        ]
    }

    /// A payout has left the provider; the amount is positive.
    public static func payout(_ amount: Money, provider: String) throws(MoneyError) -> [Posting] {
        [
            Posting(account: payoutsInTransit, amount: amount),
            Posting(account: providerBalance(provider), amount: try amount.negated()),
        ]
    }

    /// A payout is in our bank account; the amount is positive.
    public static func payoutArrival(_ amount: Money) throws(MoneyError) -> [Posting] {
        [
            Posting(account: bank, amount: amount),
            Posting(account: payoutsInTransit, amount: try amount.negated()),
        ]
    }

    /// A payout came back to the provider; the amount is positive.
    /// - Parameter arrived: Whether it had been booked as arrived.
    public static func payoutFailure(
        _ amount: Money, provider: String, arrived: Bool
    ) throws(MoneyError) -> [Posting] {
        [
            Posting(account: providerBalance(provider), amount: amount),
            Posting(account: arrived ? bank : payoutsInTransit, amount: try amount.negated()),
        ]
    }

    /// The provider's account is made to differ by an amount, at the expense of the differences (or to their gain).
    public static func writeOff(_ amount: Money, provider: String) throws(MoneyError) -> [Posting] {
        [
            Posting(account: providerBalance(provider), amount: amount),
            Posting(account: reconciliationDifferences, amount: try amount.negated()),
        ]
    }
}
