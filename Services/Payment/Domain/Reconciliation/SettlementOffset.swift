public import BillingCore

/// Two lines that cancel each other out: what a provider took and gave back before anybody here heard of it, or before
/// it was certain. A refund failed on its way, a dispute was won, a direct debit that had been credited was not paid;
/// there is nothing in our books for either line to confirm.
public struct SettlementOffset: Hashable, Sendable {
    /// A refund, what a dispute withheld, or a charge.
    public let taken: SettlementLine
    /// The same amount the other way, not earlier.
    public let given: SettlementLine

    /// The pairs among lines of one provider that no booking was found for.
    ///
    /// The provider has to say that both are about one thing: they name the same refund, dispute or charge, the second
    /// names the first, or a charge and its failure name the same payment. What is given back belongs to the last
    /// taking before it of that amount. The result does not depend on the order of the lines.
    /// - Parameters:
    ///   - lines: Ids unique.
    ///   - deadline: A line that was given back later has not waited long enough for news.
    public static func find(in lines: [SettlementLine], waitingSince deadline: Instant) -> [SettlementOffset] {
        var open: [SettlementLine.OffsetName: [SettlementLine]] = [:]
        var paired: Set<String> = []
        var found: [SettlementOffset] = []
        for line in lines.sorted(by: isBefore) {
            for name in line.namesAsTaken { open[name, default: []].append(line) }
            for name in line.namesAsGiven {
                let rest: [SettlementLine] = open[name, default: []].filter { !paired.contains($0.id) }
                guard let taken: SettlementLine = rest.last(where: { $0.isOffset(by: line) }) else { continue }
                paired.insert(taken.id)
                if line.occurredAt <= deadline { found.append(SettlementOffset(taken: taken, given: line)) }
                break
            }
        }
        return found
    }

    /// By time; of one moment, what was taken comes first.
    private static func isBefore(_ one: SettlementLine, _ other: SettlementLine) -> Bool {
        (one.occurredAt, one.namesAsTaken.isEmpty ? 1 : 0, one.id) < (
            other.occurredAt, other.namesAsTaken.isEmpty ? 1 : 0, other.id
        )
    }
}

extension SettlementLine {
    /// By what two lines are known to be about one thing.
    fileprivate enum OffsetName: Hashable {
        /// A refund or a dispute.
        case withdrawal(String)
        case charge(String)
        /// What a charge is part of: a PaymentIntent.
        case payment(String)
    }

    /// Names under which what a line gives back may have been taken.
    public var offsetNames: [String] {
        namesAsGiven.isEmpty ? [] : [references.source, references.taken].compactMap { $0 }
    }

    /// What a line takes that may be given back. Money leaves with a refund or a dispute, and comes with a charge.
    fileprivate var namesAsTaken: [OffsetName] {
        switch kind {
        case .refund, .dispute: asked.isNegative ? references.source.map { [OffsetName.withdrawal($0)] } ?? [] : []
        case .charge: asked.isPositive ? namesOfCharge : []
        case .disputeReversal, .adjustment, .fee, .payout, .payoutFailure: []
        }
    }

    /// What a line gives back, the surest name first. Providers report a refund or a charge that failed as an
    /// adjustment.
    fileprivate var namesAsGiven: [OffsetName] {
        switch kind {
        case .adjustment where asked.isNegative: namesOfCharge
        case .adjustment, .disputeReversal:
            asked.isPositive
                ? [references.source, references.taken].compactMap { $0 }.map { OffsetName.withdrawal($0) } : []
        case .charge, .refund, .dispute, .fee, .payout, .payoutFailure: []
        }
    }

    /// An adjustment that names a charge as what it is about may be another thing: its conversion into another
    /// currency.
    private var namesOfCharge: [OffsetName] {
        let charge: OffsetName? = references.source.map { OffsetName.charge($0) }
        let payment: OffsetName? = references.taken.map { OffsetName.payment($0) }
        return [charge, payment].compactMap { $0 }
    }

    fileprivate func isOffset(by given: SettlementLine) -> Bool {
        // A refund is not given back by a decision.
        (kind == .dispute || given.kind == .adjustment) && gross.currency == given.gross.currency
            && asked == (try? given.asked.negated())
    }
}

extension Ledger {
    /// What a line of an offset did to a provider's account, on the account that would have shown it had we booked it;
    /// the other line takes it back.
    /// - Parameters:
    ///   - taken: The kind of the line that took the money.
    ///   - amount: Signed as the line.
    public static func offset(
        of taken: SettlementLine.Kind, _ amount: Money, provider: String
    ) throws(MoneyError) -> [Posting] {
        let account: String =
            switch taken {
            case .dispute: DisputeLedger.withheld
            case .charge: customerPayments
            case .refund, .disputeReversal, .adjustment, .fee, .payout, .payoutFailure: customerRefunds
            }
        return [
            Posting(account: providerBalance(provider), amount: amount),
            Posting(account: account, amount: try amount.negated()),
        ]
    }
}
