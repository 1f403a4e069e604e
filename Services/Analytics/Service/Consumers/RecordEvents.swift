import BillingCore
public import BillingEvents
import Messaging
public import Postgres

/// Keeps every event and brings the projections up to date with it, in the transaction that claims the events.
///
/// However large the batch: one statement for the history, two for subscriptions, one for each other projection it
/// touches, and all of them travel with COMMIT.
public struct RecordEvents: Sendable {
    /// Nothing to configure.
    public init() {}

    /// Records newly claimed events.
    /// - Parameter events: In order per key; none of them was recorded before.
    /// - Throws: `Refusal.park` for an event that can never be understood; ``PostgresError`` when storage cannot answer.
    public func callAsFunction(_ events: [RawEvent], in db: borrowing PostgresTransaction) throws {
        guard !events.isEmpty else { return }
        let batch = try EventBatch(events)
        try EventHistoryStore.append(batch.entries, in: db)
        try SubscriptionValueStore.append(batch.changes, in: db)
        try PaymentStore.merge(batch.payments, in: db)
        try InvoiceStore.merge(batch.invoices, in: db)
        try CaptureStore.append(batch.captures, in: db)
        try RefundStore.merge(batch.refunds, in: db)
        try DisputeStore.append(batch.disputes, in: db)
    }

    /// The consumer of every topic.
    var consumer: EventConsumer {
        EventConsumer(
            name: AnalyticsAssembly.name, topics: Topic.allCases, urgency: .background, routes: []
        ) { events, db, _ in try self(events, in: db) }
    }
}
