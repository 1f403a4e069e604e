/// Where an invoice stands.
public enum InvoiceStatus: String, CaseIterable, Sendable {
    /// Being put together; has no number and is never seen outside its transaction.
    case draft
    /// Numbered and immutable; its total is due.
    case finalized
    /// Paid in full.
    case paid
    /// Withdrawn unpaid; its number stays used.
    case void
    /// Given up as a loss; a late payment is still welcome.
    case uncollectible

    /// The states that may follow this one.
    public var successors: Set<InvoiceStatus> {
        switch self {
        case .draft: [.finalized]
        case .finalized: [.paid, .void, .uncollectible]
        case .uncollectible: [.paid, .void]
        case .paid, .void: []
        }
    }

    /// Whether money is still due.
    public var isOpen: Bool { self == .finalized || self == .uncollectible }
}
