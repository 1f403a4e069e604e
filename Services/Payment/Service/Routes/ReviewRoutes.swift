import BillingCore
import HTTPKit
package import JSON
import PaymentDomain
import PaymentRecords
import Postgres

/// `/v1/payments/reviews`, `/v1/payments/{id}/review`.
struct ReviewRoutes: Sendable {
    let review: ReviewPayment

    var endpoints: [Endpoint] {
        let review: ReviewPayment = review
        return [
            .list(
                "/v1/payments/reviews", scope: "reviews:read",
                summary: "List payments that wait for a person's review, newest first", item: PaymentResource.self
            ) { db, _, request in
                let rows: [PaymentRecord] = try PaymentStore.inReview(
                    after: try request.cursor(), limit: request.fetchLimit, in: db)
                return request.page(try PaymentResource.settled(rows, in: db))
            },
            .task(
                .post, "/v1/payments/{id}/review", scope: "reviews:write",
                summary: "Decide about a payment that is held for review", body: ReviewPaymentInput.self,
                answers: PaymentResource.self, statuses: [200, 202],
                problems: ["404 not_found", "409 payment_state", "409 review_changed", "409 review_decided"]
            ) { call, input in try await review(call, try call.id(), input) },
        ]
    }
}

/// A person's decision, as callers see it.
struct ReviewDecisionResource: JSONOutput {
    let decision: ReviewDecision

    init(_ decision: ReviewDecision) { self.decision = decision }

    func write(to o: inout ObjectWriter) {
        o.field("note", decision.note, doc: "What they wrote down")
        o.field("by", decision.by, doc: "The key's id, or issuer and subject of a token")
        o.field("at", decision.at)
    }

    static var sample: Self { Self(ReviewDecision(note: "called the customer", by: "key_1", at: .sample)) }
}

/// `POST /v1/payments/{id}/review`.
package struct ReviewPaymentInput: JSONInput {
    /// What a person decides.
    enum Decision: String, CaseIterable, Sendable {
        case approve, decline

        var status: ReviewStatus { self == .approve ? .approved : .declined }
    }

    let decision: Decision
    /// What they have looked at; `nil` where they do not say.
    let attemptID: AttemptID?
    let note: String?

    package init(_ f: inout InputFields) {
        decision = f.enumeration(
            "decision", of: Decision.self, doc: "approve: the money is taken, as it would have been; decline: released")
        attemptID = f.optionalID(
            "attempt_id", as: AttemptID.self,
            doc: "That was looked at: refused where the payment has made another since")
        note = f.optionalString("note", max: 500, doc: "For people")
    }
}
