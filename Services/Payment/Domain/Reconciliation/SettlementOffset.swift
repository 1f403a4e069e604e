public import BillingCore

/// Two lines that cancel each other out: what a provider took and gave back before anybody here heard of it. A refund
/// failed on its way, a dispute was won; there is nothing in our books for either line to confirm.
public struct SettlementOffset: Hashable, Sendable {
    /// A refund, or what a dispute withheld.
    public let taken: SettlementLine
    /// The same amount, not earlier.
    public let given: SettlementLine

    /// The pairs among lines of one provider that no booking was found for.
    ///
    /// The provider has to say that both are about one thing: they name the same refund or dispute, or the second names the
    /// first. What is given back belongs to the last taking before it of that amount. The result does not depend on the
    /// order of the lines.
    /// - Parameters:
    ///   - lines: Ids unique.
    ///   - deadline: A line that was given back later has not waited long enough for news.
    public static func find(in lines: [SettlementLine], waitingSince deadline: Instant) -> [SettlementOffset] {
        var open: [String: [SettlementLine]] = [:]
        var found: [SettlementOffset] = []
        for line in lines.sorted(by: isBefore) {
            if line.kind.takesBack, line.asked.isNegative, let name: String = line.references.source {
                open[name, default: []].append(line)
            } else if line.kind.givesBack, line.asked.isPositive {
                for name in line.offsetNames {
                    guard let index: Int = open[name]?.lastIndex(where: { $0.isOffset(by: line) }),
                        let taken: SettlementLine = open[name]?.remove(at: index)
                    else { continue }
                    if line.occurredAt <= deadline { found.append(SettlementOffset(taken: taken, given: line)) }
                    break
                }
            }
        }
        return found
    }

    /// By time; of one moment, what was taken comes first.
    private static func isBefore(_ one: SettlementLine, _ other: SettlementLine) -> Bool {
        (one.occurredAt, one.asked.isNegative ? 0 : 1, one.id) < (
            other.occurredAt, other.asked.isNegative ? 0 : 1, other.id
        )
    }
}

extension SettlementLine {
    /// Names under which what a line gives back was taken.
    public var offsetNames: [String] { kind.givesBack ? [references.source, references.taken].compactMap { $0 } : [] }

    fileprivate func isOffset(by given: SettlementLine) -> Bool {
        kind.isGivenBack(as: given.kind) && gross.currency == given.gross.currency
            && asked == (try? given.asked.negated())
    }
}

extension SettlementLine.Kind {
    /// Money that may come back when it does not reach, or is not due to, the customer.
    fileprivate var takesBack: Bool { self == .refund || self == .dispute }
    /// Money that may be back from a refund or a dispute.
    fileprivate var givesBack: Bool { self == .adjustment || self == .disputeReversal }

    /// Whether what was taken so comes back so: providers report a failed refund as an adjustment.
    fileprivate func isGivenBack(as given: SettlementLine.Kind) -> Bool {
        self == .dispute || given == .adjustment
    }
}

extension Ledger {
    /// What a line of an offset did to a provider's account, on the account that would have shown it had we heard in time;
    /// the other line takes it back.
    /// - Parameters:
    ///   - taken: The kind of the line that took the money.
    ///   - amount: Signed as the line.
    public static func offset(
        of taken: SettlementLine.Kind, _ amount: Money, provider: String
    ) throws(MoneyError) -> [Posting] {
        [
            Posting(account: providerBalance(provider), amount: amount),
            Posting(
                account: taken == .dispute ? DisputeLedger.withheld : customerRefunds, amount: try amount.negated()),
        ]
    }
}
