import BillingCore
import PaymentContract
import PaymentDomain
import Postgres

/// What the sandbox's disputing cards lead to; the numbers are Stripe's (docs.stripe.com/testing, "Disputes").
enum SandboxDisputeKind: String, CaseIterable, Sendable {
    case fraudulent
    case productNotReceived = "product_not_received"
    /// The bank asks only; its reason is `general`.
    case inquiry

    /// In the networks' common words.
    var reason: String { self == .inquiry ? "general" : rawValue }
    /// How it begins.
    var status: DisputeStatus { self == .inquiry ? .inquiry : .needsResponse }
}

/// What the sandbox's bank makes of evidence; the texts are Stripe's (docs.stripe.com/testing, "Evidence").
enum SandboxVerdict: String, CaseIterable, Sendable {
    case winning = "winning_evidence"
    case losing = "losing_evidence"
    case escalating = "escalate_inquiry_evidence"

    /// How a dispute that stands so ends; `nil` where the bank goes on thinking.
    func status(after standing: DisputeStatus) -> DisputeStatus? {
        switch (standing, self) {
        case (.needsResponse, .winning): .won
        case (.needsResponse, .losing): .lost
        case (.inquiry, .winning), (.inquiry, .losing): .closed
        case (.inquiry, .escalating): .needsResponse
        default: nil
        }
    }
}

/// A dispute in the sandbox's books.
struct SandboxDispute: PostgresRecord, Sendable {
    let reference: String
    let charge: String
    let paymentID: PaymentID
    let amount: Money
    let fee: Money
    let reason: String
    let status: DisputeStatus
    let openedAt: Instant
    let changedAt: Instant
    let dueBy: Instant?

    static let columns: SQL = """
        d.reference, c.reference, d.payment_id, c.currency, d.amount, d.fee, d.reason, d.status, d.opened_at, \
        d.changed_at, d.due_by
        """

    init(row: inout PostgresRow) throws {
        reference = try row.next()
        charge = try row.next()
        paymentID = try row.next()
        let currency: Currency = try row.next()
        amount = Money(minor: try row.next(), currency: currency)
        fee = Money(minor: try row.next(), currency: currency)
        reason = try row.next()
        status = try row.nextCase()
        openedAt = try row.next()
        changedAt = try row.next()
        dueBy = try row.next()
    }

    /// The dispute in a provider's words.
    var told: ProviderDispute {
        ProviderDispute(
            reference: reference, taken: charge, paymentID: paymentID, amount: amount, fee: fee, reason: reason,
            stage: status, openedAt: openedAt, evidenceDueBy: dueBy, changedAt: changedAt)
    }
}
