import CKafka

/// Why the broker, or the client in front of it, did not do what was asked.
public struct KafkaError: Error, Sendable, Equatable, CustomStringConvertible {
    /// The fixed set of kinds; `rawValue` is a metric label.
    public enum Kind: String, Sendable, CaseIterable {
        /// No broker answered in time; nothing is known to be lost and the caller may try again.
        case unavailable
        /// The caller's own time ran out; the records may still arrive.
        case timedOut = "timed_out"
        /// The producer's queue is full.
        case overloaded
        /// The idempotent producer had to start afresh; the records may or may not have arrived.
        case restarted
        /// The broker does not know the topic.
        case unknownTopic = "unknown_topic"
        /// The broker, or the client, refuses these records for good.
        case rejected
        /// The producer or consumer was closed.
        case closed
        /// The waiting task was cancelled; the records may still arrive.
        case cancelled
        /// The settings are not acceptable.
        case configuration
        /// The system gave no thread or descriptor.
        case resources
    }

    /// What kind of failure it is.
    public var kind: Kind
    /// librdkafka's name of the error (`_MSG_TIMED_OUT`), empty when it is the client's own.
    public var code: String
    /// A sentence for the log; holds no record content.
    public var message: String

    /// Puts an error together.
    public init(_ kind: Kind, code: String = "", message: String) {
        self.kind = kind
        self.code = code
        self.message = message
    }

    /// Whether the same call may succeed later.
    public var isRetryable: Bool {
        switch kind {
        case .unavailable, .timedOut, .overloaded, .restarted, .unknownTopic, .resources: true
        case .rejected, .closed, .cancelled, .configuration: false
        }
    }

    /// Label for metrics, from a fixed set.
    public var label: String { kind.rawValue }

    /// `unavailable (_MSG_TIMED_OUT): Local: Message timed out`.
    public var description: String { code.isEmpty ? "\(label): \(message)" : "\(label) (\(code)): \(message)" }
}

extension KafkaError {
    /// Translates a librdkafka code; codes without a meaning of their own count as a broker that cannot be used now.
    init(_ error: rd_kafka_resp_err_t, detail: String? = nil) {
        let kind: Kind =
            switch error {
            case RD_KAFKA_RESP_ERR_MSG_SIZE_TOO_LARGE, RD_KAFKA_RESP_ERR_INVALID_MSG,
                RD_KAFKA_RESP_ERR_INVALID_MSG_SIZE, RD_KAFKA_RESP_ERR_RECORD_LIST_TOO_LARGE,
                RD_KAFKA_RESP_ERR_INVALID_RECORD, RD_KAFKA_RESP_ERR_TOPIC_AUTHORIZATION_FAILED,
                RD_KAFKA_RESP_ERR_TOPIC_EXCEPTION, RD_KAFKA_RESP_ERR__BAD_MSG:
                .rejected
            case RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART, RD_KAFKA_RESP_ERR__UNKNOWN_TOPIC,
                RD_KAFKA_RESP_ERR__UNKNOWN_PARTITION:
                .unknownTopic
            case RD_KAFKA_RESP_ERR__FATAL, RD_KAFKA_RESP_ERR__PURGE_QUEUE, RD_KAFKA_RESP_ERR__PURGE_INFLIGHT,
                RD_KAFKA_RESP_ERR_OUT_OF_ORDER_SEQUENCE_NUMBER, RD_KAFKA_RESP_ERR_UNKNOWN_PRODUCER_ID,
                RD_KAFKA_RESP_ERR_INVALID_PRODUCER_EPOCH, RD_KAFKA_RESP_ERR_DUPLICATE_SEQUENCE_NUMBER:
                .restarted
            case RD_KAFKA_RESP_ERR__INVALID_ARG: .configuration
            case RD_KAFKA_RESP_ERR__QUEUE_FULL: .overloaded
            default: .unavailable
            }
        let text = rd_kafka_err2str(error).map { String(cString: $0) } ?? "unknown"
        self.init(
            kind, code: rd_kafka_err2name(error).map { String(cString: $0) } ?? "",
            message: detail.map { "\(text): \($0)" } ?? text)
    }
}
