public import BillingCore
package import JSON
import Logging
import Synchronization

/// Moves the time of all services and waits until all work due by then is done.
///
/// Time goes from one due moment to the next, never over one: at each it waits until the whole system is at rest, so a
/// year of billing runs in the order it would have. At rest means: every published event is handled by every consumer of
/// its type, no outbox waits, nothing is in flight and nothing is due.
///
/// Events are counted only once nothing else is to be done, and between two looks that show the same: what was published
/// when the counts were taken is then all that there is (``RestReport``). Where nothing was published since they were equal
/// the last time, they still are.
public final class TestClockCoordinator: Sendable {
    /// Where an advance stands.
    public enum Status: Sendable, Equatable {
        case idle
        case advancing(to: Instant)
        case failed(String)
    }

    /// Why a time cannot be gone to.
    public enum Failure: Error, Equatable, Sendable {
        /// The clock only goes forward.
        case past(now: Instant)
        /// Another advance is under way.
        case busy
    }

    /// How long the system may take to come to rest at one moment.
    static let restLimit: Duration = .seconds(120)

    private let parts: ServiceParts
    private let nextDue: @Sendable (Instant) async throws -> Instant?
    private let state = Mutex<Status>(.idle)

    /// - Parameter nextDue: The earliest time up to the given one at which this service has something to do.
    public init(_ parts: ServiceParts, nextDue: @escaping @Sendable (_ upTo: Instant) async throws -> Instant?) {
        self.parts = parts
        self.nextDue = nextDue
    }

    /// Where the last advance stands.
    public var status: Status { state.withLock { $0 } }

    /// Goes to a time; returns when all is done.
    /// - Throws: ``Failure``, or what kept the system from coming to rest.
    public func advance(to target: Instant) async throws {
        let now: Instant = parts.clock.now
        guard target > now else { throw Failure.past(now: now) }
        try state.withLock { status in
            if case .advancing = status { throw Failure.busy }
            status = .advancing(to: target)
        }
        do {
            try await run(to: target)
            state.withLock { $0 = .idle }
        } catch {
            state.withLock { $0 = .failed("\(error)") }
            throw error
        }
    }

    private func run(to target: Instant) async throws {
        var handled: [RestReport]?
        try await rest(&handled)
        while let due: Instant = try await nextDue(target) {
            try Task.checkCancellation()
            if due > parts.clock.now { try await setClocks(to: due) }
            try await rest(&handled)
        }
        try await setClocks(to: target)
        try await rest(&handled)
    }

    /// Moves every service's clock; only forward.
    private func setClocks(to instant: Instant) async throws {
        guard instant > parts.clock.now else { return }
        for service in parts.peers.urls.keys.sorted() {
            try await setClock(of: service, to: instant)
        }
        parts.clock.poke()
    }

    /// Asks again while the service is away: setting a clock twice is setting it once.
    private func setClock(of service: String, to instant: Instant) async throws {
        let end: ContinuousClock.Instant = .now + Self.restLimit
        while true {
            do {
                _ = try await parts.peers.put(service, "/internal/test_clock", "{\"now\":\"\(instant.rfc3339)\"}")
                return
            } catch {
                guard ContinuousClock.now < end else { throw error }
                try await Task.sleep(for: .milliseconds(200))
            }
        }
    }

    /// Waits until the system is at rest.
    /// - Parameter handled: A state in which all was handled, if one is known; the one that is found.
    private func rest(_ handled: inout [RestReport]?) async throws {
        let end: ContinuousClock.Instant = .now + Self.restLimit
        var unrest: [String] = []
        var pause: Duration = .milliseconds(2)
        while true {
            let began: ContinuousClock.Instant = .now
            let look: [RestReport]? = try await lookAround()
            let cost: Duration = .now - began
            unrest = look?.flatMap(\.unrest) ?? ["work is due, or a service does not answer"]
            if let look, unrest.isEmpty {
                if look != handled { unrest = try await unhandled() }
                if unrest.isEmpty, try await lookAround() == look {
                    handled = look
                    return
                }
            }
            guard ContinuousClock.now < end else {
                throw PeerClient.Failure(description: "the services did not come to rest: \(unrest)")
            }
            // Looking must not take from the work it waits for.
            try await Task.sleep(for: max(pause, cost * 4))
            pause = min(pause * 2, .milliseconds(50))
        }
    }

    /// Every service's state; `nil` while work is due here or a service cannot be asked.
    private func lookAround() async throws -> [RestReport]? {
        try await asking { coordinator in
            let look: [RestReport] = try await coordinator.reports("/internal/rest").compactMap(RestReport.init)
            guard look.count == coordinator.parts.peers.urls.count else { return nil }
            return try await coordinator.nextDue(coordinator.parts.clock.now) == nil ? look : nil
        }
    }

    /// What keeps the system from being at rest by the counts of all events.
    private func unhandled() async throws -> [String] {
        try await asking { Self.unrest(try await $0.reports("/internal/progress")) } ?? ["a service does not answer"]
    }

    /// The answer to a question to all services; `nil` while one cannot be asked.
    private func asking<Answer>(_ question: (TestClockCoordinator) async throws -> Answer?) async throws -> Answer? {
        do {
            return try await question(self)
        } catch {
            try Task.checkCancellation()
            parts.logger.debug("a service cannot be asked yet", metadata: ["error": "\(error)"])
            return nil
        }
    }

    private func reports(_ path: String) async throws -> [JSONValue] {
        let peers: PeerClient = parts.peers
        return try await withThrowingTaskGroup(of: (String, JSONValue).self) { group in
            for service in peers.urls.keys {
                group.addTask { (service, try await peers.get(service, path)) }
            }
            var found: [(String, JSONValue)] = []
            for try await report in group { found.append(report) }
            return found.sorted { $0.0 < $1.0 }.map(\.1)
        }
    }

    /// What keeps the system from being at rest, for the error.
    package static func unrest(_ reports: [JSONValue]) -> [String] {
        var published: [String: Int64] = [:]
        var unrest: [String] = []
        for report in reports {
            let service: String = report["service"]?.stringValue ?? "?"
            for (type, count) in counts(report["published"]) { published[type, default: 0] += count }
            for waiting in ["outbox", "retries"] where (report["backlog"]?[waiting]?.intValue ?? 0) > 0 {
                unrest.append("\(service) has \(waiting) waiting")
            }
            if (report["in_flight"]?.intValue ?? 0) > 0 { unrest.append("\(service) has work in flight") }
        }
        for report in reports {
            let handled: [String: Int64] = counts(report["handled"])
            guard case .array(let types)? = report["handles"] else { continue }
            for type in types.compactMap(\.stringValue) where handled[type, default: 0] != published[type, default: 0] {
                unrest.append("\(report["service"]?.stringValue ?? "?") has not handled all \(type)")
            }
        }
        return unrest
    }

    private static func counts(_ value: JSONValue?) -> [String: Int64] {
        guard case .object(let members)? = value else { return [:] }
        var counts: [String: Int64] = [:]
        for member in members { counts[member.name] = member.value["count"]?.intValue ?? 0 }
        return counts
    }
}
