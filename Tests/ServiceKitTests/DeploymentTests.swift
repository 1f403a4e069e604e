import Foundation
import HTTPKit
import Kafka
import ServiceKit
import Testing
import Yams

/// A part of a YAML document; what is not there has no parts either.
private struct Part {
    let value: Any?

    subscript(name: String) -> Part { Part(value: (value as? [AnyHashable: Any])?[AnyHashable(name)]) }

    var parts: [Part] { (value as? [Any] ?? []).map { Part(value: $0) } }
    var text: String? { value as? String }
    var number: Int? { value as? Int }
    /// The names of what it has.
    var names: [String] { (value as? [AnyHashable: Any] ?? [:]).keys.compactMap { $0 as? String }.sorted() }
    var isThere: Bool { value != nil }
    /// The part of a list that has a name.
    func named(_ name: String) -> Part { parts.first { $0["name"].text == name } ?? Part(value: nil) }
}

@Suite("What the deployments say") struct DeploymentTests {
    private static let services = ["payment", "subscription", "invoice", "fraud", "analytics"]

    private static func text(_ path: String) throws -> String {
        let tests: URL = URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
        let file: URL = tests.deletingLastPathComponent().appendingPathComponent("deploy/\(path)")
        return try String(contentsOf: file, encoding: .utf8)
    }

    private static func documents(_ path: String) throws -> [Part] {
        try load_all(yaml: text(path)).map { Part(value: $0) }
    }

    private static func kubernetes(_ name: String, _ kind: String) throws -> Part {
        try #require(try documents("kubernetes/\(name).yaml").first { $0["kind"].text == kind })
    }

    private static func compose() throws -> Part { try #require(try documents("compose/docker-compose.yaml").first) }

    @Test("KEDA asks the brokers that the daemon uses, in the same way and under the same name", arguments: services)
    func scaling(service: String) throws {
        let daemon: Part = try Self.kubernetes("config", "ConfigMap")["data"]
        let scaled: Part = try Self.kubernetes(service, "ScaledObject")["spec"]
        let trigger: Part = try #require(scaled["triggers"].parts.first)
        let asked: Part = trigger["metadata"]
        #expect(asked["bootstrapServers"].text == daemon["KAFKA_BROKERS"].text)
        #expect(daemon["KAFKA_SECURITY_PROTOCOL"].text == "sasl_ssl" && asked["tls"].text == "enable")
        let mechanism: String? = daemon["KAFKA_SASL_MECHANISM"].text?.lowercased()
            .replacing("scram-sha-", with: "scram_sha")
        #expect(mechanism == "scram_sha512" && asked["sasl"].text == mechanism)
        #expect(asked["consumerGroup"].text == "refrain.\(service)")

        let login: Part = try Self.kubernetes(service, "TriggerAuthentication")
        #expect(trigger["authenticationRef"]["name"].text == login["metadata"]["name"].text)
        let secrets: [Part] = login["spec"]["secretTargetRef"].parts
        #expect(secrets.map { $0["parameter"].text } == ["username", "password"])
        #expect(secrets.map { $0["key"].text } == ["KAFKA_SASL_USERNAME", "KAFKA_SASL_PASSWORD"])
        let pod: Part = try Self.kubernetes(service, "StatefulSet")["spec"]["template"]["spec"]
        let given: [String?] = pod["containers"].named(service)["envFrom"].parts.map { $0["secretRef"]["name"].text }
        #expect(secrets.allSatisfy { given.contains($0["name"].text) })
    }

    @Test("how many instances there are is for KEDA alone to say", arguments: services)
    func replicas(service: String) throws {
        let set: Part = try Self.kubernetes(service, "StatefulSet")
        #expect(set["spec"].isThere && !set["spec"]["replicas"].isThere)
        let scaled: Part = try Self.kubernetes(service, "ScaledObject")["spec"]
        #expect(scaled["scaleTargetRef"]["name"].text == set["metadata"]["name"].text)
        #expect((scaled["minReplicaCount"].number ?? 0) >= 2)
    }

    @Test("a pod is told to stop when nobody sends it anything any more, and has the time to end", arguments: services)
    func stopping(service: String) throws {
        for (name, kind, container) in [(service, "StatefulSet", service), ("gateway", "Deployment", "nginx")] {
            let pod: Part = try Self.kubernetes(name, kind)["spec"]["template"]["spec"]
            let command: Part = pod["containers"].named(container)["lifecycle"]["preStop"]["exec"]["command"]
            #expect(command.parts.map(\.text) == ["sleep", "5"], "\(name)")
            let needed: Duration = try name == "gateway" ? .seconds(Self.gatewayPatience()) : Self.daemonsEnd
            let given: Int = try #require(pod["terminationGracePeriodSeconds"].number)
            #expect(Duration.seconds(given) >= .seconds(5) + needed, "\(name)")
        }
        let composed: String = try #require(try Self.compose()["services"][service]["stop_grace_period"].text)
        let seconds: Int = try #require(composed.hasSuffix("s") ? Int(composed.dropLast()) : nil)
        #expect(Duration.seconds(seconds) >= Self.daemonsEnd)
    }

    @Test("the development stack's supervisor gives a daemon the time to end") func supervised() throws {
        let daemons: Substring? = try Self.text("local/programs.py").split(separator: "def daemons(").dropFirst().first
        let setting: Substring? = daemons?.split(separator: "stop_seconds=").dropFirst().first
        let seconds: Int = try #require(setting.flatMap { Int($0.prefix { $0.isNumber }) })
        #expect(Duration.seconds(seconds) >= Self.daemonsEnd)
    }

    /// How long a daemon may take to end: requests, then batches of events, then offsets and what is being published.
    private static let daemonsEnd: Duration =
        RequestService.patience + KafkaConsumerOptions().stopTimeout + .seconds(15)

    @Test("one release runs: every image is named without a tag and gets the same one, which no build moves")
    func release() throws {
        let whole: Part = try #require(try Self.documents("kubernetes/kustomization.yaml").first)
        let images: [Part] = whole["images"].parts
        #expect(images.compactMap { $0["name"].text } == (Self.services + ["gateway"]).map { "refrain/\($0)" })
        let tags: Set<String?> = Set(images.map { $0["newTag"].text })
        #expect(tags.count == 1 && !tags.contains(nil) && !tags.contains("latest"))
        for name in Self.services + ["gateway"] {
            let pod: Part = try Self.kubernetes(name, name == "gateway" ? "Deployment" : "StatefulSet")["spec"]
            let spec: Part = pod["template"]["spec"]
            let containers: [Part] = spec["initContainers"].parts + spec["containers"].parts
            #expect(containers.allSatisfy { $0["image"].text == "refrain/\(name)" }, "\(name)")
        }
    }

    @Test("the gateway waits for an answer longer than a caller can ask a daemon to take") func patience() throws {
        let longest: Duration = HTTPServerConfiguration(port: 0, serviceName: "any").maxRequestTimeout
        let patience: Int = try Self.gatewayPatience()
        // One who prefers to wait that long is answered within five seconds more.
        #expect(Duration.seconds(patience) > longest + .seconds(5))
    }

    /// For how many seconds nginx waits for a daemon.
    private static func gatewayPatience() throws -> Int {
        let lines: [String] = try text("gateway/nginx.conf").components(separatedBy: "\n")
        let setting: String? = lines.compactMap { (line: String) -> String? in
            let words: [Substring] = line.split(separator: " ")
            return words.first == "proxy_read_timeout" ? words.last.map(String.init) : nil
        }.first
        return try #require(setting.flatMap { Int($0.dropLast(2)) })
    }

    @Test("a probe waits longer than the checks that it asks for may take", arguments: services)
    func probes(service: String) throws {
        let pod: Part = try Self.kubernetes(service, "StatefulSet")["spec"]["template"]["spec"]
        let daemon: Part = pod["containers"].named(service)
        for probe in ["readinessProbe", "livenessProbe"] {
            let limit: Int = try #require(daemon[probe]["timeoutSeconds"].number)
            #expect(limit > 2, "\(probe): a check is given two seconds")
        }
    }

    @Test("only Payment has the encryption key", arguments: services) func encryptionKey(service: String) throws {
        let isPayment: Bool = service == "payment"
        let pod: Part = try Self.kubernetes(service, "StatefulSet")["spec"]["template"]["spec"]
        let volume: Part? = pod["volumes"].parts.first { $0["secret"]["secretName"].text == "refrain-encryption" }
        #expect((volume != nil) == isPayment)
        #expect(
            !pod["initContainers"].named("migrate")["volumeMounts"].parts.contains { mount in
                mount["name"].text == "encryption"
            })
        let daemon: Part = pod["containers"].named(service)
        let path: String? = daemon["env"].named("ENCRYPTION_KEY_PATH")["value"].text
        let mount: String? = daemon["volumeMounts"].named("encryption")["mountPath"].text
        #expect(path == (isPayment ? "\(mount ?? "nowhere")/encryption_key" : nil))
        let common: Part = try Self.kubernetes("config", "ConfigMap")["data"]
        #expect(common.isThere && !common["ENCRYPTION_KEY_PATH"].isThere)

        let composed: Part = try Self.compose()["services"][service]
        #expect(composed["environment"]["REFRAIN_SERVICE"].text == service)
        #expect(composed["environment"]["ENCRYPTION_KEY_PATH"].isThere == isPayment)
        let secrets: [String] = composed["secrets"].parts.compactMap(\.text).sorted()
        #expect(secrets == ["db_admin", "db_\(service)"] + (isPayment ? ["encryption_key"] : []))
    }

    @Test("what Payment's variables name lies in a folder that is mounted, the wallets' in one that may be missing")
    func files() throws {
        let pod: Part = try Self.kubernetes("payment", "StatefulSet")["spec"]["template"]["spec"]
        let folders: [String] = pod["containers"].named("payment")["volumeMounts"].parts.compactMap {
            $0["mountPath"].text
        }
        let text: String = try Self.text("kubernetes/config.yaml") + Self.text("kubernetes/payment.yaml")
        let named: Set<String> = Set(text.matches(of: /[A-Z_]+_PATH/).map { String($0.output) })
        var files: [String: String] = [:]
        for match in text.matches(of: /([A-Z_]+_PATH)(?:=|: |, value: )(\/[^\s}]+)/) {
            files[String(match.1)] = String(match.2)
        }
        #expect(named.isSuperset(of: ["ENCRYPTION_KEY_PATH", "GOOGLE_PAY_KEYS_PATH", "APPLE_PAY_KEYS_PATH"]))
        // The system's authorities are in the image.
        for name in named.subtracting(["REFRAIN_CA_PATH"]) {
            let file: String = files[name] ?? "nowhere"
            #expect(folders.contains { file.hasPrefix("\($0)/") }, "\(name): \(file)")
        }
        let wallets: Part = pod["volumes"].named("wallets")["secret"]
        #expect(wallets["secretName"].text == "refrain-wallets" && wallets["optional"].value as? Bool == true)
    }

    @Test("every daemon finds the tunables where it looks for them", arguments: services)
    func tunables(service: String) throws {
        let asked: String? = try Self.kubernetes("config", "ConfigMap")["data"]["REFRAIN_CONFIG"].text
        let pod: Part = try Self.kubernetes(service, "StatefulSet")["spec"]["template"]["spec"]
        let volume: Part = pod["volumes"].named("tunables")
        for container in [pod["initContainers"].named("migrate"), pod["containers"].named(service)] {
            let folder: String? = container["volumeMounts"].named("tunables")["mountPath"].text
            #expect(folder.map { "\($0)/refrain.yaml" } == asked)
        }
        let made: Part = try #require(try Self.documents("config/kustomization.yaml").first)
        let generator: Part = made["configMapGenerator"].named(volume["configMap"]["name"].text ?? "none")
        #expect(generator["files"].parts.map(\.text) == ["refrain.yaml"])
        let whole: Part = try #require(try Self.documents("kubernetes/kustomization.yaml").first)
        #expect(whole["resources"].parts.contains { $0.text == "../config" })

        let compose: Part = try Self.compose()
        let composed: Part = compose["services"][service]
        let config: Part = try #require(composed["configs"].parts.first)
        #expect(config["target"].text == composed["environment"]["REFRAIN_CONFIG"].text)
        #expect(compose["configs"][config["source"].text ?? "none"]["file"].text == "../config/refrain.yaml")
    }

    @Test("the gateway believes an ingress, and one address cannot fill what it has for long bodies")
    func gateway() throws {
        let pod: Part = try Self.kubernetes("gateway", "Deployment")["spec"]["template"]["spec"]
        let nginx: Part = pod["containers"].named("nginx")
        let proxies: String = nginx["env"].named("REFRAIN_GATEWAY_PROXIES")["value"].text ?? ""
        #expect(proxies.contains("set_real_ip_from ") && proxies.hasSuffix(";"))
        let allowed: String? = nginx["env"].named("REFRAIN_GATEWAY_CONNECTIONS")["value"].text
        let connections: Int = try #require(allowed.flatMap { Int($0) })
        let space: Int = try Self.mebibytes(pod["volumes"].named("temporary")["emptyDir"]["sizeLimit"])
        let memory: Int = try Self.mebibytes(nginx["resources"]["limits"]["memory"])
        // A body has 1 MiB at most.
        #expect(connections < space && memory >= space + 200)
    }

    @Test("compose starts the gateway when all daemons are ready, and anew with each that is made anew") func order()
        throws
    {
        let services: Part = try Self.compose()["services"]
        let needs: Part = services["gateway"]["depends_on"]
        #expect(needs.names == Self.services.sorted())
        for service in Self.services {
            #expect(needs[service]["condition"].text == "service_healthy")
            #expect(needs[service]["restart"].value as? Bool == true)
            let test: String = services[service]["healthcheck"]["test"].parts.compactMap(\.text).joined(separator: " ")
            #expect(test.contains("GET /readyz"), "\(service)")
        }
    }

    private static func mebibytes(_ part: Part) throws -> Int {
        let text: String = try #require(part.text)
        try #require(text.hasSuffix("Mi"))
        return try #require(Int(text.dropLast(2)))
    }
}
