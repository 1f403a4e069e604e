public import BillingCore
import Synchronization

/// A clock that stands still until it is moved.
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
