import BillingCore
import Messaging
import Postgres
import SubscriptionDomain

/// Locked subscriptions that a batch of events changes in memory and stores at once.
struct SubscriptionBatch {
    private var subscriptions: [SubscriptionID: Subscription]
    private var changed: [SubscriptionID] = []

    /// Locks the subscriptions that events speak of.
    static func lock(_ ids: [SubscriptionID], in db: borrowing PostgresTransaction) throws -> SubscriptionBatch {
        SubscriptionBatch(try SubscriptionStore.lock(ids, in: db))
    }

    /// Takes over locked subscriptions.
    init(_ locked: [Subscription]) {
        subscriptions = Dictionary(locked.map { ($0.id, $0) }, uniquingKeysWith: { first, _ in first })
    }

    /// The locked subscriptions' ids.
    var ids: [SubscriptionID] { Array(subscriptions.keys) }

    /// Changes one subscription in memory.
    /// - Throws: ``Refusal/park(reason:)`` when there is no such subscription.
    mutating func change<R>(_ id: SubscriptionID, _ body: (inout Subscription) throws -> R) throws -> R {
        guard var subscription: Subscription = subscriptions[id] else {
            throw Refusal.park(reason: "unknown subscription \(id)")
        }
        let result: R = try body(&subscription)
        if subscription != subscriptions[id] {
            subscriptions[id] = subscription
            changed.append(id)
        }
        return result
    }

    /// Stores what has changed.
    /// - Returns: The changed subscriptions.
    @discardableResult
    func save(at now: Instant, in db: borrowing PostgresTransaction) throws -> [Subscription] {
        let saved: [Subscription] = Set(changed).sorted().compactMap { subscriptions[$0] }
        return try SubscriptionWriter.save(saved, at: now, in: db)
    }
}
