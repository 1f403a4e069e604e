package import BillingCore
import PaymentDomain
package import Postgres

/// Says which dispute a provider has taken money back for, if for any.
///
/// Each reversal accounts for as much of one dispute, and what was withdrawn for a dispute is accounted for once: so two
/// reversals are never taken for one withdrawal, whatever came first.
package enum ExplainReversal {
    /// What is known of a reversal.
    package enum Answer: Sendable, Equatable {
        /// It is this dispute's withdrawal, which is booked by the dispute. It is noted.
        case dispute(DisputeID)
        /// A dispute may still come to account for it.
        case unclear
        /// The payment had a dispute that was won, and the provider's times do not tell whether it was before that.
        case won(DisputeID)
        /// No dispute that is known accounts for it.
        case nothing
    }

    /// - Parameter reversal: Of a payment whose row is locked.
    package static func answer(
        _ reversal: Reversal, in db: borrowing PostgresTransaction
    ) throws -> Answer {
        if let known = try ReversalStore.dispute(of: reversal.reference, at: reversal.provider, in: db) {
            return .dispute(known)
        }
        let covers: [DisputeCover] = try ReversalStore.covers(of: reversal.payment, at: reversal.provider, in: db)
        if let cover = choose(among: covers, for: reversal) {
            let amount: Int64 = min(reversal.amount.minor, max(cover.left, 0))
            try ReversalStore.insert(reversal, amount: amount, of: cover.dispute.id, in: db)
            return .dispute(cover.dispute.id)
        }
        let isOpen: Bool = covers.contains { $0.dispute.status == .inquiry || ($0.takes && $0.left > 0) }
        if isOpen { return .unclear }
        let won: DisputeCover? = covers.first { $0.dispute.status == .won && $0.left > 0 }
        return won.map { .won($0.dispute.id) } ?? .nothing
    }

    /// One that holds the money goes before one that gave it back, and one over the amount before a larger one.
    private static func choose(among covers: [DisputeCover], for reversal: Reversal) -> DisputeCover? {
        let taking: [DisputeCover] = covers.filter(\.takes)
        if reversal.isOfCharge { return taking.max { $0.left < $1.left } }
        let fitting: [DisputeCover] = covers.filter {
            $0.left >= reversal.amount.minor && $0.dispute.standing.amount.currency == reversal.amount.currency
        }
        return fitting.filter(\.takes).min { $0.left < $1.left }
            ?? fitting.first {
                $0.dispute.status == .won
                    && $0.dispute.standing.withdrew(at: reversal.toldAt, since: $0.dispute.openedAt)
            }
    }
}

extension DisputeCover {
    /// Whether it holds money now, or has it for good.
    fileprivate var takes: Bool { dispute.standing.amountTaken > 0 }
}
