package import BillingCore
import JSON
package import PaymentDomain
package import Postgres

/// A dispute as stored.
package struct DisputeRecord: PostgresRecord, Sendable {
    package let id: DisputeID
    package let provider: String
    /// The provider's name of it.
    package let reference: String
    package let paymentID: PaymentID
    package let customerID: CustomerID
    package let standing: DisputeStanding
    package let reason: String
    /// What is to be handed in, or was.
    package let evidence: DisputeEvidence
    /// When evidence must be in; `nil` when none is awaited.
    package let evidenceDueBy: Instant?
    package let openedAt: Instant
    /// How many changes are booked.
    package let changes: Int
    package let closedAt: Instant?
    package let createdAt: Instant

    package static let columns: SQL = """
        id, provider, reference, payment_id, customer_id, amount, currency, fee, fee_currency, status, changed_at, \
        reason, evidence::text, evidence_due_by, opened_at, changes, closed_at, created_at
        """

    package init(row: inout PostgresRow) throws {
        id = try row.next()
        provider = try row.next()
        reference = try row.next()
        paymentID = try row.next()
        customerID = try row.next()
        let amount = Money(minor: try row.next(), currency: try row.next())
        let fee: Int64? = try row.next()
        let feeCurrency: Currency? = try row.next()
        standing = DisputeStanding(
            status: try row.nextCase(), amount: amount,
            fee: fee.flatMap { minor in feeCurrency.map { Money(minor: minor, currency: $0) } },
            changedAt: try row.next())
        reason = try row.next()
        evidence = DisputeEvidence(stored: try row.next())
        evidenceDueBy = try row.next()
        openedAt = try row.next()
        changes = try row.next()
        closedAt = try row.next()
        createdAt = try row.next()
    }

    package init(
        id: DisputeID, provider: String, reference: String, paymentID: PaymentID, customerID: CustomerID,
        standing: DisputeStanding, reason: String, evidence: DisputeEvidence = DisputeEvidence(),
        evidenceDueBy: Instant?, openedAt: Instant, changes: Int, closedAt: Instant?, createdAt: Instant
    ) {
        self.id = id
        self.provider = provider
        self.reference = reference
        self.paymentID = paymentID
        self.customerID = customerID
        self.standing = standing
        self.reason = reason
        self.evidence = evidence
        self.evidenceDueBy = evidenceDueBy
        self.openedAt = openedAt
        self.changes = changes
        self.closedAt = closedAt
        self.createdAt = createdAt
    }

    package var status: DisputeStatus { standing.status }
}

extension DisputeEvidence {
    /// As the column holds it: an object of strings.
    var stored: String {
        let members: [JSONMember] = texts.sorted { $0.key < $1.key }.map { kind, text in
            JSONMember(name: kind.rawValue, value: .string(text))
        }
        return JSONValue.object(members).description
    }

    /// Reads the column, which only ever holds what ``stored`` made.
    init(stored text: String) {
        var texts: [EvidenceField: String] = [:]
        for member in (try? parseJSON(text))?.objectValue ?? [] {
            if let kind = EvidenceField(rawValue: member.name) { texts[kind] = member.value.stringValue }
        }
        self.init(texts)
    }
}
