public import BillingCore

/// Why somebody has to look.
public enum ReconciliationReason: String, Sendable, CaseIterable {
    /// The provider moved money that is not in our books.
    case notBooked = "not_booked"
    /// The provider moved money, and more than one booking may be it.
    case ambiguous
    /// It is booked, and the provider has not reported it in time.
    case notAtProvider = "not_at_provider"
    /// Line and booking are the same movement with different amounts.
    case amount
    /// They are the same movement in different currencies, and the provider gives no rate.
    case currency
    /// The provider kept another fee than was booked.
    case fee
    /// The provider kept another fee of a charge than was agreed on. It is booked as it was kept.
    case feeDiffers = "fee_differs"

    /// Whether a partner that is found later ends the case by itself.
    public var endsWhenFound: Bool {
        switch self {
        case .notBooked, .ambiguous, .notAtProvider: true
        case .amount, .currency, .fee, .feeDiffers: false
        }
    }
}

/// Where a difference between a provider's account and our books stands.
public enum ReconciliationCaseState: String, Sendable, CaseIterable {
    /// Nobody has said anything yet.
    case open
    /// The cause is known; the difference is still there.
    case explained
    /// The difference is gone, or was none.
    case resolved
    /// The books were made to agree at our expense, or to our gain.
    case writtenOff = "written_off"

    /// What is done about a case.
    public enum Step: String, Sendable, CaseIterable {
        /// Say why; the difference stays.
        case explain
        /// It is settled without a booking.
        case resolve
        /// Book the difference away.
        case writeOff = "write_off"
    }

    /// The state after a step; `nil` where it cannot be done.
    public func after(_ step: Step) -> ReconciliationCaseState? {
        switch (self, step) {
        case (.open, .explain), (.explained, .explain): .explained
        case (.open, .resolve), (.explained, .resolve): .resolved
        case (.open, .writeOff), (.explained, .writeOff): .writtenOff
        case (.resolved, _), (.writtenOff, _): nil
        }
    }

    /// Whether nothing more is to be done.
    public var isClosed: Bool { self == .resolved || self == .writtenOff }
}

/// How long a case has been waiting.
public enum ReconciliationAge: String, Sendable, CaseIterable {
    case upToOneDay = "0_1_days"
    case upToOneWeek = "2_7_days"
    case upToOneMonth = "8_30_days"
    case older = "over_30_days"

    /// The band of a case, by whole days.
    public init(opened: Instant, now: Instant) {
        self.init(days: (now - opened).wholeMicroseconds / 86_400_000_000)
    }

    /// The band of a number of whole days.
    public init(days: Int64) {
        self =
            switch days {
            case ...1: .upToOneDay
            case ...7: .upToOneWeek
            case ...30: .upToOneMonth
            default: .older
            }
    }
}
