import CMalloc
import Synchronization
import Telemetry

/// Gives back the memory that a burst of work has left behind.
///
/// glibc keeps what is freed between blocks that live on, so a daemon that has renewed twenty thousand subscriptions would
/// stay as large as it was then. The allocator's locks are held meanwhile, so it is done in quiet moments only.
package final class SpareMemory: Sendable {
    /// How much larger than at its last rest the process may be: the next burst finds it.
    private static let slack: Double = 16 * 1024 * 1024
    /// The share of a core below which the process rests.
    private static let quiet: Double = 0.1

    private struct State {
        var seconds: Double
        var time: ContinuousClock.Instant = .now
        /// The size at the last rest.
        var resting: Double
    }

    private let processorSeconds: @Sendable () -> Double
    private let state: Mutex<State>

    /// Takes the process as it is now for one at rest.
    /// - Parameter processorSeconds: The processor time used so far.
    package init(processorSeconds: @escaping @Sendable () -> Double = { ProcessUse.processorSeconds }) {
        self.processorSeconds = processorSeconds
        state = Mutex(State(seconds: processorSeconds(), resting: ProcessUse.residentBytes))
    }

    /// Looks every ten seconds, as long as the daemon runs.
    var loop: BackgroundLoop {
        BackgroundLoop(name: "give spare memory back", every: .seconds(10)) { self.giveBack() }
    }

    /// Gives back what is spare, if the process has been at rest since the last look and is larger than it was then.
    package func giveBack() {
        let seconds: Double = processorSeconds()
        let now: ContinuousClock.Instant = .now
        state.withLock { state in
            let share: Double = (seconds - state.seconds) / ((now - state.time) / .seconds(1))
            state.seconds = seconds
            state.time = now
            guard share < Self.quiet, ProcessUse.residentBytes > state.resting + Self.slack else { return }
            malloc_trim(0)
            state.resting = ProcessUse.residentBytes
        }
    }
}
