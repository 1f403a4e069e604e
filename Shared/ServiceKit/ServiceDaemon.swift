import BillingCore
import BillingEvents
import HTTPKit
import Kafka
import Logging
import Messaging
import Postgres
import Redis
import Telemetry

/// A service running: HTTP, consumers, relay and loops, from start to the last committed batch.
struct ServiceDaemon<Assembly: ServiceAssembly>: Sendable {
    let configuration: ServiceConfiguration
    let logger: Logger

    /// Runs until SIGTERM or SIGINT, then ends in order: no new requests, those under way answered, batches under way
    /// finished, relay drained.
    /// - Throws: What keeps it from running, as an address that cannot be had or a database that was put back without its
    ///   transaction counter; that is logged before the rest is ended.
    func run() async throws {
        let signal = StopSignal()
        let pool = PostgresPool(configuration.postgres, logger: logger)
        let redis = RedisClient(configuration.redis, logger: logger)
        let clock = OffsetClock()
        let parts = ServiceParts(
            configuration: configuration, pool: pool, redis: redis, clock: clock, logger: logger,
            peers: PeerClient(urls: configuration.peers))
        let assembly = try Assembly(parts)
        let events = EventPlumbing<Assembly>(parts: parts, consumers: consumers(of: assembly), clock: clock)
        let requests = RequestService(server(assembly, events, parts, clock), logger: logger)
        Metrics.shared.registerProcess()
        let watch = CounterWatch(pool: pool, tables: Assembly.tablesByTransaction)
        // Nothing is written before the first look.
        do { try await watch.look() } catch { throw cannotRun(error) }
        // Nor is anybody answered by the system's time where the sandbox's is another.
        try await events.readClockOnce()
        try await withThrowingTaskGroup(of: Void.self) { group in
            group.addTask {
                try await requests(until: { await signal.wait() }, stopping: { assembly.stopping() })
            }
            group.addTask { try await events.run() }
            group.addTask { try await watch.run() }
            group.addTask {
                let loops: [BackgroundLoop] = assembly.loops + [Self.prune(pool), SpareMemory().loop]
                await BackgroundLoop.run(loops, on: clock, self.logger)
            }
            do { try await group.next() } catch is CancellationError {} catch { throw cannotRun(error) }
            group.cancelAll()
            while true { do { guard try await group.next() != nil else { break } } catch is CancellationError {} }
        }
        await pool.shutdown()
        await redis.shutdown()
        logger.info("stopped")
    }

    /// Logs what keeps the service from running.
    private func cannotRun(_ error: any Error) -> any Error {
        logger.critical("the service cannot run", metadata: ["error": "\(error)"])
        return error
    }

    /// The assembly's consumers; every service but the issuer also follows API keys.
    private func consumers(of assembly: Assembly) -> [EventConsumer] {
        guard !Assembly.issuesAPIKeys, let first: EventConsumer = assembly.consumers.first else {
            return assembly.consumers
        }
        return [first.adding(FollowAPIKeys.route, on: .access)] + assembly.consumers.dropFirst()
    }

    private func server(
        _ assembly: Assembly, _ events: EventPlumbing<Assembly>, _ parts: ServiceParts, _ clock: OffsetClock
    ) -> HTTPServer {
        let isSandbox: Bool = configuration.mode == .sandbox
        let routes = InternalRoutes<Assembly>(pool: parts.pool, clock: clock, consumers: events.consumers)
        let endpoints: [Endpoint] = assembly.endpoints + (isSandbox ? routes.endpoints : [])
        let redis: RedisClient = parts.redis
        let checks: [ReadinessCheck] = [
            ReadinessCheck("events") { events.missing },
            ReadinessCheck("clock") { events.isClockRead ? nil : "the test clock is not read yet" },
        ]
        Metrics.shared.gauge("redis_connected", help: "1 while Redis answers") { redis.isConnected ? 1 : 0 }
        return HTTPServer(
            endpoints: endpoints, configuration: configuration.http, pool: parts.pool, redis: redis, clock: clock,
            checks: checks, logger: logger)
    }

    /// Forgets idempotency keys that are over.
    private static func prune(_ pool: PostgresPool) -> BackgroundLoop {
        BackgroundLoop(name: "prune idempotency keys", every: .seconds(60)) {
            try await IdempotencyStore.pruneAll(now: SystemClock().now, in: pool)
        }
    }
}

/// Keeps the keys that Subscription issues, so that this service can check them itself.
enum FollowAPIKeys {
    static var route: EventRoute {
        .on(APIKeyChangedV1.self) { events, db, _ in
            for event in events {
                let body: APIKeyChangedV1 = event.body
                let record = APIKeyRecord(
                    id: body.keyID, lineage: body.lineageID, name: body.name, display: body.display, hash: body.hash,
                    scopes: body.scopes, createdAt: body.createdAt, expiresAt: body.expiresAt,
                    revokedAt: body.revokedAt)
                try APIKeys.project(record, in: db)
            }
        }
    }
}
