/// What a consumer holds between the broker and the handler, as a value: no I/O, no threads.
///
/// Messages wait in order of arrival; one batch runs at a time; a partition's offset is finished when the batch that
/// held its messages has returned. Partitions that are taken away lose their waiting messages and whatever their
/// running messages would finish.
package struct ConsumerState: Sendable {
    private var buffer: [KafkaMessage] = []
    private var head = 0
    private var running: [KafkaPartition: Int64]?
    private var runningCount = 0
    private var finished: [KafkaPartition: Int64] = [:]
    private let credit: Int
    private let maxBatch: Int
    private var heldBack = false

    /// - Parameters:
    ///   - maxBatch: Messages of one batch at most.
    ///   - credit: Messages held at most.
    package init(maxBatch: Int, credit: Int) {
        self.maxBatch = max(1, maxBatch)
        self.credit = max(credit, 1)
    }

    /// Messages held, waiting or running.
    package var outstanding: Int { buffer.count - head + runningCount }
    /// No more should be taken now.
    package var isCreditUsedUp: Bool { outstanding >= credit }
    /// A batch is with the handler and at least one of its partitions is still this member's.
    package var isRunning: Bool { running.map { !$0.isEmpty } ?? false }

    /// Messages have come from the broker. One that is not wanted counts as finished if nothing is held before it;
    /// otherwise it takes its turn, so that no offset runs ahead of what is under way.
    /// - Returns: How many were passed over.
    @discardableResult
    package mutating func append(_ messages: [KafkaMessage], isWanted: (KafkaMessage) -> Bool = { _ in true }) -> Int {
        var passed = 0
        for message in messages {
            if outstanding == 0, !isWanted(message) {
                finished[KafkaPartition(topic: message.topic, partition: message.partition)] = message.offset + 1
                passed += 1
            } else {
                buffer.append(message)
            }
        }
        return passed
    }

    /// No batch starts until ``letGo()``.
    package mutating func holdBack() { heldBack = true }

    /// Batches may start again.
    package mutating func letGo() { heldBack = false }

    /// Takes the next batch, `nil` when nothing waits, one is running, or batches are held back.
    package mutating func takeBatch() -> [KafkaMessage]? {
        guard running == nil, !heldBack, head < buffer.count else { return nil }
        let end = min(buffer.count, head + maxBatch)
        let batch = Array(buffer[head..<end])
        head = end
        if head == buffer.count {
            buffer.removeAll(keepingCapacity: true)
            head = 0
        } else if head >= 4 * maxBatch {
            buffer.removeFirst(head)
            head = 0
        }
        var next: [KafkaPartition: Int64] = [:]
        for message in batch {
            next[KafkaPartition(topic: message.topic, partition: message.partition)] = message.offset + 1
        }
        running = next
        runningCount = batch.count
        return batch
    }

    /// The running batch has returned.
    /// - Returns: How many messages it held.
    package mutating func finishBatch() -> Int {
        finished.merge(running ?? [:]) { _, new in new }
        defer { running = nil; runningCount = 0 }
        return runningCount
    }

    /// Takes the offsets to store: for each partition the position behind its last finished message.
    package mutating func takeFinished() -> [KafkaPartition: Int64] {
        defer { finished = [:] }
        return finished
    }

    /// Partitions belong to somebody else now; a batch that still runs no longer finishes anything for them.
    package mutating func revoke(where isRevoked: (KafkaPartition) -> Bool) {
        let kept = buffer[head...].filter {
            !isRevoked(KafkaPartition(topic: $0.topic, partition: $0.partition))
        }
        buffer = Array(kept)
        head = 0
        running = running?.filter { !isRevoked($0.key) }
        finished = finished.filter { !isRevoked($0.key) }
    }
}
