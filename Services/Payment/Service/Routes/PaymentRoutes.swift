import PaymentRecords
import BillingCore
import HTTPKit
import JSON
import PaymentDomain
import Postgres

/// `/v1/payments`.
struct PaymentRoutes: Sendable {
    let create: CreatePayment
    let confirm: ConfirmPayment
    let capture: CapturePayment
    let cancel: CancelPayment
    let sync: SyncPayment

    var endpoints: [Endpoint] {
        [createPayment, list, read, attempts, confirmPayment, syncPayment, capturePayment, captures, cancelPayment]
    }

    private var createPayment: Endpoint {
        let create: CreatePayment = create
        return .task(
            .post, "/v1/payments", scope: "payments:write", summary: "Charge a customer", body: CreatePaymentInput.self,
            answers: PaymentResource.self, statuses: [201, 202], waits: AnswerWhenSettled.waits,
            problems: ["422 invalid_request", "409 idempotency_key_in_use"]
        ) { call, input in try await create(call, input) }
    }

    private var list: Endpoint {
        .list(
            "/v1/payments", scope: "payments:read", summary: "List payments, newest first",
            filters: [
                .id("customer_id", as: CustomerID.self), .id("invoice_id", as: InvoiceID.self),
                .id("subscription_id", as: SubscriptionID.self), .enumeration("status", of: PaymentStatus.self),
                .enumeration(
                    "risk_decision", of: RiskVerdict.Decision.self,
                    doc: "What Fraud, or the fallback, said: with review and status succeeded, what went on marked"),
                .string("metadata_key", max: 40, doc: "With metadata_value: only those whose metadata says so"),
                .string("metadata_value", max: 500, doc: "With metadata_key"),
                .string(
                    "provider_reference", max: 255,
                    doc: "Only those of which a provider knows an attempt that has ended, or a capture, by this name"),
                CreatedRange.beginning, CreatedRange.end,
            ], item: PaymentResource.self
        ) { db, call, request in
            let created = try CreatedRange(call.query)
            let rows: [PaymentRecord] = try PaymentStore.list(
                customer: call.query.id("customer_id"), invoice: call.query.id("invoice_id"),
                subscription: call.query.id("subscription_id"), status: call.query.enumeration("status"),
                risk: call.query.enumeration("risk_decision"), label: try Self.label(call.query),
                knownAs: call.query.string("provider_reference"), from: created.from, to: created.to,
                after: try request.cursor(), limit: request.fetchLimit, in: db)
            return request.page(try PaymentResource.settled(rows, in: db))
        }
    }

    private static func label(_ query: QueryValues) throws -> MetadataLabel? {
        switch (query.string("metadata_key"), query.string("metadata_value")) {
        case (let key?, let value?): return MetadataLabel(key: key, value: value)
        case (nil, nil): return nil
        case (nil, _): throw Problem.invalid("metadata_key", code: FaultCode.required, "goes with metadata_value")
        case (_, nil): throw Problem.invalid("metadata_value", code: FaultCode.required, "goes with metadata_key")
        }
    }

    private var read: Endpoint {
        .read(
            "/v1/payments/{id}", scope: "payments:read", summary: "Read a payment", answers: PaymentResource.self,
            problems: ["404 not_found"]
        ) { db, call in
            let id: PaymentID = try call.id()
            guard let payment: PaymentResource = try PaymentResource.find(id, in: db) else {
                throw Problem.notFound("payment", id.rawValue)
            }
            return payment
        }
    }

    private var attempts: Endpoint {
        .list(
            "/v1/payments/{id}/attempts", scope: "payments:read",
            summary: "List a payment's attempts, the first one first", item: AttemptResource.self
        ) { db, call, request in
            let id: PaymentID = try call.id()
            guard try PaymentStore.find(id, in: db) != nil else { throw Problem.notFound("payment", id.rawValue) }
            var place: Int?
            if let cursor: AttemptID = try request.cursor() {
                guard let number: Int = try AttemptStore.number(of: cursor, payment: id, in: db) else {
                    throw Problem.invalid(
                        "starting_after", code: "invalid_cursor",
                        "is no attempt at this payment: begin with the first page")
                }
                place = number
            }
            let rows: [AttemptRecord] = try AttemptStore.list(
                payment: id, after: place, limit: request.fetchLimit, in: db)
            return request.page(rows.map(AttemptResource.init))
        }
    }

    private var confirmPayment: Endpoint {
        let confirm: ConfirmPayment = confirm
        return .task(
            .post, "/v1/payments/{id}/confirm", scope: "payments:write",
            summary: "Charge a payment that was recorded before, or say how its customer's authentication ended",
            body: ConfirmPaymentInput.self, answers: PaymentResource.self, statuses: [200, 202],
            waits: AnswerWhenSettled.waits,
            problems: [
                "404 not_found", "422 invalid_request", "409 payment_state", "409 payment_method_gone",
                "409 payment_of_invoice", "409 payment_of_instalment",
            ]
        ) { call, input in try await confirm(call, try call.id(), input) }
    }

    private var syncPayment: Endpoint {
        let sync: SyncPayment = sync
        return .task(
            .post, "/v1/payments/{id}/sync", scope: "payments:write",
            summary: "Ask the provider what became of a payment, after the customer is back from its page",
            body: NoInput.self, answers: PaymentResource.self, statuses: [200], needsKey: false,
            problems: ["404 not_found"]
        ) { call, _ in .ok(try await sync(try call.id())) }
    }

    private var capturePayment: Endpoint {
        let capture: CapturePayment = capture
        return .task(
            .post, "/v1/payments/{id}/captures", scope: "payments:write", summary: "Take what an authorization holds",
            body: CapturePaymentInput.self, answers: CaptureResource.self, statuses: [201, 202],
            problems: ["404 not_found", "409 payment_state", "409 payment_review", "409 capture_in_progress"]
        ) { call, input in try await capture(call, try call.id(), input) }
    }

    private var captures: Endpoint {
        .list(
            "/v1/payments/{id}/captures", scope: "payments:read", summary: "List a payment's captures, newest first",
            item: CaptureResource.self
        ) { db, call, request in
            let id: PaymentID = try call.id()
            guard try PaymentStore.find(id, in: db) != nil else { throw Problem.notFound("payment", id.rawValue) }
            let rows: [CaptureRecord] = try CaptureStore.list(
                payment: id, after: try request.cursor(), limit: request.fetchLimit, in: db)
            return request.page(try CaptureResource.settled(rows, in: db))
        }
    }

    private var cancelPayment: Endpoint {
        let cancel: CancelPayment = cancel
        return .task(
            .post, "/v1/payments/{id}/cancel", scope: "payments:write",
            summary: "Give a payment up; what is held is released", body: NoInput.self, answers: PaymentResource.self,
            statuses: [200, 202],
            problems: [
                "404 not_found", "409 payment_state", "409 payment_of_invoice", "409 payment_of_instalment",
                "409 capture_in_progress", "409 release_refused",
            ]
        ) { call, _ in try await cancel(call, try call.id()) }
    }
}
