import BillingCore
import BillingEvents
package import Logging
import Postgres

/// Works off events that failed earlier: the first of each key, when its time has come; its successors follow in order.
package struct RetryLoop: Sendable {
    /// Rows looked at in one pass.
    static let passLimit = 100
    /// How often the table is looked at when nothing was due.
    static let idleWait: Duration = .milliseconds(500)

    let dispatcher: EventDispatcher
    let logger: Logger

    /// Makes a loop over the events that the dispatcher has put off.
    package init(dispatcher: EventDispatcher, logger: Logger) {
        self.dispatcher = dispatcher
        self.logger = logger
    }

    /// Runs until cancelled; faults of the database are waited out.
    func run() async {
        while !Task.isCancelled {
            var progressed = false
            do { progressed = try await pass() } catch {
                logger.debug("retries wait for the database", metadata: ["error": "\(error)"])
            }
            if !progressed { try? await Task.sleep(for: Self.idleWait) }
        }
    }

    /// Tries what is due once.
    /// - Returns: Whether any event was settled, so that its successor may be due now.
    package func pass() async throws -> Bool {
        let name: String = dispatcher.consumer.name
        let due: [Int64] = try await dispatcher.pool.transaction { db in
            try RetryStore.due(for: name, limit: Self.passLimit, in: db)
        }
        var progressed = false
        for id in due where try await settle(id) { progressed = true }
        return progressed
    }

    private func settle(_ id: Int64) async throws -> Bool {
        do { return try await handle(id) } catch let error as PostgresError where error.isInfrastructure {
            throw error
        } catch { return try await putOff(id, after: error) }
    }

    /// Handles the row's event and removes the row, in one transaction.
    private func handle(_ id: Int64) async throws -> Bool {
        let dispatcher: EventDispatcher = dispatcher
        let context = EventContext(now: dispatcher.clock.now)
        let read: (event: RawEvent, attempts: Int)? = try await dispatcher.pool.transaction { db in
            try RetryStore.lock(id, in: db)
        }
        guard let read else { return false }
        // A message of an unknown type that was requeued too early: no handler would ever see it.
        guard SortedBatch.knows(read.event.type) else {
            throw Refusal.park(reason: SortedBatch.unknown(read.event.type))
        }
        let handlers: [String: any PreparedHandler] = try await dispatcher.prepare([read.event], context)
        return try await dispatcher.pool.transaction { db in
            guard let row: (event: RawEvent, attempts: Int) = try RetryStore.lock(id, in: db) else { return false }
            if try Inbox.claimOne(row.event, for: dispatcher.consumer.name, in: db) {
                try EventDispatcher.apply([row.event], dispatcher.consumer, handlers, context, db)
            }
            try RetryStore.remove(id, in: db)
            return true
        }
    }

    /// Parks what was refused and is not handled, postpones what failed otherwise.
    private func putOff(_ id: Int64, after error: any Error) async throws -> Bool {
        let dispatcher: EventDispatcher = dispatcher
        let now: Instant = dispatcher.clock.now
        let name: String = dispatcher.consumer.name
        return try await dispatcher.pool.transaction { db in
            guard let row: (event: RawEvent, attempts: Int) = try RetryStore.lock(id, in: db) else { return false }
            guard let reason: String = Refusal.reason(in: error) else {
                try RetryStore.postpone(id, attempts: row.attempts + 1, reason: "\(error)", in: db)
                return false
            }
            // One that is claimed was handled as another delivery: parked, it would be requeued and handled again.
            if try Inbox.claimOne(row.event, for: name, in: db) {
                try ParkingLot.park([ParkedMessage(row.event, reason: reason)], for: name, at: now, in: db)
            }
            try RetryStore.remove(id, in: db)
            return true
        }
    }
}
