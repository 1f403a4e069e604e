import CKafka
public import Logging
import Threads

/// Where a consumer group stands in one partition.
public struct KafkaPartitionLag: Sendable, Equatable {
    /// The partition.
    public var partition: KafkaPartition
    /// Where the group goes on; `nil` when it has committed nothing.
    public var committed: Int64?
    /// The oldest offset still kept.
    public var start: Int64
    /// The offset the next record will get.
    public var end: Int64

    /// Records the group has not committed.
    public var lag: Int64 { max(0, end - max(start, committed ?? start)) }
}

/// Looks after topics and asks about groups; opens a connection for each call.
///
/// The plain methods block: call them at start-up or from an owned thread. Tasks use the `async` forms, which run the
/// same work on a thread of its own.
public struct KafkaAdmin: Sendable {
    private let configuration: KafkaConfiguration
    private let logger: Logger

    /// Describes where to ask.
    public init(_ configuration: KafkaConfiguration, logger: Logger = Logger(label: "refrain.kafka")) {
        self.configuration = configuration
        self.logger = logger
    }

    /// Makes the topics that do not exist yet; records are to be stamped on append. Existing topics stay as they are, also
    /// those that this login might not have made.
    /// - Parameters:
    ///   - names: Topics.
    ///   - partitions: Partitions of a new topic.
    ///   - replicas: Copies of each partition, -1 for the broker's default.
    ///   - mayHaveOneCopy: Whether one copy will do where the broker cannot give that: a development broker. Elsewhere others
    ///     are away or not there yet, and one copy would stay one.
    ///   - timeout: For all topics together.
    /// - Throws: ``KafkaError`` with the first topic that could not be made.
    public func ensureTopics(
        _ names: [String], partitions: Int, replicas: Int = -1, mayHaveOneCopy: Bool = true,
        timeout: Duration = .seconds(10)
    ) throws(KafkaError) {
        guard !names.isEmpty else { return }
        let session = try AdminSession(configuration, group: nil, logger: logger)
        defer { session.close() }
        let topics = TopicSpecification(
            partitions: partitions, replicas: replicas, mayHaveOneCopy: mayHaveOneCopy)
        try session.ensure(names, topics, timeout)
    }

    /// Whether a broker answers in time.
    public func reachable(timeout: Duration = .seconds(2)) -> Bool {
        do {
            let session = try AdminSession(configuration, group: nil, logger: logger)
            defer { session.close() }
            return session.answers(timeout)
        } catch {
            logger.debug("kafka not asked", metadata: ["error": "\(error)"])
            return false
        }
    }

    /// Where a group stands in every partition of some topics; topics that do not exist are left out.
    /// - Throws: ``KafkaError`` when no broker answers in time.
    public func groupLag(
        _ group: String, topics: [String], timeout: Duration = .seconds(5)
    ) throws(KafkaError) -> [KafkaPartitionLag] {
        let session = try AdminSession(configuration, group: group, logger: logger)
        defer { session.close() }
        return try session.lag(topics, timeout)
    }

    /// ``ensureTopics(_:partitions:replicas:mayHaveOneCopy:timeout:)-(_,_,_,_)`` for tasks.
    public func ensureTopics(
        _ names: [String], partitions: Int, replicas: Int = -1, mayHaveOneCopy: Bool = true,
        timeout: Duration = .seconds(10)
    ) async throws(KafkaError) {
        try await onOwnThread { () throws(KafkaError) in
            try ensureTopics(
                names, partitions: partitions, replicas: replicas, mayHaveOneCopy: mayHaveOneCopy, timeout: timeout)
        }
    }

    /// ``reachable(timeout:)-(_)`` for tasks.
    public func reachable(timeout: Duration = .seconds(2)) async -> Bool {
        do {
            return try await onOwnThread { reachable(timeout: timeout) }
        } catch {
            logger.debug("kafka not asked", metadata: ["error": "\(error)"])
            return false
        }
    }

    /// ``groupLag(_:topics:timeout:)-(_,_,_)`` for tasks.
    public func groupLag(
        _ group: String, topics: [String], timeout: Duration = .seconds(5)
    ) async throws(KafkaError) -> [KafkaPartitionLag] {
        try await onOwnThread { () throws(KafkaError) in
            try groupLag(group, topics: topics, timeout: timeout)
        }
    }

    private func onOwnThread<R: Sendable>(
        _ body: @escaping @Sendable () throws(KafkaError) -> R
    ) async throws(KafkaError) -> R {
        let result: Result<R, KafkaError> = await withCheckedContinuation { continuation in
            OwnedThread.start("kafka-admin") {
                do throws(KafkaError) {
                    continuation.resume(returning: .success(try body()))
                } catch {
                    continuation.resume(returning: .failure(error))
                }
            }
        }
        return try result.get()
    }
}
