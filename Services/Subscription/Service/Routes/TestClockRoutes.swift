import BillingCore
import HTTPKit
import JSON
import Logging
import Postgres
import ServiceKit

/// What `POST /v1/test_clock/advance` takes.
struct AdvanceInput: JSONInput {
    let to: Instant

    init(_ f: inout InputFields) {
        to = f.instant("to", doc: "The time to go to; everything due by then is done on the way")
    }
}

/// The sandbox's clock as the API shows it.
struct TestClockView: JSONOutput {
    let now: Instant
    let to: Instant?
    let status: String
    var failure: String?

    func write(to o: inout ObjectWriter) {
        o.field("object", "test_clock", doc: "Always `test_clock`")
        o.field("now", now, doc: "The business time of all services")
        o.field("to", to, doc: "Where the clock is going, or was asked to go")
        o.field("status", status, doc: "`done`, `advancing` or `failed`")
        o.field("failure", failure, doc: "What kept the services from coming to rest")
    }

    static var sample: TestClockView { TestClockView(now: .sample, to: .sample, status: "done") }
}

/// `/v1/test_clock`, in the sandbox only.
struct TestClockRoutes: Sendable {
    /// How long a caller waits who says nothing, and at most; no request waits longer.
    static let waits = WaitLimits(usual: .seconds(60), longest: .seconds(120))

    let pool: PostgresPool
    let clock: any ServiceClock
    let coordinator: TestClockCoordinator
    let logger: Logger

    var endpoints: [Endpoint] {
        [
            .task(
                .post, "/v1/test_clock/advance", scope: "test_clock:write",
                summary: "Move the time of all services; answers when all work due by then is done",
                body: AdvanceInput.self, answers: TestClockView.self, statuses: [200, 202], waits: Self.waits,
                timeout: Self.waits.longest + .seconds(10), problems: ["409 test_clock_busy", "422 invalid_request"],
                post
            ),
            .read(
                "/v1/test_clock", scope: "test_clock:read", summary: "Where the clock stands",
                answers: TestClockView.self, get),
        ]
    }

    @Sendable func get(_ db: borrowing PostgresTransaction, _ call: Call) throws -> TestClockView {
        view(coordinator.status, to: nil)
    }

    @Sendable func post(_ call: Call, _ input: AdvanceInput) async throws -> Reply<TestClockView> {
        if let stored = try await begin(call, input) { return Reply(replaying: stored) }
        let work = Task { try await advance(to: input.to) }
        let wait: Duration = Self.waits.wait(call.preferWait)
        let isDone: Bool = try await finishes(work, within: wait)
        let status: TestClockCoordinator.Status = isDone ? .idle : .advancing(to: input.to)
        let reply = Reply(status: isDone ? 200 : 202, view(status, to: input.to))
        if let claim = call.claim() {
            try await pool.transactionRetrying(deadline: call.deadline) { (db: borrowing PostgresTransaction) in
                try IdempotencyStore.complete([(claim, reply.stored)], in: db)
            }
        }
        return reply
    }

    /// Claims the key; a time that cannot be gone to leaves it free.
    /// - Returns: The answer given before, when there is one.
    private func begin(_ call: Call, _ input: AdvanceInput) async throws -> StoredReply? {
        let (clock, coordinator) = (clock, coordinator)
        return try await pool.transactionRetrying(deadline: call.deadline) {
            (db: borrowing PostgresTransaction) -> StoredReply? in
            var isOpen: Bool = false
            if let claim = call.claim(), let result: ClaimResult = try IdempotencyStore.claim([claim], in: db).first {
                if let problem: Problem = result.problem { throw problem }
                if case .replay(let stored) = result { return stored }
                if case .open = result { isOpen = true }
            }
            guard isOpen || input.to > clock.now else {
                throw Problem.invalid("to", code: "out_of_range", "the clock only goes forward; it is \(clock.now) now")
            }
            if case .advancing(let to) = coordinator.status, to != input.to { throw Self.busy(to) }
            return nil
        }
    }

    /// Goes there; a time reached before, by a request that died, only needs its rest.
    private func advance(to target: Instant) async throws {
        guard target > clock.now else { return }
        do {
            try await coordinator.advance(to: target)
        } catch TestClockCoordinator.Failure.past {
            return
        } catch {
            logger.error("the test clock did not arrive", metadata: ["to": "\(target)", "error": "\(error)"])
            throw error
        }
    }

    /// Waits for work that goes on even when nobody waits any more.
    private func finishes(_ work: Task<Void, any Error>, within limit: Duration) async throws -> Bool {
        let (ends, end) = AsyncThrowingStream<Bool, any Error>.makeStream()
        // Not of one group: that would wait for the work however short the caller's patience.
        Task {
            do {
                try await work.value
                end.yield(true)
            } catch TestClockCoordinator.Failure.busy {
                end.yield(false)
            } catch {
                end.finish(throwing: error)
            }
        }
        let patience = Task {
            try await Task.sleep(for: limit)
            end.yield(false)
        }
        defer { patience.cancel() }
        for try await isDone in ends { return isDone }
        return false
    }

    private func view(_ status: TestClockCoordinator.Status, to: Instant?) -> TestClockView {
        switch status {
        case .idle: TestClockView(now: clock.now, to: to, status: "done")
        case .advancing(let target): TestClockView(now: clock.now, to: target, status: "advancing")
        case .failed(let failure): TestClockView(now: clock.now, to: to, status: "failed", failure: failure)
        }
    }

    private static func busy(_ to: Instant) -> Problem {
        .conflict("test_clock_busy", "The clock is on its way to \(to).")
    }
}
