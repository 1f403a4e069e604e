import PaymentContract
import PaymentService
import TestKit
import Testing

@Suite("The way out to providers") struct ProviderHTTPTests {
    @Test("a provider that falls silent in the middle of its answer has timed out", .timeLimit(.minutes(1)))
    func stalling() async throws {
        let server = try StallingServer(answering: "HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n{\"id\":")
        defer { server.stop() }
        let request = ProviderHTTPRequest(method: "GET", url: "http://127.0.0.1:\(server.port)/charge", headers: [])
        let began: ContinuousClock.Instant = .now
        await #expect(throws: ProviderFault.timedOut) {
            try await ProviderHTTP(timeout: .seconds(1)).send(request)
        }
        #expect(began.duration(to: .now) < .seconds(10))
    }
}
