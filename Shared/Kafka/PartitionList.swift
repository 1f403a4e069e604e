import CKafka

/// Lends librdkafka a list of partitions, with offsets where given.
func withPartitionList<R>(
    _ entries: [(KafkaPartition, Int64?)], _ body: (UnsafeMutablePointer<rd_kafka_topic_partition_list_t>?) -> R
) -> R {
    let list = rd_kafka_topic_partition_list_new(Int32(entries.count))
    defer { if let list { rd_kafka_topic_partition_list_destroy(list) } }
    for (partition, offset) in entries {
        let entry = rd_kafka_topic_partition_list_add(list, partition.topic, partition.partition)
        if let offset { entry?.pointee.offset = offset }
    }
    return body(list)
}

/// Reads the offsets of a list; librdkafka's negative codes stay as they are.
func partitionOffsets(_ list: UnsafeMutablePointer<rd_kafka_topic_partition_list_t>) -> [KafkaPartition: Int64] {
    var offsets: [KafkaPartition: Int64] = [:]
    for index in 0..<Int(list.pointee.cnt) {
        let entry = list.pointee.elems[index]
        guard let name = entry.topic else { continue }
        offsets[KafkaPartition(topic: String(cString: name), partition: entry.partition)] = entry.offset
    }
    return offsets
}
