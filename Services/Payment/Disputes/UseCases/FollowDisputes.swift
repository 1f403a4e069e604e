import BillingCore
import Logging
import PaymentContract
package import Postgres
package import ServiceKit

/// Keeps up with disputes: asks providers what has changed, reads what they tell of, and hands in responses.
///
/// Goes by real time. Several instances share the work by row locks.
package struct FollowDisputes: Sendable {
    /// A condition: whether a provider whose books are in this database has anything to tell beyond a cursor, or to do.
    package typealias News = @Sendable (_ cursor: SQL) -> SQL

    /// Rows taken in one pass.
    static let passLimit = 100
    /// Pages of news taken from one provider in one pass.
    static let pageLimit = 10
    /// The longest wait before a dispute is read again that could not be read or booked.
    static let longestWaitSeconds = 3_600
    /// From this try on, after some minutes, a person has to look at a dispute of a charge that is not known here: until then
    /// the charge's own outcome may not be recorded yet.
    static let triesBeforeAlarm = 6

    let providers: PaymentProviders
    let pool: PostgresPool
    let clock: any WallClock
    let respond: RespondToDispute
    /// A provider call without an outcome is repeated after this.
    let lostSeconds: Int
    /// By provider. Any other is asked whenever it is its turn.
    let news: [String: News]
    let logger: Logger

    /// What is to be read from one provider, or handed in there.
    private struct Queue: Sendable {
        let name: String
        /// A condition on `provider`.
        let whose: SQL
        /// For so long nobody else gets what was taken of it, in seconds: no shorter than a call takes.
        let lease: Int
    }

    /// One look at everything. What cannot be moved on yet is looked at again later and holds up nothing else.
    package func pass() async throws { try await Looks(looks, pool).pass() }

    /// Each provider is asked by itself, what has changed, for a dispute and for a response: one that does not answer holds up
    /// no other.
    package var looks: [Look] {
        let polls: [Look] = providers.disputing.map { provider in
            Look(name: "disputes at \(provider.name)", when: { isWorthAsking(provider) }) { try await poll(provider) }
        }
        let readings: [Look] = queues.map { queue in
            Look(
                name: "disputes to be read: \(queue.name)",
                when: { .exists(DisputeReadingStore.waiting(queue.whose)) }
            ) { try await read(queue) }
        }
        let responses: [Look] = queues.map { queue in
            Look(
                name: "responses to disputes: \(queue.name)",
                when: { .exists(DisputeResponseStore.waiting(queue.whose)) }
            ) { try await handIn(queue) }
        }
        return polls + readings + responses
    }

    /// Each provider's, and those of providers that are not configured any more.
    private var queues: [Queue] {
        let disputing: [any ProviderDisputes] = providers.disputing
        let names: [String] = disputing.map(\.name)
        var queues: [Queue] = disputing.map { provider in
            let longestCall: Int = Int(provider.longestDisputeCall.components.seconds)
            return Queue(
                name: provider.name, whose: "provider = \(provider.name)", lease: max(lostSeconds, longestCall))
        }
        queues.append(Queue(name: "others", whose: "provider <> ALL(\(names)::text[])", lease: lostSeconds))
        return queues
    }

    private func isWorthAsking(_ provider: any ProviderDisputes) -> SQL {
        let every: Int64 = provider.disputesPolledEvery.components.seconds
        let isTurn: SQL = DisputeReadingStore.isTurn(of: provider.name, every: every)
        guard let news: News = news[provider.name] else { return isTurn }
        return "\(isTurn) AND (\(news(DisputeReadingStore.cursor(of: provider.name))))"
    }

    /// Each is taken when its turn comes: until then another instance can take it.
    private func handIn(_ queue: Queue) async throws {
        let again: Int = lostSeconds
        let due: [DisputeResponseID] = try await pool.transaction(readOnly: true) { db in
            try DisputeResponseStore.due(queue.whose, limit: Self.passLimit, in: db)
        }
        for id in due {
            let now: Instant = clock.now
            let isTaken: Bool = try await pool.transaction { db in
                try DisputeResponseStore.take(id, for: queue.lease, again: again, at: now, in: db)
            }
            guard isTaken else { continue }
            do { try await respond.finish(id) } catch {
                warn("a response to a dispute stays where it is", ["response_id": "\(id)", "error": "\(error)"])
                let failedAt: Instant = clock.now
                try await pool.transaction { db in
                    try DisputeResponseStore.failed(id, again: again, at: failedAt, in: db)
                }
            }
        }
    }

    /// Each is taken when its turn comes: until then another instance can take it.
    private func read(_ queue: Queue) async throws {
        let due: [(provider: String, reference: String)] = try await pool.transaction(readOnly: true) { db in
            try DisputeReadingStore.due(queue.whose, limit: Self.passLimit, in: db)
        }
        for (provider, reference) in due {
            let taken: DisputeReading? = try await pool.transaction { db in
                try DisputeReadingStore.take(reference, at: provider, for: queue.lease, in: db)
            }
            if let taken { try await read(taken) }
        }
    }

    /// The cursor is moved in the transaction that stores what is to be read: a crash loses neither.
    private func poll(_ provider: any ProviderDisputes) async throws {
        let name: String = provider.name
        let every: Int64 = provider.disputesPolledEvery.components.seconds
        let turn: PollTurn? = try await pool.transaction { db in
            try DisputeReadingStore.turn(of: name, every: every, in: db)
        }
        guard let turn else { return }
        var cursor: String? = turn.cursor
        for _ in 0..<Self.pageLimit {
            let news: ChangedDisputes
            do { news = try await provider.changedDisputes(since: cursor) } catch {
                return warn("a provider does not tell of disputes", ["provider": "\(name)", "error": "\(error)"])
            }
            let old: String? = cursor
            if news.cursor != old || !news.references.isEmpty {
                try await pool.transactionRetrying { db in
                    try DisputeReadingStore.note(news.references, at: name, in: db)
                    try DisputeReadingStore.move(name, from: old, to: news.cursor, in: db)
                }
            }
            guard news.hasMore, news.cursor != old else { return }
            cursor = news.cursor
        }
    }

    private func read(_ reading: DisputeReading) async throws {
        let now: Instant = clock.now
        do {
            guard let told = try await providers.disputing(reading.provider).readDispute(reading.reference) else {
                let fault = ProviderFault.unusable("the provider does not know it")
                ProviderAlarms.shared.note(fault, of: reading.provider, on: .dispute)
                throw fault
            }
            try await pool.transactionRetrying { db in
                try RecordDispute.record(told, from: reading.provider, at: now, in: db)
                try DisputeReadingStore.done(reading, in: db)
            }
        } catch RecordDispute.Refusal.notOurs {
            warn("a dispute of a charge that was not made here", Self.names(reading))
            try await pool.transaction { db in try DisputeReadingStore.done(reading, in: db) }
        } catch {
            warn("a dispute is not booked yet", Self.names(reading).merging(["error": "\(error)"]) { $1 })
            if let refusal = error as? RecordDispute.Refusal, Self.isAlarming(refusal, after: reading.tries) {
                refusal.alarm(about: reading.reference, at: reading.provider)
            }
            let wait: Int = min(lostSeconds << min(reading.tries, 12), Self.longestWaitSeconds)
            try await pool.transaction { db in
                try DisputeReadingStore.failed(reading, "\(error)", again: wait, in: db)
            }
        }
    }

    private static func isAlarming(_ refusal: RecordDispute.Refusal, after tries: Int) -> Bool {
        switch refusal {
        case .contradiction: true
        case .unknownPayment, .anotherCharge: tries >= triesBeforeAlarm
        case .notOurs: false
        }
    }

    private static func names(_ reading: DisputeReading) -> Logger.Metadata {
        ["provider": "\(reading.provider)", "reference": "\(reading.reference)"]
    }

    private func warn(_ message: Logger.Message, _ metadata: Logger.Metadata) {
        logger.warning(message, metadata: metadata)
    }
}
