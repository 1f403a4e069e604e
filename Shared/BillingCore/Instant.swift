/// A point in time: microseconds since 1970-01-01T00:00:00Z, without leap seconds.
public struct Instant: Hashable, Comparable, Sendable {
    /// Microseconds since the Unix epoch.
    public let microseconds: Int64

    /// The Unix epoch.
    public static let epoch = Instant(microseconds: 0)

    /// Makes an instant out of microseconds since the Unix epoch.
    public init(microseconds: Int64) { self.microseconds = microseconds }

    /// Makes an instant out of seconds since the Unix epoch; clamped to what 64 bits of microseconds can hold.
    public init(seconds: Int64) {
        let (product, overflow) = seconds.multipliedReportingOverflow(by: 1_000_000)
        microseconds = overflow ? (seconds < 0 ? .min : .max) : product
    }

    /// Whole seconds since the Unix epoch, rounded towards the past.
    public var seconds: Int64 { microseconds.flooredQuotient(by: 1_000_000) }

    /// The instant later by a duration (earlier by a negative one), whole microseconds of it; clamped at the ends.
    public func adding(_ duration: Duration) -> Instant {
        let (sum, overflow) = microseconds.addingReportingOverflow(duration.wholeMicroseconds)
        return Instant(microseconds: overflow ? (microseconds < 0 ? .min : .max) : sum)
    }

    /// How long after another instant this one is; negative when it is before.
    public func duration(since other: Instant) -> Duration {
        let (difference, overflow) = microseconds.subtractingReportingOverflow(other.microseconds)
        return .microseconds(overflow ? (microseconds < 0 ? Int64.min : .max) : difference)
    }

    /// Orders by time.
    public static func < (left: Instant, right: Instant) -> Bool { left.microseconds < right.microseconds }
    /// ``duration(since:)``.
    public static func - (left: Instant, right: Instant) -> Duration { left.duration(since: right) }
    /// ``adding(_:)``.
    public static func + (instant: Instant, duration: Duration) -> Instant { instant.adding(duration) }
    /// ``adding(_:)`` of the negated duration.
    public static func - (instant: Instant, duration: Duration) -> Instant { instant.adding(.zero - duration) }
}

extension Duration {
    /// Whole microseconds, rounded towards zero and clamped to 64 bits.
    public var wholeMicroseconds: Int64 {
        let (seconds, attoseconds) = components
        let (product, overflow) = seconds.multipliedReportingOverflow(by: 1_000_000)
        let (sum, carried) = product.addingReportingOverflow(attoseconds / 1_000_000_000_000)
        return overflow || carried ? (seconds < 0 ? .min : .max) : sum
    }
}

extension BinaryInteger {
    /// The quotient rounded towards minus infinity; the divisor is above zero.
    func flooredQuotient(by divisor: Self) -> Self {
        let (quotient, rest) = quotientAndRemainder(dividingBy: divisor)
        return rest < 0 ? quotient - 1 : quotient
    }

    /// What is left over the floored quotient: zero or above.
    func flooredRemainder(by divisor: Self) -> Self {
        let rest = self % divisor
        return rest < 0 ? rest + divisor : rest
    }
}
