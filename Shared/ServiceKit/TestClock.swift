public import BillingCore
import Logging
package import Postgres
import Synchronization

/// The business clock of a daemon: the system's, plus the sandbox's offset. Loops wait on it and are woken when it jumps.
public protocol ServiceClock: WallClock {
    /// Returns at the given business time, at the latest after `atMost` of real time, and early when the clock jumps or
    /// ``poke()`` is called.
    func sleep(until: Instant, atMost: Duration) async
    /// Wakes everything that sleeps.
    func poke()
}

/// The system clock shifted by the sandbox's offset; in live mode the offset is always zero.
public final class OffsetClock: ServiceClock {
    private struct State {
        var offset: Duration = .zero
        var waiters: [Int: CheckedContinuation<Void, Never>] = [:]
        var cancelled: Set<Int> = []
        var nextID = 0
        var pokes = 0
    }

    private let system: any WallClock
    private let state = Mutex(State())

    /// A clock without an offset.
    public init(system: any WallClock = SystemClock()) { self.system = system }

    /// The business time.
    public var now: Instant { system.now.adding(state.withLock { $0.offset }) }

    /// How far it is ahead of the system.
    public var offset: Duration { state.withLock { $0.offset } }

    /// Jumps and wakes every sleeper.
    public func setOffset(_ offset: Duration) {
        let changed: Bool = state.withLock { state in
            defer { state.offset = offset }
            return state.offset != offset
        }
        if changed { poke() }
    }

    /// The offset that makes it this time now.
    public func offset(reaching instant: Instant) -> Duration { instant.duration(since: system.now) }

    /// Wakes everything that sleeps.
    public func poke() {
        let waiters: [CheckedContinuation<Void, Never>] = state.withLock { state in
            defer { state.waiters = [:] }
            state.pokes += 1
            return Array(state.waiters.values)
        }
        for waiter in waiters { waiter.resume() }
    }

    /// Sleeps by business time, see ``ServiceClock``.
    public func sleep(until instant: Instant, atMost: Duration) async {
        // Taken before the clock is read: a jump between here and the first wait ends that wait at once.
        let pokes: Int = state.withLock { $0.pokes }
        let wait: Duration = min(max(.zero, instant.duration(since: now)), atMost)
        guard wait > .zero, !Task.isCancelled else { return }
        await withTaskGroup(of: Void.self) { group in
            group.addTask { await self.waitForPoke(after: pokes) }
            group.addTask { try? await Task.sleep(for: wait) }
            await group.next()
            group.cancelAll()
        }
    }

    private func waitForPoke(after seen: Int) async {
        let id: Int = state.withLock { state in
            state.nextID += 1
            return state.nextID
        }
        await withTaskCancellationHandler {
            await withCheckedContinuation { continuation in
                let ended: Bool = state.withLock { state in
                    if state.cancelled.remove(id) != nil || state.pokes != seen { return true }
                    state.waiters[id] = continuation
                    return false
                }
                if ended { continuation.resume() }
            }
        } onCancel: {
            let waiter: CheckedContinuation<Void, Never>? = state.withLock { state in
                if let waiter = state.waiters.removeValue(forKey: id) { return waiter }
                state.cancelled.insert(id)
                return nil
            }
            waiter?.resume()
        }
        _ = state.withLock { $0.cancelled.remove(id) }
    }
}

/// The stored offset, one row in each service's schema; every instance of the service follows it.
package enum TestClockStore {
    /// How far the business clock is ahead of the system.
    package static func offset(in db: borrowing PostgresTransaction) throws -> Duration {
        let microseconds: Int64 =
            try db.first("SELECT offset_microseconds FROM test_clock") { row in try row.next() } ?? 0
        return .microseconds(microseconds)
    }

    /// Moves forward only; an older offset changes nothing.
    static func advance(to offset: Duration, in db: borrowing PostgresTransaction) throws {
        let microseconds: Int64 = offset.wholeMicroseconds
        _ = try db.execute(
            "UPDATE test_clock SET offset_microseconds = \(microseconds) WHERE offset_microseconds < \(microseconds)")
    }
}
