public import BillingCore
package import Logging

/// Work that goes on as long as the daemon: a pass, a pause, the next pass. A pass that throws is followed by another one
/// after a pause, and the daemon's stop cancels the pass under way and waits for its end.
public struct BackgroundLoop: Sendable {
    /// When the next pass begins.
    public enum Next: Sendable, Equatable {
        /// There is more to do.
        case atOnce
        /// By real time.
        case after(Duration)
        /// At a business time, or when the business clock is poked or jumps; `atMost` of real time later in any case. What is
        /// due already is held by another instance: it is looked at again a moment later.
        case due(Instant?, atMost: Duration)
    }

    /// The pause after a pass that threw, where the loop has no interval.
    private static let afterFault: Duration = .milliseconds(500)
    private static let moment: Duration = .milliseconds(20)

    /// For logs.
    public let name: String
    private let afterFault: Duration
    private let pass: @Sendable () async throws -> Next

    /// Declares a loop whose passes say when the next one begins.
    public init(name: String, pass: @escaping @Sendable () async throws -> Next) {
        self.init(name: name, afterFault: Self.afterFault, pass: pass)
    }

    /// Declares a loop of passes with the same pause after each, whether it threw or not.
    public init(name: String, every interval: Duration, pass: @escaping @Sendable () async throws -> Void) {
        self.init(name: name, afterFault: interval) {
            try await pass()
            return .after(interval)
        }
    }

    /// Declares a loop whose passes say when the next one begins, with a pause of its own after one that threw.
    init(name: String, afterFault: Duration, pass: @escaping @Sendable () async throws -> Next) {
        self.name = name
        self.afterFault = afterFault
        self.pass = pass
    }

    /// Runs until cancelled.
    private func run(on clock: any ServiceClock, _ logger: Logger) async {
        while !Task.isCancelled {
            var next: Next = .after(afterFault)
            do { next = try await pass() } catch {
                // What is thrown while the daemon stops says only that it stops.
                if Task.isCancelled { return }
                logger.warning("a loop goes on after a fault", metadata: ["loop": "\(name)", "error": "\(error)"])
            }
            switch next {
            case .atOnce: continue
            case .after(let pause): try? await Task.sleep(for: pause)
            case .due(let due, let atMost):
                let now: Instant = clock.now
                let wake: Instant = due.map { $0 <= now ? now.adding(Self.moment) : $0 } ?? now.adding(atMost)
                await clock.sleep(until: wake, atMost: atMost)
            }
        }
    }

    /// Runs loops side by side until cancelled; none holds up another.
    /// - Parameter clock: The business clock, which wakes those that wait for it.
    package static func run(_ loops: [BackgroundLoop], on clock: any ServiceClock, _ logger: Logger) async {
        await withTaskGroup(of: Void.self) { group in
            for loop in loops { group.addTask { await loop.run(on: clock, logger) } }
        }
    }
}
