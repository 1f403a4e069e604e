public import BillingCore
import BillingEvents
public import Kafka
public import Logging
public import Postgres
import Telemetry

/// A consumer at work: the Kafka group member, the dispatcher and the retry loop.
public final class RunningConsumer: Sendable {
    /// How long a background consumer rests for each event it has handled: below a thousand per second it hardly does,
    /// above that its batches grow until they reach the longest rest.
    private static let restPerEvent: Duration = .milliseconds(1)
    private static let longestRest: Duration = .milliseconds(50)
    /// How long a background consumer that has nothing to do waits for what comes with an event: the way of a payment that
    /// travels alone is over by then, or one step further, and its events are handled together.
    private static let gather: Duration = .milliseconds(5)

    private let kafka: KafkaConsumer
    private let retries: RetryLoop

    /// Makes a member of the consumer's group.
    /// - Parameters:
    ///   - group: The group's name; all instances of the service share it.
    ///   - instance: The stable name of this instance.
    ///   - clock: The business clock.
    public init(
        _ consumer: EventConsumer, kafka configuration: KafkaConfiguration, options: KafkaConsumerOptions,
        group: String, instance: String, pool: PostgresPool, clock: any WallClock, logger: Logger
    ) {
        let dispatcher = EventDispatcher(consumer, pool: pool, clock: clock, logger: logger)
        retries = RetryLoop(dispatcher: dispatcher, logger: logger)
        var options: KafkaConsumerOptions = options
        if consumer.urgency == .background { options.gather = Self.gather }
        options.isWanted = { message in SortedBatch.concerns(consumer, message) }
        kafka = KafkaConsumer(
            configuration, group: group, instance: instance, topics: consumer.topics.map(\.rawValue), options: options,
            logger: logger
        ) { messages in
            await dispatcher.handle(messages)
            guard consumer.urgency == .background else { return }
            try? await Task.sleep(for: min(Self.longestRest, Self.restPerEvent * messages.count))
        }
        let kafka: KafkaConsumer = kafka
        Metrics.shared.gauge("consumer_lag", help: "Messages not handled yet", labels: ["consumer": consumer.name]) {
            Double(kafka.lag)
        }
    }

    /// Whether partitions are assigned to this member.
    public var isAssigned: Bool { kafka.isAssigned }

    /// Runs until cancelled, then finishes the batch under way, stores its offsets and leaves.
    public func run() async throws {
        try kafka.start()
        await retries.run()
        await kafka.stop()
    }
}
