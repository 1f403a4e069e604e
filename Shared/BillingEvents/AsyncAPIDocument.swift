import JSON

/// The description of every topic and event as an AsyncAPI 3.0 document; `docs/asyncapi.yaml` is its text.
///
/// Everything in it comes from ``Topic`` and ``EventCatalog``: an event that is added there is in the document.
public enum AsyncAPIDocument {
    /// The document as YAML. The same code gives the same bytes.
    public static func render() -> String {
        let document: JSONValue = [
            "asyncapi": "3.0.0",
            "info": info,
            "defaultContentType": "application/json",
            "servers": [
                "local": [
                    "host": "127.0.0.1:7092", "protocol": "kafka",
                    "description": "The broker of a local stack; KAFKA_BROKERS names another",
                ]
            ],
            "channels": .object(Topic.allCases.flatMap { [channel($0), parkedChannel($0)] }),
            "operations": .object(Topic.allCases.filter { !events(of: $0).isEmpty }.map(operation)),
            "components": [
                "messages": .object(EventCatalog.all.map { message($0) } + [parkedMessage]),
                "schemas": .object([headers] + EventCatalog.all.map { bodySchema($0) } + [parkedSchema]),
            ],
        ]
        return YAMLText(
            document,
            comment: """
                Made from Shared/BillingEvents by AsyncAPIDocument.render(); a test holds this file against it.
                To bring it up to date: REFRAIN_UPDATE_DOCS=1 make test ONLY=BillingEventsTests
                """
        ).text
    }

    /// What an event says, in a line; empty for a type that is not in the catalog.
    public static func summary(of type: String) -> String { summaries[type] ?? "" }

    private static let info: JSONValue = [
        "title": "Refrain events", "version": "1",
        "description": """
        How the five services of Refrain meet. Events are CloudEvents 1.0 in Kafka binary mode with a JSON body. \
        The record key is the customer id, so everything about one customer stays in order within a topic. \
        Delivery is at least once: drop an event whose ce_id you have handled. Fields are added, never changed; \
        ignore those you do not know. A message that can never be handled is told of on the topic with .parked \
        after its name, and the partition moves on.
        """,
    ]

    private static func events(of topic: Topic) -> [any EventBody.Type] {
        EventCatalog.all.filter { $0.topic == topic }
    }

    private static func name(of topic: Topic) -> String {
        String(topic.rawValue.drop { $0 != "." }.dropFirst())
    }
}

extension AsyncAPIDocument {
    private static func channel(_ topic: Topic) -> JSONMember {
        let messages: [JSONMember] = events(of: topic).map { event in
            JSONMember(name: event.type, value: reference("components/messages/\(event.type)"))
        }
        return JSONMember(
            name: name(of: topic),
            value: [
                "address": .string(topic.rawValue),
                "description": .string(channelDescriptions[topic] ?? ""),
                "messages": .object(messages),
                "bindings": ["kafka": ["topic": .string(topic.rawValue), "bindingVersion": "0.5.0"]],
            ])
    }

    private static func parkedChannel(_ topic: Topic) -> JSONMember {
        JSONMember(
            name: name(of: topic) + ".parked",
            value: [
                "address": .string(topic.parked),
                "description": .string("Messages of \(topic.rawValue) that a consumer could never handle"),
                "messages": ["message.parked.v1": reference("components/messages/message.parked.v1")],
                "bindings": ["kafka": ["topic": .string(topic.parked), "bindingVersion": "0.5.0"]],
            ])
    }

    private static func operation(_ topic: Topic) -> JSONMember {
        let name: String = name(of: topic)
        let messages: [JSONValue] = events(of: topic).map { reference("channels/\(name)/messages/\($0.type)") }
        return JSONMember(
            name: "publish.\(name)",
            value: [
                "action": "send",
                "channel": reference("channels/\(name)"),
                "summary": .string("What the \(publishers[topic] ?? "owning") service publishes through its outbox"),
                "messages": .array(messages),
            ])
    }

    private static func message<Body: EventBody>(_ type: Body.Type) -> JSONMember {
        let example: JSONValue
        do { example = try parseJSON(encode(Body.sample), limits: JSONLimits()) } catch {
            preconditionFailure("the sample of \(Body.type) is not JSON: \(error)")
        }
        return JSONMember(
            name: Body.type,
            value: [
                "name": .string(Body.type),
                "summary": .string(summary(of: Body.type)),
                "contentType": "application/json",
                "headers": reference("components/schemas/cloudEvent"),
                "payload": reference("components/schemas/\(Body.type)"),
                "bindings": [
                    "kafka": [
                        "key": ["type": "string", "description": .string(key(of: Body.type))],
                        "bindingVersion": "0.5.0",
                    ]
                ],
                "examples": [["name": "sample", "payload": example]],
            ])
    }

    private static func bodySchema<Body: EventBody>(_ type: Body.Type) -> JSONMember {
        JSONMember(name: Body.type, value: schema(of: Body.self, unknownFields: .ignore))
    }

    private static let headers = JSONMember(
        name: "cloudEvent",
        value: [
            "type": "object",
            "description": "CloudEvents 1.0 attributes and the trace context, as Kafka headers",
            "required": ["ce_specversion", "ce_id", "ce_type", "ce_source", "ce_time"],
            "properties": [
                "ce_specversion": ["const": "1.0"],
                "ce_id": JSONSchema.documented(JSONSchema.string(), "The event's own id, the same at every delivery"),
                "ce_type": JSONSchema.documented(JSONSchema.string(), "What happened, with the version of its fields"),
                "ce_source": JSONSchema.documented(JSONSchema.string(), "The service that says so"),
                "ce_time": JSONSchema.documented(
                    JSONSchema.string(format: "date-time"), "When it became true, by the business clock"),
                "ce_recordedtime": JSONSchema.documented(
                    JSONSchema.string(format: "date-time"), "When it was recorded, by the real clock"),
                "traceparent": JSONSchema.documented(JSONSchema.string(), "W3C trace context of the cause"),
            ],
        ])

    private static let parkedMessage = JSONMember(
        name: "message.parked.v1",
        value: [
            "name": "message.parked.v1",
            "summary": "A consumer put a message aside that it can never handle; it is kept with the consumer",
            "contentType": "application/json",
            "headers": reference("components/schemas/cloudEvent"),
            "payload": reference("components/schemas/message.parked.v1"),
            "bindings": [
                "kafka": [
                    "key": ["type": "string", "description": "Key of the message, or unknown"],
                    "bindingVersion": "0.5.0",
                ]
            ],
        ])

    private static let parkedSchema = JSONMember(
        name: "message.parked.v1",
        value: [
            "type": "object",
            "required": ["consumer", "event_id", "type", "reason", "body"],
            "properties": [
                "consumer": JSONSchema.documented(JSONSchema.string(), "The service that put it aside"),
                "event_id": JSONSchema.nullable(JSONSchema.string()),
                "type": JSONSchema.nullable(JSONSchema.string()),
                "reason": JSONSchema.documented(JSONSchema.string(), "Why it can never be handled"),
                "body": JSONSchema.documented(
                    JSONSchema.nullable(JSONSchema.string()), "The message as it came; null when it is not text"),
                "body_bytes": JSONSchema.documented(
                    JSONSchema.integer(), "The whole body's length, where only its beginning is given"),
            ],
        ])

    private static func reference(_ path: String) -> JSONValue { ["$ref": .string("#/" + path)] }

    private static func key(of type: String) -> String {
        switch type {
        case PlanCreatedV1.type: "Plan id"
        case APIKeyChangedV1.type: "API key id"
        default: "Customer id"
        }
    }
}

extension AsyncAPIDocument {
    private static let publishers: [Topic: String] = [
        .customers: "subscription", .subscriptions: "subscription", .usage: "subscription", .access: "subscription",
        .invoices: "invoice", .payments: "payment", .fraud: "fraud",
    ]

    private static let channelDescriptions: [Topic: String] = [
        .customers: "Who the customers are",
        .subscriptions: "Plans, subscriptions and what is due for them",
        .usage: "Metered usage; no event yet",
        .invoices: "Invoices from their number to their payment",
        .payments: "Payment methods, payments attempt by attempt, and refunds",
        .fraud: "What Fraud says of payment attempts",
        .access: "API keys, so that every service can check one that Subscription issued",
    ]

    private static let summaries: [String: String] = [
        InstalmentPlanActivatedV1.type: "A plan of instalments runs from now on",
        InstalmentPlanInstalmentPaidV1.type: "An instalment was paid in full",
        InstalmentPlanInstalmentLateV1.type: "An instalment was not paid within its grace period",
        InstalmentPlanCompletedV1.type: "Everything owed under a plan is paid",
        InstalmentPlanSettledV1.type: "A plan was paid off before its time",
        InstalmentPlanDefaultedV1.type: "An instalment stayed unpaid beyond the limit; what was open is written off",
        InstalmentPlanCanceledV1.type: "A plan was taken back; nothing more is asked for",
        InstalmentPlanFailedV1.type: "The first payment of a plan was given up; the plan never began",
        CustomerCreatedV1.type: "A customer exists from now on",
        CustomerUpdatedV1.type: "A customer's contact data changed; the whole new state",
        PlanCreatedV1.type: "A plan can be subscribed to from now on",
        SubscriptionCreatedV1.type: "A subscription exists from now on",
        SubscriptionStatusChangedV1.type: "A subscription moved from one status to another",
        SubscriptionPlanChangedV1.type: "A subscription moved to another plan, or back when the payment for it failed",
        SubscriptionBilledV1.type: "A period or a change is due; priced lines for one invoice",
        SubscriptionCollectionDueV1.type: "An unpaid invoice is to be collected again",
        SubscriptionBillingWithdrawnV1.type: "A billing will not be collected any more; its invoice is to be voided",
        SubscriptionRefundDueV1.type: "An invoice was paid when its subscription was over; the money is due back",
        InvoiceFinalizedV1.type: "An invoice has its number and cannot change; its total is to be collected",
        InvoicePaidV1.type: "An invoice is paid in full",
        InvoicePaymentFailedV1.type: "An attempt to collect an invoice failed",
        InvoiceRefundedV1.type: "Money of a paid invoice went back to the customer",
        InvoiceRefundFailedV1.type: "A refund of a paid invoice failed after it was booked; it counts no more",
        InvoiceVoidedV1.type: "A finalized, unpaid invoice was withdrawn; its number stays used",
        PaymentMethodAttachedV1.type: "A customer can be charged through this method from now on",
        PaymentCreatedV1.type: "A payment attempt is to be assessed before the provider is asked",
        PaymentRequiresActionV1.type: "The customer has to authenticate before the payment can go on",
        PaymentAuthorizedV1.type: "The provider holds the money; it is captured or released later",
        PaymentCapturedV1.type: "A part of an authorized payment, or all of it, was captured and is booked",
        PaymentSucceededV1.type: "Money was captured and is booked; no more will be",
        PaymentFailedV1.type: "One attempt failed; the payment can be attempted again",
        PaymentCanceledV1.type: "A payment ended without money moving and will not be attempted again",
        PaymentRefundedV1.type: "Money went back and is booked",
        PaymentRefundFailedV1.type: "A refund failed after it was booked; its booking is reversed",
        PaymentReviewedV1.type: "A person decided about an attempt that Fraud had sent to review",
        PaymentDisputedV1.type: "The customer objects to a charge; the money is taken back, or the bank asks about it",
        PaymentDisputeClosedV1.type: "A dispute was won, lost or, for an inquiry, closed",
        FraudAssessedV1.type: "A payment attempt was scored",
        APIKeyChangedV1.type: "An API key was created, rotated or revoked; the whole new state",
    ]
}
