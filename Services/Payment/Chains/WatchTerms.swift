package import BillingCore

/// How payments on a chain are judged.
package struct WatchPolicy: Hashable, Sendable {
    /// How many blocks must confirm transfers of up to an amount.
    package struct Tier: Hashable, Sendable {
        /// The largest amount of this tier; `nil` for no end.
        package let upTo: BaseUnits?
        /// At least 1: a transaction without a block can be replaced.
        package let confirmations: UInt64

        /// A tier.
        package init(upTo: BaseUnits?, confirmations: UInt64) {
            self.upTo = upTo
            self.confirmations = confirmations
        }
    }

    /// What becomes of money that arrives when the quote is over.
    package enum LateRule: String, Sendable, CaseIterable {
        /// It counts at the quoted rate; the merchant bears the change.
        case accept
        /// It is held for a person to decide.
        case hold
        /// It is offered as a refund.
        case refund
    }

    /// Why a policy makes no sense.
    package enum Failure: Error, Equatable, Sendable {
        /// No tiers, not ascending, not open at the end, or one without confirmations.
        case tiers
        /// A tolerance that is not from 0 to 9,999 hundredths of a percent.
        case tolerance
    }

    /// Ascending; the last has no end.
    package let tiers: [Tier]
    /// How much less than expected still is a full payment, in hundredths of a percent of what is expected.
    package let toleranceBasisPoints: Int
    /// Amounts below this are not worth the fee of sending them back; they are held.
    package let leastRefund: BaseUnits
    /// What becomes of late money.
    package let late: LateRule

    /// A policy.
    package init(
        tiers: [Tier], toleranceBasisPoints: Int, leastRefund: BaseUnits, late: LateRule
    ) throws(Failure) {
        guard let last = tiers.last, last.upTo == nil, tiers.allSatisfy({ $0.confirmations > 0 }) else {
            throw .tiers
        }
        for (lower, upper) in zip(tiers, tiers.dropFirst()) {
            guard let bound = lower.upTo, lower.confirmations <= upper.confirmations,
                upper.upTo.map({ bound < $0 }) ?? true
            else { throw .tiers }
        }
        guard (0..<10_000).contains(toleranceBasisPoints) else { throw .tolerance }
        self.tiers = tiers
        self.toleranceBasisPoints = toleranceBasisPoints
        self.leastRefund = leastRefund
        self.late = late
    }

    /// Six confirmations, nothing less than expected, and a person decides on late money.
    package static let careful = WatchPolicy(
        unchecked: [Tier(upTo: nil, confirmations: 6)], toleranceBasisPoints: 0, leastRefund: .one, late: .hold)

    private init(unchecked tiers: [Tier], toleranceBasisPoints: Int, leastRefund: BaseUnits, late: LateRule) {
        self.tiers = tiers
        self.toleranceBasisPoints = toleranceBasisPoints
        self.leastRefund = leastRefund
        self.late = late
    }

    /// How many confirmations an amount needs.
    package func confirmations(for amount: BaseUnits) -> UInt64 {
        let tier: Tier? = tiers.first { tier in tier.upTo.map { amount <= $0 } ?? true }
        return tier?.confirmations ?? .max
    }
}

/// What a watched address waits for.
package struct WatchTerms: Hashable, Sendable {
    /// The address as ``ChainTransfer/address`` gives it.
    package let address: String
    /// How much, from the quote; above zero.
    package let expected: BaseUnits
    /// When the address was handed out. No transfer is older.
    package let opensAt: Instant
    /// When the quote ends; a transfer that arrives at this moment is late.
    package let expiresAt: Instant
    /// How payments are judged.
    package let policy: WatchPolicy

    /// Terms.
    package init(
        address: String, expected: BaseUnits, opensAt: Instant, expiresAt: Instant, policy: WatchPolicy
    ) {
        self.address = address
        self.expected = expected
        self.opensAt = opensAt
        self.expiresAt = expiresAt
        self.policy = policy
    }

    /// When something has come that was first seen at a moment: nobody can say that it was later than the look before.
    /// - Parameter since: When the last look began that saw all there was; `nil` where there was none.
    package func came(by now: Instant, _ since: Instant?) -> Instant {
        since.map { min(now, max($0, opensAt)) } ?? now
    }
}
