import PaymentDomain

/// Where a plan stands, to its users.
///
/// ```text
/// pending ──first payment──▶ active ◀──▶ late ──limit──▶ defaulted ──all paid──▶ completed
///    │                         └─────┬─────┘
///    ├─given up─▶ failed             ├─all paid──▶ completed
///    └─cancel───▶ canceled           ├─paid off──▶ settled
///                                    └─cancel────▶ canceled
/// ```
package enum PlanStatus: String, Sendable, CaseIterable {
    /// The first payment is under way.
    case pending
    /// The schedule runs.
    case active
    /// An instalment is late.
    case late
    /// Everything is paid.
    case completed
    /// Paid off before its time.
    case settled
    /// Given up and written off.
    case defaulted
    /// Taken back: nothing more is asked for.
    case canceled
    /// It never began: the first payment was given up.
    case failed

    /// The state of a plan that has begun.
    init(_ status: InstalmentStatus) {
        self =
            switch status {
            case .scheduled, .due: .active
            case .late: .late
            case .paid: .completed
            case .settledEarly: .settled
            case .defaulted: .defaulted
            case .canceled: .canceled
            }
    }

    /// Whether instalments fall due.
    var isRunning: Bool { self == .active || self == .late }
}
