import BillingCore
import JSON
import PaymentDomain

/// A circuit breaker as a shared store keeps it.
enum CircuitText {
    static func write(_ breaker: CircuitBreaker) -> String {
        var members: [JSONMember] = [
            JSONMember(name: "generation", value: .number(String(breaker.generation))),
            JSONMember(name: "step", value: .number(String(breaker.counts.step.wholeMicroseconds))),
        ]
        if let failed: Instant = breaker.chargeFailedAt {
            members.append(JSONMember(name: "charge_failed", value: .number(String(failed.microseconds))))
        }
        switch breaker.phase {
        case .closed:
            let buckets: [JSONValue] = breaker.counts.buckets.sorted { $0.key < $1.key }.map { number, bucket in
                .array([number, bucket.answered, bucket.failed].map { .number(String($0)) })
            }
            members.append(JSONMember(name: "buckets", value: .array(buckets)))
        case .open(let until):
            members.append(JSONMember(name: "open_until", value: .number(String(until.microseconds))))
        case .halfOpen(let good, let underWay):
            members.append(JSONMember(name: "good", value: .number(String(good))))
            members.append(
                JSONMember(name: "probes", value: .array(underWay.map { .number(String($0.microseconds)) })))
        }
        return JSONValue.object(members).description
    }

    /// `nil` for other text, and for one whose steps are of another length: it counts for nothing then.
    static func read(_ text: String, policy: CircuitBreaker.Policy) -> CircuitBreaker? {
        guard let json: JSONValue = try? parseJSON(text), let generation: Int64 = json["generation"]?.intValue,
            json["step"]?.intValue == policy.noCounts.step.wholeMicroseconds
        else { return nil }
        func breaker(_ phase: CircuitBreaker.Phase, _ counts: CircuitCounts? = nil) -> CircuitBreaker {
            CircuitBreaker(
                policy: policy, phase: phase, generation: generation, counts: counts ?? policy.noCounts,
                chargeFailedAt: json["charge_failed"]?.intValue.map { Instant(microseconds: $0) })
        }
        if let until: Int64 = json["open_until"]?.intValue {
            return breaker(.open(until: Instant(microseconds: until)))
        }
        if let good: Int64 = json["good"]?.intValue {
            let probes: [Instant] = (json["probes"]?.arrayValue ?? []).compactMap(\.intValue)
                .map { Instant(microseconds: $0) }
            return breaker(.halfOpen(good: Int(clamping: good), underWay: probes))
        }
        guard let rows: [JSONValue] = json["buckets"]?.arrayValue else { return nil }
        var buckets: [Int64: CircuitCounts.Bucket] = [:]
        for row in rows {
            guard let number: Int64 = row[0]?.intValue, let answered: Int64 = row[1]?.intValue,
                let failed: Int64 = row[2]?.intValue
            else { return nil }
            buckets[number] = CircuitCounts.Bucket(answered: answered, failed: failed)
        }
        let empty: CircuitCounts = policy.noCounts
        return breaker(.closed, CircuitCounts(step: empty.step, steps: empty.steps, buckets: buckets))
    }
}
