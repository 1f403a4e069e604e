import BillingCore
package import JSON
import PaymentDomain

/// A dispute as callers see it.
package struct DisputeResource: JSONOutput {
    let dispute: DisputeRecord
    let response: DisputeResponseRecord?

    init(_ dispute: DisputeRecord, _ response: DisputeResponseRecord?) {
        self.dispute = dispute
        self.response = response
    }

    package func write(to o: inout ObjectWriter) {
        o.field("object", "dispute")
        o.field("id", dispute.id)
        o.field("payment_id", dispute.paymentID)
        o.field("customer_id", dispute.customerID)
        o.field("provider", dispute.provider)
        o.money("amount", dispute.standing.amount, doc: "Minor units")
        o.field("fee", dispute.standing.fee.map(DisputeFeeResource.init), doc: "What the provider charges for it")
        o.field("reason", dispute.reason, doc: "In the networks' common words: fraudulent, product_not_received")
        o.field("status", dispute.status)
        o.field("evidence", Self.map(dispute.evidence), doc: "What is to be handed in, or was")
        o.field("evidence_due_by", dispute.evidenceDueBy, doc: "null when none is awaited")
        o.field("response", response.map(DisputeResponseResource.init), doc: "The last one")
        o.field("opened_at", dispute.openedAt, doc: "By the provider's clock")
        o.field("closed_at", dispute.closedAt)
        o.field("created_at", dispute.createdAt)
    }

    private static func map(_ evidence: DisputeEvidence) -> [String: String] {
        Dictionary(uniqueKeysWithValues: evidence.texts.map { ($0.key.rawValue, $0.value) })
    }

    package static var sample: Self {
        Self(
            DisputeRecord(
                id: .sample, provider: "sandbox", reference: "dp_att_01", paymentID: .sample, customerID: .sample,
                standing: DisputeStanding(
                    status: .underReview, amount: Money(minor: 999, currency: .usd),
                    fee: Money(minor: 1_500, currency: .usd), changedAt: nil),
                reason: "fraudulent", evidence: DisputeEvidence([.customerName: "Ada Lovelace"]), evidenceDueBy: nil,
                openedAt: .sample, changes: 2, closedAt: nil, createdAt: .sample),
            DisputeResponseRecord(id: .sample, disputeID: .sample, kind: .evidence, evidence: DisputeEvidence()))
    }
}

/// What the provider charges; its currency may be that of our account there.
struct DisputeFeeResource: JSONOutput {
    let fee: Money

    func write(to o: inout ObjectWriter) { o.money("amount", fee, doc: "Minor units") }

    static var sample: Self { Self(fee: Money(minor: 1_500, currency: .usd)) }
}

/// What was said to the dispute last, and what became of it.
struct DisputeResponseResource: JSONOutput {
    let response: DisputeResponseRecord

    func write(to o: inout ObjectWriter) {
        o.field("id", response.id)
        o.field("kind", response.kind)
        o.field("status", response.status)
        o.field("failure_code", response.failureCode, doc: "Why the provider refused")
    }

    static var sample: Self {
        Self(
            response: DisputeResponseRecord(
                id: .sample, disputeID: .sample, kind: .evidence, evidence: DisputeEvidence()))
    }
}

/// `POST /v1/disputes/{id}/evidence`.
package struct SubmitEvidenceInput: JSONInput {
    /// An empty text takes one away that was kept.
    let texts: [EvidenceField: String]
    let isSubmitted: Bool

    package init(_ f: inout InputFields) {
        var texts: [EvidenceField: String] = [:]
        for kind in EvidenceField.allCases {
            texts[kind] = f.optionalString(kind.rawValue, max: kind.maxLength)
        }
        self.texts = texts
        isSubmitted = f.bool(
            "submit", default: false, doc: "true hands all evidence in, after which there is no more; false keeps it")
    }
}
