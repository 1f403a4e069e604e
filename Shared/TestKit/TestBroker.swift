import Glibc
public import Kafka

/// The broker of the test run, `REFRAIN_TEST_KAFKA`.
public enum TestBroker {
    /// Connection settings for it, with short timeouts.
    public static func configuration(client: String = "test") throws -> KafkaConfiguration {
        KafkaConfiguration(brokers: try testSetting("REFRAIN_TEST_KAFKA"), clientID: client)
    }

    /// A name nobody has used before, for a topic, a group or an instance.
    public static func uniqueName(_ purpose: String) -> String {
        "test.\(purpose).\(String(UInt64.random(in: 0...UInt64.max), radix: 36))"
    }

    /// Makes a topic of its own for a test.
    public static func topic(_ purpose: String, partitions: Int = 4) async throws -> String {
        let name = uniqueName(purpose)
        try await KafkaAdmin(configuration()).ensureTopics([name], partitions: partitions)
        return name
    }
}

/// A broker of a test's own, to be killed and started again.
public final class OwnBroker: Sendable {
    /// `host:port`.
    public let address: String
    private let process: ChildProcess
    private let directory: String

    /// Prepares a broker on a free port with an empty data directory; the program is `REFRAIN_TEST_NOIDA` or
    /// `noida-db`.
    public init() throws {
        let port = try ChildProcess.freePort()
        let directory = "/tmp/\(TestBroker.uniqueName("broker"))"
        let program = getenv("REFRAIN_TEST_NOIDA").map { String(cString: $0) } ?? "noida-db"
        address = "127.0.0.1:\(port)"
        self.directory = directory
        process = ChildProcess([
            program, "start", "--data-dir", directory, "--only", "kafka", "--kafka-port", "\(port)",
        ])
    }

    deinit {
        process.kill()
        ChildProcess.removeDirectory(directory)
    }

    /// Connection settings for it.
    public var configuration: KafkaConfiguration { KafkaConfiguration(brokers: address, clientID: "test") }

    /// Starts it and waits until it answers.
    public func start() async throws {
        try process.start()
        let admin = KafkaAdmin(configuration)
        try await eventually(within: .seconds(15), "broker answers") {
            await admin.reachable(timeout: .milliseconds(300))
        }
    }

    /// Kills it as `kill -9` does; its data stays.
    public func kill() { process.kill() }

    /// Throws its data away; call it while the broker is not running.
    public func wipe() { ChildProcess.removeDirectory(directory) }
}
