import PaymentContract
import PaymentDomain
import PaymentRecords
import PaymentService
import Postgres
import TestKit
import Testing

extension PaymentWorld {
    /// What the sandbox is asked for a payment by a good card.
    func asked(_ payment: PaymentRecord, capture: Bool = true) -> ChargeRequest {
        ChargeRequest(
            idempotencyKey: payment.attemptID, paymentID: payment.id,
            source: .stored(token: "tok_sandbox_success", providerCustomer: nil), amount: payment.amount,
            capture: capture, authenticated: false)
    }

    /// Sends a payment to the provider, which does not hear of it, and ends it.
    @discardableResult
    func ended(
        _ payment: PaymentRecord, as status: PaymentStatus = .failed, capture: Bool = true
    ) async throws -> ApprovedAttempt {
        provider.turn(.away)
        let before: Int = provider.readInVain
        await decide(payment)
        try await eventually(within: .seconds(10), "it is asked for in vain") { provider.readInVain == before + 1 }
        let attempt = ApprovedAttempt(
            paymentID: payment.id, provider: "sandbox", request: asked(payment, capture: capture))
        try await work.outcomes(
            Outcome(attempt: attempt, answer: .declined(ProviderDecline(code: "generic_decline"))))
        #expect(try await self.payment(payment.id).status == .failed)
        if status == .canceled {
            try await execute("UPDATE payments SET status = 'canceled' WHERE id = \(payment.id)")
        }
        provider.turn(.well)
        return attempt
    }
}
