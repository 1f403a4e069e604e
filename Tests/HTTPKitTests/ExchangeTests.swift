import AsyncHTTPClient
import HTTPKit
import NIOCore
import NIOHTTP1
import TestKit
import Testing

@Suite("Requests to others") struct ExchangeTests {
    private static let head = "HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n"

    @Test(
        "a peer that begins to answer and falls silent is given up when the time for the whole is over",
        .timeLimit(.minutes(1)))
    func stalling() async throws {
        // At once, as each takes the whole second.
        try await withThrowingTaskGroup(of: Void.self) { group in
            for answer in ["", Self.head, Self.head + "{", "HTTP/1.1 200 OK\r\n\r\n{"] {
                group.addTask { try await Self.stall(answering: answer) }
            }
            try await group.waitForAll()
        }
    }

    private static func stall(answering answer: String) async throws {
        let server = try StallingServer(answering: answer)
        defer { server.stop() }
        let request = HTTPClientRequest(url: "http://127.0.0.1:\(server.port)/")
        let began: ContinuousClock.Instant = .now
        await #expect(throws: HTTPClientError.deadlineExceeded, "after \"\(answer)\"") {
            try await HTTPClient.shared.exchange(request, upTo: 4_096, within: .seconds(1))
        }
        #expect(began.duration(to: .now) < .seconds(10))
    }

    @Test("a caller that is cancelled gets no part of an answer", .timeLimit(.minutes(1)))
    func cancelled() async throws {
        let server = try StallingServer(answering: "HTTP/1.1 200 OK\r\n\r\n{")
        defer { server.stop() }
        let request = HTTPClientRequest(url: "http://127.0.0.1:\(server.port)/")
        let call = Task { try await HTTPClient.shared.exchange(request, upTo: 4_096, within: .seconds(600)).body }
        call.cancel()
        await #expect(throws: (any Error).self) { try await call.value }
    }

    @Test("an answer that comes in time is whole") func answered() async throws {
        let server = try StallingServer(
            answering: "HTTP/1.1 201 Created\r\nConnection: close\r\nContent-Length: 5\r\n\r\nhello")
        defer { server.stop() }
        let request = HTTPClientRequest(url: "http://127.0.0.1:\(server.port)/")
        let answer = try await HTTPClient.shared.exchange(request, upTo: 5, within: .seconds(30))
        #expect(answer.head.status == .created && String(buffer: answer.body) == "hello")
        await #expect(throws: NIOTooManyBytesError.self) {
            try await HTTPClient.shared.exchange(request, upTo: 4, within: .seconds(30))
        }
    }
}
