import PaymentRecords
import BillingCore
import HTTPKit
import PaymentDomain
import Postgres

/// `/v1/refunds`.
struct RefundRoutes: Sendable {
    let refund: RefundPayment

    var endpoints: [Endpoint] { [create, list, read] }

    private var create: Endpoint {
        let refund: RefundPayment = refund
        return .task(
            .post, "/v1/refunds", scope: "refunds:write", summary: "Give money back", body: CreateRefundInput.self,
            answers: RefundResource.self, statuses: [201, 202],
            problems: ["422 invalid_request", "409 payment_not_refundable"]
        ) { call, input in try await refund(call, input) }
    }

    private var list: Endpoint {
        .list(
            "/v1/refunds", scope: "refunds:read", summary: "List refunds, newest first",
            filters: [
                .id("payment_id", as: PaymentID.self), .id("customer_id", as: CustomerID.self),
                .enumeration("status", of: FollowUpStatus.self),
                .string("provider_reference", max: 255, doc: "Only the one that its provider knows by this name"),
                CreatedRange.beginning, CreatedRange.end,
            ], item: RefundResource.self
        ) { db, call, request in
            let created = try CreatedRange(call.query)
            let rows: [RefundRecord] = try RefundStore.list(
                payment: call.query.id("payment_id"), customer: call.query.id("customer_id"),
                status: call.query.enumeration("status"), knownAs: call.query.string("provider_reference"),
                from: created.from, to: created.to, after: try request.cursor(), limit: request.fetchLimit, in: db)
            return request.page(try RefundResource.settled(rows, in: db))
        }
    }

    private var read: Endpoint {
        .read(
            "/v1/refunds/{id}", scope: "refunds:read", summary: "Read a refund", answers: RefundResource.self,
            problems: ["404 not_found"]
        ) { db, call in
            let id: RefundID = try call.id()
            guard let refund: RefundRecord = try RefundStore.find(id, in: db),
                let resource: RefundResource = try RefundResource.settled([refund], in: db).first
            else { throw Problem.notFound("refund", id.rawValue) }
            return resource
        }
    }
}
