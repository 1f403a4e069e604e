public import BillingCore
import Hummingbird
import HummingbirdCore
public import JSON
public import Logging
import NIOCore
import NIOPosix
public import Postgres
public import Redis
public import ServiceLifecycle
import Synchronization
public import Telemetry

/// A service's HTTP server: its endpoints, and `/healthz`, `/readyz`, `/metrics` and `/openapi.json`.
///
/// HTTP/1.1 behind the gateway, which ends TLS. As a member of a service group it stops gracefully: no new connections,
/// requests under way are answered, `/readyz` says so.
public final class HTTPServer: Service {
    /// One loop for the process: its work is reading and writing, and under load it then wakes once for many requests.
    private static let eventLoops = MultiThreadedEventLoopGroup(numberOfThreads: 1)
    private let server: Server<EventLoopChannel>
    private let operations: OperationsRoutes
    private let pipeline: RequestPipeline
    private let opened: OpenedPort
    private let endpoints: [Endpoint]
    private let configuration: HTTPServerConfiguration

    /// Makes a server; ``run()`` starts it. Two endpoints with the same method and path are a mistake and trap.
    /// - Parameters:
    ///   - pool: Where endpoints, keys and idempotency live.
    ///   - redis: Where rate limits are shared; without it each instance counts for itself.
    ///   - clock: The business clock, ``Call/now``.
    ///   - realClock: The clock that credentials and idempotency keys expire by; the test clock does not move it.
    ///   - checks: What else `/readyz` asks for; the database is always asked.
    public init(
        endpoints: [Endpoint], configuration: HTTPServerConfiguration, pool: PostgresPool, redis: RedisClient? = nil,
        clock: any WallClock, realClock: any WallClock = SystemClock(), checks: [ReadinessCheck] = [],
        metrics: Metrics = .shared, logger: Logger
    ) {
        self.endpoints = endpoints
        self.configuration = configuration
        let title = "Refrain \(configuration.serviceName)"
        let version = configuration.version
        let operations = OperationsRoutes(checks: [.database(pool)] + checks, metrics: metrics) {
            openAPIDocument(title: title, version: version, endpoints: endpoints)
        }
        let limiter = configuration.rateLimit.map { Self.limiter($0, configuration, redis, metrics) }
        let pipeline = RequestPipeline(
            PipelineParts(
                endpoints: endpoints, configuration: configuration,
                authenticator: Authenticator(
                    configuration: configuration, pool: pool, clock: realClock, logger: logger),
                limiter: limiter, pool: pool, clock: clock, realClock: realClock, operations: operations,
                metrics: metrics, logger: logger))
        metrics.gauge("http_requests_running", help: "Requests being answered.") { [weak pipeline] in
            Double(pipeline?.runningRequests ?? 0)
        }
        let opened = OpenedPort()
        self.operations = operations
        self.pipeline = pipeline
        self.opened = opened
        server = Self.server(configuration, pipeline, opened, logger)
    }

    /// Listens and answers until the task's service group shuts down gracefully or ``shutdown()`` is called.
    /// - Throws: When the address cannot be had.
    public func run() async throws {
        do {
            try await withGracefulShutdownHandler {
                try await server.run()
            } onGracefulShutdown: { [operations] in
                operations.stop()
            }
        } catch {
            opened.fail(error)
            throw error
        }
    }

    /// Stops accepting, answers what is under way, and returns when ``run()`` is about to.
    public func shutdown() async throws {
        operations.stop()
        try await server.shutdownGracefully()
    }

    /// The port, once the server listens.
    /// - Throws: What ``run()`` threw instead of listening.
    public func listeningPort() async throws -> Int { try await opened.value() }

    /// The OpenAPI document that `/openapi.json` serves.
    public var openAPI: JSONValue {
        openAPIDocument(
            title: "Refrain \(configuration.serviceName)", version: configuration.version, endpoints: endpoints)
    }

    private static func limiter(
        _ limit: RateLimit, _ configuration: HTTPServerConfiguration, _ redis: RedisClient?, _ metrics: Metrics
    ) -> RateLimiter {
        guard let redis else { return RateLimiter(limit, shared: nil, metrics: metrics) }
        let bucket = RedisBucket(
            redis: redis, prefix: "refrain:\(configuration.serviceName)", limit: limit,
            timeout: configuration.rateLimitTimeout)
        return RateLimiter(limit, shared: { try await bucket.take($0, $1) }, metrics: metrics)
    }

    private static func server(
        _ configuration: HTTPServerConfiguration, _ pipeline: RequestPipeline, _ opened: OpenedPort, _ logger: Logger
    ) -> Server<EventLoopChannel> {
        let channel = HTTP1Channel(
            responder: { (request: Request, writer: consuming ResponseWriter, channel: any Channel) in
                let response = try await pipeline.respond(to: request, from: channel.remoteAddress)
                try await writer.write(response: response.head, body: response.body)
            },
            configuration: HTTP1Channel.Configuration(
                idleTimeout: .nanoseconds(configuration.idleTimeout.wholeMicroseconds * 1_000),
                httpDecoderConfiguration: .init(
                    maxHeaderFieldSize: 16 * 1_024, maxHeaderListSize: 32 * 1_024, maxHeaderFieldCount: 100)))
        var quiet = logger
        // The server tells of every failed connection; the access log and metrics say what matters.
        quiet.logLevel = max(logger.logLevel, .warning)
        return Server(
            childChannelSetup: EventLoopChannel(http: channel),
            configuration: ServerConfiguration(
                address: .hostname(configuration.host, port: configuration.port), backlog: 1_024),
            onServerRunning: { opened.open($0.localAddress?.port ?? configuration.port) },
            eventLoopGroup: eventLoops, logger: quiet)
    }
}
