import Synchronization

/// What a producer has done since it was made.
public struct KafkaProducerStatistics: Sendable, Equatable {
    /// Records handed to the client library.
    public var produced: Int = 0
    /// Records the broker acknowledged.
    public var acknowledged: Int = 0
    /// Records that failed; their batches failed with them.
    public var failed: Int = 0
    /// Records produced and neither acknowledged nor failed yet.
    public var inFlight: Int = 0
    /// Records waiting in the producer's own queue.
    public var queued: Int = 0
    /// Times the client reported trouble with a broker, such as a lost connection.
    public var troubles: Int = 0
    /// Times the idempotent producer had to be built afresh.
    public var rebuilds: Int = 0
}

/// What a consumer has done since it was made.
public struct KafkaConsumerStatistics: Sendable, Equatable {
    /// Messages received from the broker.
    public var consumed: Int = 0
    /// Messages whose handler returned.
    public var handled: Int = 0
    /// Batches whose handler returned.
    public var batches: Int = 0
    /// Messages received and not handled yet.
    public var outstanding: Int = 0
    /// Assignments taken and given back.
    public var rebalances: Int = 0
    /// Whether the group has given this member its share, which may be empty.
    public var isAssigned: Bool = false
    /// Partitions assigned now.
    public var assignedPartitions: Int = 0
    /// Times the flow stopped because the credit was used up.
    public var pauses: Int = 0
    /// Whether it is stopped now.
    public var isPaused: Bool = false
    /// Messages in the assigned partitions that are not handled yet, as of the last second.
    public var lag: Int = 0
    /// Errors the client reported.
    public var errors: Int = 0
    /// The last of them, for a readiness page.
    public var lastError: String?
}

/// Counters that one thread writes and everyone reads.
final class Counted<Value: Sendable>: Sendable {
    private let value: Mutex<Value>

    init(_ value: Value) { self.value = Mutex(value) }

    var current: Value { value.withLock { $0 } }

    func update(_ change: (inout sending Value) -> Void) { value.withLock { change(&$0) } }
}
