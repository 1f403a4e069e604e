/// One record to be published.
public struct KafkaRecord: Sendable {
    /// Name of the topic.
    public var topic: String
    /// Decides the partition: records of one key keep their order.
    public var key: String
    /// Name and value pairs, sent in this order.
    public var headers: [(String, String)]
    /// The body, not interpreted.
    public var value: [UInt8]

    /// Puts a record together; nothing is sent yet.
    public init(topic: String, key: String, headers: [(String, String)] = [], value: [UInt8]) {
        self.topic = topic
        self.key = key
        self.headers = headers
        self.value = value
    }
}

/// One record as a consumer group received it.
public struct KafkaMessage: Sendable, Equatable {
    /// Name of the topic.
    public var topic: String
    /// Partition within the topic, from 0.
    public var partition: Int32
    /// Position within the partition, from 0; grows without being gapless.
    public var offset: Int64
    /// The record's key, `nil` when it has none; bytes that are not UTF-8 are replaced.
    public var key: String?
    /// Headers by name; of equal names the last one is kept.
    public var headers: [String: String]
    /// The body, not interpreted.
    public var value: [UInt8]
    /// Milliseconds since the Unix epoch at which the broker (or the producer, by the topic's choice) stamped the
    /// record; -1 when it has no stamp.
    public var timestampMilliseconds: Int64

    /// Puts a message together, for tests of what handles them.
    public init(
        topic: String, partition: Int32, offset: Int64, key: String?, headers: [String: String] = [:], value: [UInt8],
        timestampMilliseconds: Int64 = -1
    ) {
        self.topic = topic
        self.partition = partition
        self.offset = offset
        self.key = key
        self.headers = headers
        self.value = value
        self.timestampMilliseconds = timestampMilliseconds
    }
}

/// One partition of one topic.
public struct KafkaPartition: Hashable, Sendable, CustomStringConvertible {
    /// Name of the topic.
    public var topic: String
    /// Number within the topic, from 0.
    public var partition: Int32

    /// Names a partition.
    public init(topic: String, partition: Int32) {
        self.topic = topic
        self.partition = partition
    }

    /// `topic[3]`.
    public var description: String { "\(topic)[\(partition)]" }
}
