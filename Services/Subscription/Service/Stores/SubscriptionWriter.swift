import BillingCore
import Messaging
import Postgres
import SubscriptionDomain

/// Stores changed subscriptions, their billings and their events: one statement a table, all but the events' in one round
/// trip.
enum SubscriptionWriter {
    /// Stores a new subscription with its effects.
    /// - Returns: The subscription without effects.
    static func insert(
        _ subscription: Subscription, at now: Instant, in db: borrowing PostgresTransaction
    ) throws -> Subscription {
        var stored: Subscription = subscription
        let effects: SubscriptionEffects = stored.takeEffects()
        try store([insertion(stored)], [(stored, effects)], at: now, in: db)
        return stored
    }

    /// Stores locked subscriptions with their effects. Of those that end, late payments whose credit nothing will use are to be
    /// given back.
    /// - Returns: The subscriptions without effects.
    @discardableResult
    static func save(
        _ subscriptions: [Subscription], at now: Instant, in db: borrowing PostgresTransaction
    ) throws -> [Subscription] {
        guard !subscriptions.isEmpty else { return [] }
        var work: [(Subscription, SubscriptionEffects)] = []
        work.reserveCapacity(subscriptions.count)
        for subscription in try givingBack(subscriptions, in: db) {
            var stored: Subscription = subscription
            let effects: SubscriptionEffects = stored.takeEffects()
            work.append((stored, effects))
        }
        let saved: [Subscription] = work.map(\.0)
        try store([update(saved)], work, at: now, in: db)
        return saved
    }

    private static func givingBack(
        _ subscriptions: [Subscription], in db: borrowing PostgresTransaction
    ) throws -> [Subscription] {
        let ending: [SubscriptionID] = subscriptions.filter(\.leavesCredit).map(\.id)
        guard !ending.isEmpty else { return subscriptions }
        let late: [SubscriptionID: [LateCredit]] = Dictionary(
            grouping: try BillingStore.lateCredit(of: ending, in: db), by: \.subscription
        ).mapValues { $0.map(\.credit) }
        return subscriptions.map { subscription in
            guard let credit: [LateCredit] = late[subscription.id] else { return subscription }
            var ended: Subscription = subscription
            ended.giveBack(credit)
            return ended
        }
    }

    private static func store(
        _ first: [SQL], _ work: [(Subscription, SubscriptionEffects)], at now: Instant,
        in db: borrowing PostgresTransaction
    ) throws {
        var statements: [SQL] = first
        var new: [(billing: Billing, subscription: Subscription, unused: UnusedTime?)] = []
        var changed: [Billing] = []
        var events: [OutboxEvent] = []
        for (subscription, effects) in work {
            let opened: Set<BillingID> = effects.openedBillings
            for (id, billing) in effects.billings {
                guard opened.contains(id) else {
                    changed.append(billing)
                    continue
                }
                new.append((billing, subscription, effects.unused[id]))
            }
            events += effects.events.map { SubscriptionMessages.message($0, of: subscription, at: now) }
        }
        // A billing that was open is settled before the next one is inserted: only one may be open.
        if !changed.isEmpty { statements.append(BillingStore.update(changed)) }
        if !new.isEmpty { statements.append(BillingStore.insertion(new)) }
        try db.pipeline(statements)
        try Outbox.append(events, in: db)
    }

    private static func insertion(_ new: Subscription) -> SQL {
        """
        INSERT INTO subscriptions (id, customer_id, time_zone, plan_id, pending_plan_id, status, anchor_date,
            anchor_seconds, period_index, period_start, period_end, trial_end, cancel_at_period_end, canceled_at,
            credit, latest_billing_id, next_action_at, metadata, created_at)
        VALUES (\(new.id), \(new.customerID), \(new.zone.name), \(new.plan.id), \(new.pendingPlan?.id), \(new.status),
            \(new.anchor.date), \(new.anchor.secondsOfDay), \(new.period.index), \(new.period.start),
            \(new.period.end), \(new.trialEnd), \(new.cancelsAtPeriodEnd), \(new.canceledAt), \(new.credit),
            \(new.latestBillingID), \(new.nextActionAt), \(MetadataColumn.encode(new.metadata))::jsonb,
            \(new.createdAt))
        """
    }

    private static func update(_ all: [Subscription]) -> SQL {
        """
        UPDATE subscriptions s SET plan_id = n.plan_id, pending_plan_id = n.pending_plan_id, status = n.status,
            anchor_date = n.anchor_date, anchor_seconds = n.anchor_seconds, period_index = n.period_index,
            period_start = n.period_start, period_end = n.period_end, cancel_at_period_end = n.cancel_at_period_end,
            canceled_at = n.canceled_at, credit = n.credit, latest_billing_id = n.latest_billing_id,
            next_action_at = n.next_action_at
        FROM unnest(\(all.map(\.id))::text[], \(all.map(\.plan.id))::text[], \(all.map { $0.pendingPlan?.id })::text[],
            \(all.map(\.status))::text[], \(all.map(\.anchor.date))::date[], \(all.map(\.anchor.secondsOfDay))::int[],
            \(all.map(\.period.index))::int[], \(all.map(\.period.start))::timestamptz[],
            \(all.map(\.period.end))::timestamptz[], \(all.map(\.cancelsAtPeriodEnd))::boolean[],
            \(all.map(\.canceledAt))::timestamptz[], \(all.map(\.credit))::bigint[],
            \(all.map(\.latestBillingID))::text[], \(all.map(\.nextActionAt))::timestamptz[])
            AS n(id, plan_id, pending_plan_id, status, anchor_date, anchor_seconds, period_index, period_start,
                period_end, cancel_at_period_end, canceled_at, credit, latest_billing_id, next_action_at)
        WHERE s.id = n.id
        """
    }
}

extension SubscriptionEffects {
    /// The billings that did not exist before.
    var openedBillings: Set<BillingID> {
        var opened: Set<BillingID> = []
        for case .billed(let billing) in events { opened.insert(billing.id) }
        return opened
    }
}
