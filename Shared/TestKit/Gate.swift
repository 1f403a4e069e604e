import Dispatch
import Synchronization

/// Holds a pool's thread inside a transaction until the test lets it go.
public final class Gate: Sendable {
    private let opened = DispatchSemaphore(value: 0)
    private let visits = Mutex(0)

    /// Makes a gate that is closed.
    public init() {}

    /// How many have come to the gate so far.
    public var visitors: Int { visits.withLock { $0 } }

    /// Called on the pool's thread: waits for ``open()``, for at most twenty seconds.
    public func pass() {
        visits.withLock { $0 += 1 }
        _ = opened.wait(timeout: .now() + 20)
    }

    /// Lets one visitor go.
    public func open() { opened.signal() }

    /// Waits until so many have come to the gate.
    /// - Throws: ``NotInTime``.
    public func awaitVisitor(_ count: Int = 1) async throws {
        try await eventually(within: .seconds(10), "visitor at the gate") { self.visitors >= count }
    }
}
