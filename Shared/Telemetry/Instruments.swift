import Synchronization

/// A number that only grows. Adding is one atomic instruction; keep the handle instead of looking it up.
public final class Counter: Sendable {
    private let count = Atomic<Int64>(0)

    /// Makes a counter that no registry shows; ``Metrics/counter(_:help:labels:)`` makes one that is shown.
    public init() {}

    /// Adds a count.
    /// - Parameter amount: Zero or more.
    @inline(__always)
    public func increment(by amount: Int = 1) {
        count.wrappingAdd(Int64(amount), ordering: .relaxed)
    }

    /// The count so far.
    public var value: Int { Int(count.load(ordering: .relaxed)) }
}

/// A number that goes up and down.
public final class Gauge: Sendable {
    private let bits = Atomic<UInt64>(0)

    /// Makes a gauge that no registry shows; ``Metrics/gauge(_:help:labels:)`` makes one that is shown.
    public init() {}

    /// Replaces the value.
    public func set(_ value: Double) { bits.store(value.bitPattern, ordering: .relaxed) }

    /// Replaces the value.
    public func set(_ value: Int) { set(Double(value)) }

    /// Adds to the value; a negative amount lowers it.
    public func add(_ amount: Double) {
        var seen = bits.load(ordering: .relaxed)
        while true {
            let next = (Double(bitPattern: seen) + amount).bitPattern
            let (done, now) = bits.weakCompareExchange(expected: seen, desired: next, ordering: .relaxed)
            if done { return }
            seen = now
        }
    }

    /// Adds to the value; a negative amount lowers it.
    public func add(_ amount: Int) { add(Double(amount)) }

    /// The value now.
    public var value: Double { Double(bitPattern: bits.load(ordering: .relaxed)) }
}

/// Counts observations in ranges, with their number and sum.
public final class Histogram: Sendable {
    /// What a histogram holds at one moment.
    public struct Snapshot: Sendable {
        /// Observations per range, not cumulative; the last is everything above the highest bound.
        public var counts: [UInt64]
        /// The sum of all observations.
        public var sum: Double
        /// The number of all observations.
        public var count: UInt64
    }

    /// Bounds for durations in seconds, 100 µs to 30 s.
    public static let seconds: [Double] = [
        0.000_1, 0.000_25, 0.000_5, 0.001, 0.002_5, 0.005, 0.007_5, 0.01, 0.015, 0.02, 0.03, 0.05, 0.075, 0.1, 0.15,
        0.25,
        0.5, 1, 2.5, 5, 10, 30,
    ]
    /// Bounds for numbers of things, 1 to 10,000.
    public static let sizes: [Double] = [1, 2, 5, 10, 20, 50, 100, 200, 500, 1_000, 2_000, 5_000, 10_000]

    /// The inclusive upper bounds, growing.
    public let bounds: [Double]
    private let state: Mutex<Snapshot>

    /// Makes a histogram that no registry shows; ``Metrics/histogram(_:help:buckets:labels:)`` makes one that is.
    public init(bounds: [Double] = Histogram.seconds) {
        precondition(zip(bounds, bounds.dropFirst()).allSatisfy(<), "histogram bounds must grow")
        self.bounds = bounds
        state = Mutex(Snapshot(counts: Array(repeating: 0, count: bounds.count + 1), sum: 0, count: 0))
    }

    /// Records one observation.
    public func observe(_ value: Double) {
        var low = 0
        var high = bounds.count
        while low < high {
            let middle = (low + high) / 2
            if bounds[middle] < value { low = middle + 1 } else { high = middle }
        }
        state.withLock { (snapshot: inout Snapshot) in
            snapshot.counts[low] += 1
            snapshot.sum += value
            snapshot.count += 1
        }
    }

    /// Records a duration in seconds.
    public func observe(_ duration: Duration) {
        let parts = duration.components
        observe(Double(parts.seconds) + Double(parts.attoseconds) * 1e-18)
    }

    /// What has been recorded so far.
    public var snapshot: Snapshot { state.withLock { $0 } }
}
