import Synchronization
import Threads

/// A batch on its way: immutable records and the one result its publisher waits for.
final class SubmittedBatch: Sendable {
    let records: [KafkaRecord]
    let completion = Completion()
    /// When it fails although some of its records never reached the client library's queue.
    let deadline: ContinuousClock.Instant

    init(_ records: [KafkaRecord], deadline: ContinuousClock.Instant) {
        self.records = records
        self.deadline = deadline
    }
}

/// What publishers and the producer's thread share.
final class ProducerMailbox: Sendable {
    /// What the thread finds when it looks.
    struct Work {
        var batches: [SubmittedBatch] = []
        /// Set when no more batches come: when to give up on those under way.
        var closeBy: ContinuousClock.Instant?
        var simulateFatalError = false
    }
    private struct State {
        var incoming: [SubmittedBatch] = []
        var queued = 0
        var open: [ObjectIdentifier: SubmittedBatch] = [:]
        var closeBy: ContinuousClock.Instant?
        var simulateFatalError = false
    }
    let configuration: KafkaConfiguration
    let wake = WakeSignal()
    let opened = Completion()
    let closed = Completion()
    private let counters = Counted(KafkaProducerStatistics())
    private let state = Mutex(State())

    init(configuration: KafkaConfiguration) { self.configuration = configuration }

    /// Queues a batch for the thread.
    func submit(_ records: [KafkaRecord]) throws(KafkaError) -> Completion {
        let batch = SubmittedBatch(records, deadline: .now.advanced(by: configuration.messageTimeout))
        let limit = configuration.maxQueued
        let refusal: KafkaError? = state.withLock { state in
            if state.closeBy != nil { return KafkaError(.closed, message: "the producer is closed") }
            // A batch larger than the whole queue is let in alone: refusing it would refuse it for ever.
            if state.queued > 0, state.queued + records.count > limit {
                return KafkaError(.overloaded, message: "\(state.queued) records are waiting")
            }
            state.incoming.append(batch)
            state.queued += records.count
            state.open[ObjectIdentifier(batch)] = batch
            return nil
        }
        if let refusal { throw refusal }
        wake.wake()
        return batch.completion
    }

    /// Results still open.
    var open: [Completion] { state.withLock { $0.open.values.map(\.completion) } }

    /// Takes what has come since the last look.
    func take() -> Work {
        state.withLock { state in
            defer { state.incoming = []; state.simulateFatalError = false }
            return Work(
                batches: state.incoming, closeBy: state.closeBy, simulateFatalError: state.simulateFatalError)
        }
    }

    /// Records have left this queue for the client library's.
    func produced(_ count: Int) {
        state.withLock { $0.queued -= count }
        counters.update {
            $0.produced += count; $0.inFlight += count
        }
    }

    /// Records that will not be produced any more.
    func dropped(_ count: Int) {
        state.withLock { $0.queued -= count }
        counters.update { $0.failed += count }
    }

    /// A record of those produced is decided.
    func delivered(_ count: Int, failed: Int) {
        counters.update {
            $0.acknowledged += count
            $0.failed += failed
            $0.inFlight -= count + failed
        }
    }

    /// A batch is decided.
    func finish(_ batch: SubmittedBatch, _ outcome: Completion.Outcome) {
        state.withLock { _ = $0.open.removeValue(forKey: ObjectIdentifier(batch)) }
        batch.completion.finish(outcome)
    }

    /// Lets no more batches in; the thread ends when those under way are decided or the time is over.
    func close(after timeout: Duration) {
        state.withLock { state in
            let by = ContinuousClock.now.advanced(by: timeout)
            state.closeBy = state.closeBy.map { min($0, by) } ?? by
        }
        wake.wake()
    }

    /// Fails whatever is still open, when the thread is gone.
    func finishAll(_ error: KafkaError) {
        let left: [SubmittedBatch] = state.withLock { state in
            defer { state.open = [:]; state.incoming = []; state.queued = 0 }
            if state.closeBy == nil { state.closeBy = .now }
            return Array(state.open.values)
        }
        for batch in left { batch.completion.finish(.failure(error)) }
    }

    func troubled() { counters.update { $0.troubles += 1 } }

    func rebuilt() { counters.update { $0.rebuilds += 1 } }

    func simulateFatalError() {
        state.withLock { $0.simulateFatalError = true }
        wake.wake()
    }

    var statistics: KafkaProducerStatistics {
        var statistics = counters.current
        statistics.queued = state.withLock { $0.queued }
        return statistics
    }
}
