/// Where a person's look at a held payment stands.
public enum ReviewStatus: String, Sendable, CaseIterable {
    /// The money is held, and nobody has decided.
    case pending
    /// It may be taken.
    case approved
    /// It is released.
    case declined
}
