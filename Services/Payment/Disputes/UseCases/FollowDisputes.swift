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

    /// One look at everything. What cannot be moved on yet is looked at again later and holds up nothing else.
    package func pass() async throws { try await Looks(looks, pool).pass() }

    /// Each provider is asked by itself: one that does not answer holds up no other.
    package var looks: [Look] {
        let polls: [Look] = providers.disputing.map { provider in
            Look(name: "disputes at \(provider.name)", when: { isWorthAsking(provider) }) { try await poll(provider) }
        }
        return polls + [
            Look(name: "disputes to be read", when: { .exists(DisputeReadingStore.waiting) }) {
                for reading in try await dueReadings() { try await read(reading) }
            },
            Look(name: "responses to disputes", when: { .exists(DisputeResponseStore.waiting) }, pass: handIn),
        ]
    }

    private func isWorthAsking(_ provider: any ProviderDisputes) -> SQL {
        let every: Int64 = provider.disputesPolledEvery.components.seconds
        let isTurn: SQL = DisputeReadingStore.isTurn(of: provider.name, every: every)
        guard let news: News = news[provider.name] else { return isTurn }
        return "\(isTurn) AND (\(news(DisputeReadingStore.cursor(of: provider.name))))"
    }

    @Sendable private func handIn() async throws {
        for id in try await dueResponses() {
            do { try await respond.finish(id) } catch {
                warn("a response to a dispute stays where it is", ["response_id": "\(id)", "error": "\(error)"])
            }
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

    private func dueReadings() async throws -> [DisputeReading] {
        let again: Int = lostSeconds
        return try await pool.transaction { db in
            try DisputeReadingStore.due(again: again, limit: Self.passLimit, in: db)
        }
    }

    private func dueResponses() async throws -> [DisputeResponseID] {
        let again: Int = lostSeconds
        return try await pool.transaction { db in
            try DisputeResponseStore.due(again: again, limit: Self.passLimit, in: db)
        }
    }

    private static func names(_ reading: DisputeReading) -> Logger.Metadata {
        ["provider": "\(reading.provider)", "reference": "\(reading.reference)"]
    }

    private func warn(_ message: Logger.Message, _ metadata: Logger.Metadata) {
        logger.warning(message, metadata: metadata)
    }
}
