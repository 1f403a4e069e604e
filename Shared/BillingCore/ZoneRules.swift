/// A zone's offsets from UTC over time. Seconds throughout; offsets count east.
final class ZoneRules: Sendable {
    static let utc = ZoneRules(initialOffset: 0, times: [], offsets: [], rule: nil)

    private let initialOffset: Int
    private let times: [Int64]
    private let offsets: [Int]
    private let rule: PosixRule?

    /// - Parameters:
    ///   - initialOffset: The offset before the first transition.
    ///   - times: When the transitions happen, rising.
    ///   - offsets: The offset that holds from each of them on.
    ///   - rule: What holds after the last of them.
    init(initialOffset: Int, times: [Int64], offsets: [Int], rule: PosixRule?) {
        self.initialOffset = initialOffset
        self.times = times
        self.offsets = offsets
        self.rule = rule
    }

    /// The offset at an instant.
    func offset(at time: Int64) -> Int {
        let next = firstTransition(after: time)
        if next == times.count, let rule { return Self.offset(rule, at: time, unless: times.last) ?? lastOffset }
        return next == 0 ? initialOffset : offsets[next - 1]
    }

    /// The first transition after an instant, with the offset it leads to.
    func transition(after time: Int64) -> (time: Int64, offset: Int)? {
        let next = firstTransition(after: time)
        if next < times.count { return (times[next], offsets[next]) }
        guard let rule else { return nil }
        let floor = max(time, times.last ?? .min)
        let year = Self.year(of: floor)
        for candidate in year - 1...year + 1 {
            for transition in rule.transitions(year: candidate) where transition.time > floor { return transition }
        }
        return nil
    }

    /// The instant at which clocks in the zone show a local time.
    ///
    /// A time shown twice is the first of the two. A time that is skipped is read with the offset before the gap, and
    /// so comes out as much later as the gap is long.
    func instant(ofLocal local: Int64) -> Int64 {
        // No zone has ever been a day away from UTC, so the right stretch lies within a day on either side.
        let start = local - 86_400
        var offset = offset(at: start)
        var next = transition(after: start)
        while let change = next, local - Int64(offset) >= change.time {
            if local - Int64(change.offset) < change.time { break }
            offset = change.offset
            next = transition(after: change.time)
        }
        return local - Int64(offset)
    }

    private var lastOffset: Int { offsets.last ?? initialOffset }

    /// The index of the first listed transition after an instant.
    private func firstTransition(after time: Int64) -> Int {
        var low = 0
        var high = times.count
        while low < high {
            let middle = (low + high) / 2
            if times[middle] <= time { low = middle + 1 } else { high = middle }
        }
        return low
    }

    /// The offset a rule gives; `nil` when the zone has had no change by the rule since its last listed transition.
    private static func offset(_ rule: PosixRule, at time: Int64, unless last: Int64?) -> Int? {
        let year = year(of: time)
        for candidate in [year + 1, year, year - 1] {
            for transition in rule.transitions(year: candidate).reversed() where transition.time <= time {
                if let last, transition.time <= last { return nil }
                return transition.offset
            }
        }
        return last == nil ? rule.standard : nil
    }

    private static func year(of time: Int64) -> Int {
        CivilDate(dayNumber: Int(time.flooredQuotient(by: 86_400))).year
    }
}
