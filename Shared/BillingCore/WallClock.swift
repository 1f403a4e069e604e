import Glibc

/// Where business code learns the time.
public protocol WallClock: Sendable {
    /// The current time.
    var now: Instant { get }
}

/// The machine's clock.
public struct SystemClock: WallClock {
    /// Makes the clock.
    public init() {}

    /// The machine's time, in microseconds.
    public var now: Instant {
        var time = timespec()
        clock_gettime(CLOCK_REALTIME, &time)
        return Instant(microseconds: Int64(time.tv_sec) * 1_000_000 + Int64(time.tv_nsec) / 1_000)
    }
}
