import BillingCore
import Glibc
import HTTPKit
import Testing

/// A blocking HTTP client for one connection that costs as little as possible and knows what it cost.
private struct BlockingClient {
    enum Failure: Error { case connect, closed }

    private let socket: Int32

    init(port: Int) throws {
        socket = Glibc.socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_port = UInt16(port).bigEndian
        address.sin_addr.s_addr = UInt32(0x7f00_0001).bigEndian
        let result = withUnsafePointer(to: &address) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                connect(socket, $0, socklen_t(MemoryLayout<sockaddr_in>.size))
            }
        }
        guard result == 0 else { throw Failure.connect }
    }

    func close() { Glibc.close(socket) }

    /// Sends a request and waits for the first bytes of its answer; answers are small enough to come at once.
    func exchange(_ request: [UInt8]) throws -> Int {
        var buffer = [UInt8](repeating: 0, count: 4_096)
        guard send(socket, request, request.count, 0) == request.count else { throw Failure.closed }
        let count = recv(socket, &buffer, buffer.count, 0)
        guard count > 12 else { throw Failure.closed }
        return (Int(buffer[9]) - 48) * 100 + (Int(buffer[10]) - 48) * 10 + Int(buffer[11]) - 48
    }
}

private func seconds(_ clock: clockid_t) -> Double {
    var time = timespec()
    clock_gettime(clock, &time)
    return Double(time.tv_sec) + Double(time.tv_nsec) / 1e9
}

@Suite("Cost", .serialized) struct CostTests {
    /// Processor time of the server for one request, the client's own taken off, in microseconds.
    static func measure(_ world: World, _ request: [UInt8], count: Int = 4_000) async throws -> Double {
        let port = world.port
        return try await withCheckedThrowingContinuation { (done: CheckedContinuation<Double, any Error>) in
            let thread = BlockOnThread {
                done.resume(
                    with: Result {
                        let client = try BlockingClient(port: port)
                        defer { client.close() }
                        for _ in 0..<500 { _ = try client.exchange(request) }
                        let before = (seconds(CLOCK_PROCESS_CPUTIME_ID), seconds(CLOCK_THREAD_CPUTIME_ID))
                        for _ in 0..<count { #expect(try client.exchange(request) == 202) }
                        let after = (seconds(CLOCK_PROCESS_CPUTIME_ID), seconds(CLOCK_THREAD_CPUTIME_ID))
                        return (after.0 - before.0 - (after.1 - before.1)) / Double(count) * 1e6
                    })
            }
            thread.start()
        }
    }

    @Test("a small POST through every check costs little processor time") func post() async throws {
        let echo = Endpoint.task(
            .post, "/v1/echoes", scope: "widgets:write", summary: "Answer at once", body: CreateWidget.self,
            answers: Widget.self, statuses: [202]
        ) { _, input in
            .accepted(Widget(id: "1", name: input.name, amount: input.price.minor, currency: input.price.currency.code))
        }
        try await withServer(endpoints: [echo], { $0.rateLimit = RateLimit(perSecond: 100_000, burst: 100_000) }) {
            world in
            let body = ConventionTests.lamp
            let request = Array(
                ("POST /v1/echoes HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer \(world.key)\r\n"
                    + "Idempotency-Key: some-key-1\r\n"
                    + "Content-Type: application/json\r\nContent-Length: \(body.utf8.count)\r\n\r\n\(body)").utf8)
            let cost = try await Self.measure(world, request)
            print("processor time of a small POST: \(cost.rounded()) µs")
            // Other tests of this process run at the same time and count too; the bound only catches blunders.
            #expect(cost < 2_000)
        }
    }
}

/// A thread that runs one closure.
private final class BlockOnThread: Sendable {
    private let body: @Sendable () -> Void
    init(_ body: @escaping @Sendable () -> Void) { self.body = body }

    func start() {
        var thread = pthread_t()
        let context = Unmanaged.passRetained(self).toOpaque()
        pthread_create(
            &thread, nil,
            { argument in
                if let argument { Unmanaged<BlockOnThread>.fromOpaque(argument).takeRetainedValue().body() }
                return nil
            }, context)
        pthread_detach(thread)
    }
}
