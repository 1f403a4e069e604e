/// One batch of a ``GroupCommit``, as work for the pool.
///
/// `@unchecked Sendable`: as its superclass says.
final class GroupJob<Item: Sendable, Output: Sendable>: PoolJob, @unchecked Sendable {
    private let lanes: GroupLanes<Item, Output>
    private var batch: [GroupEntry<Item, Output>] = []
    private var outcomes: [Result<Output, any Error>] = []

    init(_ lanes: GroupLanes<Item, Output>, startLimit: ContinuousClock.Instant) {
        self.lanes = lanes
        super.init(startLimit: startLimit, isCallersLimit: false)
    }

    override func run(on connection: Connection) -> JobCounts {
        lanes.gather()
        let now: ContinuousClock.Instant = .now
        for entry in lanes.takeBatch() {
            if let deadline = entry.deadline, deadline <= now {
                entry.resume(with: .failure(PostgresError.deadline))
            } else {
                batch.append(entry)
            }
        }
        if batch.isEmpty { return JobCounts() }
        do {
            outcomes = try runTogether(batch, on: connection)
            return JobCounts(transactions: 1)
        } catch {
            return settle(error, on: connection)
        }
    }

    override func complete() {
        for (entry, outcome) in zip(batch, outcomes) { entry.resume(with: outcome) }
        lanes.endBatch()
    }

    override func fail(_ error: any Error) {
        lanes.failWaiting(error)
    }

    private func runTogether(
        _ entries: [GroupEntry<Item, Output>], on connection: Connection
    ) throws -> [Result<Output, any Error>] {
        let items: [Item] = entries.map(\.item)
        let results: [Result<Output, any Error>] = try connection.transaction(readOnly: false, deadline: nil) { db in
            try lanes.body(db, items)
        }
        precondition(results.count == items.count, "a batch returns one result per item")
        return results
    }

    /// Decides what becomes of the items of a failed batch: each is run once alone, also one that was alone already and lost
    /// a race. Nothing starts after its deadline, or after the server was lost: the others would wait for it one by one.
    private func settle(_ error: any Error, on connection: Connection) -> JobCounts {
        let isOver: Bool = batch.count == 1 && !Self.lostRace(error)
        if isOver || Self.concernsAll(error) {
            outcomes = batch.map { _ in .failure(error) }
            return JobCounts(rollbacks: 1)
        }
        if batch.count > 1 { lanes.countSplit() }
        var counts = JobCounts(rollbacks: 1)
        var isLost: Bool = false
        for entry in batch {
            if isLost {
                outcomes.append(.failure(PostgresError.lost("the server was lost before the item's turn")))
                continue
            }
            if let deadline = entry.deadline, deadline <= .now {
                outcomes.append(.failure(PostgresError.deadline))
                continue
            }
            do {
                try connection.ensureOpen()
                outcomes.append(contentsOf: try runTogether([entry], on: connection))
                counts.transactions += 1
            } catch {
                outcomes.append(.failure(error))
                counts.rollbacks += 1
                isLost = Self.concernsAll(error)
            }
        }
        return counts
    }

    /// Whether the same item may succeed when it is run again at once.
    private static func lostRace(_ error: any Error) -> Bool { (error as? PostgresError)?.deservesRetry ?? false }

    /// Whether the failure says nothing about any one item: running them alone would not help, and after an unknown
    /// COMMIT it could do the work twice.
    private static func concernsAll(_ error: any Error) -> Bool {
        (error as? PostgresError)?.endsSession ?? false
    }
}
