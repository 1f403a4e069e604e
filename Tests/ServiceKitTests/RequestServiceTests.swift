import AsyncHTTPClient
import BillingCore
import HTTPKit
import JSON
import Logging
import NIOCore
import NIOHTTP1
import Postgres
import ServiceKit
import Synchronization
import Telemetry
import TestKit
import Testing

/// Something that is off until it is turned on.
private final class Switch: Sendable {
    private let state = Atomic<Bool>(false)

    var isOn: Bool { state.load(ordering: .acquiring) }

    func turnOn() { state.store(true, ordering: .releasing) }

    /// Returns once it is on, or when the task is cancelled.
    func wait() async { try? await eventually(within: .seconds(60), "it is turned on") { isOn } }
}

private struct Waited: JSONOutput {
    static let sample = Waited()

    func write(to o: inout ObjectWriter) { o.field("object", "wait") }
}

/// A daemon's requests, of which one is under way: told to stop, with somebody to tell.
private struct Stage: Sendable {
    let asked = Switch()
    let stop = Switch()
    let told = Switch()
    let ended = Switch()

    /// Serves one endpoint, without a database behind it, sends it a request and hands over both.
    func play(
        patience: Duration, answering answer: @escaping @Sendable () async throws -> Reply<Waited>,
        during body: (_ service: Task<Void, any Error>, _ request: Task<UInt, any Error>) async throws -> Void
    ) async throws {
        let quiet = Logger(label: "test") { _ in SwiftLogNoOpLogHandler() }
        let pool = PostgresPool(PostgresConfiguration(url: "postgresql://127.0.0.1:1/none"), logger: quiet)
        let endpoint: Endpoint = .task(
            .post, "/v1/waits", scope: nil, summary: "Wait", body: NoInput.self, answers: Waited.self, statuses: [202],
            needsKey: false
        ) { _, _ in
            asked.turnOn()
            return try await answer()
        }
        let server = HTTPServer(
            endpoints: [endpoint],
            configuration: HTTPServerConfiguration(port: 0, serviceName: "waits", accessLog: false, rateLimit: nil),
            pool: pool, clock: SystemClock(), metrics: Metrics(), logger: quiet)
        let requests = RequestService(server, patience: patience, logger: quiet)
        let service: Task<Void, any Error> = Task {
            try await requests(until: { await stop.wait() }, stopping: { told.turnOn() })
            ended.turnOn()
        }
        var request = HTTPClientRequest(url: "http://127.0.0.1:\(try await server.listeningPort())/v1/waits")
        request.method = .POST
        let sent: HTTPClientRequest = request
        let answered: Task<UInt, any Error> = Task {
            try await HTTPClient.shared.execute(sent, timeout: .seconds(60)).status.code
        }
        try await eventually(within: .seconds(10), "the request is under way") { asked.isOn }
        try await body(service, answered)
        await pool.shutdown()
    }
}

@Suite("The end of requests", .timeLimit(.minutes(2))) struct RequestServiceTests {
    @Test("whoever waits is told that the daemon stops, is answered, and the daemon ends after the answer")
    func waiting() async throws {
        let stage = Stage()
        try await stage.play(patience: .seconds(60)) {
            await stage.told.wait()
            return .accepted(.sample)
        } during: { service, request in
            #expect(!stage.told.isOn && !stage.ended.isOn)
            stage.stop.turnOn()
            #expect(try await request.value == 202)
            try await service.value
        }
    }

    @Test("a request that does not end is cut off when its time is over, and the daemon ends") func late()
        async throws
    {
        let stage = Stage()
        let cut = Switch()
        try await stage.play(patience: .milliseconds(50)) {
            do { try await Task.sleep(for: .seconds(3_600)) } catch { cut.turnOn() }
            return .accepted(.sample)
        } during: { service, request in
            stage.stop.turnOn()
            try await service.value
            #expect(cut.isOn && stage.told.isOn)
            _ = try? await request.value
        }
    }

    @Test("where another part of the daemon fails, nobody is told and nothing is waited for") func failed()
        async throws
    {
        let stage = Stage()
        try await stage.play(patience: .seconds(60)) {
            try await Task.sleep(for: .seconds(3_600))
            return .accepted(.sample)
        } during: { service, request in
            service.cancel()
            await #expect(throws: CancellationError.self) { try await service.value }
            #expect(!stage.told.isOn && !stage.ended.isOn)
            _ = try? await request.value
        }
    }
}
