public import BillingCore

/// The journal of money that changes its currency.
///
/// Each currency balances by itself: a position account takes the given currency and gives the other at the value it
/// was booked at; what settlement brings beyond or below that is a gain or a loss.
public enum ExchangeLedger {
    /// What has been exchanged, in each currency, at booked values.
    public static let position = "assets:exchange_position"
    /// Settlement brought more than was booked.
    public static let gain = "income:exchange_gain"
    /// Settlement brought less than was booked.
    public static let loss = "expense:exchange_loss"

    /// A provider settles an amount in another currency.
    /// - Parameters:
    ///   - given: What the provider held for us, in the currency of the payment.
    ///   - booked: What that was worth in the settlement currency when it was booked.
    ///   - settled: What the provider made of it, in the same currency as `booked`.
    ///   - provider: Its name.
    /// - Returns: Lines that sum to zero in each currency, none of them zero.
    /// - Throws: ``ExchangeError/sameCurrency(_:)`` when nothing changes its currency, ``ExchangeError/amount(_:)``.
    public static func settlement(
        of given: Money, booked: Money, settled: Money, provider: String
    ) throws(ExchangeError) -> [Posting] {
        guard given.currency != settled.currency else { throw .sameCurrency(given.currency) }
        let account: String = Ledger.providerBalance(provider)
        do throws(MoneyError) {
            let lines: [Posting] = [
                Posting(account: position, amount: given),
                Posting(account: account, amount: try given.negated()),
                Posting(account: account, amount: settled),
                Posting(account: position, amount: try booked.negated()),
                try difference(booked: booked, settled: settled),
            ]
            return lines.filter { !$0.amount.isZero }
        } catch {
            throw .amount(error)
        }
    }

    /// A capture whose provider settles in another currency: the customer has paid in one, the provider owes the other.
    /// - Parameter booked: What it is worth in the settlement currency.
    /// - Throws: ``ExchangeError/sameCurrency(_:)``, ``ExchangeError/amount(_:)``.
    public static func capture(
        _ amount: Money, booked: Money, provider: String
    ) throws(ExchangeError) -> [Posting] {
        guard amount.currency != booked.currency else { throw .sameCurrency(amount.currency) }
        do throws(MoneyError) {
            return [
                Posting(account: position, amount: amount),
                Posting(account: Ledger.customerPayments, amount: try amount.negated()),
                Posting(account: Ledger.providerBalance(provider), amount: booked),
                Posting(account: position, amount: try booked.negated()),
            ]
        } catch {
            throw .amount(error)
        }
    }

    /// A refund of such a capture. Its part leaves the position at the value it came in at, so that nothing stays there
    /// when all is given back; what the rate has done since is a gain or a loss.
    /// - Parameters:
    ///   - part: What the refunded amount was booked at when it was captured.
    ///   - expected: What the provider will take for it.
    /// - Throws: ``ExchangeError/sameCurrency(_:)``, ``ExchangeError/amount(_:)``.
    public static func refund(
        _ amount: Money, part: Money, expected: Money, provider: String
    ) throws(ExchangeError) -> [Posting] {
        guard amount.currency != expected.currency else { throw .sameCurrency(amount.currency) }
        do throws(MoneyError) {
            let lines: [Posting] = [
                Posting(account: Ledger.customerRefunds, amount: amount),
                Posting(account: position, amount: try amount.negated()),
                Posting(account: position, amount: part),
                Posting(account: Ledger.providerBalance(provider), amount: try expected.negated()),
                try difference(booked: expected, settled: part),
            ]
            return lines.filter { !$0.amount.isZero }
        } catch {
            throw .amount(error)
        }
    }

    /// The provider settled something else than was booked; both signed as they move its account.
    /// - Returns: No lines when it settled just that.
    /// - Throws: ``MoneyError/currencyMismatch(_:_:)``, ``MoneyError/overflow``.
    public static func correction(
        booked: Money, settled: Money, provider: String
    ) throws(MoneyError) -> [Posting] {
        let lines: [Posting] = [
            Posting(account: Ledger.providerBalance(provider), amount: try settled.subtracting(booked)),
            try difference(booked: booked, settled: settled),
        ]
        return lines.filter { !$0.amount.isZero }
    }

    /// The gain (a credit) or the loss (a debit) between the booked and the settled amount of one currency.
    /// - Throws: ``MoneyError/currencyMismatch(_:_:)``, ``MoneyError/overflow``.
    public static func difference(booked: Money, settled: Money) throws(MoneyError) -> Posting {
        let missing: Money = try booked.subtracting(settled)
        return Posting(account: missing.isNegative ? gain : loss, amount: missing)
    }
}
