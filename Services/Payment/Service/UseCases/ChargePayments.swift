package import PaymentContract
package import BillingCore
import Logging
import PaymentDomain
import Synchronization
import Telemetry

/// An approved attempt on its way to the provider; the payment is stored as `processing` before it gets here.
package struct ApprovedAttempt: Sendable {
    let paymentID: PaymentID
    /// Who is asked.
    let provider: String
    let request: ChargeRequest
    /// The trace that the outcome's events continue, by the customer's key.
    let trace: (key: String, traceparent: String)?

    /// An attempt at a payment.
    package init(
        paymentID: PaymentID, provider: String, request: ChargeRequest, trace: (key: String, traceparent: String)? = nil
    ) {
        self.paymentID = paymentID
        self.provider = provider
        self.request = request
        self.trace = trace
    }
}

/// Asks the provider and has the outcome recorded. What is not known afterwards stays `processing` for the sweeper.
final class ChargePayments: Sendable {
    /// Attempts under way at once; more wait for the sweeper instead of piling up in memory.
    static let limit = 4_096

    private let providers: PaymentProviders
    private let record: RecordOutcomes
    private let logger: Logger
    private let inFlight = Atomic<Int>(0)
    private let unknown: Counter = Metrics.shared.counter(
        "provider_unknown_outcomes_total", help: "Provider calls without a known outcome")

    init(providers: PaymentProviders, record: RecordOutcomes, logger: Logger) {
        self.providers = providers
        self.record = record
        self.logger = logger
    }

    /// Starts attempts without waiting for them.
    func start(_ attempts: [ApprovedAttempt]) {
        for attempt in attempts {
            guard inFlight.load(ordering: .relaxed) < Self.limit else { return }
            inFlight.add(1, ordering: .relaxed)
            Task {
                await self.run(attempt)
                self.inFlight.subtract(1, ordering: .relaxed)
            }
        }
    }

    private func run(_ attempt: ApprovedAttempt) async {
        do {
            let answer: ChargeAnswer = try await ask(attempt)
            try await record(Outcome(attempt: attempt, answer: answer))
        } catch {
            unknown.increment()
            logger.warning(
                "the outcome of a charge is not known yet",
                metadata: ["payment_id": "\(attempt.paymentID)", "error": "\(error)"])
        }
    }

    /// The provider's answer; after a fault it is read back, never guessed.
    private func ask(_ attempt: ApprovedAttempt) async throws -> ChargeAnswer {
        let provider: any PaymentProvider = try providers.named(attempt.provider)
        do { return try await provider.charge(attempt.request) } catch {
            return try await provider.outcome(of: attempt.request)
        }
    }

    /// Settles an attempt whose outcome was lost.
    func resume(_ attempt: ApprovedAttempt) async throws {
        let answer: ChargeAnswer = try await providers.named(attempt.provider).outcome(of: attempt.request)
        try await record(Outcome(attempt: attempt, answer: answer))
    }
}
