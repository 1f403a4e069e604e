import BillingCore
import BillingEvents
import HTTPKit
import JSON

/// `/v1/analytics/events`. Bodies of all services' events stand there, customers' e-mail addresses among them: reading figures
/// is not enough for it.
struct EventRoutes: Sendable {
    private static let types: [String] = EventCatalog.all.map { $0.type }

    var endpoints: [Endpoint] {
        [
            .list(
                "/v1/analytics/events", scope: "events:read", summary: "Everything that happened, newest first",
                filters: [
                    .id("customer_id", as: CustomerID.self, doc: "Only what happened to this customer"),
                    Self.typeFilter,
                ],
                item: EventResource.self
            ) { db, call, request in
                let events: [RecordedEvent] = try EventHistoryStore.list(
                    customer: call.query.id("customer_id"), type: call.query.string("type"), after: request.cursor(),
                    limit: request.fetchLimit, in: db)
                return request.page(events.map(EventResource.init))
            }
        ]
    }

    private static let typeFilter: QueryParameter = .custom(
        "type", schema: ["type": "string", "enum": .array(types.map { .string($0) })],
        doc: "Only events of this type"
    ) { text in
        types.contains(text) ? nil : Fault(code: "unknown_value", message: "is not a type of event")
    }
}

/// One event as JSON.
struct EventResource: JSONOutput {
    let event: RecordedEvent

    func write(to o: inout ObjectWriter) {
        let isOfCustomer: Bool = !EventHistoryStore.typesWithoutCustomer.contains(event.type)
        o.field("object", "event", doc: "Always `event`")
        o.field("id", event.id)
        o.field("type", event.type, doc: "What happened, with the version of its fields")
        o.field("topic", event.topic)
        o.field("customer_id", isOfCustomer ? event.key : nil, doc: "Null for plans and API keys")
        o.field("created_at", event.time, doc: "When it became true")
        o.field("data", raw: Array(event.body.utf8), schema: ["type": "object"], doc: "The fields of the event")
    }

    static var sample: Self {
        Self(
            event: RecordedEvent(
                id: .sample, type: PaymentSucceededV1.type, topic: PaymentSucceededV1.topic.rawValue,
                key: CustomerID.sample.rawValue, time: .sample, body: encodeString(PaymentSucceededV1.sample)))
    }
}
