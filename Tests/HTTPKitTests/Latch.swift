import Glibc
import HTTPKit
import Synchronization

/// Lets a thread wait for a task: for tests that need two transactions at the same moment.
final class Latch: Sendable {
    private let isOpen = Atomic<Bool>(false)

    func open() { isOpen.store(true, ordering: .releasing) }

    /// Gives up after five seconds.
    func wait() {
        for _ in 0..<5_000 where !isOpen.load(ordering: .acquiring) { usleep(1_000) }
    }
}

/// Results handed from one transaction to another.
final class SharedResults: Sendable {
    private let results = Mutex<[ClaimResult]>([])
    func set(_ value: [ClaimResult]) { results.withLock { $0 = value } }
    var value: [ClaimResult] { results.withLock { $0 } }
}
