import BillingCore
import HTTPKit
import Postgres

/// `/v1/fraud/assessments`: assessments are made by events, so HTTP only reads them.
enum AssessmentRoutes {
    static let endpoints: [Endpoint] = [list, one]

    private static let list: Endpoint = .list(
        "/v1/fraud/assessments", scope: "fraud:read", summary: "List assessments, newest first",
        filters: [
            .id("payment_id", as: PaymentID.self, doc: "Of this payment"),
            .id("customer_id", as: CustomerID.self, doc: "Of this customer"),
        ], item: AssessmentDocument.self
    ) { db, call, request in
        let filter = AssessmentFilter(
            paymentID: call.query.id("payment_id"), customerID: call.query.id("customer_id"))
        let found: [Assessment] = try AssessmentStore.list(
            filter, after: try request.cursor(), limit: request.fetchLimit, in: db)
        return request.page(found.map(AssessmentDocument.init))
    }

    private static let one: Endpoint = .read(
        "/v1/fraud/assessments/{id}", scope: "fraud:read", summary: "Read an assessment",
        answers: AssessmentDocument.self, problems: ["404 not_found"]
    ) { db, call in
        let id: AssessmentID = try call.id()
        guard let assessment = try AssessmentStore.find(id, in: db) else {
            throw Problem.notFound("assessment", id.rawValue)
        }
        return AssessmentDocument(assessment)
    }
}
