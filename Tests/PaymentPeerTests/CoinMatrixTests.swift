import Glibc
import PaymentCrypto
import TestKit
import Testing

/// Payments in coins through everything that goes wrong, against what the chain holds. `REFRAIN_MATRIX_PAYMENTS` sets how
/// many.
@Suite("The fault matrix of coins", .serialized) struct CoinMatrixTests {
    private static let payments: Int = getenv("REFRAIN_MATRIX_PAYMENTS").flatMap { Int(String(cString: $0)) } ?? 60
    /// Stories at one double. It goes through its whole chain at each request, so a fresh one takes over then, with a fresh
    /// ledger: nobody follows two chains of one name.
    private static let season = 120

    @Test("Bitcoin: each payment is known, booked once, and the ledger has what is on the chain") func bitcoin()
        async throws
    {
        try await run { season in
            let node = try await CryptoNode("btc/btc_node.py", credentials: "rpc:rpc")
            defer { node.stop() }
            // Coins that can be spent, and blocks of now: the double's begin days ago.
            try await node.mine(200)
            try await season(BitcoinHistory(node: node))
        }
    }

    @Test("Ether and a token: each payment is known, booked once, and the ledger has what is on the chain") func evm()
        async throws
    {
        try await run { season in
            let node = try await CryptoNode("evm/evm_node.py", credentials: nil)
            defer { node.stop() }
            try await season(EVMHistory(chain: try await EVMDouble(node)))
        }
    }

    /// Plays all stories, season by season.
    /// - Parameter onChain: Lends a chain to a season.
    private func run(_ onChain: (_ season: (any CoinChain) async throws -> Void) async throws -> Void) async throws {
        var random = Seeded()
        let begin: ContinuousClock.Instant = .now
        for first in stride(from: 0, to: Self.payments, by: Self.season) {
            let count: Int = min(Self.season, Self.payments - first)
            try await onChain { chain in
                let assets: [String] = chain.assets.map(\.name)
                let stories: [CoinStory] = (0..<count).map { CoinStory.draw($0, assets, &random) }
                let accepted: [AcceptedAsset] = try chain.accepted(&random)
                let weather = CoinWeather(&random)
                try await withCoinWorld(chain, accepted, weather) { world in
                    var play = CoinPlay(world, stories, random)
                    try await play.run()
                    try await play.settle()
                    try await play.check()
                    random = play.random
                }
            }
        }
        print("all in \(ContinuousClock.now - begin), seed \(random.seed)")
    }
}
