public import BillingCore
public import JSON

/// What happened, as a versioned fact. The one declaration of its fields both reads and writes it.
public protocol EventBody: JSONInput, JSONOutput {
    /// The wire name, such as `payment.succeeded.v1`.
    static var type: String { get }
    /// The topic it is published on.
    static var topic: Topic { get }
}

/// A decoded event: CloudEvents 1.0 attributes and the typed body.
public struct Envelope<Body: EventBody>: Sendable {
    /// The event's own id, which the inbox claims.
    public let id: EventID
    /// When it became true.
    public let time: Instant
    /// The record key: the customer id for nearly every event.
    public let key: String
    /// W3C trace context of the transaction that published it.
    public let traceparent: String?
    /// The fact.
    public let body: Body

    /// Wraps a body; used by the decoder and by tests.
    public init(id: EventID, time: Instant, key: String, traceparent: String? = nil, body: Body) {
        self.id = id
        self.time = time
        self.key = key
        self.traceparent = traceparent
        self.body = body
    }
}

/// An event as it travels: attributes read, body still bytes.
public struct RawEvent: Sendable {
    /// Why a message cannot be an event of ours.
    public enum Malformed: Error, Equatable, Sendable {
        /// A CloudEvents header is missing or unreadable.
        case header(String)
        /// The body is not JSON or lacks fields; every fault is named.
        case body(String)
    }

    /// Its id.
    public let id: EventID
    /// The wire name.
    public let type: String
    /// Who published it.
    public let source: String
    /// When it became true.
    public let time: Instant
    /// The record key.
    public let key: String
    /// W3C trace context of the publishing transaction.
    public let traceparent: String?
    /// The topic it came on.
    public let topic: String
    /// The JSON body.
    public let body: [UInt8]

    /// Builds one from known parts.
    public init(
        id: EventID, type: String, source: String, time: Instant, key: String, traceparent: String?, topic: String,
        body: [UInt8]
    ) {
        self.id = id
        self.type = type
        self.source = source
        self.time = time
        self.key = key
        self.traceparent = traceparent
        self.topic = topic
        self.body = body
    }

    /// Reads the CloudEvents attributes from Kafka headers (binary content mode).
    /// - Throws: ``Malformed/header(_:)`` naming the first attribute that is missing or wrong.
    public init(headers: [String: String], key: String?, topic: String, body: [UInt8]) throws(Malformed) {
        guard let idText: String = headers["ce_id"], let id = EventID(idText) else { throw .header("ce_id") }
        guard let type: String = headers["ce_type"], !type.isEmpty else { throw .header("ce_type") }
        guard headers["ce_specversion"] == "1.0" else { throw .header("ce_specversion") }
        guard let timeText: String = headers["ce_time"], let time = Instant(rfc3339: timeText) else {
            throw .header("ce_time")
        }
        guard let key, !key.isEmpty else { throw .header("key") }
        self.init(
            id: id, type: type, source: headers["ce_source"] ?? "", time: time, key: key,
            traceparent: headers["traceparent"], topic: topic, body: body)
    }

    /// Decodes the body. Fields it does not know are ignored: fields are added, never changed.
    /// - Throws: ``Malformed/body(_:)`` listing every fault.
    public func decode<Body: EventBody>(as: Body.Type) throws(Malformed) -> Envelope<Body> {
        let value: JSONValue
        do { value = try parseJSON(body, limits: JSONLimits()) } catch { throw .body("\(error)") }
        do {
            let decoded: Body = try JSON.decode(Body.self, from: value, unknownFields: .ignore)
            return Envelope(id: id, time: time, key: key, traceparent: traceparent, body: decoded)
        } catch {
            let faults: [String] = error.faults.map { "\($0.param): \($0.message)" }
            throw .body(faults.joined(separator: "; "))
        }
    }
}
