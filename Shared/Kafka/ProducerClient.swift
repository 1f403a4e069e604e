import CKafka
import Threads

/// The producer's librdkafka handle; every call comes from the thread that made it.
final class ProducerClient {
    /// What became of one record.
    enum Outcome {
        case accepted, full
        case refused(KafkaError)
    }
    private static let closeTimeout: Duration = .seconds(1)
    private static let metadataTimeoutMilliseconds: Int32 = 1_000
    private let handle: OpaquePointer
    private let queue: OpaquePointer?
    private let wake: WakeSignal
    private var topics: [String: OpaquePointer] = [:]

    init(_ configuration: KafkaConfiguration, owner: ProducerLoop, wake: WakeSignal) throws(KafkaError) {
        self.wake = wake
        let builder = try KafkaHandleBuilder.start(configuration, owner: owner)
        try builder.set("enable.idempotence", "true")
        try builder.set("acks", "all")
        try builder.set("linger.ms", "\(configuration.linger.wholeMilliseconds)")
        try builder.set("message.timeout.ms", "\(max(1, configuration.messageTimeout.wholeMilliseconds))")
        try builder.set("queue.buffering.max.messages", "\(configuration.maxInFlight)")
        try builder.set("queue.buffering.max.kbytes", "65536")
        try builder.set("message.max.bytes", "\(configuration.maxRecordBytes)")
        try builder.set("retry.backoff.ms", "50")
        try builder.set("partitioner", "murmur2_random")
        try builder.set(configuration.extra)
        rd_kafka_conf_set_dr_msg_cb(builder.conf) { _, message, opaque in
            guard let message, let opaque else { return }
            // The opaque pointer is the loop that made this client; a checked cast would cost on every record.
            Unmanaged<ProducerLoop>.fromOpaque(opaque).takeUnretainedValue().delivered(message)
        }
        handle = try builder.open(RD_KAFKA_PRODUCER)
        queue = rd_kafka_queue_get_main(handle)
        var one: UInt64 = 1
        rd_kafka_queue_io_event_enable(queue, wake.writeEnd, &one, MemoryLayout<UInt64>.size)
    }

    /// Serves waiting callbacks.
    /// - Returns: How many there were.
    @discardableResult
    func serve(milliseconds: Int32 = 0) -> Int { Int(rd_kafka_poll(handle, milliseconds)) }

    /// Copies one record into librdkafka's queue.
    func produce(_ record: KafkaRecord, opaque: UnsafeMutableRawPointer) -> Outcome {
        guard let topic = topic(record.topic) else {
            return .refused(KafkaError(rd_kafka_last_error(), detail: record.topic))
        }
        var key = record.key
        let failure: OpaquePointer? = key.withUTF8 { key in
            record.value.withUnsafeBytes { value in
                var fields = [
                    field(RD_KAFKA_VTYPE_RKT) { $0.rkt = topic },
                    field(RD_KAFKA_VTYPE_KEY) { $0.mem = .init(ptr: mutable(key.baseAddress), size: key.count) },
                    field(RD_KAFKA_VTYPE_VALUE) { $0.mem = .init(ptr: mutable(value.baseAddress), size: value.count) },
                    field(RD_KAFKA_VTYPE_MSGFLAGS) { $0.i = RD_KAFKA_MSG_F_COPY },
                    field(RD_KAFKA_VTYPE_OPAQUE) { $0.ptr = opaque },
                ]
                let headers = headers(record.headers)
                if let headers { fields.append(field(RD_KAFKA_VTYPE_HEADERS) { $0.headers = headers }) }
                let failure = rd_kafka_produceva(handle, fields, fields.count)
                // Only an accepted record takes its headers over.
                if failure != nil, let headers { rd_kafka_headers_destroy(headers) }
                return failure
            }
        }
        guard let failure else { return .accepted }
        defer { rd_kafka_error_destroy(failure) }
        let code = rd_kafka_error_code(failure)
        return code == RD_KAFKA_RESP_ERR__QUEUE_FULL ? .full : .refused(KafkaError(code, detail: record.topic))
    }

    /// Gives up everything that is queued or sent; the reports come with the next ``serve(milliseconds:)``.
    func purge() { rd_kafka_purge(handle, RD_KAFKA_PURGE_F_QUEUE | RD_KAFKA_PURGE_F_INFLIGHT) }

    /// Closes the handle; no callback comes after it.
    func close(owner: ProducerLoop) {
        for topic in topics.values { rd_kafka_topic_destroy(topic) }
        topics = [:]
        rd_kafka_queue_io_event_enable(queue, -1, nil, 0)
        rd_kafka_queue_destroy(queue)
        HandleDisposal.destroy(handle, needed: [owner], wait: Self.closeTimeout, logger: owner.logger)
    }

    func simulateFatalError() {
        rd_kafka_test_fatal_error(handle, RD_KAFKA_RESP_ERR_OUT_OF_ORDER_SEQUENCE_NUMBER, "simulated")
    }

    private func topic(_ name: String) -> OpaquePointer? {
        if let known = topics[name] { return known }
        guard let topic = rd_kafka_topic_new(handle, name, nil) else { return nil }
        topics[name] = topic
        // Without this the first record waits for librdkafka's next scan of unknown topics, up to a second. When no
        // broker answers, the record simply waits like any other.
        var metadata: UnsafePointer<rd_kafka_metadata>?
        if rd_kafka_metadata(handle, 0, topic, &metadata, Self.metadataTimeoutMilliseconds)
            == RD_KAFKA_RESP_ERR_NO_ERROR
        {
            rd_kafka_metadata_destroy(metadata)
        }
        return topic
    }

    private func headers(_ pairs: [(String, String)]) -> OpaquePointer? {
        guard !pairs.isEmpty, let headers = rd_kafka_headers_new(pairs.count) else { return nil }
        for (name, text) in pairs {
            var text = text
            text.withUTF8 { bytes in
                _ = rd_kafka_header_add(headers, name, -1, bytes.baseAddress, bytes.count)
            }
        }
        return headers
    }
}

/// librdkafka reads through this pointer only (`RD_KAFKA_MSG_F_COPY`), though its type says otherwise.
private func mutable(_ pointer: UnsafeRawPointer?) -> UnsafeMutableRawPointer? {
    UnsafeMutableRawPointer(mutating: pointer)
}

private func mutable(_ pointer: UnsafePointer<UInt8>?) -> UnsafeMutableRawPointer? {
    UnsafeMutableRawPointer(mutating: pointer)
}

private func field(
    _ type: rd_kafka_vtype_t, _ set: (inout rd_kafka_vu_s.__Unnamed_union_u) -> Void
) -> rd_kafka_vu_t {
    var field = rd_kafka_vu_t()
    field.vtype = type
    set(&field.u)
    return field
}
