public import Logging
import Synchronization
import Threads

/// Receives the messages of topics as a member of a consumer group and hands them over in batches.
///
/// Delivery is at least once: an offset is stored only after the handler has returned for its message. One batch runs
/// at a time, in partition order. While the handler works an owned thread keeps polling, so the member stays in its
/// group; when the credit is used up it takes no more messages. Membership is static: a restart under the same
/// instance name gets the same partitions back at once.
public final class KafkaConsumer: Sendable {
    /// What handles a batch; when it returns, the batch counts as done.
    public typealias Handler = @Sendable ([KafkaMessage]) async -> Void

    private let plan: ConsumerPlan
    private let handler: Handler
    private let logger: Logger
    private let mailbox: Mutex<ConsumerMailbox?>
    private let worker = Mutex<Task<Void, Never>?>(nil)

    /// Describes a consumer; nothing happens before ``start()``.
    /// - Parameters:
    ///   - configuration: Brokers.
    ///   - group: Name of the consumer group.
    ///   - instance: Name of this member, unique within the group and the same after a restart.
    ///   - topics: What to subscribe to; a topic made later is found within seconds.
    ///   - options: Limits and timeouts.
    ///   - logger: Receives `debug` lines.
    ///   - handler: Called with one batch at a time, never concurrently with itself.
    public init(
        _ configuration: KafkaConfiguration, group: String, instance: String, topics: [String],
        options: KafkaConsumerOptions = KafkaConsumerOptions(), logger: Logger = Logger(label: "refrain.kafka"),
        handler: @escaping Handler
    ) {
        plan = ConsumerPlan(
            configuration: configuration, group: group, instance: instance, topics: topics, options: options)
        self.logger = logger
        self.handler = handler
        mailbox = Mutex(nil)
    }

    deinit {
        mailbox.withLock { $0 }?.stop()
    }

    /// Joins the group and begins to hand messages over; a second call does nothing, unless the first one threw.
    /// - Throws: ``KafkaError`` of kind `configuration` or `resources`; an absent broker is no error here.
    public func start() throws(KafkaError) {
        let fresh = ConsumerMailbox(plan.options)
        let isFirst = mailbox.withLock { mailbox in
            if mailbox != nil { return false }
            mailbox = fresh
            return true
        }
        guard isFirst else { return }
        let (plan, logger, handler) = (plan, logger, handler)
        let opened = Completion()
        OwnedThread.start("kafka-consumer") {
            ConsumerLoop(plan: plan, mailbox: fresh, logger: logger).run(opened: opened)
        }
        if case .failure(let error) = opened.wait(.seconds(10)) {
            // The thread has ended and left nothing open.
            mailbox.withLock { $0 = nil }
            throw error
        }
        let task = Task {
            while let batch = await fresh.nextBatch() {
                await handler(batch)
                fresh.finishedBatch()
            }
        }
        worker.withLock { $0 = task }
    }

    /// Ends cleanly: the running batch is waited for, offsets are committed, the connection is closed.
    ///
    /// Takes as long as the running batch, at most ``KafkaConsumerOptions/stopTimeout`` and a few seconds; a batch
    /// that takes longer is cancelled and comes again.
    public func stop() async { await end(abandoning: false) }

    /// Ends like a killed process: nothing is stored, nobody is told. For tests of redelivery.
    package func abandon() async { await end(abandoning: true) }

    /// Makes librdkafka believe that it met a fatal error, so that a test can watch the recovery.
    package func simulateFatalError() { mailbox.withLock { $0 }?.simulateFatalError() }

    private func end(abandoning: Bool) async {
        guard let mailbox = mailbox.withLock({ $0 }) else { return }
        mailbox.stop(abandoning: abandoning)
        _ = await mailbox.closed.value
        let task = worker.withLock { $0 }
        task?.cancel()
    }

    /// Whether the group has given this member its share, which may be empty.
    public var isAssigned: Bool { statistics.isAssigned }

    /// Messages in the assigned partitions that are not handled yet, as of the last second.
    public var lag: Int { statistics.lag }

    /// Counters since the start.
    public var statistics: KafkaConsumerStatistics {
        guard let mailbox = mailbox.withLock({ $0 }) else { return KafkaConsumerStatistics() }
        var statistics = mailbox.counters.current
        statistics.outstanding = mailbox.change { $0.outstanding }
        return statistics
    }
}

/// Everything a consumer's thread needs to know.
struct ConsumerPlan: Sendable {
    let configuration: KafkaConfiguration
    let group: String
    let instance: String
    let topics: [String]
    let options: KafkaConsumerOptions
}
