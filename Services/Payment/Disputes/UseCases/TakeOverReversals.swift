import BillingCore
import PaymentDomain

/// Finds the refunds that were booked because no dispute had become known in time, and that are withdrawals of one.
enum TakeOverReversals {
    /// A refund, and how much of the dispute it accounts for, minor units.
    struct Part: Sendable, Equatable {
        let reversal: RefundedReversal
        let amount: Int64
    }

    /// One over all that was withdrawn is chosen before others, then the largest that fit. A reversal of more than is left
    /// was not for this dispute; one that goes by the charge's name was, however little went back.
    /// - Parameters:
    ///   - withdrawn: What was newly withdrawn for the dispute, minor units.
    ///   - charge: What the provider calls the charge.
    static func choose(among reversals: [RefundedReversal], withdrawn: Int64, charge: String) -> [Part] {
        var left: Int64 = withdrawn
        var parts: [Part] = []
        let bestFirst: [RefundedReversal] =
            reversals.filter { $0.amount == withdrawn }
            + reversals.filter { $0.amount != withdrawn }.sorted { $0.amount > $1.amount }
        for reversal in bestFirst where left > 0 && (reversal.amount <= left || reversal.reference == charge) {
            let amount: Int64 = min(reversal.amount, left)
            parts.append(Part(reversal: reversal, amount: amount))
            left -= amount
        }
        return parts
    }

    /// How the dispute is booked before it stands as told: with one part more after the other, each an entry of its own, so
    /// that the provider's lines of the parts find theirs.
    static func path(_ parts: [Part], from before: DisputeStanding?, to after: DisputeStanding) -> [DisputeStanding] {
        var taken: Int64 = before?.amountTaken ?? 0
        // What was won meanwhile was withheld first.
        let status: DisputeStatus = after.amountTaken > 0 ? after.status : .underReview
        return parts.map { part in
            taken += part.amount
            return DisputeStanding(
                status: status, amount: Money(minor: taken, currency: after.amount.currency), fee: before?.fee,
                changedAt: after.changedAt)
        }
    }
}

extension DisputeStanding {
    /// What was withdrawn for the dispute that was not before; of one that was won before it became known, its amount.
    func withdrawn(after before: DisputeStanding?) -> Int64 {
        switch status.funds {
        case .untouched: 0
        case .withheld, .gone: max(0, amountTaken - (before?.amountTaken ?? 0))
        case .returned: before.map { $0.status.funds == .untouched } ?? true ? amount.minor : 0
        }
    }

    /// How much earlier than the dispute itself its withdrawal may be told of.
    static let earliness: Duration = .seconds(3_600)

    /// Whether money that went back at a time went back for this dispute, which was won: between its beginning and its end,
    /// where the provider tells both.
    func withdrew(at time: Instant, since openedAt: Instant) -> Bool {
        guard let end: Instant = changedAt else { return false }
        return time >= openedAt - Self.earliness && time <= end
    }
}
