/// Where an instalment stands; a plan stands where its most pressing instalment does (``of(_:)``).
public enum InstalmentStatus: String, Sendable, CaseIterable {
    /// Agreed; its day has not come.
    case scheduled
    /// To be paid; within its grace period.
    case due
    /// Not paid when the grace period ended.
    case late
    /// Paid in full.
    case paid
    /// Ended by paying off the plan before its time.
    case settledEarly = "settled_early"
    /// Given up and written off.
    case defaulted
    /// Taken back with the purchase before it was paid.
    case canceled

    /// What may happen to an instalment.
    public enum Step: String, Sendable, CaseIterable {
        /// Its day comes.
        case fallDue
        /// Its grace period ends.
        case fallLate
        /// It is paid, at any time.
        case pay
        /// The plan is paid off.
        case settle
        /// The plan is in default.
        case giveUp
        /// Nothing is left of it after a refund or a cancellation.
        case cancel
        /// Its late fee is waived.
        case waive
        /// It is paid in full after it was given up.
        case recover
    }

    /// The state after a step.
    /// - Returns: `nil` when the step is not allowed in this state.
    public func after(_ step: Step) -> InstalmentStatus? {
        switch (self, step) {
        case (.scheduled, .fallDue): .due
        case (.due, .fallLate): .late
        case (.scheduled, .pay), (.due, .pay), (.late, .pay): .paid
        case (.scheduled, .settle), (.due, .settle), (.late, .settle): .settledEarly
        case (.scheduled, .giveUp), (.due, .giveUp), (.late, .giveUp): .defaulted
        case (.scheduled, .cancel), (.due, .cancel), (.late, .cancel): .canceled
        case (.late, .waive): .late
        case (.defaulted, .recover): .paid
        default: nil
        }
    }

    /// Whether something is owed.
    public var isOpen: Bool { self == .scheduled || self == .due || self == .late }

    /// Whether the charge was booked as income when the day came.
    package var hasComeDue: Bool { self == .due || self == .late }

    /// The order in which a state speaks for its plan.
    private static let pressing: [InstalmentStatus] = [
        .defaulted, .late, .due, .scheduled, .settledEarly, .paid, .canceled,
    ]

    /// The state of a plan whose instalments stand like this: in default before late, late before due, due before
    /// scheduled; with nothing open settled early, paid, or, if nothing was ever paid, canceled.
    public static func of(_ instalments: some Collection<InstalmentStatus>) -> InstalmentStatus {
        pressing.first { instalments.contains($0) } ?? .canceled
    }
}
