import BillingCore
import HTTPKit
import Postgres

/// `/v1/payments`.
struct PaymentRoutes: Sendable {
    let create: CreatePayment
    let waiters: PaymentWaiters
    let provider: String

    var endpoints: [Endpoint] { [createPayment, list, read, confirm, cancel] }

    private var createPayment: Endpoint {
        let create: CreatePayment = create
        return .task(
            .post, "/v1/payments", scope: "payments:write", summary: "Charge a customer", body: CreatePaymentInput.self,
            answers: PaymentResource.self, statuses: [201, 202], prefersWait: true,
            problems: ["422 invalid_request", "409 idempotency_key_in_use"]
        ) { call, input in try await create(call, input) }
    }

    private var list: Endpoint {
        .list(
            "/v1/payments", scope: "payments:read", summary: "List payments, newest first",
            filters: [.id("customer_id", as: CustomerID.self), .id("invoice_id", as: InvoiceID.self)],
            item: PaymentResource.self
        ) { db, call, request in
            let rows: [PaymentRecord] = try PaymentStore.list(
                customer: call.query.id("customer_id"), invoice: call.query.id("invoice_id"),
                after: try request.cursor(), limit: request.fetchLimit, in: db)
            return request.page(rows.map(PaymentResource.init))
        }
    }

    private var read: Endpoint {
        .read(
            "/v1/payments/{id}", scope: "payments:read", summary: "Read a payment", answers: PaymentResource.self,
            problems: ["404 not_found"]
        ) { db, call in
            let id: PaymentID = try call.id()
            guard let payment: PaymentRecord = try PaymentStore.find(id, in: db) else {
                throw Problem.notFound("payment", id.rawValue)
            }
            return PaymentResource(payment)
        }
    }

    private var confirm: Endpoint {
        let provider: String = provider
        return .write(
            .post, "/v1/payments/{id}/confirm", scope: "payments:write",
            summary: "Say how the customer's authentication ended", body: ConfirmPaymentInput.self,
            answers: PaymentResource.self, statuses: [200], problems: ["404 not_found", "409 payment_state"]
        ) { db, call, input in
            let payment: PaymentRecord = try ContinuePayment.confirm(
                try call.id(), passed: input.challenge == .passed, provider: provider, at: call.now, in: db)
            return .ok(PaymentResource(payment))
        }
    }

    private var cancel: Endpoint {
        let waiters: PaymentWaiters = waiters
        return .write(
            .post, "/v1/payments/{id}/cancel", scope: "payments:write", summary: "Give a payment up",
            body: NoInput.self, answers: PaymentResource.self, statuses: [200],
            problems: ["404 not_found", "409 payment_state"]
        ) { db, call, _ in
            .ok(PaymentResource(try ContinuePayment.cancel(try call.id(), waiters: waiters, at: call.now, in: db)))
        }
    }
}
