import CKafka
import Threads

/// The consumer's librdkafka handle; every call comes from the thread that made it.
final class ConsumerClient {
    /// What one poll brought.
    enum Event {
        case nothing
        case message(KafkaMessage)
        case failure(KafkaError)
    }
    private static let committedTimeoutMilliseconds: Int32 = 2_000
    private static let commitTimeoutMilliseconds: Int32 = 2_000
    private static let closeTimeout: Duration = .seconds(1)
    private let handle: OpaquePointer
    private let queue: OpaquePointer?
    /// Messages of all assigned partitions; apart from rebalances and errors, which stay in the consumer's queue.
    private let data: OpaquePointer?
    private var forwarded: [OpaquePointer] = []
    private var hasStored = false
    private var names: [OpaquePointer: String] = [:]

    init(_ plan: ConsumerPlan, owner: ConsumerLoop, wake: WakeSignal) throws(KafkaError) {
        let builder = try KafkaHandleBuilder.start(plan.configuration, owner: owner)
        for (name, value) in Self.settings(plan) { try builder.set(name, value) }
        try builder.set(plan.configuration.extra)
        rd_kafka_conf_set_rebalance_cb(builder.conf) { _, event, partitions, opaque in
            guard let loop = KafkaHandleOwner.from(opaque) as? ConsumerLoop else { return }
            if event == RD_KAFKA_RESP_ERR__ASSIGN_PARTITIONS, let partitions {
                loop.assigned(partitions)
            } else {
                loop.revoked()
            }
        }
        handle = try builder.open(RD_KAFKA_CONSUMER)
        rd_kafka_poll_set_consumer(handle)
        queue = rd_kafka_queue_get_consumer(handle)
        data = rd_kafka_queue_new(handle)
        var one: UInt64 = 1
        rd_kafka_queue_io_event_enable(queue, wake.writeEnd, &one, MemoryLayout<UInt64>.size)
        rd_kafka_queue_io_event_enable(data, wake.writeEnd, &one, MemoryLayout<UInt64>.size)
        let error = withPartitionList(plan.topics.map { (KafkaPartition(topic: $0, partition: -1), nil) }) {
            rd_kafka_subscribe(handle, $0)
        }
        guard error == RD_KAFKA_RESP_ERR_NO_ERROR else {
            close(owner: owner)
            throw KafkaError(error, detail: "subscribe")
        }
    }

    private static func settings(_ plan: ConsumerPlan) -> [(String, String)] {
        let options = plan.options
        let session = max(1_000, options.sessionTimeout.wholeMilliseconds)
        let membership: [(String, String)] = options.staticMembership ? [("group.instance.id", plan.instance)] : []
        return membership + [
            ("group.id", plan.group),
            ("partition.assignment.strategy", "range"),
            ("session.timeout.ms", "\(session)"),
            ("heartbeat.interval.ms", "\(min(3_000, max(200, session / 10)))"),
            ("max.poll.interval.ms", "\(max(300_000, session))"),
            ("auto.offset.reset", "earliest"),
            ("enable.auto.offset.store", "false"),
            ("enable.auto.commit", "true"),
            ("auto.commit.interval.ms", "\(max(1, options.commitInterval.wholeMilliseconds))"),
            ("allow.auto.create.topics", "false"),
            ("fetch.wait.max.ms", "\(max(1, options.fetchWait.wholeMilliseconds))"),
            ("fetch.error.backoff.ms", "50"),
            ("fetch.max.bytes", "4194304"),
            ("max.partition.fetch.bytes", "1048576"),
            // librdkafka 2.0 looks at a full queue again after a second only: this many messages last longer.
            ("queued.min.messages", "\(max(20_000, 4 * options.credit))"),
            ("queued.max.messages.kbytes", "\(max(1_024, options.prefetchKibibytes))"),
        ]
    }

    /// Serves rebalances without waiting, through the loop's methods, and takes an error the client reports. A message
    /// comes this way only if its partition was never redirected.
    func serve() -> Event { event(rd_kafka_consumer_poll(handle, 0)) }

    /// Takes one message or error of the assigned partitions without waiting.
    func receive() -> Event { event(rd_kafka_consume_queue(data, 0)) }

    private func event(_ message: UnsafeMutablePointer<rd_kafka_message_t>?) -> Event {
        guard let message else { return .nothing }
        defer { rd_kafka_message_destroy(message) }
        let raw = message.pointee
        guard raw.err == RD_KAFKA_RESP_ERR_NO_ERROR else {
            return .failure(KafkaError(raw.err, detail: rd_kafka_message_errstr(message).map { String(cString: $0) }))
        }
        let key = raw.key.map { String(decoding: UnsafeRawBufferPointer(start: $0, count: raw.key_len), as: UTF8.self) }
        return .message(
            KafkaMessage(
                topic: topic(raw.rkt), partition: raw.partition, offset: raw.offset, key: key,
                headers: Self.headers(message),
                value: Array(UnsafeRawBufferPointer(start: raw.payload, count: raw.len)),
                timestampMilliseconds: rd_kafka_message_timestamp(message, nil)))
    }

    /// Stores offsets for the next commit; partitions that are gone meanwhile are left out by librdkafka.
    func store(_ offsets: [KafkaPartition: Int64]) {
        _ = withPartitionList(offsets.map { ($0.key, $0.value) }) { rd_kafka_offsets_store(handle, $0) }
        hasStored = true
    }

    /// Commits what was stored since the last call and waits for the answer, a few seconds at most.
    /// - Returns: Why it was not committed, `nil` when it was or there was nothing to commit.
    func commitStored() -> KafkaError? {
        guard hasStored, let answers = rd_kafka_queue_new(handle) else { return nil }
        defer { rd_kafka_queue_destroy(answers) }
        hasStored = false
        var code = rd_kafka_commit_queue(handle, nil, answers, nil, nil)
        if code == RD_KAFKA_RESP_ERR_NO_ERROR {
            guard let event = rd_kafka_queue_poll(answers, Self.commitTimeoutMilliseconds) else {
                return KafkaError(.unavailable, message: "no answer to the commit")
            }
            code = rd_kafka_event_error(event)
            rd_kafka_event_destroy(event)
        }
        return code == RD_KAFKA_RESP_ERR_NO_ERROR || code == RD_KAFKA_RESP_ERR__NO_OFFSET
            ? nil : KafkaError(code, detail: "commit")
    }

    /// Takes partitions over. Their messages go to a queue of their own from the start, so that leaving messages
    /// there holds nothing else up. (Pausing would throw prefetched messages away, and librdkafka 2.0 notices the
    /// resumption up to a second late.)
    func assign(_ list: UnsafeMutablePointer<rd_kafka_topic_partition_list_t>) {
        for partition in partitionOffsets(list).keys {
            guard let own = rd_kafka_queue_get_partition(handle, partition.topic, partition.partition) else { continue }
            rd_kafka_queue_forward(own, data)
            forwarded.append(own)
        }
        rd_kafka_assign(handle, list)
    }

    /// Gives all partitions back; what was fetched of them is dropped.
    func unassign() {
        rd_kafka_assign(handle, nil)
        releaseForwarded()
        // librdkafka may free topic objects and use their addresses again.
        names = [:]
    }

    private func releaseForwarded() {
        for own in forwarded {
            rd_kafka_queue_forward(own, nil)
            rd_kafka_queue_destroy(own)
        }
        forwarded = []
    }

    /// The group has already given the share away, so that nothing can be committed for it.
    var isAssignmentLost: Bool { rd_kafka_assignment_lost(handle) != 0 }

    /// Where the group goes on in each partition of a list; negative where it has no offset yet.
    func committed(_ list: UnsafeMutablePointer<rd_kafka_topic_partition_list_t>) -> [KafkaPartition: Int64] {
        guard list.pointee.cnt > 0, let copy = rd_kafka_topic_partition_list_copy(list) else { return [:] }
        defer { rd_kafka_topic_partition_list_destroy(copy) }
        _ = rd_kafka_committed(handle, copy, Self.committedTimeoutMilliseconds)
        return partitionOffsets(copy)
    }

    /// Makes librdkafka believe that another process has taken this member's place.
    func simulateFatalError() {
        rd_kafka_test_fatal_error(handle, RD_KAFKA_RESP_ERR_FENCED_INSTANCE_ID, "simulated")
    }

    /// The end of a partition as the last fetch reported it; no round trip.
    func highWatermark(_ partition: KafkaPartition) -> Int64? {
        var low: Int64 = -1
        var high: Int64 = -1
        let error = rd_kafka_get_watermark_offsets(handle, partition.topic, partition.partition, &low, &high)
        return error == RD_KAFKA_RESP_ERR_NO_ERROR && high >= 0 ? high : nil
    }

    /// Closes the handle, after the partitions were given back; takes a few seconds at most.
    func close(owner: KafkaHandleOwner) {
        closeMembership()
        abandon(owner: owner)
    }

    /// Goes without a word, as a killed process would.
    func abandon(owner: KafkaHandleOwner) {
        // The descriptor may be closed before librdkafka's threads are gone.
        rd_kafka_queue_io_event_enable(queue, -1, nil, 0)
        rd_kafka_queue_io_event_enable(data, -1, nil, 0)
        releaseForwarded()
        rd_kafka_queue_destroy(data)
        rd_kafka_queue_destroy(queue)
        HandleDisposal.destroy(handle, needed: [owner], wait: Self.closeTimeout, logger: owner.logger)
    }

    /// Leaves the group's protocol; `rd_kafka_consumer_close` would not return while the broker is away.
    private func closeMembership() {
        guard let events = rd_kafka_queue_new(handle) else { return }
        defer { rd_kafka_queue_destroy(events) }
        if let error = rd_kafka_consumer_close_queue(handle, events) { return rd_kafka_error_destroy(error) }
        let deadline = ContinuousClock.now.advanced(by: Self.closeTimeout)
        while rd_kafka_consumer_closed(handle) == 0, ContinuousClock.now < deadline {
            rd_kafka_queue_poll_callback(events, 10)
        }
    }

    private func topic(_ topic: OpaquePointer?) -> String {
        guard let topic else { return "" }
        if let known = names[topic] { return known }
        let name = rd_kafka_topic_name(topic).map { String(cString: $0) } ?? ""
        names[topic] = name
        return name
    }

    private static func headers(_ message: UnsafeMutablePointer<rd_kafka_message_t>) -> [String: String] {
        var headers: OpaquePointer?
        guard rd_kafka_message_headers(message, &headers) == RD_KAFKA_RESP_ERR_NO_ERROR, let headers else { return [:] }
        var found: [String: String] = [:]
        found.reserveCapacity(rd_kafka_header_cnt(headers))
        var index = 0
        var name: UnsafePointer<CChar>?
        var value: UnsafeRawPointer?
        var size = 0
        while rd_kafka_header_get_all(headers, index, &name, &value, &size) == RD_KAFKA_RESP_ERR_NO_ERROR {
            if let name {
                let bytes = UnsafeRawBufferPointer(start: value, count: value == nil ? 0 : size)
                found[String(cString: name)] = String(decoding: bytes, as: UTF8.self)
            }
            index += 1
        }
        return found
    }
}
