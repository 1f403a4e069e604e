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

    @Test("a request says how long an answer it takes") func limits() async throws {
        let server = try StallingServer(
            answering: "HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 5\r\n\r\n12345")
        defer { server.stop() }
        func length(upTo limit: Int) async throws -> Int {
            try await ProviderHTTP.shared.send(
                ProviderHTTPRequest(
                    method: "GET", url: "http://127.0.0.1:\(server.port)/charge", headers: [], maxAnswerBytes: limit)
            ).body.count
        }
        #expect(try await length(upTo: 5) == 5)
        await #expect(throws: ProviderFault.unusable("an answer of more than 4 bytes")) { try await length(upTo: 4) }
    }
}
