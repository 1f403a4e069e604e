import Glibc
import HTTPKit
import Postgres
import Synchronization
import TestKit

/// Something that is off until it is turned on.
final class Switch: Sendable {
    private let state = Atomic<Bool>(false)
    var isOn: Bool { state.load(ordering: .acquiring) }
    func turnOn() { state.store(true, ordering: .releasing) }

    /// Blocks the calling thread until it is on, for at most half a minute: for tests that hold a transaction open.
    func block() {
        for _ in 0..<30_000 where !isOn { usleep(1_000) }
    }
}

/// Keeps requests of the mood `slow` waiting in the database until the body says so.
struct Gate: Sendable {
    static let lock = 77

    private let release = Switch()

    func open() { release.turnOn() }

    /// Closes the gate, runs the body, and opens it at the latest when the body ends.
    static func closed<R: Sendable>(in pool: PostgresPool, _ body: (Gate) async throws -> R) async throws -> R {
        let gate = Gate()
        let isHeld = Switch()
        let holder = Task {
            try await pool.transaction { (db: borrowing PostgresTransaction) in
                _ = try db.execute("SELECT pg_advisory_xact_lock(\(lock))")
                isHeld.turnOn()
                gate.release.block()
            }
        }
        let result: Result<R, any Error>
        do {
            try await eventually(within: .seconds(10), "the gate is closed") { isHeld.isOn }
            result = .success(try await body(gate))
        } catch {
            result = .failure(error)
        }
        gate.open()
        try await holder.value
        return try result.get()
    }
}

/// Results handed from one transaction to another.
final class SharedResults: Sendable {
    private let results = Mutex<[ClaimResult]>([])
    func set(_ value: [ClaimResult]) { results.withLock { $0 = value } }
    var value: [ClaimResult] { results.withLock { $0 } }
}
