package import BillingCore
package import PaymentDomain

/// What a provider tells of its own accord (a webhook), or answers when it is asked what is new.
///
/// News is a hint, not a fact: what moves money is read back from the provider before it is booked.
package enum ProviderNews: Sendable, Equatable {
    /// Something became of an attempt's charge. With what the provider calls it by, in words for
    /// ``ChargeRequest/reference``, where it can be found by that although no answer has told it.
    case charge(AttemptID, known: String? = nil)
    /// Something became of a charge or a capture that is told by the provider's name of it alone; perhaps not one of ours.
    /// With the provider's name of the authorization that it takes from, where the news tells that.
    case taken(String, of: String? = nil)
    /// Something became of a capture that was asked for here, of the authorization with this name.
    case capture(CaptureID, of: String? = nil)
    /// Something was given back of a charge, by the provider's name of it, and of its attempt, where it carries one: which
    /// refunds there are has to be read.
    case refunded(String, of: AttemptID? = nil)
    /// A refund was made or changed, perhaps at the provider's own pages.
    case refund(ProviderRefund)
    /// A dispute was raised or moved on.
    case dispute(ProviderDispute)
    /// Something happened that the one who follows the provider's books had better look at soon.
    case activity
    /// Nothing that concerns us; the provider's name of the kind of news.
    case nothing(String)
}

/// A refund as the provider knows it.
package struct ProviderRefund: Sendable, Equatable {
    /// Where it stands.
    package enum State: Sendable, Equatable {
        case pending
        case succeeded
        /// For this reason, in the provider's words.
        case failed(code: String)
    }

    /// The provider's name of it.
    package let reference: String
    /// The charge or capture that it gives back.
    package let taken: String
    /// Ours, when it was asked for here; `nil` when it was made at the provider.
    package let refundID: RefundID?
    package let amount: Money
    package let state: State
    /// When the provider has told that it took the money back itself, perhaps for a dispute; `nil` for a refund that
    /// somebody made.
    package let reversedAt: Instant?

    package init(
        reference: String, taken: String, refundID: RefundID?, amount: Money, state: State, reversedAt: Instant? = nil
    ) {
        self.reversedAt = reversedAt
        self.reference = reference
        self.taken = taken
        self.refundID = refundID
        self.amount = amount
        self.state = state
    }
}

/// A dispute as the provider knows it.
package struct ProviderDispute: Sendable, Equatable {
    /// Where it stands.
    package typealias Stage = DisputeStatus

    /// The provider's name of it.
    package let reference: String
    /// The charge or capture that is disputed.
    package let taken: String
    /// Ours, as the charge carries it; `nil` where it carries none: it was not made here, or was not read back.
    package let paymentID: PaymentID?
    package let amount: Money
    /// What the provider has charged for it so far; `nil` where it does not tell.
    package let fee: Money?
    /// Why, in the networks' common words: `fraudulent`, `product_not_received`.
    package let reason: String
    package let stage: Stage
    package let openedAt: Instant
    /// When evidence must be in; `nil` when none is awaited.
    package let evidenceDueBy: Instant?
    /// When the provider last changed it, by its own clock; `nil` where it does not tell.
    package let changedAt: Instant?
    /// Until when the bank's decision can be appealed against at the provider's own pages; `nil` when it can't be.
    package let appealDueBy: Instant?

    package init(
        reference: String, taken: String, paymentID: PaymentID? = nil, amount: Money, fee: Money?, reason: String,
        stage: Stage, openedAt: Instant, evidenceDueBy: Instant?, changedAt: Instant? = nil, appealDueBy: Instant? = nil
    ) {
        self.reference = reference
        self.taken = taken
        self.paymentID = paymentID
        self.changedAt = changedAt
        self.amount = amount
        self.fee = fee
        self.reason = reason
        self.stage = stage
        self.openedAt = openedAt
        self.evidenceDueBy = evidenceDueBy
        self.appealDueBy = appealDueBy
    }

    /// The same over another amount.
    package func over(_ amount: Money) -> ProviderDispute {
        ProviderDispute(
            reference: reference, taken: taken, paymentID: paymentID, amount: amount, fee: fee, reason: reason,
            stage: stage, openedAt: openedAt, evidenceDueBy: evidenceDueBy, changedAt: changedAt,
            appealDueBy: appealDueBy)
    }
}
