/// What an account holds. The first word of its name tells: `assets:provider:stripe`.
public enum AccountClass: String, CaseIterable, Sendable {
    /// What we own, or are owed.
    case asset
    /// What we owe.
    case liability
    /// What has come in for good.
    case income
    /// What is taken off income again: refunds.
    case contraIncome = "contra_income"
    /// What it costs.
    case expense
    /// What was there from the start.
    case equity

    /// The class of an account; `nil` for a name that begins with none of the words.
    public init?(of account: String) {
        guard let word: Substring = account.split(separator: ":", maxSplits: 1).first else { return nil }
        switch word {
        case "assets": self = .asset
        case "liabilities": self = .liability
        default:
            guard let found = AccountClass(rawValue: String(word)), found != .asset, found != .liability else {
                return nil
            }
            self = found
        }
    }

    /// The side on which an account of this class grows.
    public var normalSide: EntrySide {
        switch self {
        case .asset, .expense, .contraIncome: .debit
        case .liability, .income, .equity: .credit
        }
    }
}

/// The two sides of an account.
public enum EntrySide: String, CaseIterable, Sendable {
    /// Positive amounts.
    case debit
    /// Negative amounts.
    case credit
}
