/// The Kafka topics of Refrain. The record key is the customer id, so that everything about one customer stays in order.
public enum Topic: String, CaseIterable, Sendable {
    case customers = "refrain.customers"
    case subscriptions = "refrain.subscriptions"
    case usage = "refrain.usage"
    case invoices = "refrain.invoices"
    case payments = "refrain.payments"
    case fraud = "refrain.fraud"
    /// API keys, so that every service can check one that Subscription issued. The record key is the key's id.
    case access = "refrain.access"

    /// Where messages of this topic go that can never be handled.
    public var parked: String { rawValue + ".parked" }
}
