import BillingCore
import HTTPKit
import JSON
import PaymentDomain
import Postgres

/// How a list of disputes is ordered.
enum DisputeOrder: String, Sendable, CaseIterable { case newest, due }

/// `/v1/disputes`.
enum DisputeRoutes {
    static var endpoints: [Endpoint] { [list, read, evidence, accept] }

    private static var list: Endpoint {
        .list(
            "/v1/disputes", scope: "disputes:read", summary: "List disputes, newest first or the soonest due first",
            filters: [
                .id("payment_id", as: PaymentID.self), .id("customer_id", as: CustomerID.self),
                .enumeration("status", of: DisputeStatus.self),
                .instant("due_before", doc: "Only those whose evidence has to be in before then"),
                .enumeration(
                    "order", of: DisputeOrder.self,
                    doc: "newest when left out; due: only those that await evidence, the soonest due first"),
            ], item: DisputeResource.self
        ) { db, call, request in
            let rows: [DisputeRecord] = try Self.rows(of: call.query, request, in: db)
            let responses: [DisputeID: DisputeResponseRecord] = try DisputeResponseStore.last(
                of: rows.map(\.id), in: db)
            return request.page(rows.map { DisputeResource($0, responses[$0.id]) })
        }
    }

    private static func rows(
        of query: QueryValues, _ request: ListRequest, in db: borrowing PostgresTransaction
    ) throws -> [DisputeRecord] {
        let after: DisputeID? = try request.cursor()
        let dueBefore: Instant? = query.instant("due_before")
        guard query.enumeration("order", of: DisputeOrder.self) == .due else {
            return try DisputeStore.list(
                payment: query.id("payment_id"), customer: query.id("customer_id"),
                status: query.enumeration("status"), dueBefore: dueBefore, after: after, limit: request.fetchLimit,
                in: db)
        }
        var place: (due: Instant, id: DisputeID)?
        if let after {
            guard let due: Instant = try DisputeStore.find(after, in: db)?.evidenceDueBy else {
                throw Problem.invalid(
                    "starting_after", code: "invalid_cursor", "awaits no evidence any more: begin with the first page")
            }
            place = (due: due, id: after)
        }
        return try DisputeStore.listDue(
            payment: query.id("payment_id"), customer: query.id("customer_id"), status: query.enumeration("status"),
            dueBefore: dueBefore, after: place, limit: request.fetchLimit, in: db)
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
