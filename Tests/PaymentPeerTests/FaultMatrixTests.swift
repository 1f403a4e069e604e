import Glibc
import JSON
import PaymentInbound
import PaymentService
import Postgres
import TestKit
import Testing

/// Thousands of payments through everything that goes wrong, against the books of a double. `REFRAIN_MATRIX_PAYMENTS`
/// sets how many.
@Suite("The fault matrix", .serialized) struct FaultMatrixTests {
    private static let payments: Int = getenv("REFRAIN_MATRIX_PAYMENTS").flatMap { Int(String(cString: $0)) } ?? 150
    /// Stories under way at once.
    private static let actors = 32

    @Test("Stripe: each payment is taken once, known, booked, and the double's books are ours") func stripe()
        async throws
    {
        try await withStripe { double in
            let account: String = try await double.bankAccount("DE89370400440532013000")
            try await run(StripeMatrixPeer(double: double, bankAccount: account))
            #expect(try await double.complaints().isEmpty)
        }
    }

    @Test("PayPal: each payment is taken once, known, booked, and the double's books are ours") func payPal()
        async throws
    {
        let peer = try await LivePeer()
        defer { peer.stop() }
        try await run(PayPalMatrixPeer(peer: peer))
    }

    private func run(_ peer: any MatrixPeer) async throws {
        var random = Seeded()
        let stories: [MatrixStory] = (0..<Self.payments).map { MatrixStory.draw($0, &random) }
        let begin: ContinuousClock.Instant = .now
        try await withFaultMatrix(peer) { world in
            var stage = MatrixStage(world: world)
            try await DatabaseStorm.blow(0.02, in: world.observer)
            let weather: [Task<Void, any Error>] = Self.weather(world, seed: random.seed)
            for (number, method) in peer.methods.enumerated() { try await stage.hire(method, number) }
            try await Self.play(stories, on: stage)
            for task in weather { task.cancel() }
            for task in weather { _ = await task.result }
            print("\(peer.name): \(stories.count) stories played in \(ContinuousClock.now - begin)")
            try await MatrixEnd(world: world).settle()
            try await MatrixEnd(world: world).compare(stories: stories.count)
        }
        print("\(peer.name): all in \(ContinuousClock.now - begin)")
    }

    private static func play(_ stories: [MatrixStory], on stage: MatrixStage) async throws {
        try await withThrowingTaskGroup(of: Void.self) { group in
            for actor in 0..<Self.actors {
                group.addTask {
                    for story in stories where story.index % Self.actors == actor { try await stage.play(story) }
                }
            }
            try await group.waitForAll()
        }
    }

    /// What goes on beside the stories: sweepers, webhooks that come late, shuffled, twice and forged, and their work.
    private static func weather(_ world: FaultMatrixWorld, seed: UInt64) -> [Task<Void, any Error>] {
        let sweepers: [Task<Void, any Error>] = (0...1).map { index in
            Task {
                while !Task.isCancelled {
                    let daemon: MatrixDaemon = world.daemon(index)
                    try? await daemon.work.sweep.pass()
                    _ = try? await daemon.webhooks.pass()
                    try await Task.sleep(for: .milliseconds(15))
                }
            }
        }
        let post = Task {
            var turn = 0
            while !Task.isCancelled {
                try await Task.sleep(for: .milliseconds(400))
                let order: String = ["shuffle", "lifo", "fifo"][turn % 3]
                _ = try? await world.peer.control(
                    "webhooks/release", ["order": .string(order), "seed": .number("\(seed &+ UInt64(turn))")])
                let events: [String] = try await world.texts("SELECT event_id FROM inbound_webhooks LIMIT 20")
                if !events.isEmpty {
                    let forgery: String = world.peer.forgeries[turn % world.peer.forgeries.count]
                    let event: String = events[turn % events.count]
                    for corrupt in [forgery, "none"] {
                        _ = try? await world.peer.control(
                            "webhooks/send", ["event": .string(event), "corrupt": .string(corrupt)])
                    }
                }
                // The double looks through all faults at each request, also those that are over.
                if turn % 8 == 7 { try? await world.peer.clearFaults() }
                turn += 1
            }
        }
        return sweepers + [post]
    }
}
