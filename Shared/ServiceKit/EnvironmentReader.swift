import Foundation
import Logging
import Redis
import Telemetry
import Yams

/// Reads variables and collects what is wrong with them.
struct EnvironmentReader {
    private let environment: [String: String]
    var faults: [String] = []

    init(_ environment: [String: String]) { self.environment = environment }

    private func value(_ name: String) -> String? {
        guard let text: String = environment[name], !text.isEmpty else { return nil }
        return text
    }

    mutating func required(_ name: String) -> String {
        if let text: String = value(name) { return text }
        faults.append("\(name) is not set")
        return ""
    }

    func text(_ name: String, default fallback: String) -> String { value(name) ?? fallback }

    mutating func int(_ name: String, default fallback: Int, in range: ClosedRange<Int>) -> Int {
        guard let text: String = value(name) else { return fallback }
        guard let number = Int(text), range.contains(number) else {
            faults.append("\(name) must be a whole number from \(range.lowerBound) to \(range.upperBound)")
            return fallback
        }
        return number
    }

    mutating func choice<Choice: CaseIterable & RawRepresentable>(
        _ name: String, default fallback: Choice
    ) -> Choice where Choice.RawValue == String {
        guard let text: String = value(name) else { return fallback }
        guard let choice = Choice(rawValue: text) else {
            let allowed: [String] = Choice.allCases.map(\.rawValue)
            faults.append("\(name) must be one of \(allowed.joined(separator: ", "))")
            return fallback
        }
        return choice
    }

    mutating func level(_ name: String) -> Logger.Level {
        guard let text: String = value(name) else { return .info }
        guard let level = Logger.Level(rawValue: text) else {
            faults.append("\(name) must be one of \(Logger.Level.allCases.map(\.rawValue).joined(separator: ", "))")
            return .info
        }
        return level
    }

    /// `payment=http://…,invoice=http://…`
    mutating func map(_ name: String) -> [String: String] {
        guard let text: String = value(name) else { return [:] }
        var map: [String: String] = [:]
        for pair in text.split(separator: ",") {
            let parts: [Substring] = pair.split(separator: "=", maxSplits: 1)
            guard parts.count == 2 else {
                faults.append("\(name) must look like name=url,name=url")
                continue
            }
            map[String(parts[0])] = String(parts[1])
        }
        return map
    }

    /// A file that must be there when it is named.
    mutating func file(_ name: String) -> String? {
        guard let path: String = value(name) else { return nil }
        if !FileManager.default.isReadableFile(atPath: path) { faults.append("\(name): \(path) cannot be read") }
        return path
    }

    mutating func redis(_ name: String, roots: String?) -> RedisConfiguration {
        let url: String = required(name)
        guard !url.isEmpty else { return RedisConfiguration(host: "") }
        guard var configuration = RedisConfiguration(url: url) else {
            faults.append("\(name) must look like redis[s]://[user:password@]host[:port][/database]")
            return RedisConfiguration(host: "")
        }
        configuration.roots = roots
        return configuration
    }

    mutating func kafkaSecurity(roots: String?) -> KafkaSecurity {
        let security = KafkaSecurity(
            transport: choice("KAFKA_SECURITY_PROTOCOL", default: .plaintext),
            mechanism: choice("KAFKA_SASL_MECHANISM", default: .scramSHA512),
            username: text("KAFKA_SASL_USERNAME", default: ""),
            password: Secret(text("KAFKA_SASL_PASSWORD", default: "")), roots: roots)
        if security.transport.logsIn, security.username.isEmpty || security.password.isEmpty {
            let asked: String = security.transport.rawValue
            faults.append("KAFKA_SECURITY_PROTOCOL=\(asked) needs KAFKA_SASL_USERNAME and KAFKA_SASL_PASSWORD")
        }
        return security
    }

    /// What leaves the machine must be encrypted, and its end known.
    mutating func refusePlainText(
        redis: RedisConfiguration, _ brokers: String, _ kafka: KafkaSecurity, database: String, keys: String?,
        _ tunables: [String: String]
    ) {
        if !redis.isEncrypted, !redis.host.isEmpty, !Self.isLocal(redis.host) {
            faults.append("REDIS_BILLING_URL must not be plain text in live mode: rediss://")
        }
        let areLocal: Bool = brokers.split(separator: ",").allSatisfy { Self.isLocal(Self.host(of: $0)) }
        if !kafka.transport.isEncrypted, !areLocal {
            faults.append("KAFKA_SECURITY_PROTOCOL must be ssl or sasl_ssl in live mode")
        }
        if !database.isEmpty, !Self.knowsServer(database) {
            faults.append("BILLING_DB_URL must be a URL with sslmode=verify-full or verify-ca in live mode")
        }
        if let keys, Self.isPlainWeb(keys) {
            faults.append("REFRAIN_JWKS must not be plain text in live mode: https://")
        }
        for (name, value) in tunables.sorted(by: { $0.key < $1.key })
        where name.hasSuffix("_url") && Self.isPlainWeb(value) {
            faults.append("\(name) must not be plain text in live mode: https://")
        }
    }

    /// Whether an address is read over HTTP without TLS from another machine.
    private static func isPlainWeb(_ address: String) -> Bool {
        guard let parts = URLComponents(string: address), parts.scheme?.lowercased() == "http" else { return false }
        return !isLocal(parts.host ?? "")
    }

    private static func isLocal(_ host: String) -> Bool { ["127.0.0.1", "::1", "localhost"].contains(host) }

    private static func host(of address: Substring) -> String {
        address.lastIndex(of: ":").map { String(address[..<$0]).trimmingCharacters(in: ["[", "]", " "]) }
            ?? String(address)
    }

    /// Whether libpq would check who answers, or asks on this machine: a socket or the loopback. Only URLs are understood.
    static func knowsServer(_ url: String) -> Bool {
        guard let parts = URLComponents(string: url), ["postgres", "postgresql"].contains(parts.scheme) else {
            return false
        }
        let settings: [String: String] = (parts.queryItems ?? []).reduce(into: [:]) { $0[$1.name] = $1.value }
        if let mode: String = settings["sslmode"], mode == "verify-full" || mode == "verify-ca" { return true }
        let host: String = settings["hostaddr"] ?? settings["host"] ?? parts.host ?? ""
        return host.isEmpty || host.hasPrefix("/") || isLocal(host)
    }

    mutating func jwt() -> ServiceConfiguration.JWTSettings? {
        let names: [String] = ["REFRAIN_JWT_ISSUER", "REFRAIN_JWT_AUDIENCE", "REFRAIN_JWKS"]
        let values: [String] = names.compactMap { value($0) }
        if values.isEmpty { return nil }
        guard values.count == names.count else {
            faults.append("\(names.joined(separator: ", ")) are set together or not at all")
            return nil
        }
        return ServiceConfiguration.JWTSettings(issuer: values[0], audience: values[1], jwks: values[2])
    }

    /// The file's leaves by their dotted path.
    mutating func yaml(_ name: String) -> [String: String] {
        guard let path: String = value(name) else { return [:] }
        do {
            let text: String = try String(contentsOfFile: path, encoding: .utf8)
            var leaves: [String: String] = [:]
            if let node: Node = try Yams.compose(yaml: text) { Self.flatten(node, "", into: &leaves) }
            return leaves
        } catch {
            faults.append("\(name): \(path) cannot be read: \(error)")
            return [:]
        }
    }

    private static func flatten(_ node: Node, _ path: String, into leaves: inout [String: String]) {
        switch node {
        case .mapping(let mapping):
            for (key, value) in mapping {
                let name: String = key.string ?? ""
                flatten(value, path.isEmpty ? name : "\(path).\(name)", into: &leaves)
            }
        case .scalar(let scalar): leaves[path] = scalar.string
        case .sequence(let sequence):
            leaves[path] = sequence.compactMap(\.string).joined(separator: ",")
        default: break
        }
    }

    /// Tunables that must be whole numbers, by the end of their name.
    private static let numberSuffixes = [
        "_seconds", "_hours", "give_up_days", "keep_days", "_workers", "_per_hour", "_per_second", "_limit",
        "_requests", "max_batch", ".burst",
    ]

    /// A number that cannot be read is a fault, not the default.
    mutating func checkNumbers(_ tunables: [String: String]) {
        for (name, value) in tunables.sorted(by: { $0.key < $1.key })
        where Self.numberSuffixes.contains(where: { name.hasSuffix($0) }) && (Int(value) ?? -1) < 0 {
            faults.append("\(name) must be a whole number, zero or more")
        }
    }

    /// Tunables of all services that are true or false.
    private static let flags = ["http.access_log", "kafka.static_membership"]

    /// A flag that is neither is a fault: `True` and `yes` would otherwise be no.
    mutating func checkFlags(_ tunables: [String: String]) {
        for name in Self.flags where !["true", "false"].contains(tunables[name] ?? "true") {
            faults.append("\(name) must be true or false")
        }
    }

    /// `REFRAIN_HOME`, or the nearest directory above the executable that holds the migrations.
    mutating func home() -> String {
        if let text: String = value("REFRAIN_HOME") { return text }
        let executable: String = (try? FileManager.default.destinationOfSymbolicLink(atPath: "/proc/self/exe")) ?? ""
        var directory = URL(fileURLWithPath: executable).deletingLastPathComponent()
        while directory.path != "/" {
            let marker: String = directory.appendingPathComponent("Shared/Messaging/Migrations").path
            if FileManager.default.fileExists(atPath: marker) { return directory.path }
            directory.deleteLastPathComponent()
        }
        return FileManager.default.currentDirectoryPath
    }
}
