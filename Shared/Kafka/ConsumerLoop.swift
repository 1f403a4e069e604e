import CKafka
import Glibc
import Logging
import Threads

/// The consumer's thread: owns the handle, polls it, feeds the mailbox and stores finished offsets.
final class ConsumerLoop: KafkaHandleOwner {
    /// Messages received in one turn before offsets and flow are looked after.
    private static let turnLimit = 4_096
    private let plan: ConsumerPlan
    private let mailbox: ConsumerMailbox
    private var client: ConsumerClient?
    /// Received in this turn and not offered yet.
    private var fresh: [KafkaMessage] = []
    private var wasPaused = false
    private var positions = ConsumerPositions()
    private var nextLook = ContinuousClock.now
    private var metFatalError = false

    init(plan: ConsumerPlan, mailbox: ConsumerMailbox, logger: Logger) {
        self.plan = plan
        self.mailbox = mailbox
        super.init(logger: logger)
    }

    /// Serves the group until the consumer is stopped; a handle that meets a fatal error is replaced.
    func run(opened: Completion) {
        do {
            client = try ConsumerClient(plan, owner: self, wake: mailbox.wake)
            opened.finish(.success(()))
        } catch {
            opened.finish(.failure(error))
            mailbox.finish()
            return
        }
        while !mailbox.isStopping {
            turn()
            if mailbox.takeSimulatedError() { client?.simulateFatalError() }
            if metFatalError { rebuild() }
        }
        if mailbox.isAbandoned {
            client?.abandon(owner: self)
        } else {
            if !mailbox.waitUntilIdle(plan.options.stopTimeout) { mailbox.change { $0.revoke { _ in true } } }
            revoked()
            client?.close(owner: self)
        }
        client = nil
        mailbox.finish()
    }

    private func turn() {
        let served = serve()
        let received = receive()
        storeFinished()
        lookAtLag()
        // New events, finished batches and the end raise the signal.
        if served + received == 0 { mailbox.wake.wait(milliseconds: 500) }
    }

    /// Serves rebalances and errors; this also tells the group that the member is alive.
    private func serve() -> Int {
        guard let client else { return 0 }
        var count = 0
        while count < Self.turnLimit, take(client.serve()) { count += 1 }
        return count
    }

    /// Takes what has arrived, without waiting for more, as far as the credit goes; the rest stays with librdkafka,
    /// which stops fetching when its own limit is reached.
    private func receive() -> Int {
        guard let client else { return 0 }
        let outstanding = mailbox.change { $0.outstanding }
        let credit = plan.options.credit - outstanding
        var count = 0
        if outstanding == 0, plan.options.gather > .zero, credit > 0, take(client.receive()) {
            count = 1
            usleep(UInt32(plan.options.gather / .microseconds(1)))
        }
        while count < min(credit, Self.turnLimit), take(client.receive()) { count += 1 }
        offer()
        let isPaused = mailbox.change { $0.isCreditUsedUp }
        if isPaused != wasPaused {
            wasPaused = isPaused
            mailbox.counters.update {
                $0.isPaused = isPaused
                $0.pauses += isPaused ? 1 : 0
            }
        }
        return count
    }

    /// - Returns: `false` when there was nothing.
    private func take(_ event: ConsumerClient.Event) -> Bool {
        switch event {
        case .nothing: return false
        case .message(let message):
            fresh.append(message)
            if fresh.count >= plan.options.maxBatch { offer() }
        case .failure(let error): failed(error)
        }
        return true
    }

    private func offer() {
        guard !fresh.isEmpty else { return }
        mailbox.offer(fresh)
        fresh.removeAll(keepingCapacity: true)
    }

    private func storeFinished() {
        let finished = mailbox.change { $0.takeFinished() }
        guard !finished.isEmpty else { return }
        client?.store(finished)
        positions.advance(finished)
    }

    private func lookAtLag() {
        let now = ContinuousClock.now
        guard now >= nextLook, let client else { return }
        nextLook = now.advanced(by: .seconds(1))
        let lag = positions.lag { client.highWatermark($0) }
        mailbox.counters.update { $0.lag = lag }
    }

    // MARK: Rebalances, served within a poll

    /// The group gave this member its share.
    func assigned(_ list: UnsafeMutablePointer<rd_kafka_topic_partition_list_t>) {
        guard let client else { return }
        client.assign(list)
        positions = ConsumerPositions(client.committed(list))
        mailbox.change { $0.letGo() }
        let count = positions.partitions.count
        mailbox.counters.update {
            $0.rebalances += 1
            $0.isAssigned = true
            $0.assignedPartitions = count
        }
        logger.debug("kafka assignment", metadata: ["group": "\(plan.group)", "partitions": "\(count)"])
    }

    /// The group takes the share back: what runs may finish, what waits is dropped and comes again elsewhere.
    func revoked() {
        guard let client else { return }
        fresh.removeAll(keepingCapacity: true)
        if !client.isAssignmentLost, mailbox.waitUntilIdle(plan.options.revokeTimeout) {
            storeFinished()
            if let error = client.commitStored() { failed(error) }
        }
        mailbox.change { state in
            state.revoke { _ in true }
            state.holdBack()
        }
        client.unassign()
        positions = ConsumerPositions()
        mailbox.counters.update {
            $0.rebalances += 1
            $0.isAssigned = false
            $0.assignedPartitions = 0
            $0.lag = 0
        }
    }

    // MARK: Errors

    override func clientFailed(_ error: rd_kafka_resp_err_t, _ reason: String) {
        super.clientFailed(error, reason)
        if error == RD_KAFKA_RESP_ERR__FATAL { metFatalError = true }
        failed(KafkaError(error, detail: reason))
    }

    private func failed(_ error: KafkaError) {
        mailbox.counters.update {
            $0.errors += 1; $0.lastError = error.description
        }
        if error.code == "_FATAL" { metFatalError = true }
    }

    /// Replaces a handle that met a fatal error, for instance because another process uses the same instance name.
    private func rebuild() {
        revoked()
        client?.close(owner: self)
        client = nil
        metFatalError = false
        let retryAt = ContinuousClock.now.advanced(by: .seconds(1))
        while !mailbox.isStopping {
            let left = ContinuousClock.now.duration(to: retryAt)
            if left <= .zero { break }
            mailbox.wake.wait(milliseconds: left.wholeMilliseconds)
        }
        if mailbox.isStopping { return }
        do {
            client = try ConsumerClient(plan, owner: self, wake: mailbox.wake)
        } catch {
            // Only the system's resources can be short here: the settings were accepted before.
            metFatalError = true
            failed(error)
        }
    }
}

/// How far the assigned partitions have been handled.
struct ConsumerPositions {
    private var next: [KafkaPartition: Int64] = [:]

    init() {}

    /// - Parameter committed: Where each partition goes on; `nil` where that is not known yet.
    init(_ committed: [KafkaPartition: Int64]) { next = committed }

    var partitions: [KafkaPartition] { Array(next.keys) }

    mutating func advance(_ finished: [KafkaPartition: Int64]) {
        for (partition, offset) in finished where next[partition] != nil { next[partition] = offset }
    }

    /// Messages not handled yet, as far as the ends of the partitions are known.
    func lag(end: (KafkaPartition) -> Int64?) -> Int {
        next.reduce(0) { sum, entry in
            guard let end = end(entry.key) else { return sum }
            return sum + Int(max(0, end - max(0, entry.value)))
        }
    }
}
