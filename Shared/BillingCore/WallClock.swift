import Glibc
import Synchronization

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

/// A clock that stands still until it is moved, for tests and the sandbox.
public final class ManualClock: WallClock {
    private let time: Mutex<Instant>

    /// Makes a clock that shows a time.
    public init(_ now: Instant = .epoch) { time = Mutex(now) }

    /// The time it was last moved to.
    public var now: Instant { time.withLock { $0 } }

    /// Moves the clock to a time, back or forth.
    public func set(_ now: Instant) { time.withLock { $0 = now } }

    /// Moves the clock on.
    /// - Returns: The new time.
    @discardableResult
    public func advance(by duration: Duration) -> Instant {
        time.withLock { time in
            time = time.adding(duration)
            return time
        }
    }
}
