public import ArgumentParser
public import BillingCore
public import HTTPKit
public import JSON
public import Logging
public import Messaging
public import Postgres
public import Redis

/// What every service is built from.
public struct ServiceParts: Sendable {
    /// What the service is configured with.
    public let configuration: ServiceConfiguration
    /// Connections to the service's schema.
    public let pool: PostgresPool
    /// Shared counters and limits.
    public let redis: RedisClient
    /// The business clock.
    public let clock: any ServiceClock
    /// The service's log.
    public let logger: Logger
    /// The other services, for the sandbox's test clock.
    public let peers: PeerClient

    /// Puts parts together; the daemon and tests do.
    public init(
        configuration: ServiceConfiguration, pool: PostgresPool, redis: RedisClient, clock: any ServiceClock,
        logger: Logger, peers: PeerClient
    ) {
        self.configuration = configuration
        self.pool = pool
        self.redis = redis
        self.clock = clock
        self.logger = logger
        self.peers = peers
    }
}

/// A service: what it answers, what it listens to, and what it does on its own.
public protocol ServiceAssembly: Sendable {
    /// The service's name: also its database role and schema, its consumer group and its event source.
    static var name: String { get }
    /// Wires the service.
    init(_ parts: ServiceParts) throws
    var endpoints: [Endpoint] { get }
    var consumers: [EventConsumer] { get }
    var loops: [BackgroundLoop] { get }
    /// Whether this service issues the API keys; the others follow its events.
    static var issuesAPIKeys: Bool { get }
    /// Subcommands of its own, beside those every daemon has.
    static var commands: [any ParsableCommand.Type] { get }
    /// Tables beside the outbox that are read in the order of their transactions' ids, which are in their column `xid`.
    static var orderedTables: [String] { get }
    /// Work that is under way outside the event flow, such as provider calls.
    static func inFlight(_ db: borrowing PostgresTransaction) throws -> Int64
    /// What the service says of its own data, and which of its invariants do not hold.
    static func consistency(_ db: borrowing PostgresTransaction, now: Instant) throws -> ConsistencyFacts
    /// The daemon is about to stop: whoever waits for something is to hear now how it stands.
    func stopping()
}

extension ServiceAssembly {
    /// None: only one service issues keys.
    public static var issuesAPIKeys: Bool { false }
    /// None.
    public static var commands: [any ParsableCommand.Type] { [] }
    /// None.
    public static var orderedTables: [String] { [] }
    /// Work under way outside the event flow.
    public static func inFlight(_ db: borrowing PostgresTransaction) throws -> Int64 { 0 }
    /// Nobody waits.
    public func stopping() {}
}

/// A service's part of the consistency check.
public struct ConsistencyFacts: Sendable {
    /// Figures that other services' figures must equal.
    public let facts: [(String, JSONValue)]
    /// Invariants that do not hold, one sentence each; empty when all do.
    public let violations: [String]

    /// Collects facts.
    public init(facts: [(String, JSONValue)], violations: [String]) {
        self.facts = facts
        self.violations = violations
    }

    /// Which invariants do not hold, one sentence each: how many rows break it, and what they are.
    /// - Parameter checks: Statements that count rows which must not be there, each with what they are.
    public static func violations(
        _ checks: [(SQL, String)], in db: borrowing PostgresTransaction
    ) throws -> [String] {
        var found: [String] = []
        for (sql, what) in checks {
            let number: Int64 = try db.first(sql) { row in try row.next() } ?? 0
            if number > 0 { found.append("\(number) \(what)") }
        }
        return found
    }
}

/// Count and hash sum of a set of texts: equal sets have equal fingerprints, whoever computes them.
public enum Fingerprint {
    /// The fingerprint of a query's only column.
    /// - Returns: `{"count": n, "id_sum": "…"}`; the sum of the first 32 bits of each text's MD5.
    public static func of(_ query: SQL, in db: borrowing PostgresTransaction) throws -> JSONValue {
        let found: JSONValue? = try db.first(
            """
            SELECT count(*), coalesce(sum(('x' || substr(md5(v), 1, 8))::bit(32)::bigint), 0)::text
            FROM (\(query)) AS q(v)
            """
        ) { row in
            let count: Int64 = try row.next()
            return .object([
                JSONMember(name: "count", value: .number(String(count))),
                JSONMember(name: "id_sum", value: .string(try row.next())),
            ])
        }
        return found ?? .null
    }
}
