import BillingCore
import HTTPKit
import JSON
import Logging
import Messaging
import PaymentContract
import PaymentDisputes
import PaymentDomain
import PaymentInbound
import PaymentReconciliation
import PaymentRecords
import PaymentService
import Postgres
import Synchronization
import Telemetry
import TestKit

/// One daemon: the service with connections, a way to the provider and a clock of its own.
struct MatrixDaemon: Sendable {
    let life: MatrixLife
    let pool: PostgresPool
    let clock: WrongClock
    let work: PaymentUseCases
    let webhooks: ProcessWebhooks
    let events: EventDispatcher
    let disputes: FollowDisputes
    let reconcile: ReconcileProviders

    /// Tries again what failed when it was heard; nobody waits until it is due.
    func hearAgain() async throws {
        try await pool.transaction { db in _ = try db.execute("UPDATE event_retries SET next_at = now()") }
        let retries = RetryLoop(dispatcher: events, logger: FaultMatrixWorld.logger)
        while try await retries.pass() {}
    }
}

/// Two daemons over one database against one double. One that is dead is replaced by a new one.
final class FaultMatrixWorld: Sendable {
    static let logger = Logger(label: "test.matrix") { _ in SwiftLogNoOpLogHandler() }
    static let policy = InboundPolicy(
        delaySeconds: 0, leaseSeconds: 0, firstWaitSeconds: 0, longestWaitSeconds: 1, attemptsLimit: 500)

    let peer: any MatrixPeer
    /// Looks on; nothing of the storm's reaches it.
    let observer: PostgresPool
    let crashes = Atomic<Int>(0)
    private let configuration: PostgresConfiguration
    private let source: WebhookSource
    private let daemons: Mutex<[MatrixDaemon]>
    /// How many steps a daemon lives, and how long it waits for an answer; both without end once the storm is over.
    private let lifetime: Mutex<ClosedRange<Int>?>
    private static let patience = 300

    init(
        _ peer: any MatrixPeer, _ configuration: PostgresConfiguration, _ observer: PostgresPool,
        _ source: WebhookSource, _ clocks: MatrixClocks
    ) {
        self.peer = peer
        self.configuration = configuration
        self.observer = observer
        self.source = source
        daemons = Mutex([])
        lifetime = Mutex(20...250)
        daemons.withLock { $0 = clocks.daemons.map { start(error: .seconds($0)) } }
    }

    /// - Parameter connectorLead: How far the connector's clock goes before: a day that nobody waits for.
    private func start(error: Duration, connectorLead: Duration = .zero) -> MatrixDaemon {
        let steps: Int = lifetime.withLock { $0 }.map { Int.random(in: $0) } ?? .max
        let life = MatrixLife(steps: steps)
        let pool = PostgresPool(configuration, logger: Self.logger)
        let clock = WrongClock(error: error)
        let ahead = WrongClock(error: error + connectorLead)
        let provider: any PaymentProvider = peer.provider(
            life, clock: ahead, patience: steps == .max ? 20_000 : Self.patience)
        let providers = PaymentProviders([provider])
        let work = PaymentUseCases(
            pool: pool, providers: providers, clock: clock,
            policy: SweepPolicy(silenceSeconds: 0, offSessionSilenceSeconds: 0, lostSeconds: 1, fallback: .approve),
            logger: Self.logger)
        let webhooks = ProcessWebhooks(
            sources: [source], handler: work.news, pool: pool, policy: Self.policy, logger: Self.logger)
        let events = EventDispatcher(work.consumer, pool: pool, clock: clock, logger: Self.logger)
        let disputes = Disputes(
            providers: providers, pool: pool, clock: clock, lostSeconds: 1, logger: Self.logger)
        // Hours later: all that has happened is reported.
        let reconcile = ReconcileProviders(
            providers: [provider].compactMap { $0 as? any ProviderSettlements }, pool: pool,
            clock: WrongClock(error: ahead.error + .seconds(7_200)),
            policy: ReconciliationPolicy(
                window: .seconds(86_400), grace: .seconds(60), patience: .seconds(5 * 86_400)), logger: Self.logger)
        return MatrixDaemon(
            life: life, pool: pool, clock: clock, work: work, webhooks: webhooks, events: events,
            disputes: disputes.follow, reconcile: reconcile)
    }

    /// The first or the second daemon; a new one where it is dead.
    func daemon(_ index: Int) -> MatrixDaemon {
        let (living, dead): (MatrixDaemon, MatrixDaemon?) = daemons.withLock { daemons in
            let daemon: MatrixDaemon = daemons[index]
            guard daemon.life.isOver else { return (daemon, nil) }
            daemons[index] = start(error: daemon.clock.error)
            return (daemons[index], daemon)
        }
        if let dead {
            crashes.add(1, ordering: .relaxed)
            Task { await dead.pool.shutdown() }
        }
        return living
    }

    /// Both daemons are stopped, and two begin that do not die.
    func settleDown(connectorLead: Duration) async {
        lifetime.withLock { $0 = nil }
        let old: [MatrixDaemon] = daemons.withLock { daemons in
            let old: [MatrixDaemon] = daemons
            daemons = old.map { start(error: $0.clock.error, connectorLead: connectorLead) }
            return old
        }
        for daemon in old {
            daemon.life.end()
            await daemon.pool.shutdown()
        }
    }

    func stop() async { for daemon in daemons.withLock({ $0 }) { await daemon.pool.shutdown() } }

    func texts(_ sql: SQL) async throws -> [String] {
        try await observer.transactionRetrying { db in try db.query(sql) { row in try row.next() } }
    }

    func number(_ sql: SQL) async throws -> Int64 {
        try await observer.transactionRetrying { db in try db.first(sql) { row in try row.next() } ?? -1 }
    }

    /// Changes something that no daemon would, again where the storm breaks it.
    func execute(_ sql: SQL) async throws {
        while true {
            do { return try await observer.transactionRetrying { db in _ = try db.execute(sql) } } catch let error
                as PostgresError where error.code == "P0001" || error.kind == .connectionLost
            {}
        }
    }

    func payment(_ id: PaymentID) async throws -> PaymentRecord? {
        try await observer.transactionRetrying { db in try PaymentStore.find(id, in: db) }
    }

    func call(_ daemon: MatrixDaemon, _ path: String, key: String, body: String = "") -> Call {
        let now: Instant = daemon.clock.now
        return Call(
            post: path, body: Array(body.utf8), key: IdempotencyKey(key), preferWait: .zero, now: now, receivedAt: now)
    }

    func read<Input: JSONInput>(_ text: String) throws -> Input { try decode(Input.self, from: parseJSON(text)) }
}

/// Lends a migrated schema on which a storm can blow.
func withMatrixLedger(_ body: (MigratedDatabase) async throws -> Void) async throws {
    try await withMigratedDatabase(service: "Payment", connections: 6) { lent in
        try await DatabaseStorm.install(
            on: [
                "payments", "payment_attempts", "captures", "refunds", "journal_entries", "outbox", "payment_methods",
                "inbound_webhooks", "disputes", "dispute_readings", "dispute_responses",
            ], in: lent.pool)
        try await body(lent)
    }
}

/// Runs the world on a ledger, its way in for webhooks open.
func withFaultMatrix(
    _ peer: any MatrixPeer, _ ledger: MigratedDatabase, _ clocks: MatrixClocks,
    _ body: (FaultMatrixWorld) async throws -> Void
) async throws {
    let pool: PostgresPool = ledger.pool
    let port: Int = try ChildProcess.freePort()
    try await peer.set(clocks)
    let source: WebhookSource = try await peer.webhooks(to: "http://127.0.0.1:\(port)")
    let receive = ReceiveWebhook(sources: [source], pool: pool, policy: FaultMatrixWorld.policy)
    let server = HTTPServer(
        endpoints: WebhookRoutes(receive: receive).endpoints,
        configuration: HTTPServerConfiguration(port: port, serviceName: "inbound", rateLimit: nil), pool: pool,
        clock: SystemClock(), metrics: Metrics(), logger: FaultMatrixWorld.logger)
    let running = Task { try await server.run() }
    _ = try await server.listeningPort()
    let world = FaultMatrixWorld(peer, ledger.configuration, pool, source, clocks)
    let result: Result<Void, any Error>
    do { result = .success(try await body(world)) } catch { result = .failure(error) }
    await world.stop()
    try await server.shutdown()
    try await running.value
    try result.get()
}
