import BillingCore
import Logging
import ServiceKit
import Synchronization
import TestKit
import Testing

/// Counts passes; a pass may be made to stay where it is.
private final class Passes: Sendable {
    struct Fault: Error {}

    private let begun = Atomic<Int>(0)
    private let ended = Atomic<Int>(0)
    private let gate = Mutex<CheckedContinuation<Void, Never>?>(nil)

    var count: Int { begun.load(ordering: .relaxed) }
    var done: Int { ended.load(ordering: .relaxed) }

    /// - Returns: Which pass this is, from one.
    @discardableResult func pass() -> Int { begun.add(1, ordering: .relaxed).newValue }

    /// A pass that ends when it is let go.
    func hold() async {
        pass()
        await withCheckedContinuation { waiting in gate.withLock { $0 = waiting } }
        ended.add(1, ordering: .relaxed)
    }

    func letGo() { gate.withLock { $0.take() }?.resume() }
    var isHeld: Bool { gate.withLock { $0 != nil } }
}

@Suite("Loops in the background") struct BackgroundLoopTests {
    private let ticker = ManualClock(Instant(seconds: 1_800_000_000))
    private let quiet = Logger(label: "test.loops") { _ in SwiftLogNoOpLogHandler() }

    /// Runs loops while something is done, and stops them.
    private func running(
        _ loops: [BackgroundLoop], on clock: OffsetClock = OffsetClock(), _ work: () async throws -> Void
    ) async throws {
        let quiet: Logger = quiet
        let running = Task { await BackgroundLoop.run(loops, on: clock, quiet) }
        defer { running.cancel() }
        try await work()
        running.cancel()
        await running.value
    }

    @Test("a pass that throws is followed by the next, even where it says that it was cancelled") func faults()
        async throws
    {
        let passes = Passes()
        let loop = BackgroundLoop(name: "faulty", every: .milliseconds(1)) {
            switch passes.pass() {
            case 1: throw Passes.Fault()
            case 2: throw CancellationError()
            default: break
            }
        }
        try await running([loop]) {
            try await eventually(within: .seconds(10), "it goes on") { passes.count >= 5 }
        }
    }

    @Test("a pass that leaves more to do is followed at once, and what it throws by a pause") func atOnce()
        async throws
    {
        let passes = Passes()
        let loop = BackgroundLoop(name: "batches") {
            let number: Int = passes.pass()
            if number == 4 { throw Passes.Fault() }
            return number < 6 ? .atOnce : .after(.seconds(3_600))
        }
        try await running([loop]) {
            try await eventually(within: .seconds(10), "all is done") { passes.count == 6 }
        }
        #expect(passes.count == 6)
    }

    @Test("stopping waits for the pass under way, and no other begins") func stops() async throws {
        let passes = Passes()
        let loop = BackgroundLoop(name: "held", every: .zero) { await passes.hold() }
        let quiet: Logger = quiet
        let running = Task { await BackgroundLoop.run([loop], on: OffsetClock(), quiet) }
        try await eventually(within: .seconds(10), "a pass is under way") { passes.isHeld }
        running.cancel()
        #expect(passes.done == 0)
        passes.letGo()
        await running.value
        #expect(passes.count == 1 && passes.done == 1)
    }

    @Test("a pause is broken off by the stop, however long it is") func pausing() async throws {
        let passes = Passes()
        let clock = OffsetClock(system: ticker)
        let loops: [BackgroundLoop] = [
            BackgroundLoop(name: "interval", every: .seconds(3_600)) { passes.pass() },
            BackgroundLoop(name: "due") {
                passes.pass()
                return .due(clock.now.adding(.seconds(3_600)), atMost: .seconds(3_600))
            },
        ]
        try await running(loops, on: clock) {
            try await eventually(within: .seconds(10), "both pause") { passes.count == 2 }
        }
        #expect(passes.count == 2)
    }

    @Test("what is due wakes its loop when the business clock reaches it, and a poke wakes every one that waits for it")
    func wakes() async throws {
        let (due, poked, deaf) = (Passes(), Passes(), Passes())
        let clock = OffsetClock(system: ticker)
        let moment: Instant = clock.now.adding(.seconds(86_400))
        let loops: [BackgroundLoop] = [
            BackgroundLoop(name: "due") {
                due.pass()
                return clock.now < moment ? .due(moment, atMost: .seconds(3_600)) : .after(.seconds(3_600))
            },
            BackgroundLoop(name: "poked") {
                poked.pass()
                return .due(nil, atMost: .seconds(3_600))
            },
            BackgroundLoop(name: "deaf", every: .seconds(3_600)) { deaf.pass() },
        ]
        try await running(loops, on: clock) {
            try await eventually(within: .seconds(10), "each has begun") {
                due.count == 1 && poked.count == 1 && deaf.count == 1
            }
            // A loop may not sleep yet when it is poked: then the next poke wakes it.
            try await eventually(within: .seconds(10), "a poke wakes") {
                clock.poke()
                return poked.count >= 2
            }
            clock.setOffset(.seconds(86_400))
            try await eventually(within: .seconds(10), "its time has come") {
                clock.poke()
                return due.count >= 2
            }
        }
        #expect(deaf.count == 1, "an interval goes by real time")
    }

    @Test("what is due and was not done is looked at again, without turning round and round") func held() async throws {
        let passes = Passes()
        let clock = OffsetClock(system: ticker)
        let loop = BackgroundLoop(name: "held elsewhere") {
            passes.pass()
            return .due(clock.now, atMost: .seconds(3_600))
        }
        let began: ContinuousClock.Instant = .now
        try await running([loop], on: clock) {
            try await eventually(within: .seconds(10), "it is looked at again") { passes.count >= 3 }
        }
        #expect(began.duration(to: .now) >= .milliseconds(20) * (passes.count - 2))
    }

    @Test("a loop that hangs holds up no other") func side() async throws {
        let (stuck, free) = (Passes(), Passes())
        let loops: [BackgroundLoop] = [
            BackgroundLoop(name: "stuck", every: .zero) { await stuck.hold() },
            BackgroundLoop(name: "free", every: .milliseconds(1)) { free.pass() },
        ]
        let quiet: Logger = quiet
        let running = Task { await BackgroundLoop.run(loops, on: OffsetClock(), quiet) }
        try await eventually(within: .seconds(10), "the other goes on") { stuck.isHeld && free.count >= 3 }
        running.cancel()
        stuck.letGo()
        await running.value
    }
}
