import BillingCore
import HTTPKit
import PaymentDomain
import PaymentRecords
import Postgres

/// Answers a request that begins an attempt at a payment: once the payment is settled, or as it stands when the caller wants
/// to wait no longer.
///
/// The attempt's way on does not depend on this caller: a repeat of the request finds the payment.
struct AnswerWhenSettled: Sendable {
    /// How long a caller waits: five seconds who does not say, and none longer than any request may take, or than the
    /// answer is of use to them.
    static let waits = WaitLimits(usual: .seconds(5), longest: .seconds(120))

    let waiters: PaymentWaiters
    let pool: PostgresPool

    /// Answers for a payment that is new: nobody else can settle it before it is stored.
    /// - Parameters:
    ///   - status: Of the answer, once the payment is settled; 202 until then.
    ///   - begin: Stores it, once per key.
    /// - Returns: Where a provider was asked meanwhile, `Server-Timing` says how long it took.
    /// - Throws: What `begin` throws.
    func callAsFunction(
        _ call: Call, new id: PaymentID, _ claim: IdempotencyClaim?, status: Int,
        begin: () async throws -> ProviderIntent<PaymentID>
    ) async throws -> Reply<PaymentResource> {
        let isAnnounced: Bool = waiters.expect(id, claim: claim, status: status)
        defer { if isAnnounced { waiters.forget(id) } }
        switch try await begin() {
        case .replay(let stored): return Reply(replaying: stored)
        case .resumed(let earlier): return try await look(call, earlier, claim, status: status)
        case .stored: return try await wait(call, id, claim, status: status)
        }
    }

    /// Answers for a further attempt at a payment. The end of one before, told a moment late, is not its answer.
    /// - Parameters: As above.
    /// - Throws: What `begin` throws.
    func callAsFunction(
        _ call: Call, further id: PaymentID, _ claim: IdempotencyClaim?, status: Int,
        begin: () async throws -> ProviderIntent<PaymentID>
    ) async throws -> Reply<PaymentResource> {
        switch try await begin() {
        case .replay(let stored): return Reply(replaying: stored)
        case .resumed: return try await look(call, id, claim, status: status)
        case .stored: break
        }
        guard waiters.expect(id, claim: claim, status: status) else {
            return try await look(call, id, claim, status: status)
        }
        defer { waiters.forget(id) }
        let begun: PaymentRecord? = try await pool.transaction(readOnly: true) { db in try PaymentStore.find(id, in: db)
        }
        guard let begun, !begun.status.isSettled else { return try await answer(id, claim, status: status) }
        let reply: Reply<PaymentResource> = try await wait(call, id, from: begun.attempts, claim, status: status)
        // Whoever settled it may have looked for callers before this one was announced.
        if let claim { try await store(reply, under: claim) }
        return reply
    }

    /// Stores an answer for repeats, where nobody has.
    private func store(_ reply: Reply<PaymentResource>, under claim: IdempotencyClaim) async throws {
        let stored: StoredReply = reply.stored
        try await pool.transactionRetrying { db in try IdempotencyStore.complete([(claim, stored)], in: db) }
    }

    /// Waits to be told how it ends.
    private func wait(
        _ call: Call, _ id: PaymentID, from attempt: Int = 0, _ claim: IdempotencyClaim?, status: Int
    ) async throws -> Reply<PaymentResource> {
        let settled: PaymentRecord? = await waiters.wait(id, atMost: patience(call), from: attempt)
        let reply: Reply<PaymentResource>
        if let settled {
            reply = PaymentResource(settled).reply(status)
        } else {
            reply = try await answer(id, claim, status: status)
        }
        return waiters.providerTime(id).map { reply.adding(.providerTime($0)) } ?? reply
    }

    /// Looks now and then whether what an earlier request has begun, or one that somebody else here waits for, has ended.
    private func look(
        _ call: Call, _ id: PaymentID, _ claim: IdempotencyClaim?, status: Int
    ) async throws -> Reply<PaymentResource> {
        try await look(for: id, atMost: patience(call))
        return try await answer(id, claim, status: status)
    }

    /// Half a second is left for storing the answer.
    private func patience(_ call: Call) -> Duration {
        let untilDeadline: Duration = ContinuousClock.now.duration(to: call.deadline) - .milliseconds(500)
        return min(Self.waits.wait(call.preferWait), max(untilDeadline, .zero))
    }

    /// The answer to a request that was taken before: what it got stands, whatever can be paid with by now.
    /// - Throws: ``Problem``: `problem`, where its key is new; nothing is stored under it then.
    func repeated(
        _ claim: IdempotencyClaim?, status: Int, otherwise problem: Problem
    ) async throws -> Reply<PaymentResource> {
        guard let claim else { throw problem }
        let result: ClaimResult = try await pool.transactionRetrying { db in
            let result: ClaimResult = try IdempotencyStore.claim([claim], in: db)[0]
            guard result != .fresh else { throw problem }
            return result
        }
        switch result {
        case .replay(let stored): return Reply(replaying: stored)
        case .open(resourceID: let recorded?):
            return try await answer(PaymentID(unchecked: recorded), claim, status: status)
        default: throw result.problem ?? Problem.idempotencyTwin
        }
    }

    /// The answer as the payment stands; stored for repeats when nobody has stored one.
    func answer(
        _ id: PaymentID, _ claim: IdempotencyClaim?, status: Int
    ) async throws -> Reply<PaymentResource> {
        try await pool.transactionRetrying { db in
            guard let payment: PaymentRecord = try PaymentStore.find(id, in: db) else {
                throw Problem.notFound("payment", id.rawValue)
            }
            let retries: [PaymentID: Instant] = try AttemptStore.retryTimes(of: [payment], in: db)
            let reply: Reply<PaymentResource> = PaymentResource(payment.with(retryAt: retries[id])).reply(status)
            if let claim { try IdempotencyStore.complete([(claim, reply.stored)], in: db) }
            return reply
        }
    }

    /// Looks now and then whether a payment that an earlier request has begun has settled.
    private func look(for id: PaymentID, atMost: Duration) async throws {
        let end: ContinuousClock.Instant = .now + atMost
        while ContinuousClock.now < end, !waiters.isStopping {
            let answered: [PaymentID] = try await pool.transaction(readOnly: true) { db in
                try PaymentStore.answered([id], in: db)
            }
            if !answered.isEmpty { return }
            try await Task.sleep(for: .milliseconds(100))
        }
    }
}

extension HeaderField {
    /// `Server-Timing` (W3C): how long providers took of the time that the answer took, in milliseconds.
    fileprivate static func providerTime(_ duration: Duration) -> HeaderField {
        let (seconds, attoseconds) = duration.components
        let microseconds: Int64 = seconds * 1_000_000 + attoseconds / 1_000_000_000_000
        let rest: Substring = "\(microseconds % 1_000 + 1_000)".dropFirst()
        return HeaderField("Server-Timing", "provider;dur=\(microseconds / 1_000).\(rest)")
    }
}
