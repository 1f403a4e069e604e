import Glibc
import ServiceKit
import Synchronization
import TestKit
import Testing

@Suite("The signal to stop", .serialized) struct StopSignalTests {
    /// A task that waits for the signal.
    private final class Waiter: Sendable {
        private let begun = Atomic<Bool>(false)
        private let ended = Atomic<Bool>(false)

        var hasBegun: Bool { begun.load(ordering: .acquiring) }
        var hasEnded: Bool { ended.load(ordering: .acquiring) }

        func wait(for stop: StopSignal) async {
            begun.store(true, ordering: .releasing)
            await stop.wait()
            ended.store(true, ordering: .releasing)
        }
    }

    /// Gives the signals back to the process afterwards.
    private func withStopSignal(_ body: (StopSignal) async throws -> Void) async throws {
        let stop = StopSignal()
        defer { for number in [SIGTERM, SIGINT] { signal(number, SIG_DFL) } }
        try await body(stop)
    }

    @Test("a wait ends when the process is asked to stop, and not before", arguments: [SIGTERM, SIGINT])
    func asked(number: Int32) async throws {
        try await withStopSignal { stop in
            let waiter = Waiter()
            Task { await waiter.wait(for: stop) }
            try await eventually(within: .seconds(10), "it waits") { waiter.hasBegun }
            #expect(!waiter.hasEnded)
            // To the process: worker threads take no signals.
            #expect(kill(getpid(), number) == 0)
            try await eventually(within: .seconds(10), "the wait ends") { waiter.hasEnded }
        }
    }

    @Test("a wait ends when its task is cancelled, so that a service of which a part fails does not stay")
    func cancelled() async throws {
        try await withStopSignal { stop in
            let (early, late) = (Waiter(), Waiter())
            let first = Task { await early.wait(for: stop) }
            first.cancel()
            try await eventually(within: .seconds(10), "the first wait ends") { early.hasEnded }
            let second = Task { await late.wait(for: stop) }
            try await eventually(within: .seconds(10), "the second waits") { late.hasBegun }
            second.cancel()
            try await eventually(within: .seconds(10), "the second wait ends") { late.hasEnded }
        }
    }
}
