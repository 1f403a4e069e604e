/// Where a dispute stands: the customer has objected to a charge at their bank or at the provider.
public enum DisputeStatus: String, Sendable, CaseIterable {
    /// The bank asks; no money has moved.
    case inquiry
    /// The money is taken back; evidence is awaited.
    case needsResponse = "needs_response"
    /// The bank looks at the evidence.
    case underReview = "under_review"
    /// It ended in our favor: what was taken is back.
    case won
    /// It ended in the payer's favor.
    case lost
    /// An inquiry that ended without money moving.
    case closed

    /// The parts of a dispute's life. It goes through them in this direction only.
    public enum Phase: Int, Sendable, CaseIterable {
        case inquiry
        case dispute
        case decision
    }

    /// Where the disputed amount is.
    public enum Funds: Sendable, CaseIterable {
        /// Ours, and never taken.
        case untouched
        /// Taken back until there is a decision.
        case withheld
        /// Ours again.
        case returned
        /// The payer's, for good unless an appeal is won.
        case gone
    }

    /// How old news is beside what is known, by the provider's own clock.
    public enum Age: Sendable, CaseIterable {
        case older
        /// The provider does not tell, or the same moment.
        case unknown
        case newer
    }

    /// Its part of the life of a dispute.
    public var phase: Phase {
        switch self {
        case .inquiry, .closed: .inquiry
        case .needsResponse, .underReview: .dispute
        case .won, .lost: .decision
        }
    }

    /// Where the disputed amount is then.
    public var funds: Funds {
        switch self {
        case .inquiry, .closed: .untouched
        case .needsResponse, .underReview: .withheld
        case .won: .returned
        case .lost: .gone
        }
    }

    /// Whether it is over unless somebody takes it up again.
    public var isClosed: Bool { self == .won || self == .lost || self == .closed }

    /// Whether evidence can be handed in.
    public var takesEvidence: Bool { self == .inquiry || self == .needsResponse }

    /// The state after the provider's word.
    ///
    /// Within a phase the usual way is open to news of any age but a known older one, and the way back only to news that
    /// is newer by the provider's clock: more evidence asked for, an appeal by the payer. A lost dispute is won on appeal.
    /// - Returns: `nil` when the word is late, or says what is known.
    public func after(_ told: DisputeStatus, _ age: Age) -> DisputeStatus? {
        switch (self, told) {
        case (.inquiry, .closed), (.needsResponse, .underReview), (.lost, .won): age == .older ? nil : told
        case (.closed, .inquiry), (.underReview, .needsResponse), (.won, .lost): age == .newer ? told : nil
        default: told.phase.rawValue > phase.rawValue ? told : nil
        }
    }
}
