import FraudDomain
import Postgres
import Telemetry

/// What the service counts.
struct FraudMetrics: Sendable {
    /// The counters of this process.
    static let shared = FraudMetrics()

    /// Batches for which Redis did not answer.
    let velocityUnavailable = Metrics.shared.counter(
        "fraud_velocity_unavailable_total", help: "Batches assessed without velocity because Redis did not answer")
    private let decisions: [RiskDecision: Counter] = Dictionary(
        uniqueKeysWithValues: RiskDecision.allCases.map { decision in
            let counter: Counter = Metrics.shared.counter(
                "fraud_assessments_total", help: "Assessments by decision", labels: ["decision": decision.rawValue])
            return (decision, counter)
        })

    private init() {}

    /// Assessments were stored; they count after the commit.
    func assessed(_ verdicts: [RiskDecision], in db: borrowing PostgresTransaction) {
        let counters: [RiskDecision: Counter] = decisions
        db.onCommit { for verdict in verdicts { counters[verdict]?.increment() } }
    }
}
