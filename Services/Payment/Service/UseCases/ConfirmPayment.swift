package import BillingCore
package import HTTPKit
import JSON
import PaymentDomain
import PaymentRecords
import Postgres
import Telemetry

/// Charges a payment that was recorded before: one that waits for its confirmation, one that failed, with another method or
/// with its customer there, or one whose customer has passed the sandbox's challenge. Then it waits, as long as the caller
/// wants to, until the payment is settled.
///
/// Safe to crash anywhere: the attempt, the idempotency key and the event are one transaction under the lock on the payment's
/// row, so that of several confirmations one begins an attempt and the others are refused.
package struct ConfirmPayment: Sendable {
    let record: RecordPayments
    let pages: PageMethods
    let answer: AnswerWhenSettled
    /// Whether 3-D Secure runs here.
    let asksIssuers: Bool

    /// - Returns: 200 with the settled payment, or 202 with its state when the wait is over. Where a provider was asked
    ///   meanwhile, `Server-Timing` says how long it took.
    /// - Throws: ``Problem``; nothing is stored then.
    package func callAsFunction(
        _ call: Call, _ id: PaymentID, _ input: ConfirmPaymentInput
    ) async throws -> Reply<PaymentResource> {
        let claim: IdempotencyClaim? = call.claim(resourceID: id.rawValue)
        let found: PaymentRecord? = try await answer.pool.transaction(readOnly: true) { db in
            try PaymentStore.find(id, in: db)
        }
        guard let payment: PaymentRecord = found else { throw Problem.notFound("payment", id.rawValue) }
        guard input.namesMethod || (payment.status == .requiresConfirmation && input.challenge == nil) else {
            return try await goOn(call, payment, input, claim)
        }
        let once: SingleUseMethod?
        do { once = try await page(of: input, payment, at: call.now) } catch let problem as Problem {
            return try await answer.repeated(claim, status: 200, otherwise: problem)
        }
        let order = PaymentOrder(
            id: id, customerID: payment.customerID,
            paymentMethodID: once == nil ? input.paymentMethodID ?? payment.paymentMethodID : nil, page: once,
            amount: payment.amount, captureMethod: payment.captureMethod, description: payment.description,
            metadata: payment.metadata, returnURL: input.returnURL, acceptance: input.acceptance,
            offSession: input.offSession, step: .confirm(byName: input.namesMethod), claim: claim,
            traceparent: call.trace.traceparent,
            now: call.now)
        return try await answer(call, further: id, claim, status: 200) {
            try await record.patiently(order, deadline: call.deadline)
        }
    }

    /// The method that the customer uses once, where one is named; `nil` otherwise.
    private func page(
        of input: ConfirmPaymentInput, _ payment: PaymentRecord, at now: Instant
    ) async throws -> SingleUseMethod? {
        guard let wanted: PageMethodInput = input.page else { return nil }
        guard let back: String = input.returnURL ?? payment.returnURL else {
            throw Problem.invalid(
                "return_url", code: FaultCode.required, "is needed with payment_method_type: the payment has none")
        }
        let purchase = PageMethods.Purchase(
            customerID: payment.customerID, amount: payment.amount, captureMethod: payment.captureMethod)
        return try await pages(wanted, returnURL: back, for: purchase, at: now)
    }

    /// The customer has done something about the method that the payment has: what else is said with it would go unheard.
    private func goOn(
        _ call: Call, _ payment: PaymentRecord, _ input: ConfirmPaymentInput, _ claim: IdempotencyClaim?
    ) async throws -> Reply<PaymentResource> {
        if let idle: String = input.idleField {
            let waits: Bool = payment.status == .failed || payment.status == .requiresAction
            let problem: Problem =
                waits
                ? .invalid(
                    idle, code: "conflicting_fields",
                    "goes with a payment that waits for its confirmation, or with a method")
                : ContinuePayment.Failure.notWaiting(payment.status).problem
            return try await answer.repeated(claim, status: 200, otherwise: problem)
        }
        let (id, now, asksIssuers): (PaymentID, Instant, Bool) = (payment.id, call.now, asksIssuers)
        let passed: Bool? = input.challenge.map { $0 == .passed }
        return try await answer(call, further: id, claim, status: 200) {
            try await .store(claim, in: answer.pool) { db in
                try ContinuePayment.confirm(id, passed: passed, asksIssuers: asksIssuers, at: now, in: db).id
            }
        }
    }
}
