package import BillingCore
package import PaymentDomain

/// A provider that customers' disputes come through.
package protocol ProviderDisputes: PaymentProvider {
    /// How long it is not asked again what has changed.
    var disputesPolledEvery: Duration { get }
    /// How long one of the calls below may take, with all its repeats, before whoever made it must be gone. Until then no
    /// other instance reads the same dispute, or hands in the same response.
    var longestDisputeCall: Duration { get }

    /// Reads a dispute as it is now; `nil` when the provider knows none of that name.
    func readDispute(_ reference: String) async throws(ProviderFault) -> ProviderDispute?
    /// Hands in evidence, which then goes to the bank. Under one key it happens once.
    func submitEvidence(_ request: EvidenceRequest) async throws(ProviderFault) -> DisputeAnswer
    /// Gives in: the payer keeps the money. Under one key it happens once.
    func acceptDispute(_ request: DisputeAcceptance) async throws(ProviderFault) -> DisputeAnswer
    /// The disputes that were raised or changed since a place in the provider's news; `nil` asks for the first page of
    /// all it still tells of. Naming one that has not changed does no harm, leaving one out does.
    func changedDisputes(since cursor: String?) async throws(ProviderFault) -> ChangedDisputes
}

extension ProviderDisputes {
    /// One whose books are here answers at once.
    package var longestDisputeCall: Duration { .zero }
}

/// Evidence to hand in.
package struct EvidenceRequest: Sendable, Equatable {
    package let idempotencyKey: DisputeResponseID
    /// The provider's name of the dispute.
    package let reference: String
    package let evidence: DisputeEvidence

    package init(idempotencyKey: DisputeResponseID, reference: String, evidence: DisputeEvidence) {
        self.idempotencyKey = idempotencyKey
        self.reference = reference
        self.evidence = evidence
    }
}

/// A dispute to give in to.
package struct DisputeAcceptance: Sendable, Equatable {
    package let idempotencyKey: DisputeResponseID
    /// The provider's name of the dispute.
    package let reference: String

    package init(idempotencyKey: DisputeResponseID, reference: String) {
        self.idempotencyKey = idempotencyKey
        self.reference = reference
    }
}

/// A provider's word on evidence or on giving in.
package enum DisputeAnswer: Sendable, Equatable {
    /// It took it, and the dispute stands so now.
    case standing(ProviderDispute)
    /// It never will, for this reason: closed, too late.
    case refused(code: String)
}

/// A page of a provider's news of disputes.
package struct ChangedDisputes: Sendable, Equatable {
    /// The provider's names of them.
    package let references: [String]
    /// Where the next page begins; `nil` while there is nothing to begin after.
    package let cursor: String?
    /// Whether there is more already.
    package let hasMore: Bool

    package init(references: [String], cursor: String?, hasMore: Bool = false) {
        self.references = references
        self.cursor = cursor
        self.hasMore = hasMore
    }
}
