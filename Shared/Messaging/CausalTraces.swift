import Telemetry

/// The traces that the work at hand belongs to, by record key, when one transaction works for many requests or events.
///
/// What a consumer or a batch publishes for a customer continues the trace of what came in for that customer.
public enum CausalTraces {
    /// W3C trace context by record key; empty outside of batches.
    @TaskLocal public static var byKey: [String: String] = [:]

    /// The trace an event with this key continues: the caller's own, else that of its key.
    static func traceparent(for key: String) -> String? { TraceContext.current?.traceparent ?? byKey[key] }
}
