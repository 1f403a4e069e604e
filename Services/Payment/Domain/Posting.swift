public import BillingCore

/// One line of a journal entry: a debit is positive, a credit negative.
public struct Posting: Hashable, Sendable {
    /// The account's name.
    public let account: String
    /// The signed amount.
    public let amount: Money

    /// A line on an account.
    public init(account: String, amount: Money) {
        self.account = account
        self.amount = amount
    }
}

/// Accounts, and the entries that every movement of money makes. The database books on accounts of its chart only
/// (`ledger_chart`): a new account is a line there.
public enum Ledger {
    /// Money the provider holds for us.
    public static func providerBalance(_ provider: String) -> String { "assets:provider:\(provider)" }
    /// Money customers have paid.
    public static let customerPayments = "income:customer_payments"
    /// Money given back to customers.
    public static let customerRefunds = "contra_income:customer_refunds"

    /// Money that payers sent beyond the price, and that is theirs.
    public static func payerFunds(_ provider: String) -> String { "liabilities:payer_funds:\(provider)" }
    /// Of that, what was kept with the payer's consent.
    public static let acceptedSurplus = "income:accepted_surplus"

    /// What providers keep of what they take.
    public static let providerFees = "expense:provider_fees"
    /// Our bank account.
    public static let bank = "assets:bank"
    /// Money that has left a provider and is not in the bank account yet.
    public static let payoutsInTransit = "assets:payouts_in_transit"
    /// Differences between providers' accounts and our books that were written off.
    public static let reconciliationDifferences = "expense:reconciliation_differences"

    /// A captured payment: the provider owes us, the customer has paid.
    public static func capture(_ amount: Money, provider: String) throws(MoneyError) -> [Posting] {
        [
            Posting(account: providerBalance(provider), amount: amount),
            Posting(account: customerPayments, amount: try amount.negated()),
        ]
    }

    /// A refund: the provider owes us less, the customer has back.
    public static func refund(_ amount: Money, provider: String) throws(MoneyError) -> [Posting] {
        [
            Posting(account: customerRefunds, amount: amount),
            Posting(account: providerBalance(provider), amount: try amount.negated()),
        ]
    }
}
