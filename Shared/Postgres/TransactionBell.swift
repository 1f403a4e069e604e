import Synchronization
package import Threads

/// Wakes threads when a transaction of this process has ended, committed or not.
///
/// It is for those who wait until a transaction under way is over, and would otherwise look again and again. Where nobody
/// waits, a transaction pays one load for it.
package final class TransactionBell: Sendable {
    /// The process's one bell.
    package static let shared = TransactionBell()

    private let isAwaited = Atomic<Bool>(false)
    private let waiting = Mutex<[ObjectIdentifier: WakeSignal]>([:])

    /// Wakes a thread at the next end of a transaction that may have written, once. Whoever adds it before looking for
    /// transactions under way misses the end of none of them.
    package func add(_ signal: WakeSignal) {
        waiting.withLock { waiting in
            waiting[ObjectIdentifier(signal)] = signal
            isAwaited.store(true, ordering: .sequentiallyConsistent)
        }
    }

    /// Takes back ``add(_:)``.
    package func remove(_ signal: WakeSignal) {
        waiting.withLock { waiting in
            waiting[ObjectIdentifier(signal)] = nil
            isAwaited.store(!waiting.isEmpty, ordering: .sequentiallyConsistent)
        }
    }

    /// A transaction has ended.
    func ring() {
        guard isAwaited.load(ordering: .relaxed) else { return }
        let woken: [ObjectIdentifier: WakeSignal] = waiting.withLock { waiting in
            defer { waiting = [:] }
            isAwaited.store(false, ordering: .sequentiallyConsistent)
            return waiting
        }
        for signal in woken.values { signal.wake() }
    }
}
