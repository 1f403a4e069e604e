import Synchronization

/// Wakes the outbox relays of this process the moment a transaction with events has committed.
public final class OutboxSignal: Sendable {
    /// The process's one signal.
    public static let shared = OutboxSignal()

    private let listeners = Mutex<[Int: @Sendable (Urgency) -> Void]>([:])
    private let nextToken = Atomic<Int>(0)

    /// Wakes every relay of the process; cheap, never blocks on I/O.
    public func wake(_ urgency: Urgency = .waitedFor) {
        let actions: [@Sendable (Urgency) -> Void] = listeners.withLock { Array($0.values) }
        for action in actions { action(urgency) }
    }

    /// Calls `action` on every wake until the token is given back.
    func listen(_ action: @escaping @Sendable (Urgency) -> Void) -> Int {
        let token: Int = nextToken.add(1, ordering: .relaxed).newValue
        listeners.withLock { $0[token] = action }
        return token
    }

    func stopListening(_ token: Int) {
        listeners.withLock { $0[token] = nil }
    }
}
