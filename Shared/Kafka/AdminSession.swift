import CKafka
import Logging

/// One short-lived connection for questions; used and closed on the thread that opened it.
final class AdminSession: KafkaHandleOwner, TopicCluster {
    private var handle: OpaquePointer?

    init(_ configuration: KafkaConfiguration, group: String?, logger: Logger) throws(KafkaError) {
        super.init(logger: logger)
        let builder = try KafkaHandleBuilder.start(configuration, owner: self)
        try builder.set(configuration.extra)
        if let group {
            try builder.set("group.id", group)
            handle = try builder.open(RD_KAFKA_CONSUMER)
        } else {
            handle = try builder.open(RD_KAFKA_PRODUCER)
        }
    }

    func close() {
        if let handle { HandleDisposal.destroy(handle, needed: [self], wait: .milliseconds(100), logger: logger) }
        handle = nil
    }

    func create(
        _ names: [String], _ specification: TopicSpecification, _ timeout: Duration
    ) throws(KafkaError) -> [String: KafkaError] {
        guard let handle, let answers = rd_kafka_queue_new(handle) else { return [:] }
        defer { rd_kafka_queue_destroy(answers) }
        var requests: [OpaquePointer?] = []
        defer { for request in requests { rd_kafka_NewTopic_destroy(request) } }
        for name in names { requests.append(try Self.request(name, specification)) }
        let options = rd_kafka_AdminOptions_new(handle, RD_KAFKA_ADMIN_OP_CREATETOPICS)
        defer { rd_kafka_AdminOptions_destroy(options) }
        let milliseconds = timeout.wholeMilliseconds
        var text = [CChar](repeating: 0, count: 512)
        rd_kafka_AdminOptions_set_request_timeout(options, milliseconds, &text, text.count)
        rd_kafka_CreateTopics(handle, &requests, requests.count, options, answers)
        guard let event = rd_kafka_queue_poll(answers, milliseconds) else {
            throw KafkaError(.unavailable, message: "no answer within \(timeout)")
        }
        defer { rd_kafka_event_destroy(event) }
        let code = rd_kafka_event_error(event)
        guard code == RD_KAFKA_RESP_ERR_NO_ERROR, let result = rd_kafka_event_CreateTopics_result(event) else {
            throw KafkaError(code, detail: rd_kafka_event_error_string(event).map { String(cString: $0) })
        }
        return Self.failures(result)
    }

    private static func request(_ name: String, _ specification: TopicSpecification) throws(KafkaError) -> OpaquePointer
    {
        var text = [CChar](repeating: 0, count: 512)
        let request = rd_kafka_NewTopic_new(
            name, Int32(clamping: specification.partitions), Int32(clamping: specification.replicas), &text, text.count)
        guard let request else {
            let reason = String(decoding: text.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }, as: UTF8.self)
            throw KafkaError(.configuration, message: reason)
        }
        if specification.stampsOnAppend {
            rd_kafka_NewTopic_set_config(request, "message.timestamp.type", "LogAppendTime")
        }
        return request
    }

    private static func failures(_ result: OpaquePointer) -> [String: KafkaError] {
        var count = 0
        guard let topics = rd_kafka_CreateTopics_result_topics(result, &count) else { return [:] }
        var failures: [String: KafkaError] = [:]
        for index in 0..<count {
            let topic = topics[index]
            let code = rd_kafka_topic_result_error(topic)
            if code == RD_KAFKA_RESP_ERR_NO_ERROR || code == RD_KAFKA_RESP_ERR_TOPIC_ALREADY_EXISTS { continue }
            let name = rd_kafka_topic_result_name(topic).map { String(cString: $0) } ?? ""
            failures[name] = KafkaError(code, detail: name)
        }
        return failures
    }

    func topics(_ timeout: Duration) throws(KafkaError) -> Set<String> {
        var metadata: UnsafePointer<rd_kafka_metadata>?
        let error = rd_kafka_metadata(handle, 1, nil, &metadata, timeout.wholeMilliseconds)
        guard error == RD_KAFKA_RESP_ERR_NO_ERROR, let metadata else { throw KafkaError(error, detail: "metadata") }
        defer { rd_kafka_metadata_destroy(metadata) }
        var names: Set<String> = []
        for index in 0..<Int(metadata.pointee.topic_cnt) {
            let topic = metadata.pointee.topics[index]
            guard topic.partition_cnt > 0, let name = topic.topic else { continue }
            names.insert(String(cString: name))
        }
        return names
    }

    func answers(_ timeout: Duration) -> Bool {
        var metadata: UnsafePointer<rd_kafka_metadata>?
        guard rd_kafka_metadata(handle, 0, nil, &metadata, timeout.wholeMilliseconds) == RD_KAFKA_RESP_ERR_NO_ERROR
        else { return false }
        rd_kafka_metadata_destroy(metadata)
        return true
    }

    func lag(_ topics: [String], _ timeout: Duration) throws(KafkaError) -> [KafkaPartitionLag] {
        let milliseconds = timeout.wholeMilliseconds
        var partitions: [KafkaPartition] = []
        for topic in topics { partitions += try self.partitions(topic, milliseconds) }
        if partitions.isEmpty { return [] }
        let (error, committed) = withPartitionList(partitions.map { ($0, nil) }) { list in
            (rd_kafka_committed(handle, list, milliseconds), list.map(partitionOffsets) ?? [:])
        }
        guard error == RD_KAFKA_RESP_ERR_NO_ERROR else { throw KafkaError(error, detail: "committed offsets") }
        var lags: [KafkaPartitionLag] = []
        for partition in partitions {
            var low: Int64 = 0
            var high: Int64 = 0
            let error = rd_kafka_query_watermark_offsets(
                handle, partition.topic, partition.partition, &low, &high, milliseconds)
            guard error == RD_KAFKA_RESP_ERR_NO_ERROR else { throw KafkaError(error, detail: "\(partition)") }
            let offset = committed[partition].flatMap { $0 >= 0 ? $0 : nil }
            lags.append(KafkaPartitionLag(partition: partition, committed: offset, start: low, end: high))
        }
        return lags
    }

    private func partitions(_ name: String, _ milliseconds: Int32) throws(KafkaError) -> [KafkaPartition] {
        guard let topic = rd_kafka_topic_new(handle, name, nil) else {
            throw KafkaError(rd_kafka_last_error(), detail: name)
        }
        defer { rd_kafka_topic_destroy(topic) }
        var metadata: UnsafePointer<rd_kafka_metadata>?
        let error = rd_kafka_metadata(handle, 0, topic, &metadata, milliseconds)
        guard error == RD_KAFKA_RESP_ERR_NO_ERROR, let metadata else { throw KafkaError(error, detail: name) }
        defer { rd_kafka_metadata_destroy(metadata) }
        guard metadata.pointee.topic_cnt > 0 else { return [] }
        return (0..<metadata.pointee.topics[0].partition_cnt).map { KafkaPartition(topic: name, partition: $0) }
    }
}
