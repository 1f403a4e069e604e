import PaymentRecords
import BillingCore
import HTTPKit
import Postgres

/// `/v1/payment_methods`.
struct PaymentMethodRoutes: Sendable {
    let attach: AttachPaymentMethod
    let keep: KeepPaymentMethod
    let keepToken: KeepMethodToken
    let remove: RemoveMethods

    var endpoints: [Endpoint] { [create, list, read, sync, detach, keepFurther, detachFurther] }

    private var create: Endpoint {
        let attach: AttachPaymentMethod = attach
        return .task(
            .post, "/v1/payment_methods", scope: "payment_methods:write", summary: "Attach a method to a customer",
            body: CreatePaymentMethodInput.self, answers: PaymentMethodResource.self, statuses: [201, 202],
            problems: ["422 invalid_request"]
        ) { call, input in try await attach(call, input) }
    }

    private var list: Endpoint {
        .list(
            "/v1/payment_methods", scope: "payment_methods:read", summary: "List payment methods, newest first",
            filters: [.id("customer_id", as: CustomerID.self)], item: PaymentMethodResource.self
        ) { db, call, request in
            let rows: [PaymentMethodRecord] = try PaymentMethodStore.list(
                customer: call.query.id("customer_id"), after: try request.cursor(), limit: request.fetchLimit, in: db)
            return request.page(rows.map(PaymentMethodResource.init))
        }
    }

    private var read: Endpoint {
        .read(
            "/v1/payment_methods/{id}", scope: "payment_methods:read", summary: "Read a payment method",
            answers: PaymentMethodResource.self, problems: ["404 not_found"]
        ) { db, call in
            let id: PaymentMethodID = try call.id()
            guard let method: PaymentMethodRecord = try PaymentMethodStore.find(id, in: db) else {
                throw Problem.notFound("payment method", id.rawValue)
            }
            return PaymentMethodResource(method)
        }
    }

    private var detach: Endpoint {
        let remove: RemoveMethods = remove
        return .write(
            .post, "/v1/payment_methods/{id}/detach", scope: "payment_methods:write",
            summary: "Take a method off its customer; the mandate ends, its provider removes it, nothing is charged",
            body: NoInput.self, answers: PaymentMethodResource.self, statuses: [200], problems: ["404 not_found"]
        ) { db, call, _ in
            .ok(PaymentMethodResource(try remove.detach(try call.id(), at: call.now, in: db)))
        }
    }

    private var sync: Endpoint {
        let keep: KeepPaymentMethod = keep
        return .task(
            .post, "/v1/payment_methods/{id}/sync", scope: "payment_methods:write",
            summary: "Ask the provider whether it keeps the method by now", body: NoInput.self,
            answers: PaymentMethodResource.self, statuses: [201, 202], needsKey: false, problems: ["404 not_found"]
        ) { call, _ in try await keep.sync(try call.id()) }
    }

    private var keepFurther: Endpoint {
        let keepToken: KeepMethodToken = keepToken
        return .task(
            .post, "/v1/payment_methods/{id}/tokens", scope: "payment_methods:write",
            summary: "Have a further provider keep a method, so that routing may send its charges there",
            body: KeepMethodTokenInput.self, answers: MethodTokenResource.self, statuses: [201, 202], needsKey: false,
            problems: [
                "404 not_found", "409 payment_method_state", "409 removal_in_progress", "409 token_in_place",
                "422 invalid_request", "503 unavailable",
            ]
        ) { call, input in try await keepToken(call, try call.id(), input) }
    }

    private var detachFurther: Endpoint {
        let remove: RemoveMethods = remove
        return .write(
            .delete, "/v1/payment_methods/{id}/tokens/{provider}", scope: "payment_methods:write",
            summary: "Take a method away from a further provider, which removes it; its own provider keeps it",
            body: NoInput.self, answers: PaymentMethodResource.self,
            problems: ["404 not_found", "409 own_provider", "409 payment_in_progress"]
        ) { db, call, _ in
            let provider: String = call.parameter("provider")
            return .ok(
                PaymentMethodResource(try remove.detach(try call.id(), from: provider, at: call.now, in: db)))
        }
    }
}
