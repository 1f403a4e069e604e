import BillingCore
import HTTPKit
import JSON
import PaymentDomain
import Postgres

/// `/v1/disputes`.
enum DisputeRoutes {
    static var endpoints: [Endpoint] { [list, read, evidence, accept] }

    private static var list: Endpoint {
        .list(
            "/v1/disputes", scope: "disputes:read", summary: "List disputes, newest first",
            filters: [
                .id("payment_id", as: PaymentID.self), .id("customer_id", as: CustomerID.self),
                .enumeration("status", of: DisputeStatus.self),
            ], item: DisputeResource.self
        ) { db, call, request in
            let rows: [DisputeRecord] = try DisputeStore.list(
                payment: call.query.id("payment_id"), customer: call.query.id("customer_id"),
                status: call.query.enumeration("status"), after: try request.cursor(), limit: request.fetchLimit,
                in: db)
            let responses: [DisputeID: DisputeResponseRecord] = try DisputeResponseStore.last(
                of: rows.map(\.id), in: db)
            return request.page(rows.map { DisputeResource($0, responses[$0.id]) })
        }
    }

    private static var read: Endpoint {
        .read(
            "/v1/disputes/{id}", scope: "disputes:read", summary: "Read a dispute", answers: DisputeResource.self,
            problems: ["404 not_found"]
        ) { db, call in
            let id: DisputeID = try call.id()
            guard let dispute: DisputeRecord = try DisputeStore.find(id, in: db) else {
                throw RespondToDispute.Failure.notFound(id)
            }
            return DisputeResource(dispute, try DisputeResponseStore.last(of: [id], in: db)[id])
        }
    }

    private static var evidence: Endpoint {
        .write(
            .post, "/v1/disputes/{id}/evidence", scope: "disputes:write", summary: "Keep evidence, or hand it in",
            body: SubmitEvidenceInput.self, answers: DisputeResource.self, statuses: [200, 202],
            problems: [
                "404 not_found", "409 dispute_state", "409 evidence_overdue", "409 dispute_response_in_progress",
            ]
        ) { db, call, input in try RespondToDispute.contest(try call.id(), input, at: call.now, in: db) }
    }

    private static var accept: Endpoint {
        .write(
            .post, "/v1/disputes/{id}/accept", scope: "disputes:write", summary: "Give in: the payer keeps the money",
            body: NoInput.self, answers: DisputeResource.self, statuses: [202],
            problems: ["404 not_found", "409 dispute_state", "409 dispute_response_in_progress"]
        ) { db, call, _ in try RespondToDispute.accept(try call.id(), at: call.now, in: db) }
    }
}
