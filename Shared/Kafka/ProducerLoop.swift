import CKafka
import Logging
import Threads

/// How far a batch has come; touched by the producer's thread only.
final class BatchProgress {
    let batch: SubmittedBatch
    /// Index of the next record to produce.
    var next = 0
    /// Records produced and not decided.
    var pending = 0
    var failure: KafkaError?

    init(_ batch: SubmittedBatch) { self.batch = batch }

    var isDecided: Bool { pending == 0 && next == batch.records.count }
}

/// The producer's thread: owns the handle, moves batches into it and counts their delivery reports down.
final class ProducerLoop: KafkaHandleOwner {
    private let mailbox: ProducerMailbox
    private var client: ProducerClient?
    /// Batches with records that are not produced yet, oldest first.
    private var waiting: [BatchProgress] = []
    /// Batches known to librdkafka through their address; the dictionary keeps them alive for as long.
    private var live: [ObjectIdentifier: BatchProgress] = [:]
    private var inFlight = 0
    private var metFatalError = false

    init(mailbox: ProducerMailbox, logger: Logger) {
        self.mailbox = mailbox
        super.init(logger: logger)
    }

    /// Serves the mailbox until it is closed.
    func run() {
        do {
            client = try openClient()
            mailbox.opened.finish(.success(()))
        } catch {
            mailbox.finishAll(error)
            mailbox.opened.finish(.failure(error))
            mailbox.closed.finish(.success(()))
            return
        }
        while step() {}
        closeClient()
        let error = KafkaError(.closed, message: "the producer was closed before the broker acknowledged")
        mailbox.finishAll(error)
        mailbox.closed.finish(.success(()))
    }

    /// One turn: new batches, delivery reports, and sleep when there is nothing to do.
    /// - Returns: `false` when the loop is over.
    private func step() -> Bool {
        let work = mailbox.take()
        waiting.append(contentsOf: work.batches.map(BatchProgress.init))
        if work.simulateFatalError, let client { client.simulateFatalError() }
        let served = client?.serve() ?? 0
        if metFatalError || client == nil { rebuild() }
        failOverdue()
        let moved = produceWaiting()
        let isIdle = waiting.isEmpty && live.isEmpty
        if let closeBy = work.closeBy, isIdle || ContinuousClock.now >= closeBy { return false }
        // Every report and every submission raises the signal; the timeout only serves deadlines.
        if served == 0, moved == 0 { mailbox.wake.wait(milliseconds: isIdle ? 1_000 : 50) }
        return true
    }

    override func clientFailed(_ error: rd_kafka_resp_err_t, _ reason: String) {
        super.clientFailed(error, reason)
        mailbox.troubled()
        if error == RD_KAFKA_RESP_ERR__FATAL { metFatalError = true }
    }

    // MARK: Producing

    private func produceWaiting() -> Int {
        guard let client else { return 0 }
        var moved = 0
        var finished = 0
        for progress in waiting {
            guard produce(progress, client, &moved) else { break }
            finished += 1
            settle(progress)
        }
        waiting.removeFirst(finished)
        if moved > 0 { mailbox.produced(moved) }
        return moved
    }

    /// Produces the rest of a batch.
    /// - Returns: `false` when the client library takes no more now.
    private func produce(_ progress: BatchProgress, _ client: ProducerClient, _ moved: inout Int) -> Bool {
        let records = progress.batch.records
        if live[ObjectIdentifier(progress)] == nil { live[ObjectIdentifier(progress)] = progress }
        let address = Unmanaged.passUnretained(progress).toOpaque()
        while progress.next < records.count {
            guard inFlight < mailbox.configuration.maxInFlight else { return false }
            switch client.produce(records[progress.next], opaque: address) {
            case .accepted:
                progress.next += 1
                progress.pending += 1
                inFlight += 1
                moved += 1
            case .full: return false
            case .refused(let error):
                // What follows in the batch must not overtake the refused record.
                drop(progress, error)
                return true
            }
        }
        return true
    }

    /// Gives up on the records of a batch that are not produced yet.
    private func drop(_ progress: BatchProgress, _ error: KafkaError) {
        mailbox.dropped(progress.batch.records.count - progress.next)
        progress.next = progress.batch.records.count
        progress.failure = progress.failure ?? error
    }

    private func failOverdue() {
        guard let first = waiting.first, first.batch.deadline <= .now else { return }
        let now = ContinuousClock.now
        let overdue = waiting.filter { $0.batch.deadline <= now }
        waiting.removeAll { $0.batch.deadline <= now }
        for progress in overdue {
            drop(progress, KafkaError(.unavailable, message: "the broker took no records in time"))
            settle(progress)
        }
    }

    /// Reports a batch when the last of its records is decided.
    private func settle(_ progress: BatchProgress) {
        guard progress.isDecided else { return }
        live[ObjectIdentifier(progress)] = nil
        mailbox.finish(progress.batch, progress.failure.map { .failure($0) } ?? .success(()))
    }

    // MARK: Delivery reports

    /// Called by librdkafka within ``ProducerClient/serve()``, once for every produced record.
    func delivered(_ message: UnsafePointer<rd_kafka_message_t>) {
        guard let opaque = message.pointee._private else { return }
        let progress = Unmanaged<BatchProgress>.fromOpaque(opaque).takeUnretainedValue()
        inFlight -= 1
        progress.pending -= 1
        let isFailure = message.pointee.err != RD_KAFKA_RESP_ERR_NO_ERROR
        mailbox.delivered(isFailure ? 0 : 1, failed: isFailure ? 1 : 0)
        if isFailure { progress.failure = progress.failure ?? KafkaError(message.pointee.err) }
        settle(progress)
    }

    // MARK: The handle

    private func openClient() throws(KafkaError) -> ProducerClient {
        try ProducerClient(mailbox.configuration, owner: self, wake: mailbox.wake)
    }

    /// Replaces a handle that met a fatal error; what it had taken fails retryably.
    private func rebuild() {
        closeClient()
        metFatalError = false
        mailbox.rebuilt()
        do {
            client = try openClient()
        } catch {
            // The settings were accepted before, so only the system's resources can be short: try again soon.
            logger.debug("kafka producer not rebuilt", metadata: ["error": "\(error)"])
            mailbox.wake.wait(milliseconds: 500)
        }
    }

    private func closeClient() {
        client?.purge()
        for _ in 0..<100 where inFlight > 0 { client?.serve(milliseconds: 20) }
        client?.close(owner: self)
        client = nil
        // After the close no callback comes any more: what is undecided is decided here.
        mailbox.delivered(0, failed: inFlight)
        inFlight = 0
        let error = KafkaError(.restarted, message: "the producer was started afresh before the acknowledgement")
        for progress in live.values where progress.next > 0 {
            progress.pending = 0
            progress.failure = progress.failure ?? error
            if progress.next < progress.batch.records.count {
                waiting.removeAll { $0 === progress }
                drop(progress, error)
            }
            settle(progress)
        }
    }
}
