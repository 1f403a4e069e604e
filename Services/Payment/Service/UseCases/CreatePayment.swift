package import HTTPKit
import BillingCore
import PaymentDomain
import PaymentRecords
import Telemetry

/// Records a payment and waits, as long as the caller wants to, until it is settled; one that is to be confirmed is only
/// recorded.
///
/// Safe to crash anywhere: the order, its idempotency key and its event are one transaction. A repeat of the request finds
/// either nothing, or the payment, whose way on does not depend on this caller.
package struct CreatePayment: Sendable {
    let record: RecordPayments
    let pages: PageMethods
    let answer: AnswerWhenSettled
    /// How long a payment can be confirmed (`payment.confirmation_expires_seconds`).
    let confirmation: ActionPolicy

    /// - Returns: 201 with the settled payment, or with one that waits for its confirmation; 202 with its state when the wait is
    ///   over. Where a provider was asked meanwhile, `Server-Timing` says how long it took.
    /// - Throws: ``Problem``.
    package func callAsFunction(_ call: Call, _ input: CreatePaymentInput) async throws -> Reply<PaymentResource> {
        let id = PaymentID.new(at: call.now)
        let claim: IdempotencyClaim? = call.claim(resourceID: id.rawValue)
        let once: SingleUseMethod?
        do {
            let purchase = PageMethods.Purchase(
                customerID: input.customerID, amount: input.amount, captureMethod: input.captureMethod)
            once =
                if let wanted: PageMethodInput = input.page {
                    try await pages(wanted, returnURL: input.returnURL ?? "", for: purchase, at: call.now)
                } else { nil }
        } catch let problem as Problem {
            return try await answer.repeated(claim, status: 201, otherwise: problem)
        }
        let order = PaymentOrder(
            id: id, customerID: input.customerID, paymentMethodID: input.paymentMethodID, page: once,
            amount: input.amount,
            captureMethod: input.captureMethod, description: input.description, metadata: input.metadataJSON,
            returnURL: input.returnURL, acceptance: input.acceptance, offSession: input.offSession,
            step: input.isConfirmed ? .charge : .record(until: confirmation.end(from: call.now)),
            claim: claim, traceparent: call.trace.traceparent, now: call.now)
        guard input.isConfirmed else { return try await recorded(order, call) }
        return try await answer(call, new: id, claim, status: 201) {
            try await record.patiently(order, deadline: call.deadline)
        }
    }

    /// Nobody is asked for anything: there is nothing to wait for.
    private func recorded(_ order: PaymentOrder, _ call: Call) async throws -> Reply<PaymentResource> {
        switch try await record.patiently(order, deadline: call.deadline) {
        case .replay(let stored): Reply(replaying: stored)
        case .stored(let id), .resumed(let id): try await answer.answer(id, order.claim, status: 201)
        }
    }
}
