public import BillingCore

/// What is known of a dispute as far as money goes by it.
///
/// What the ledger shows of a dispute follows from its last standing alone, by whatever way it came there: news may come
/// in any order and any number of times.
public struct DisputeStanding: Hashable, Sendable {
    /// Where it stands.
    public let status: DisputeStatus
    /// What is disputed.
    public let amount: Money
    /// What the provider has charged for it so far; `nil` while it does not tell.
    public let fee: Money?
    /// When the provider last changed it, by its own clock; `nil` where it does not tell.
    public let changedAt: Instant?

    /// A standing.
    public init(status: DisputeStatus, amount: Money, fee: Money?, changedAt: Instant?) {
        self.status = status
        self.amount = amount
        self.fee = fee
        self.changedAt = changedAt
    }

    /// The standing after the provider's word.
    /// - Returns: `nil` when the word is late, or says what is known. A fee that was not known is learnt from any word.
    public func after(_ told: DisputeStanding) -> DisputeStanding? {
        let age: DisputeStatus.Age = told.age(beside: self)
        if status.after(told.status, age) != nil || (told.status == status && age == .newer) {
            let next = DisputeStanding(
                status: told.status, amount: told.amount, fee: told.fee ?? fee, changedAt: told.changedAt ?? changedAt)
            return next == self ? nil : next
        }
        guard fee == nil, told.fee != nil else { return nil }
        return DisputeStanding(status: status, amount: amount, fee: told.fee, changedAt: changedAt)
    }

    /// What the payment has lost by it so far, minor units: withheld or gone.
    public var amountTaken: Int64 {
        switch status.funds {
        case .withheld, .gone: amount.minor
        case .untouched, .returned: 0
        }
    }

    private func age(beside other: DisputeStanding) -> DisputeStatus.Age {
        guard let mine: Instant = changedAt, let theirs: Instant = other.changedAt, mine != theirs else {
            return .unknown
        }
        return mine > theirs ? .newer : .older
    }
}

/// The accounts of disputes.
public enum DisputeLedger {
    /// Taken back by providers until there is a decision.
    public static let withheld = "assets:disputed_funds"
    /// Lost to payers.
    public static let losses = "expense:dispute_losses"
    /// What providers charge for disputes.
    public static let fees = "expense:dispute_fees"

    /// What has to be booked so that the ledger shows a standing after it has shown another.
    /// - Parameter before: `nil` when nothing is booked yet.
    /// - Returns: Lines that sum to zero; none when no money has moved.
    public static func postings(
        from before: DisputeStanding?, to after: DisputeStanding, provider: String
    ) throws(MoneyError) -> [Posting] {
        var lines: [Posting] = []
        for line in try shown(after, provider) { try add(line.account, line.amount, to: &lines) }
        if let before {
            for line in try shown(before, provider) { try add(line.account, try line.amount.negated(), to: &lines) }
        }
        return lines.filter { !$0.amount.isZero }
    }

    private static func add(_ account: String, _ amount: Money, to lines: inout [Posting]) throws(MoneyError) {
        let same: Int? = lines.firstIndex { $0.account == account && $0.amount.currency == amount.currency }
        guard let same else { return lines.append(Posting(account: account, amount: amount)) }
        lines[same] = Posting(account: account, amount: try lines[same].amount.adding(amount))
    }

    /// All that the ledger shows of a dispute that stands so.
    private static func shown(_ dispute: DisputeStanding, _ provider: String) throws(MoneyError) -> [Posting] {
        var lines: [Posting] = []
        switch dispute.status.funds {
        case .untouched, .returned: break
        case .withheld: lines += try moved(dispute.amount, from: provider, to: withheld)
        case .gone: lines += try moved(dispute.amount, from: provider, to: losses)
        }
        if let fee: Money = dispute.fee { lines += try moved(fee, from: provider, to: fees) }
        return lines
    }

    private static func moved(
        _ amount: Money, from provider: String, to account: String
    ) throws(MoneyError) -> [Posting] {
        [
            Posting(account: Ledger.providerBalance(provider), amount: try amount.negated()),
            Posting(account: account, amount: amount),
        ]
    }
}
