import BillingCore
package import HTTPKit
import JSON
import PaymentDomain
import Postgres

/// `/v1/payments/routing`.
package struct RoutingRoutes: Sendable {
    private let book: RoutingBook
    private let evaluate: EvaluateRouting

    package init(book: RoutingBook, evaluate: EvaluateRouting) {
        self.book = book
        self.evaluate = evaluate
    }

    package var endpoints: [Endpoint] { [read, versions, replace, remove, evaluation] }

    private var read: Endpoint {
        .read(
            "/v1/payments/routing", scope: "routing:read", summary: "Read the routing rules that count",
            answers: RoutingVersionResource.self
        ) { db, call in
            let none = RoutingVersion(number: 0, document: nil, createdAt: call.now, createdBy: "")
            return RoutingVersionResource(version: try RoutingDocumentStore.current(in: db) ?? none)
        }
    }

    private var versions: Endpoint {
        .list(
            "/v1/payments/routing/versions", scope: "routing:read",
            summary: "List the versions of the routing rules, newest first; starting_after is a version's number",
            item: RoutingVersionResource.self
        ) { db, _, request in
            let below: Int64? = request.startingAfter.flatMap { Int64($0) }
            guard request.startingAfter == nil || below != nil else {
                throw Problem.invalid("starting_after", code: "invalid_id", "is not a version's number")
            }
            let rows: [RoutingVersion] = try RoutingDocumentStore.list(below: below, limit: request.fetchLimit, in: db)
            return request.page(rows.map(RoutingVersionResource.init))
        }
    }

    private var replace: Endpoint {
        let book: RoutingBook = book
        return .write(
            .put, "/v1/payments/routing", scope: "routing:write", summary: "Put new routing rules in place",
            body: PutRoutingInput.self, answers: RoutingVersionResource.self,
            problems: ["422 invalid_request", "409 routing_version"]
        ) { db, call, input in
            let version: RoutingVersion = try book.replace(
                with: input.document, replaces: input.replaces, at: call.now, by: call.principal.id, in: db)
            return .ok(RoutingVersionResource(version: version))
        }
    }

    private var remove: Endpoint {
        let book: RoutingBook = book
        return .write(
            .delete, "/v1/payments/routing", scope: "routing:write",
            summary: "Go by no rules again: to the provider of a method first, then to others that keep it",
            body: NoInput.self,
            answers: RoutingVersionResource.self
        ) { db, call, _ in
            let version: RoutingVersion = try book.replace(
                with: nil, replaces: nil, at: call.now, by: call.principal.id, in: db)
            return .ok(RoutingVersionResource(version: version))
        }
    }

    private var evaluation: Endpoint {
        let evaluate: EvaluateRouting = evaluate
        return .task(
            .post, "/v1/payments/routing/evaluate", scope: "routing:read",
            summary: "Explain where a payment would go; nothing is stored", body: EvaluateRoutingInput.self,
            answers: RoutingEvaluationResource.self, statuses: [200], needsKey: false,
            problems: ["422 invalid_request"]
        ) { call, input in try await evaluate(call, input) }
    }
}
