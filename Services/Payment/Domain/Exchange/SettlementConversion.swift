public import BillingCore

/// Two lines of a provider that tell of one exchange between our balances there: one takes an amount, the other gives
/// what it became in another currency. PayPal's conversions are such pairs.
public struct SettlementConversion: Hashable, Sendable {
    /// Below zero.
    public let taken: SettlementLine
    /// Above zero, in another currency.
    public let given: SettlementLine

    /// Both lines, the taking first.
    public var lines: [SettlementLine] { [taken, given] }

    /// The pairs among lines of one provider that wait for a partner: adjustments that say nothing but what they are
    /// about, which is the same for both. Of more than two about one thing none is taken, as nobody knows which belong
    /// together. The result does not depend on the order of the lines.
    public static func find(in lines: [SettlementLine]) -> [SettlementConversion] {
        Dictionary(grouping: lines.filter(\.isPartOfConversion)) { $0.references.taken }.values
            .compactMap { SettlementConversion($0) }.sorted { $0.taken.id < $1.taken.id }
    }

    private init?(_ lines: [SettlementLine]) {
        guard lines.count == 2, let taken = lines.first(where: { $0.gross.isNegative }),
            let given = lines.first(where: { $0.gross.isPositive }), taken.gross.currency != given.gross.currency
        else { return nil }
        self.taken = taken
        self.given = given
    }
}

extension SettlementLine {
    /// What it is about, where it may be one side of a conversion; `nil` for any other line.
    public var convertedName: String? { isPartOfConversion ? references.taken : nil }

    /// Whether it may be one side of a conversion.
    fileprivate var isPartOfConversion: Bool {
        kind == .adjustment && references.own == nil && references.taken != nil && sourceName == nil
            && presentment == nil && fee.isZero
    }
}

extension ExchangeLedger {
    /// One side of an exchange between our balances at a provider; the other side is an entry of its own, at what the
    /// provider made of it.
    /// - Parameter amount: Signed as it moves the provider's account.
    /// - Throws: ``MoneyError/overflow``.
    public static func conversion(_ amount: Money, provider: String) throws(MoneyError) -> [Posting] {
        [
            Posting(account: Ledger.providerBalance(provider), amount: amount),
            Posting(account: position, amount: try amount.negated()),
        ]
    }
}
