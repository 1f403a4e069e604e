import Foundation
public import Logging
public import Redis
public import Telemetry
import Yams

/// Whether real money can move.
public enum RefrainMode: String, Sendable, CaseIterable {
    /// The built-in provider, test cards and the test clock.
    case sandbox
    /// Real providers; refuses sandbox keys, default secrets and the test clock.
    case live
}

/// Everything a daemon reads from its surroundings, read once and validated together.
public struct ServiceConfiguration: Sendable {
    /// All that is wrong with the surroundings; the daemon refuses to start.
    public struct Invalid: Error, Sendable, CustomStringConvertible {
        /// One sentence a fault.
        public let faults: [String]
        /// Says what is wrong.
        public init(faults: [String]) { self.faults = faults }
        /// The faults, a line each.
        public var description: String { "the configuration is not usable:\n  " + faults.joined(separator: "\n  ") }
    }

    /// The service: also its database role and schema.
    public let service: String
    /// Whether real money can move.
    public let mode: RefrainMode
    /// Stable name of this instance; a restart under the same name gets its Kafka partitions back at once.
    public let instance: String
    /// libpq URL of the database, without a role.
    public let databaseURL: String
    /// The role's password.
    public let databasePassword: Secret
    /// Connections in the pool.
    public let databaseConnections: Int
    /// Brokers to start from, as host:port,host:port.
    public let kafkaBrokers: String
    /// Partitions of a topic that is made here.
    public let kafkaPartitions: Int
    /// How the brokers are spoken to.
    public let kafkaSecurity: KafkaSecurity
    /// Where Redis is and how it is reached.
    public let redis: RedisConfiguration
    /// The address to listen on.
    public let httpHost: String
    /// The port to listen on.
    public let httpPort: Int
    /// Scheme, host and port under which customers reach the gateway, for addresses that are sent to them; no slash at their
    /// end.
    public let publicURL: String
    /// Base URL of every service, for the sandbox's test clock only.
    public let peers: [String: String]
    /// What is logged.
    public let logLevel: Logger.Level
    /// A file that `serve` logs to; standard error without.
    public let logFile: String?
    /// File with 32 random bytes.
    public let encryptionKeyPath: String?
    /// Issuer, audience and key set of JWTs; none are accepted without.
    public let jwt: JWTSettings?
    /// `deploy/config/refrain.yaml`, flattened: `fraud.velocity_review_per_hour`.
    public let tunables: [String: String]
    /// The directory that holds `Services` and `Shared` with their migrations.
    public let home: String

    /// Where JWTs come from.
    public struct JWTSettings: Sendable {
        /// The `iss` a token must have.
        public let issuer: String
        /// The audience a token must name.
        public let audience: String
        /// `https://…` or a file path.
        public let jwks: String
    }

    /// A whole-number tunable.
    /// - Returns: The default when it is not set or not a number.
    public func int(_ name: String, default fallback: Int) -> Int { tunables[name].flatMap(Int.init) ?? fallback }

    /// A tunable that is true or false; true when it is not set.
    func flag(_ name: String) -> Bool { tunables[name] != "false" }

    /// A text tunable.
    public func text(_ name: String, default fallback: String) -> String { tunables[name] ?? fallback }
}

extension ServiceConfiguration {
    /// Reads the environment: the process's own, or one given by a test.
    /// - Throws: ``Invalid`` with every fault at once.
    public init(
        service: String, environment given: [String: String]? = nil
    ) throws(Invalid) {
        let environment: [String: String] = given ?? ProcessInfo.processInfo.environment
        var reader = EnvironmentReader(environment)
        self.service = service
        mode = reader.choice("REFRAIN_MODE", default: .sandbox)
        instance = reader.text("REFRAIN_INSTANCE", default: "\(service)-1")
        databaseURL = reader.required("BILLING_DB_URL")
        databasePassword = Secret(reader.text("REFRAIN_DB_PASSWORD", default: ""))
        databaseConnections = reader.int("REFRAIN_DB_CONNECTIONS", default: 8, in: 1...200)
        kafkaBrokers = reader.required("KAFKA_BROKERS")
        kafkaPartitions = reader.int("REFRAIN_KAFKA_PARTITIONS", default: 12, in: 1...1_000)
        let roots: String? = reader.file("REFRAIN_CA_PATH")
        kafkaSecurity = reader.kafkaSecurity(roots: roots)
        redis = reader.redis("REDIS_BILLING_URL", roots: roots)
        httpHost = reader.text("HTTP_HOST", default: "127.0.0.1")
        httpPort = reader.int("HTTP_PORT", default: Self.defaultPorts[service] ?? 7100, in: 0...65_535)
        publicURL = Self.origin(reader.text("REFRAIN_PUBLIC_URL", default: "http://localhost:8001"))
        peers = reader.map("REFRAIN_PEERS")
        logLevel = reader.level("REFRAIN_LOG_LEVEL")
        logFile = environment["REFRAIN_LOG_FILE"].flatMap { $0.isEmpty ? nil : $0 }
        encryptionKeyPath = environment["ENCRYPTION_KEY_PATH"]
        jwt = reader.jwt()
        tunables = reader.yaml("REFRAIN_CONFIG")
        home = reader.home()
        reader.checkNumbers(tunables)
        reader.checkFlags(tunables)
        if mode == .live, databasePassword.isEmpty {
            reader.faults.append("REFRAIN_DB_PASSWORD must be set in live mode")
        }
        if !Self.isOrigin(publicURL) {
            reader.faults.append("REFRAIN_PUBLIC_URL must be scheme, host and port alone: https://billing.example")
        } else if mode == .live, !publicURL.hasPrefix("https://") {
            reader.faults.append("REFRAIN_PUBLIC_URL must begin with https:// in live mode")
        }
        if mode == .live {
            reader.refusePlainText(
                redis: redis, kafkaBrokers, kafkaSecurity, database: databaseURL, keys: jwt?.jwks, tunables)
        }
        guard reader.faults.isEmpty else { throw Invalid(faults: reader.faults) }
    }

    /// Holds the connection of a superuser to what the service's own has to keep.
    /// - Throws: ``Invalid``.
    package func checkAdmin(_ url: String) throws(Invalid) {
        guard mode == .live, !EnvironmentReader.knowsServer(url) else { return }
        throw Invalid(faults: [
            "REFRAIN_ADMIN_DB_URL must be a URL with sslmode=verify-full or verify-ca in live mode"
        ])
    }

    /// An address without the slash that browsers show behind a host.
    private static func origin(_ address: String) -> String {
        address.hasSuffix("/") ? String(address.dropLast()) : address
    }

    /// Whether an address is one that paths can be put behind.
    private static func isOrigin(_ address: String) -> Bool {
        // Foundation would escape what is no part of an address.
        guard address.utf8.allSatisfy({ (0x21...0x7E).contains($0) }),
            let parts = URLComponents(string: address), let host: String = parts.host, !host.isEmpty
        else { return false }
        return (parts.scheme == "https" || parts.scheme == "http") && parts.path.isEmpty && parts.query == nil
            && parts.fragment == nil && parts.user == nil && parts.password == nil
    }

    private static let defaultPorts: [String: Int] = [
        "payment": 7101, "subscription": 7102, "invoice": 7103, "fraud": 7104, "analytics": 7105,
    ]
}
