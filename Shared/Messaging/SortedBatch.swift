import BillingCore
import BillingEvents
import Kafka

/// A Kafka batch, sorted into events to handle and messages that can never be.
struct SortedBatch: Sendable {
    /// Readable events of a type the consumer handles, in order.
    private(set) var events: [RawEvent] = []
    /// Malformed messages and unknown types.
    private(set) var parked: [ParkedMessage] = []
    /// When each event was recorded, for the delay metric; microseconds since the epoch.
    private(set) var recordedAt: [Int64] = []

    /// Keys are ids of ours; one beyond this could not be indexed.
    static let maxKeyBytes = 512
    private static let knownTypes: Set<String> = Set(EventCatalog.all.map { $0.type })

    init(_ messages: [KafkaMessage], consumer: EventConsumer) {
        for message in messages {
            do throws(RawEvent.Malformed) {
                let event: RawEvent = try RawEvent(
                    headers: message.headers, key: message.key, topic: message.topic, body: message.value)
                guard Self.knows(event.type) else {
                    parked.append(ParkedMessage(message, reason: Self.unknown(event.type)))
                    continue
                }
                guard consumer.observe != nil || consumer.routes[event.type] != nil else { continue }
                if let fault: String = Self.unstorable(event) {
                    parked.append(ParkedMessage(message, reason: fault))
                    continue
                }
                events.append(event)
                if let recorded: String = message.headers["ce_recordedtime"], let at = Instant(rfc3339: recorded) {
                    recordedAt.append(at.microseconds)
                }
            } catch {
                parked.append(ParkedMessage(message, reason: "malformed: \(error)"))
            }
        }
    }

    /// Whether a consumer has anything to do for a message: handle it, or park what it cannot read.
    static func concerns(_ consumer: EventConsumer, _ message: KafkaMessage) -> Bool {
        guard consumer.observe == nil,
            let event = try? RawEvent(
                headers: message.headers, key: message.key, topic: message.topic, body: message.value),
            knows(event.type)
        else { return true }
        return consumer.routes[event.type] != nil
    }

    /// Whether there is an event of this type.
    static func knows(_ type: String) -> Bool { knownTypes.contains(type) }

    /// Why an event of an unknown type is parked.
    static func unknown(_ type: String) -> String { "unknown event type \(type.prefix(100))" }

    /// Why an event could not be kept for a retry, were its handler to fail; `nil` when it could.
    private static func unstorable(_ event: RawEvent) -> String? {
        guard String(validating: event.body, as: UTF8.self) != nil else { return "the body is not UTF-8" }
        if event.body.contains(0) { return "the body holds a NUL byte" }
        if event.key.utf8.count > maxKeyBytes { return "the key is longer than \(maxKeyBytes) bytes" }
        let texts: [String] = [event.key, event.source, event.traceparent ?? ""]
        if texts.contains(where: { $0.utf8.contains(0) }) { return "a header or the key holds a NUL byte" }
        return nil
    }
}

extension ParkedMessage {
    /// A message as it came from the broker. Its fingerprint is its place there and its stamp: a repeated delivery has
    /// the same one.
    init(_ message: KafkaMessage, reason: String) {
        let place = "\(message.topic)/\(message.partition)/\(message.offset)/\(message.timestampMilliseconds)"
        self.init(
            fingerprint: place, eventID: message.headers["ce_id"].flatMap { EventID($0)?.rawValue },
            type: message.headers["ce_type"], source: message.headers["ce_source"] ?? "", topic: message.topic,
            key: message.key, time: message.headers["ce_time"].flatMap { Instant(rfc3339: $0) },
            traceparent: message.headers["traceparent"], body: message.value, reason: reason)
    }

    /// An event whose handler refused it; its id is its fingerprint.
    init(_ event: RawEvent, reason: String) {
        self.init(
            fingerprint: event.id.rawValue, eventID: event.id.rawValue, type: event.type, source: event.source,
            topic: event.topic, key: event.key, time: event.time, traceparent: event.traceparent, body: event.body,
            reason: reason)
    }
}
