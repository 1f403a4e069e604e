package import PaymentRecords
package import BillingCore
package import HTTPKit
package import Postgres
import Synchronization

/// The callers of this process who wait for a payment to settle, with the idempotency claims whose answers they owe.
///
/// Whoever settles a payment stores the answer in the same transaction and hands the caller the payment after it. A caller
/// of another instance is not here: its instance looks into the database now and then, for all its callers at once. The first
/// look at a payment comes when this process has had the time to settle it, so that its own callers cost none unless their
/// provider takes longer.
package final class PaymentWaiters: Sendable {
    private typealias Waiting = CheckedContinuation<PaymentRecord?, Never>

    private struct Caller {
        let claim: IdempotencyClaim?
        /// What the answer's status is once the payment is settled.
        let status: Int
        var settled: PaymentRecord?
        /// The first attempt whose end is told.
        var from: Int = 0
        /// How long providers took over the payment's charges.
        var providers: Duration?
        var waiting: Waiting?
        /// When the patience of one who waits is over.
        var end: ContinuousClock.Instant = .now
        /// When it is looked whether somebody else has settled the payment, and how long after the look before.
        var lookAt: ContinuousClock.Instant = .now
        var slice: Duration = PaymentWaiters.firstSlice

        mutating func waits(
            _ continuation: Waiting, from now: ContinuousClock.Instant, until end: ContinuousClock.Instant
        ) {
            waiting = continuation
            self.end = end
            lookAt = now + slice
        }

        mutating func noteLook(at now: ContinuousClock.Instant) {
            slice = min(slice * 2, PaymentWaiters.longestSlice)
            lookAt = now + slice
        }
    }

    private struct State {
        var callers: [PaymentID: Caller] = [:]
        /// When timers ring: one of them no later than the first caller's end. One serves all who end after it, as most
        /// callers are answered long before.
        var alarms: Set<ContinuousClock.Instant> = []
        /// Nobody waits any more.
        var isStopping = false
        /// Whether the database is looked into now and then.
        var isLooking = false

        /// Those who wait and whose time to look has come; `nil` when nobody waits, and no more is looked.
        mutating func due(at now: ContinuousClock.Instant) -> [PaymentID]? {
            var due: [PaymentID] = []
            isLooking = false
            for (id, caller) in callers where caller.waiting != nil {
                isLooking = true
                if caller.lookAt <= now { due.append(id) }
            }
            for id in due { callers[id]?.noteLook(at: now) }
            return isLooking ? due : nil
        }

        /// Sets a timer, unless one rings by then.
        mutating func sets(_ time: ContinuousClock.Instant) -> Bool {
            guard alarms.allSatisfy({ $0 > time }) else { return false }
            alarms.insert(time)
            return true
        }
    }

    /// Which of some payments are settled, whoever has done it.
    package typealias Look = @Sendable ([PaymentID]) async throws -> [PaymentID]

    /// How long a caller waits before the first look, and how often it is seen to whose turn it is.
    private static let firstSlice: Duration = .milliseconds(50)
    private static let longestSlice: Duration = .milliseconds(250)

    private let state = Mutex(State())
    private let timer: Timer
    private let look: Look?

    /// Nobody waits yet.
    /// - Parameter look: Asked about payments of callers who have waited for a while, of all of them at once; `nil` where no
    ///   other process settles any.
    package init(timer: Timer = Timer(), look: Look? = nil) {
        self.timer = timer
        self.look = look
    }

    /// Real time; tests turn it by hand.
    package struct Timer: Sendable {
        let now: @Sendable () -> ContinuousClock.Instant
        let sleep: @Sendable (ContinuousClock.Instant) async -> Void

        package init(
            now: @escaping @Sendable () -> ContinuousClock.Instant = { .now },
            sleep: @escaping @Sendable (ContinuousClock.Instant) async -> Void = {
                try? await Task.sleep(until: $0, clock: .continuous)
            }
        ) {
            self.now = now
            self.sleep = sleep
        }
    }

    /// How many wait now.
    package var waiting: Int { state.withLock { $0.callers.values.count { $0.waiting != nil } } }

    /// Announces a caller before the payment can settle; end with ``forget(_:)``.
    /// - Parameter status: Of the answer, once the payment is settled.
    /// - Returns: `false` where another caller has been announced: then this one has not, and looks for itself.
    package func expect(_ id: PaymentID, claim: IdempotencyClaim?, status: Int = 201) -> Bool {
        state.withLock { state in
            guard state.callers[id] == nil else { return false }
            state.callers[id] = Caller(claim: claim, status: status)
            return true
        }
    }

    /// The answer that a caller here is owed for a settled payment; `nil` when nobody waits for it.
    private func owed(_ payment: PaymentRecord) -> (claim: IdempotencyClaim, reply: StoredReply)? {
        guard let caller: Caller = state.withLock({ $0.callers[payment.id] }), let claim = caller.claim else {
            return nil
        }
        return (claim, PaymentResource(payment).reply(caller.status).stored)
    }

    /// Notes how long a provider took over a charge of a payment that somebody may wait for.
    package func took(_ duration: Duration, over id: PaymentID) {
        state.withLock { state in
            guard let caller: Caller = state.callers[id] else { return }
            state.callers[id]?.providers = (caller.providers ?? .zero) + duration
        }
    }

    /// How long providers took over the charges of a payment that somebody here waits for; `nil` when none was asked.
    package func providerTime(_ id: PaymentID) -> Duration? { state.withLock { $0.callers[id]?.providers } }

    /// Hands settled payments to their callers.
    package func settled(_ payments: [PaymentRecord]) {
        let woken: [(Waiting, PaymentRecord)] = state.withLock { state in
            payments.compactMap { payment in
                guard let caller: Caller = state.callers[payment.id], payment.attempts >= caller.from else {
                    return nil
                }
                state.callers[payment.id]?.settled = payment
                return state.callers[payment.id]?.waiting.take().map { ($0, payment) }
            }
        }
        for (waiting, payment) in woken { waiting.resume(returning: payment) }
    }

    /// Ends the announcement of a caller.
    package func forget(_ id: PaymentID) {
        state.withLock { $0.callers.removeValue(forKey: id)?.waiting }?.resume(returning: nil)
    }

    /// Whether the process is about to end, see ``stop()``.
    package var isStopping: Bool { state.withLock { $0.isStopping } }

    /// Ends all waits, and those to come, as if their time were over: the process is about to end.
    package func stop() {
        let over: [Waiting] = state.withLock { state in
            state.isStopping = true
            let ids: [PaymentID] = Array(state.callers.keys)
            return ids.compactMap { state.callers[$0]?.waiting.take() }
        }
        for waiting in over { waiting.resume(returning: nil) }
    }

    /// Waits until the payment is settled.
    /// - Parameter attempt: Ends of earlier ones are not told.
    /// - Returns: `nil` when another process has settled it, the time passed first, or the process is about to end: then
    ///   the caller looks for itself.
    package func wait(_ id: PaymentID, atMost: Duration, from attempt: Int = 0) async -> PaymentRecord? {
        let now: ContinuousClock.Instant = timer.now()
        let end: ContinuousClock.Instant = now + atMost
        return await withTaskCancellationHandler {
            await withCheckedContinuation { (continuation: Waiting) in
                var (needsTimer, needsLooks) = (false, false)
                let known: PaymentRecord?? = state.withLock { state in
                    guard let caller: Caller = state.callers[id], !Task.isCancelled else { return .some(nil) }
                    if let settled: PaymentRecord = caller.settled, settled.attempts >= attempt {
                        return .some(settled)
                    }
                    state.callers[id]?.from = attempt
                    if state.isStopping { return .some(nil) }
                    state.callers[id]?.waits(continuation, from: now, until: end)
                    needsTimer = state.sets(end)
                    needsLooks = look != nil && atMost > Self.firstSlice && !state.isLooking
                    if needsLooks { state.isLooking = true }
                    return nil
                }
                if let known { return continuation.resume(returning: known) }
                if needsTimer { ring(at: end) }
                if needsLooks { keepLooking() }
            }
        } onCancel: {
            state.withLock { $0.callers[id]?.waiting.take() }?.resume(returning: nil)
        }
    }

    /// Looks, as long as somebody waits, for payments that others have settled, and ends the waits for them.
    private func keepLooking() {
        guard let look else { return }
        Task { [self] in
            while true {
                await timer.sleep(timer.now() + Self.firstSlice)
                let now: ContinuousClock.Instant = timer.now()
                guard let due: [PaymentID] = state.withLock({ $0.due(at: now) }) else { return }
                // What a look does not find, or cannot ask for, the next one does.
                guard !due.isEmpty, let settled: [PaymentID] = try? await look(due) else { continue }
                let woken: [Waiting] = state.withLock { state in
                    settled.compactMap { state.callers[$0]?.waiting.take() }
                }
                for waiting in woken { waiting.resume(returning: nil) }
            }
        }
    }

    /// Ends the waits whose time is over, then and whenever the next one's is.
    private func ring(at time: ContinuousClock.Instant) {
        Task { [self] in
            await timer.sleep(time)
            let now: ContinuousClock.Instant = timer.now()
            let (over, next): ([Waiting], ContinuousClock.Instant?) = state.withLock { state in
                state.alarms.remove(time)
                let over: [PaymentID] = state.callers.filter { $1.waiting != nil && $1.end <= now }.map(\.key)
                let waiting: [Waiting] = over.compactMap { state.callers[$0]?.waiting.take() }
                let next: ContinuousClock.Instant? = state.callers.values.filter { $0.waiting != nil }.map(\.end).min()
                return (waiting, next.flatMap { state.sets($0) ? $0 : nil })
            }
            for waiting in over { waiting.resume(returning: nil) }
            if let next { ring(at: next) }
        }
    }
}

extension PaymentWaiters {
    /// Callers who hear also of what other instances over the same database settle.
    package convenience init(pool: PostgresPool) {
        self.init { payments in
            try await pool.transaction(readOnly: true) { db in try PaymentStore.answered(payments, in: db) }
        }
    }

    /// Stores the answers that callers are owed for settled payments, in the transaction that settles them, and hands
    /// them over after it.
    /// - Parameter retries: Before when the networks of failed ones' cards want no other attempt, where they have said.
    func answer(
        _ payments: [PaymentRecord], retries: [PaymentID: Instant] = [:], in db: borrowing PostgresTransaction
    ) throws {
        let told: [PaymentRecord] = payments.map { $0.with(retryAt: retries[$0.id]) }
        try IdempotencyStore.complete(told.compactMap(owed), in: db)
        db.onCommit { self.settled(told) }
    }
}
