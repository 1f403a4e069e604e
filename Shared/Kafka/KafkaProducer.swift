public import Logging
import Threads

/// Publishes batches of records with an idempotent producer: all replicas acknowledge, order per key is kept.
///
/// One owned thread opens, serves and closes the librdkafka handle. When the idempotent producer meets an error it
/// cannot recover from, the handle is rebuilt behind the scenes and the batches under way fail retryably.
public final class KafkaProducer: Sendable {
    private let mailbox: ProducerMailbox

    /// Opens a producer; it connects in the background.
    /// - Parameters:
    ///   - configuration: Brokers and limits.
    ///   - logger: Receives `debug` lines only; failures are thrown.
    /// - Throws: ``KafkaError`` of kind `configuration` or `resources`.
    public init(_ configuration: KafkaConfiguration, logger: Logger = Logger(label: "refrain.kafka")) throws(KafkaError)
    {
        let mailbox = ProducerMailbox(configuration: configuration)
        self.mailbox = mailbox
        OwnedThread.start("kafka-producer") {
            ProducerLoop(mailbox: mailbox, logger: logger).run()
        }
        if case .failure(let error) = mailbox.opened.wait(.seconds(10)) { throw error }
    }

    deinit { mailbox.close(after: .zero) }

    /// Publishes a batch and returns when the broker has acknowledged every record of it.
    ///
    /// Records reach their partitions in the order given. After an error some of them may have arrived: repeating the
    /// batch is safe for consumers that know the records by an id of their own.
    /// - Parameter batch: Any number of records, to any topics.
    /// - Throws: ``KafkaError``; `isRetryable` says whether to repeat. Cancelling the task ends the wait only.
    public func publish(_ batch: [KafkaRecord]) async throws(KafkaError) {
        if batch.isEmpty { return }
        try await mailbox.submit(batch).valueOrCancelled()
    }

    /// ``publish(_:)`` for a thread that may block; never call it from a task.
    /// - Parameters:
    ///   - batch: Any number of records, to any topics.
    ///   - timeout: How long to wait; after it the records may still arrive.
    /// - Throws: ``KafkaError``; of kind `timedOut` when the time was over first.
    public func publishBlocking(_ batch: [KafkaRecord], timeout: Duration) throws(KafkaError) {
        if batch.isEmpty { return }
        guard let outcome = try mailbox.submit(batch).wait(timeout) else {
            throw KafkaError(.timedOut, message: "no acknowledgement within \(timeout)")
        }
        try outcome.get()
    }

    /// Waits until everything published before this call is acknowledged or has failed.
    public func flush() async {
        for batch in mailbox.open { _ = await batch.value }
    }

    /// Refuses new batches, waits for those under way and closes the connection.
    /// - Parameter timeout: How long to wait; batches still open then fail as `closed`.
    public func close(timeout: Duration = .seconds(10)) async {
        mailbox.close(after: timeout)
        _ = await mailbox.closed.value
    }

    /// Counters since the start.
    public var statistics: KafkaProducerStatistics { mailbox.statistics }

    /// How often there was trouble with a broker; when it has grown, what was confirmed before may be in doubt.
    public var troubles: Int { mailbox.statistics.troubles }

    /// Makes librdkafka believe that it met a fatal error, so that a test can watch the rebuild.
    package func simulateFatalError() { mailbox.simulateFatalError() }
}
