public import BillingCore

/// Answers and failures of a provider by steps of time: what a sliding window is made of. Counts of several instances
/// add up, in any order.
public struct CircuitCounts: Sendable, Hashable {
    /// One step's counts.
    public struct Bucket: Sendable, Hashable {
        /// Good answers, declines included.
        public internal(set) var answered: Int64
        /// Outages.
        public internal(set) var failed: Int64

        /// Makes a step's counts; below zero counts as zero.
        public init(answered: Int64, failed: Int64) {
            self.answered = max(0, answered)
            self.failed = max(0, failed)
        }
    }

    /// How long a step is.
    public let step: Duration
    /// How many steps are kept.
    public let steps: Int
    /// The steps that have counts, by their number since the epoch: what a shared store keeps as fields.
    public private(set) var buckets: [Int64: Bucket]

    /// Counts of nothing; steps shorter than a microsecond are one microsecond.
    public init(step: Duration, steps: Int, buckets: [Int64: Bucket] = [:]) {
        self.step = max(step, .microseconds(1))
        self.steps = max(1, steps)
        self.buckets = buckets
    }

    /// The number of the step an instant falls into.
    public func number(of instant: Instant) -> Int64 {
        let (quotient, rest) = instant.microseconds.quotientAndRemainder(dividingBy: step.wholeMicroseconds)
        return rest < 0 ? quotient - 1 : quotient
    }

    /// Counts answers and failures at an instant; steps that fell out of the window are forgotten, and an instant from
    /// before the window is not counted. Counts stop at the largest number there is.
    public mutating func add(answered: Int64, failed: Int64, at now: Instant) {
        let number: Int64 = number(of: now)
        let newest: Int64 = max(number, buckets.keys.max() ?? number)
        if number == newest, buckets[number] == nil { buckets = buckets.filter { isKept($0.key, newest: newest) } }
        guard isKept(number, newest: newest) else { return }
        let added = Bucket(answered: answered, failed: failed)
        buckets[number] = Self.sum(buckets[number] ?? Bucket(answered: 0, failed: 0), added)
    }

    /// The sums over the window that ends at an instant; steps that other clocks are ahead count too.
    public func total(at now: Instant) -> (answered: Int64, failed: Int64) {
        let newest: Int64 = number(of: now)
        var sum = Bucket(answered: 0, failed: 0)
        for (number, bucket) in buckets where isKept(number, newest: newest) { sum = Self.sum(sum, bucket) }
        return (sum.answered, sum.failed)
    }

    /// Both counts together.
    public func merging(_ other: CircuitCounts) -> CircuitCounts {
        var both = self
        both.buckets.merge(other.buckets, uniquingKeysWith: Self.sum)
        if let newest: Int64 = both.buckets.keys.max() {
            both.buckets = both.buckets.filter { isKept($0.key, newest: newest) }
        }
        return both
    }

    private func isKept(_ number: Int64, newest: Int64) -> Bool {
        let (oldest, overflow) = newest.subtractingReportingOverflow(Int64(steps))
        return overflow || number > oldest
    }

    private static func sum(_ one: Bucket, _ another: Bucket) -> Bucket {
        Bucket(
            answered: capped(one.answered.addingReportingOverflow(another.answered)),
            failed: capped(one.failed.addingReportingOverflow(another.failed)))
    }

    private static func capped(_ sum: (partialValue: Int64, overflow: Bool)) -> Int64 {
        sum.overflow ? .max : sum.partialValue
    }
}
