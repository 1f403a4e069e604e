import Foundation
import ServiceKit
import Telemetry
import Testing

@Suite("What a daemon reads from its surroundings") struct ConfigurationTests {
    private static let least: [String: String] = [
        "BILLING_DB_URL": "postgresql://127.0.0.1/refrain", "KAFKA_BROKERS": "127.0.0.1:9092",
        "REDIS_BILLING_URL": "redis://127.0.0.1:6379",
    ]

    private func faults(_ changes: [String: String], of service: String = "payment") -> [String] {
        let environment: [String: String] = Self.least.merging(changes) { $1 }
        do {
            _ = try ServiceConfiguration(service: service, environment: environment)
            return []
        } catch { return error.faults }
    }

    @Test("the least that is needed gives defaults") func defaults() throws {
        let read = try ServiceConfiguration(service: "invoice", environment: Self.least)
        #expect(read.mode == .sandbox)
        #expect(read.instance == "invoice-1")
        #expect(read.httpHost == "127.0.0.1" && read.httpPort == 7103)
        #expect(read.databaseConnections == 8)
        #expect(read.jwt == nil && read.peers.isEmpty && read.tunables.isEmpty)
        #expect(read.int("payment.lost_call_seconds", default: 5) == 5)
    }

    @Test("everything that is wrong is said at once") func allFaults() {
        let found: [String] = faults([
            "BILLING_DB_URL": "", "KAFKA_BROKERS": "", "REDIS_BILLING_URL": "", "REFRAIN_MODE": "production",
            "REFRAIN_DB_CONNECTIONS": "0", "REFRAIN_KAFKA_PARTITIONS": "many", "HTTP_PORT": "70000",
            "REFRAIN_LOG_LEVEL": "loud", "REFRAIN_PEERS": "payment", "REFRAIN_JWT_ISSUER": "https://issuer",
            "REFRAIN_CONFIG": "/nowhere/refrain.yaml",
        ])
        let named: [String] = [
            "BILLING_DB_URL", "KAFKA_BROKERS", "REDIS_BILLING_URL", "REFRAIN_MODE", "REFRAIN_DB_CONNECTIONS",
            "REFRAIN_KAFKA_PARTITIONS", "HTTP_PORT", "REFRAIN_LOG_LEVEL", "REFRAIN_PEERS", "REFRAIN_JWT_ISSUER",
            "REFRAIN_CONFIG",
        ]
        for name in named { #expect(found.filter { $0.contains(name) }.count == 1, "\(name)") }
        #expect(found.count == named.count, "\(found)")
    }

    @Test(
        "one wrong value is one fault",
        arguments: [
            ("REFRAIN_DB_CONNECTIONS", "201"), ("REFRAIN_DB_CONNECTIONS", "8 "), ("REFRAIN_DB_CONNECTIONS", "-1"),
            ("HTTP_PORT", "65536"), ("HTTP_PORT", "0x50"), ("REFRAIN_KAFKA_PARTITIONS", "1e3"),
            ("REFRAIN_MODE", "Sandbox"), ("REFRAIN_LOG_LEVEL", "WARN"), ("REFRAIN_PEERS", "a=http://a,b"),
            ("REDIS_BILLING_URL", "127.0.0.1:6379"), ("REDIS_BILLING_URL", "redis://:0"),
            ("REDIS_BILLING_URL", "redis://h:99999"), ("REFRAIN_CA_PATH", "/nowhere/roots.pem"),
            ("KAFKA_SECURITY_PROTOCOL", "tls"), ("KAFKA_SECURITY_PROTOCOL", "sasl_ssl"),
            ("KAFKA_SASL_MECHANISM", "MD5"),
        ])
    func single(name: String, value: String) {
        let found: [String] = faults([name: value])
        #expect(found.count == 1 && found[0].contains(name), "\(found)")
    }

    @Test("a tunable that must be a number and is none is a fault", arguments: ["-1", "thirty", "1.5"])
    func tunables(value: String) throws {
        let file: URL = FileManager.default.temporaryDirectory.appendingPathComponent("\(UUID()).yaml")
        try Data("events:\n  keep_days: \(value)\n".utf8).write(to: file)
        defer { try? FileManager.default.removeItem(at: file) }
        let found: [String] = faults(["REFRAIN_CONFIG": file.path])
        #expect(found == ["events.keep_days must be a whole number, zero or more"])
    }

    @Test(
        "a tunable that must be true or false and is neither is a fault", arguments: ["True", "yes", "1", "\"\""],
        [("http", "access_log"), ("kafka", "static_membership")])
    func flags(value: String, name: (String, String)) throws {
        let file: URL = FileManager.default.temporaryDirectory.appendingPathComponent("\(UUID()).yaml")
        defer { try? FileManager.default.removeItem(at: file) }
        for (given, isTaken) in [(value, false), ("false", true), ("true", true)] {
            try Data("\(name.0):\n  \(name.1): \(given)\n".utf8).write(to: file)
            let expected: [String] = isTaken ? [] : ["\(name.0).\(name.1) must be true or false"]
            #expect(faults(["REFRAIN_CONFIG": file.path]) == expected)
        }
    }

    private static let live: [String: String] = [
        "REFRAIN_MODE": "live", "REFRAIN_DB_PASSWORD": "s3cret-enough", "REFRAIN_PUBLIC_URL": "https://billing.example",
    ]

    @Test("live mode asks for a password and for a public address over TLS") func live() {
        #expect(faults(Self.live).isEmpty)
        for name in ["REFRAIN_DB_PASSWORD", "REFRAIN_PUBLIC_URL"] {
            let found: [String] = faults(Self.live.filter { $0.key != name })
            #expect(found.count == 1 && found[0].contains(name), "\(found)")
        }
    }

    @Test(
        "the public address is the same with a slash at its end and without",
        arguments: [
            ("https://billing.example", "https://billing.example"),
            ("https://billing.example/", "https://billing.example"),
            ("http://127.0.0.1:8001/", "http://127.0.0.1:8001"), ("http://[::1]:8001", "http://[::1]:8001"),
        ])
    func publicURL(given: String, read: String) throws {
        let environment: [String: String] = Self.least.merging(["REFRAIN_PUBLIC_URL": given]) { $1 }
        #expect(try ServiceConfiguration(service: "payment", environment: environment).publicURL == read)
    }

    @Test(
        "a public address that is more than scheme, host and port is one fault, in live mode too",
        arguments: [
            "billing.example", "billing.example:8001", "https://", "https:///", "ftp://billing.example",
            "https://billing.example/billing", "https://billing.example//", "https://billing.example?a=b",
            "https://billing.example/#a", "https://ada@billing.example", "https://ada:secret@billing.example/",
            "https://billing example",
        ])
    func noOrigin(given: String) {
        for surroundings in [[:], Self.live] {
            let found: [String] = faults(surroundings.merging(["REFRAIN_PUBLIC_URL": given]) { $1 })
            #expect(found.count == 1 && found[0].contains("REFRAIN_PUBLIC_URL must be scheme"), "\(found)")
        }
    }

    @Test(
        "live mode sends nothing in plain text beyond the machine",
        arguments: [
            ("REDIS_BILLING_URL", "redis://cache.internal:6379", "rediss://cache.internal:6379"),
            ("REDIS_BILLING_URL", "redis://:p@127.0.0.1.example:6379", "redis://localhost:6379"),
            ("KAFKA_BROKERS", "127.0.0.1:9092,kafka.internal:9092", "127.0.0.1:9092,[::1]:9092,localhost"),
            (
                "BILLING_DB_URL", "postgresql://db.internal/refrain?sslmode=require",
                "postgresql:///refrain?host=/run/pg"
            ),
            ("BILLING_DB_URL", "postgresql:///refrain?host=db.internal", "postgresql://db/refrain?sslmode=verify-full"),
            (
                "BILLING_DB_URL", "postgresql:///refrain?hostaddr=10.0.0.1",
                "postgresql:///refrain?hostaddr=10.0.0.1&sslmode=verify-ca"
            ),
            ("BILLING_DB_URL", "postgresql://db/refrain?sslmode=disable", "postgresql://localhost:5432/refrain"),
            ("BILLING_DB_URL", "host=db.internal dbname=refrain", "postgres://db/refrain?sslmode=verify-full"),
        ])
    func plainText(name: String, plain: String, safe: String) {
        let found: [String] = faults(Self.live.merging([name: plain]) { $1 })
        #expect(found.count == 1 && found[0].contains("in live mode"), "\(found)")
        #expect(faults(Self.live.merging([name: safe]) { $1 }) == [])
        #expect(faults([name: plain]) == [], "the sandbox may")
    }

    @Test("live mode takes no keys and no rates in plain text, and no superuser whose server is not known")
    func plainWeb() throws {
        for (address, isTaken) in [
            ("http://keys.example/jwks", false), ("HTTP://keys.example/jwks", false),
            ("https://keys.example/jwks", true), ("http://127.0.0.1:9/jwks", true), ("/run/keys/jwks.json", true),
        ] {
            var given: [String: String] = Self.live
            given["REFRAIN_JWT_ISSUER"] = "https://issuer.example"
            given["REFRAIN_JWT_AUDIENCE"] = "refrain"
            given["REFRAIN_JWKS"] = address
            #expect(faults(given).isEmpty == isTaken, "\(address)")
        }
        let folder: URL = FileManager.default.temporaryDirectory.appending(path: "plain-\(UUID()).yaml")
        defer { try? FileManager.default.removeItem(at: folder) }
        for (address, isTaken) in [("http://rates.example/day.xml", false), ("https://rates.example/day.xml", true)] {
            try "payment:\n  ecb_feed_url: \"\(address)\"\n".write(to: folder, atomically: true, encoding: .utf8)
            #expect(faults(Self.live.merging(["REFRAIN_CONFIG": folder.path]) { $1 }).isEmpty == isTaken, "\(address)")
        }
        for (mode, url, isTaken) in [
            ("live", "postgresql://root@db.internal/postgres", false), ("live", "host=db.internal user=root", false),
            ("live", "postgresql://root@db.internal/postgres?sslmode=verify-full", true),
            ("live", "postgresql:///postgres?host=/run/pg", true), ("sandbox", "postgresql://root@db/postgres", true),
        ] {
            let environment: [String: String] = Self.least.merging(mode == "live" ? Self.live : [:]) { $1 }
            let read = try ServiceConfiguration(service: "payment", environment: environment)
            if isTaken {
                try read.checkAdmin(url)
            } else {
                #expect(throws: ServiceConfiguration.Invalid.self) { try read.checkAdmin(url) }
            }
        }
    }

    @Test("brokers are spoken to as the settings say") func kafkaSecurity() throws {
        let remote: [String: String] = Self.live.merging(["KAFKA_BROKERS": "kafka.internal:9093"]) { $1 }
        #expect(faults(remote.merging(["KAFKA_SECURITY_PROTOCOL": "ssl"]) { $1 }) == [])
        var login: [String: String] = remote
        login["KAFKA_SECURITY_PROTOCOL"] = "sasl_ssl"
        login["KAFKA_SASL_USERNAME"] = "refrain"
        #expect(faults(login).count == 1)
        login["KAFKA_SASL_PASSWORD"] = "hunter2hunter2"
        login["KAFKA_SASL_MECHANISM"] = "SCRAM-SHA-256"
        let read = try ServiceConfiguration(service: "payment", environment: Self.least.merging(login) { $1 })
        #expect(read.kafkaSecurity.transport == .saslSSL && read.kafkaSecurity.mechanism == .scramSHA256)
        #expect(read.kafkaSecurity.username == "refrain")
        #expect(read.kafkaSecurity.password.reveal() == "hunter2hunter2")
        login["KAFKA_SECURITY_PROTOCOL"] = "sasl_plaintext"
        #expect(faults(login).count == 1)
    }

    @Test("a password appears neither in the faults nor in the printed configuration") func secrecy() throws {
        let found: [String] = faults(["REFRAIN_DB_PASSWORD": "hunter2hunter2", "HTTP_PORT": "none"])
        #expect(!found.joined().contains("hunter2"))
        let secrets: [String: String] = [
            "REFRAIN_DB_PASSWORD": "hunter2hunter2", "REDIS_BILLING_URL": "redis://:hunter2@127.0.0.1:6379",
            "KAFKA_SECURITY_PROTOCOL": "sasl_ssl", "KAFKA_SASL_USERNAME": "refrain", "KAFKA_SASL_PASSWORD": "hunter2",
        ]
        let read = try ServiceConfiguration(service: "payment", environment: Self.least.merging(secrets) { $1 })
        var dumped = ""
        dump(read, to: &dumped)
        #expect(!dumped.contains("hunter2") && !"\(read)".contains("hunter2"))
        #expect(read.databasePassword.reveal() == "hunter2hunter2")
    }

    @Test(
        "what the deployments set is usable",
        arguments: ["deploy/kubernetes/config.yaml", "deploy/compose/docker-compose.yaml"])
    func deployments(path: String) throws {
        let root: URL = URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
        let text = try String(
            contentsOf: root.deletingLastPathComponent().appendingPathComponent(path), encoding: .utf8)
        var environment: [String: String] = [:]
        for line in text.matches(of: /(?m)^ +([A-Z_]+): (.+)$/) { environment[String(line.1)] = String(line.2) }
        #expect(environment["REDIS_BILLING_URL"] != nil && environment["KAFKA_BROKERS"] != nil)
        environment["HTTP_PORT"] = "8080"
        #expect(environment["REFRAIN_CONFIG"] != nil, "the tunables are not given")
        environment["REFRAIN_CONFIG"] =
            root.deletingLastPathComponent().appendingPathComponent("deploy/config/refrain.yaml").path
        // What the manifests take from secrets.
        for name in ["REFRAIN_DB_PASSWORD", "KAFKA_SASL_USERNAME", "KAFKA_SASL_PASSWORD"] {
            environment[name] = "given"
        }
        for service in ["payment", "subscription", "invoice", "fraud", "analytics"] {
            do {
                let read = try ServiceConfiguration(service: service, environment: environment)
                #expect(read.tunables["payment.instalments.terms.pay_in_3.count"] == "3")
            } catch { Issue.record("\(service): \(error)") }
        }
    }

    @Test("JWT settings are set together") func jwt() throws {
        let whole: [String: String] = [
            "REFRAIN_JWT_ISSUER": "https://issuer", "REFRAIN_JWT_AUDIENCE": "refrain", "REFRAIN_JWKS": "/keys.json",
        ]
        let read = try ServiceConfiguration(service: "payment", environment: Self.least.merging(whole) { $1 })
        #expect(read.jwt?.issuer == "https://issuer" && read.jwt?.audience == "refrain")
        for name in whole.keys { #expect(faults(whole.filter { $0.key != name }).count == 1, "\(name)") }
    }

    @Test("the description lists one fault a line") func description() {
        let invalid = ServiceConfiguration.Invalid(faults: ["a is not set", "b is not set"])
        #expect("\(invalid)" == "the configuration is not usable:\n  a is not set\n  b is not set")
    }
}
