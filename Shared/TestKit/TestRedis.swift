public import Redis
import Telemetry

/// The Redis of the test run, `REFRAIN_TEST_REDIS`.
public enum TestRedis {
    /// Connection settings for it.
    public static func configuration() throws -> RedisConfiguration {
        let address = try testSetting("REFRAIN_TEST_REDIS")
        guard let configuration = RedisConfiguration(url: "redis://\(address)") else {
            throw MissingInfrastructure("REFRAIN_TEST_REDIS is not host:port: \(address)")
        }
        return configuration
    }

    /// A connected client for it.
    public static func client() async throws -> RedisClient {
        let client = RedisClient(try configuration())
        try await eventually(within: .seconds(5), "redis connected") { client.isConnected }
        return client
    }

    /// A key nobody has used before.
    public static func uniqueKey(_ purpose: String) -> String {
        "test:\(purpose):\(String(UInt64.random(in: 0...UInt64.max), radix: 36))"
    }
}

/// A Redis of a test's own, to be killed, stopped and started again; it keeps nothing on disk.
public final class OwnRedis: Sendable {
    /// Connection settings for it.
    public let configuration: RedisConfiguration
    private let process: ChildProcess

    /// Prepares a server on a free port.
    /// - Parameters:
    ///   - password: What clients must log in with; `nil` for none.
    ///   - certificate: Files of a certificate and its key, in PEM, for a server that speaks TLS only.
    public init(password: String? = nil, certificate: (chain: String, key: String)? = nil) throws {
        let port = try ChildProcess.freePort()
        var configuration = RedisConfiguration(host: "127.0.0.1", port: port)
        configuration.password = password.map(Secret.init)
        configuration.isEncrypted = certificate != nil
        configuration.roots = certificate?.chain
        let ports: [String] =
            certificate.map {
                ["--port", "0", "--tls-port", "\(port)", "--tls-cert-file", $0.chain, "--tls-key-file", $0.key]
                    + ["--tls-auth-clients", "no"]
            } ?? ["--port", "\(port)"]
        configuration.reconnectBackoffMax = .milliseconds(200)
        self.configuration = configuration
        process = ChildProcess(
            ["redis-server", "--bind", "127.0.0.1", "--save", "", "--appendonly", "no"] + ports
                + (password.map { ["--requirepass", $0] } ?? []))
    }

    /// Starts it and waits until it answers.
    public func start() async throws {
        try process.start()
        let client = RedisClient(configuration)
        try await eventually(within: .seconds(10), "redis answers") { client.isConnected }
        await client.shutdown()
    }

    /// Kills it as `kill -9` does.
    public func kill() { process.kill() }

    /// Makes it hang: connections stay, answers do not come.
    public func suspend() { process.suspend() }

    /// Lets it go on.
    public func resume() { process.resume() }
}
