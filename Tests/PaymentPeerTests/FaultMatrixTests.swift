import Glibc
import JSON
import PaymentDisputes
import PaymentInbound
import PaymentService
import Postgres
import TestKit
import Testing

/// Thousands of payments through everything that goes wrong, against the books of a double. `REFRAIN_MATRIX_PAYMENTS`
/// sets how many.
@Suite("The fault matrix", .serialized) struct FaultMatrixTests {
    private static let payments: Int = getenv("REFRAIN_MATRIX_PAYMENTS").flatMap { Int(String(cString: $0)) } ?? 600
    /// Stories at one double. It goes through all that it has at each request, so a fresh one takes over then, beside the
    /// ledger of those before.
    private static let season = 300
    /// Stories under way at once.
    private static let actors = 32

    @Test("Stripe: each payment is taken once, known, booked, and the double's books are ours") func stripe()
        async throws
    {
        try await run { season in
            // An answer that breaks Stripe's schema is among the complaints all the same.
            try await withStripe(strict: false) { double in
                let account: String = try await double.bankAccount("DE89370400440532013000")
                try await season(StripeMatrixPeer(double: double, bankAccount: account))
            }
        }
    }

    @Test("PayPal: each payment is taken once, known, booked, and the double's books are ours") func payPal()
        async throws
    {
        try await run { season in
            let peer = try await LivePeer()
            defer { peer.stop() }
            try await expiredCertificateExpires()
            try await season(PayPalMatrixPeer(peer: peer))
        }
    }

    /// Plays all stories, season by season.
    /// - Parameter atDouble: Lends a double to a season.
    private func run(_ atDouble: (_ season: (any MatrixPeer) async throws -> Void) async throws -> Void) async throws {
        var random = Seeded()
        let stories: [MatrixStory] = (0..<Self.payments).map { MatrixStory.draw($0, &random) }
        let begin: ContinuousClock.Instant = .now
        try await withMatrixLedger { ledger in
            var books = MatrixBooks()
            for first in stride(from: 0, to: stories.count, by: Self.season) {
                let part: ArraySlice<MatrixStory> = stories[first..<min(first + Self.season, stories.count)]
                let clocks = MatrixClocks.draw(&random)
                try await atDouble { peer in
                    try await withFaultMatrix(peer, ledger, clocks) { world in
                        try await Self.perform(part, in: world, seed: random.seed)
                        let end = MatrixEnd(world: world)
                        try await Self.timed("\(peer.name): settled") { try await end.settle() }
                        try await books.add(peer)
                        try await end.compare(books.accounts, stories: part.endIndex)
                        try await Self.timed("\(peer.name): reconciled") { try await end.reconcile(books) }
                    }
                }
            }
        }
        print("all in \(ContinuousClock.now - begin)")
    }

    private static func timed(_ what: String, _ work: () async throws -> Void) async throws {
        let begin: ContinuousClock.Instant = .now
        try await work()
        print("\(what) in \(ContinuousClock.now - begin)")
    }

    private static func perform(_ stories: ArraySlice<MatrixStory>, in world: FaultMatrixWorld, seed: UInt64)
        async throws
    {
        var stage = MatrixStage(world: world)
        try await DatabaseStorm.blow(0.02, in: world.observer)
        let weather: [Task<Void, any Error>] = Self.weather(world, seed: seed)
        for method in world.peer.methods { try await stage.hire(method) }
        let crew: MatrixStage = stage
        try await timed("\(world.peer.name): \(stories.count) stories played") { try await play(stories, on: crew) }
        for task in weather { task.cancel() }
        for task in weather { _ = await task.result }
    }

    private static func play(_ stories: ArraySlice<MatrixStory>, on stage: MatrixStage) async throws {
        try await withThrowingTaskGroup(of: Void.self) { group in
            for (number, story) in stories.enumerated() {
                if number >= Self.actors { try await group.next() }
                group.addTask { try await stage.play(story) }
            }
            try await group.waitForAll()
        }
    }

    /// What goes on beside the stories: the daemons' loops, and webhooks that come late, shuffled, twice and forged.
    private static func weather(_ world: FaultMatrixWorld, seed: UInt64) -> [Task<Void, any Error>] {
        let loops: [@Sendable (MatrixDaemon) async throws -> Void] = [
            { try await $0.work.sweep.pass() }, { _ = try await $0.webhooks.pass() },
            { daemon in
                try await daemon.hearAgain()
                try await daemon.disputes.pass()
            },
        ]
        let running: [Task<Void, any Error>] = [0, 1].flatMap { index in
            loops.map { loop in
                Task {
                    while !Task.isCancelled {
                        try? await loop(world.daemon(index))
                        try await Task.sleep(for: .milliseconds(15))
                    }
                }
            }
        }
        let post = Task {
            var turn = 0
            while !Task.isCancelled {
                try await Task.sleep(for: .milliseconds(300))
                let order: String = ["shuffle", "lifo", "fifo"][turn % 3]
                _ = try? await world.peer.control(
                    "webhooks/release", ["order": .string(order), "seed": .number("\(seed &+ UInt64(turn))")])
                turn += 1
            }
        }
        let forger = Task {
            var turn = 0
            while !Task.isCancelled {
                try await Task.sleep(for: .milliseconds(500))
                let events: [String] = try await world.texts(
                    "SELECT event_id FROM inbound_webhooks ORDER BY received_at DESC LIMIT 20")
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
        return running + [post, forger]
    }
}
