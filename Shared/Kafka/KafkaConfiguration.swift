/// How a process reaches the brokers, and the limits of its producer.
public struct KafkaConfiguration: Sendable {
    /// Comma-separated `host:port` list to start from.
    public var brokers: String
    /// Name of this process in the brokers' logs.
    public var clientID: String
    /// How long a record may wait for its acknowledgement before its batch fails, retries included.
    public var messageTimeout: Duration = .seconds(30)
    /// How long the producer waits for more records before it sends; zero sends what is there.
    public var linger: Duration = .zero
    /// Records handed to librdkafka and not yet acknowledged; more wait in the producer's own queue.
    public var maxInFlight: Int = 10_000
    /// Records waiting in the producer's own queue; beyond it ``KafkaProducer/publish(_:)`` refuses at once.
    public var maxQueued: Int = 100_000
    /// Largest record in bytes, its key and headers included.
    public var maxRecordBytes: Int = 1_000_000
    /// Longest pause before a lost connection is tried again; the first try comes after a tenth of it.
    public var reconnectBackoffMax: Duration = .seconds(1)
    /// Further librdkafka settings by name (`security.protocol`, `sasl.mechanism`, …); they win over the ones above.
    public var extra: [String: String] = [:]

    /// Starts from the defaults above.
    /// - Parameters:
    ///   - brokers: Comma-separated `host:port` list.
    ///   - clientID: Name of this process in the brokers' logs.
    public init(brokers: String, clientID: String) {
        self.brokers = brokers
        self.clientID = clientID
    }
}

/// The limits of one consumer.
public struct KafkaConsumerOptions: Sendable {
    /// Messages handed to the handler at once.
    public var maxBatch: Int = 500
    /// Messages held (waiting or with the handler) before no more are taken from the client library, which then
    /// stops fetching when it has `prefetchKibibytes`.
    public var credit: Int = 2_000
    /// How long the group waits for a silent member before it gives its partitions away.
    public var sessionTimeout: Duration = .seconds(10)
    /// Whether the member is known by its instance name, so that a restart gets its partitions back at once. Some brokers
    /// do not give a dead static member's partitions to others; there it must be off.
    public var staticMembership: Bool = true
    /// How long partitions that are being taken away wait for the running batch.
    public var revokeTimeout: Duration = .seconds(8)
    /// How long ``KafkaConsumer/stop()`` waits for the running batch.
    public var stopTimeout: Duration = .seconds(20)
    /// How often finished offsets are committed.
    public var commitInterval: Duration = .seconds(1)
    /// How long the broker may hold a fetch that finds nothing.
    public var fetchWait: Duration = .milliseconds(500)
    /// Bytes fetched ahead of the handler, in kibibytes.
    public var prefetchKibibytes: Int = 8_192

    /// How long a message that comes while nothing is held waits for others to be handed over with it.
    public var gather: Duration = .zero

    /// Which messages the handler has to see. Others are passed over without waking it where nothing waits before them;
    /// behind others it may still be given them.
    public var isWanted: @Sendable (KafkaMessage) -> Bool = { _ in true }

    /// Starts from the defaults above.
    public init() {}
}

extension Duration {
    /// Whole milliseconds, rounded up, never below zero and never beyond what librdkafka's settings hold.
    var wholeMilliseconds: Int32 {
        let parts = components
        if parts.seconds < 0 || parts.attoseconds < 0 { return 0 }
        if parts.seconds >= 1_000_000 { return 1_000_000_000 }
        let fraction: Int64 = (parts.attoseconds + 999_999_999_999_999) / 1_000_000_000_000_000
        return Int32(parts.seconds * 1_000 + fraction)
    }
}
