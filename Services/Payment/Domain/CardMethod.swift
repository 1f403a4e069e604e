/// Which methods are cards: to the networks' budgets and the cardholder's orders to stop, to a risk that wants the customer,
/// and to the fraud rate.
package enum CardMethod {
    /// Their kinds: a card as it was entered, and what a provider keeps for a wallet, which is a card there.
    package static let types: [String] = ["card"] + Wallet.allCases.map(\.rawValue)
}
