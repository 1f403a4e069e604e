import BillingCore
import HTTPKit
import NIOHTTP1
import Postgres
import Synchronization
import Telemetry
import TestKit
import Testing

@Suite("HTTP server") struct ServerTests {
    @Test("health is open; readiness names what is missing") func health() async throws {
        let state = Switch()
        let checks = [
            ReadinessCheck("kafka") { state.isOn ? nil : "no broker" }, ReadinessCheck("vault") { nil },
        ]
        try await withServer(checks: checks) { world in
            let open: [(String, String?)] = [("Authorization", nil)]
            #expect(try await world.send(.GET, "/healthz", headers: open).text == #"{"status":"ok"}"#)
            let missing = try await world.send(.GET, "/readyz", headers: open)
            #expect(missing.status == 503)
            #expect(missing.text == #"{"status":"not_ready","missing":{"kafka":"no broker"}}"#)
            state.turnOn()
            let ready = try await world.send(.GET, "/readyz", headers: open)
            #expect(ready.status == 200)
            #expect(ready.text == #"{"status":"ready","missing":{}}"#)
        }
    }

    @Test("a check that does not answer is cut off") func silentCheck() async throws {
        let checks = [
            ReadinessCheck("slow") {
                do {
                    try await Task.sleep(for: .seconds(60))
                } catch {
                    return "cancelled"
                }
                return nil
            }
        ]
        try await withServer(checks: checks) { world in
            let answer = try await world.send(.GET, "/readyz")
            #expect(answer.text.contains("no answer within two seconds"))
        }
    }

    @Test("without the database requests get 503 with Retry-After, and readiness says so") func databaseAway()
        async throws
    {
        try await withServer { world in
            _ = try await world.send(.GET, "/v1/widgets")
            await world.pool.shutdown()
            let answer = try await world.send(.GET, "/v1/widgets")
            #expect(try answer.problem(503) == "unavailable")
            #expect(answer["Retry-After"] == "2")
            let ready = try await world.send(.GET, "/readyz")
            #expect(ready.status == 503)
            #expect(ready.text.contains("\"database\""))
            #expect(try await world.send(.GET, "/healthz").status == 200)
        }
    }

    @Test("more requests than allowed at once get 503") func backpressure() async throws {
        let gate = Switch()
        try await withServer(endpoints: [Widgets.waiting(for: gate)], { $0.maxConcurrentRequests = 2 }) { world in
            let running = [
                Task { try await world.send(.POST, "/v1/waits") }, Task { try await world.send(.POST, "/v1/waits") },
            ]
            try await eventually(within: .seconds(10), "two requests run") {
                world.metricsText.contains("http_requests_running 2")
            }
            for _ in 0..<3 {
                let refused = try await world.send(.POST, "/v1/waits")
                #expect(try refused.problem(503) == "unavailable")
                #expect(refused["Retry-After"] == "1")
            }
            #expect(try await world.send(.GET, "/healthz").status == 200)
            gate.turnOn()
            for task in running { #expect(try await task.value.status == 202) }
            #expect(world.metricsText.contains("http_requests_refused_total 3"))
            #expect(try await world.send(.POST, "/v1/waits").status == 202)
        }
    }

    @Test("a request past its deadline in the queue gets 503") func deadline() async throws {
        try await withServer(connections: 1) { world in
            _ = try await world.send(.GET, "/v1/widgets")
            let release = Switch()
            let held = Task {
                try await world.pool.transaction { (db: borrowing PostgresTransaction) in release.block() }
            }
            try await eventually(within: .seconds(10), "the connection is busy") { world.pool.statistics.busy == 1 }
            let answer = try await world.send(
                .POST, "/v1/widgets", ConventionTests.lamp, headers: [("X-Request-Timeout", "1")])
            #expect(try answer.problem(503) == "unavailable")
            release.turnOn()
            try await held.value
            #expect(try await world.count("widgets") == 0)
        }
    }

    @Test("shutting down lets running requests finish and takes no new ones") func shutdown() async throws {
        let gate = Switch()
        try await withServer(endpoints: [Widgets.waiting(for: gate)]) { world in
            let running = Task { try await world.send(.POST, "/v1/waits") }
            try await eventually(within: .seconds(10), "the request runs") {
                world.metricsText.contains("http_requests_running 1")
            }
            let isDown = Switch()
            let stopping = Task {
                try await world.server.shutdown()
                isDown.turnOn()
            }
            try await eventually(within: .seconds(10), "new connections are refused") {
                do {
                    _ = try await rawRequest(port: world.port, "GET /healthz HTTP/1.1\r\nConnection: close\r\n\r\n")
                    return false
                } catch {
                    return true
                }
            }
            #expect(!isDown.isOn)
            gate.turnOn()
            #expect(try await running.value.status == 202)
            try await stopping.value
        }
    }

    @Test("an address that is taken makes run throw and tells those who wait for the port") func taken() async throws {
        try await withServer { world in
            let configuration = HTTPServerConfiguration(port: world.port, serviceName: "second")
            let second = HTTPServer(
                endpoints: [], configuration: configuration, pool: world.pool, clock: world.clock, metrics: Metrics(),
                logger: world.log.logger)
            let port = Task { try await second.listeningPort() }
            let abandoned = Task { try await second.listeningPort() }
            abandoned.cancel()
            await #expect(throws: CancellationError.self) { try await abandoned.value }
            await #expect(throws: (any Error).self) { try await second.run() }
            await #expect(throws: (any Error).self) { try await port.value }
            await #expect(throws: (any Error).self) { try await second.listeningPort() }
        }
    }

    @Test("keep-alive connections carry requests one after the other") func pipelining() async throws {
        try await withServer { world in
            let request = "GET /healthz HTTP/1.1\r\nHost: x\r\n"
            let answer = try await rawRequest(
                port: world.port, "\(request)\r\n\(request)\r\n\(request)Connection: close\r\n\r\n")
            #expect(answer.split(separator: "HTTP/1.1 200 OK").count == 3, "\(answer)")
        }
    }
}
