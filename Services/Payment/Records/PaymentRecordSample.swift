import BillingCore
import JSON
import PaymentDomain

extension PaymentRecord {
    /// An example for documents.
    package static var sample: PaymentRecord {
        PaymentRecord(
            id: .sample, customerID: .sample, paymentMethodID: .sample, provider: "sandbox",
            amount: Money(minor: 999, currency: .usd), amountCaptured: 999, amountRefunded: 0, status: .succeeded,
            invoiceID: nil, subscriptionID: nil,
            description: "Concert ticket",
            metadata: "{}", offSession: false, authenticated: false, attempts: 1, attemptID: .sample, declineCode: nil,
            riskScore: "0.0500", riskDecision: "approve", riskReasons: [], createdAt: .sample)
    }
}
