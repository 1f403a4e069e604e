package import BillingCore
package import BillingEvents
package import FraudDomain
package import Logging
package import Messaging
package import Postgres

/// Assesses every attempt before the provider is asked.
///
/// Redis is asked before the transaction, once for the whole batch; the transaction then stores and publishes.
package struct PaymentCreatedConsumer: Sendable {
    private let velocity: any VelocityCounter
    private let model: RiskModel
    private let logger: Logger

    /// - Parameters:
    ///   - velocity: Where attempts are counted.
    ///   - model: What scores them.
    ///   - logger: Gets one line per batch and one per block.
    package init(velocity: any VelocityCounter, model: RiskModel, logger: Logger) {
        self.velocity = velocity
        self.model = model
        self.logger = logger
    }

    /// How the consumer is registered.
    package var route: EventRoute {
        .on(
            PaymentCreatedV1.self,
            prepare: { events, _ in await prepare(events) },
            handle: { events, readings, db, context in try handle(events, readings, in: db, at: context.now) })
    }

    /// Counts the attempts, before the transaction. Repeated deliveries are among them and count once.
    package func prepare(_ events: [Envelope<PaymentCreatedV1>]) async -> VelocityReadings {
        await velocity.count(events.map(\.body))
    }

    /// Scores, stores and publishes. An attempt that has an assessment keeps it, and nothing is published again.
    /// - Throws: `Refusal.park` for an attempt number that cannot be.
    /// - Note: Emits `fraud.assessed.v1`.
    package func handle(
        _ events: [Envelope<PaymentCreatedV1>], _ readings: VelocityReadings, in db: borrowing PostgresTransaction,
        at now: Instant
    ) throws {
        var seen: Set<AttemptKey> = []
        var assessments: [Assessment] = []
        for created in events.map(\.body) {
            guard (1...Int64(Int32.max)).contains(created.attempt) else {
                throw Refusal.park(reason: "payment \(created.paymentID): there is no attempt \(created.attempt)")
            }
            let key = AttemptKey(created)
            guard seen.insert(key).inserted else { continue }
            let counts: VelocityCounts? = readings[key]
            let isUnattended: Bool = created.offSession && created.customerStarted != true
            let verdict: RiskVerdict = model.assess(
                AttemptFeatures(amount: created.amount, isUnattended: isUnattended, velocity: counts))
            assessments.append(Assessment(of: created, verdict, velocity: counts, at: now))
        }
        guard !assessments.isEmpty else { return }
        // All of it travels with COMMIT: a payment waits for this transaction.
        try AssessmentStore.insert(assessments, in: db)
        try publish(assessments, in: db, at: now)
    }

    private func publish(
        _ assessments: [Assessment], in db: borrowing PostgresTransaction, at now: Instant
    ) throws {
        try Outbox.append(
            assessments.map { (OutboxEvent($0.event, key: $0.customerID.rawValue, at: now), $0.id.rawValue) },
            ofRowsIn: "assessments", in: db)
        FraudMetrics.shared.assessed(assessments.map(\.decision), in: db)
        logger.info("attempts assessed", metadata: ["count": "\(assessments.count)"])
        for blocked in assessments where blocked.decision == .block {
            logger.warning(
                "an attempt is blocked",
                metadata: [
                    "payment": "\(blocked.paymentID)", "customer": "\(blocked.customerID)", "score": "\(blocked.score)",
                    "reasons": "\(blocked.reasons.map(\.rawValue).joined(separator: ","))",
                ])
        }
    }
}
