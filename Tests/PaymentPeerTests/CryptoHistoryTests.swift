import BillingCore
import JSON
import PaymentChains
import PaymentContract
import PaymentCrypto
import Postgres
import TestKit
import Testing

/// A chain as a history plays on it.
protocol HistoryChain: Sendable {
    /// The assets that are paid in, and what 100.00 are in base units.
    var assets: [(name: String, due: UInt128)] { get }
    /// Pays an address.
    /// - Returns: The transaction.
    @discardableResult
    func pay(_ asset: String, _ address: String, _ units: UInt128) async throws -> String
    /// Makes blocks.
    func mine(_ count: Int) async throws
    /// Takes so many blocks back; what was in them is paid again or is not.
    func reorganise(_ depth: Int, again: Bool) async throws
    /// What the chain says an address has, in base units.
    func has(_ asset: String, _ address: String) async throws -> BaseUnits
}

/// The double of Bitcoin. A coin costs 50,000.
struct BitcoinHistory: HistoryChain {
    let node: CryptoNode
    let assets: [(name: String, due: UInt128)] = [("bitcoin", 200_000)]

    @discardableResult
    func pay(_ asset: String, _ address: String, _ units: UInt128) async throws -> String {
        try await node.pay(address, BaseUnits(units).coins(decimals: 8))
    }

    func mine(_ count: Int) async throws { try await node.mine(count) }

    func reorganise(_ depth: Int, again: Bool) async throws {
        let height: Int64 = try await node.send("getblockcount", []).intValue ?? 0
        let block: JSONValue = try await node.send("getblockhash", [.number("\(height - Int64(depth) + 1)")])
        try await node.send("invalidateblock", [block])
        if !again {
            for transaction in try await node.send("getrawmempool", []).arrayValue ?? [] {
                _ = try? await node.send("devdrop", [transaction])
            }
        }
        try await node.send("generateempty", [.number("\(depth + 1)")])
    }

    func has(_ asset: String, _ address: String) async throws -> BaseUnits {
        let found: JSONValue = try await node.send(
            "scantxoutset", ["start", .array([["desc": .string("addr(\(address))")]])])
        return try BaseUnits.sum(
            try (found["unspents"]?.arrayValue ?? []).map { output in
                guard case .number(let coins)? = output["amount"] else { return .zero }
                return try BaseUnits(coins: coins, decimals: 8)
            })
    }
}

/// The double of an EVM chain. A coin costs 2,000, a token 1.
struct EVMHistory: HistoryChain {
    let chain: EVMDouble
    let assets: [(name: String, due: UInt128)] = [("ethereum", 50_000_000_000_000_000), ("usdc", 100_000_000)]

    @discardableResult
    func pay(_ asset: String, _ address: String, _ units: UInt128) async throws -> String {
        if asset == "usdc" { return try await chain.payToken(address, units) }
        return try await chain.pay(address, BaseUnits(units))
    }

    func mine(_ count: Int) async throws { try await chain.mine(count) }

    func reorganise(_ depth: Int, again: Bool) async throws {
        try await chain.node.send("dev_reorg", [.number("\(depth)")])
    }

    func has(_ asset: String, _ address: String) async throws -> BaseUnits {
        let answer: JSONValue
        if asset == "usdc" {
            // balanceOf(address)
            let data: String = "0x70a08231" + (try EVMAddress(parsing: address)).topic.dropFirst(2)
            answer = try await chain.node.send(
                "eth_call", [["to": .string(chain.token), "data": .string(data)], "latest"])
        } else {
            answer = try await chain.node.send("eth_getBalance", [.string(address), "latest"])
        }
        return try BaseUnits(hexDigits: (answer.stringValue ?? "").dropFirst(2))
    }
}

/// What became of a history, for the eye.
private struct Tally: CustomStringConvertible {
    var payments = 0
    var reorganisations = 0
    var answers: [String: Int] = [:]
    var back = 0

    var description: String {
        let told: String = answers.sorted { $0.key < $1.key }.map { "\($0.key) \($0.value)" }.joined(separator: ", ")
        return "\(payments) payments, \(reorganisations) reorganisations: \(told); \(back) instructions"
    }
}

@Suite("A history of crypto payments, against nodes", .serialized) struct CryptoHistoryTests {
    private typealias Opened = (request: ChargeRequest, address: String, asset: String)

    /// Opens some attempts, which share one look.
    private func open(
        _ count: Int, _ chain: some HistoryChain, _ peer: CryptoPeer, _ random: inout Seeded
    ) async throws -> [Opened] {
        var opened: [Opened] = []
        for _ in 0..<count {
            let asset: String = chain.assets[Int.random(in: 0..<chain.assets.count, using: &random)].name
            let request = ChargeRequest(
                idempotencyKey: .new(at: peer.clock.now), paymentID: .new(at: peer.clock.now),
                source: .redirect(method: asset, returnURL: "https://shop.test/back"),
                amount: Money(minor: 100_00, currency: .usd))
            guard case .actionRequired(let address, _) = try await peer.provider(asset).charge(request) else {
                throw MissingInfrastructure("no address")
            }
            opened.append((request, address, asset))
        }
        return opened
    }

    /// Pays as payers do: exactly, too little, too much, in two parts, or not at all.
    private func pay(
        _ one: Opened, _ chain: some HistoryChain, _ random: inout Seeded
    ) async throws {
        let due: UInt128 = chain.assets.first { $0.name == one.asset }?.due ?? 0
        switch Int.random(in: 0..<10, using: &random) {
        case 0: return
        case 1: try await chain.pay(one.asset, one.address, due * 6 / 10)
        case 2: try await chain.pay(one.asset, one.address, due * 13 / 10)
        case 3:
            try await chain.pay(one.asset, one.address, due / 4)
            try await chain.pay(one.asset, one.address, due - due / 4)
        default: try await chain.pay(one.asset, one.address, due)
        }
    }

    private func play(_ chain: some HistoryChain, _ peer: CryptoPeer, rounds: Int) async throws {
        var random = Seeded()
        var tally = Tally()
        var all: [Opened] = []
        for round in 0..<rounds {
            try await peer.look()
            let opened: [Opened] = try await open(10, chain, peer, &random)
            all += opened
            for one in opened { try await pay(one, chain, &random) }
            // Somebody pays again where a payment was made before, or long ago.
            if let old = all.randomElement(using: &random) { try await pay(old, chain, &random) }
            if Bool.random(using: &random) { try await peer.look() }
            try await chain.mine(Int.random(in: 1...2, using: &random))
            try await peer.look()
            if round % 3 == 1 {
                tally.reorganisations += 1
                try await chain.reorganise(Int.random(in: 1...4, using: &random), again: Bool.random(using: &random))
            }
            peer.clock.advance(by: .seconds(Int64.random(in: 10...900, using: &random)))
        }
        try await chain.mine(8)
        try await peer.look()
        peer.clock.advance(by: .seconds(5_000))
        try await peer.look()
        try await peer.look()
        tally.payments = all.count
        for one in all { try await check(one, chain, peer, &tally) }
        // Nobody books payments here, and blocks that were confirmed enough have been taken back.
        let excused: [String] = ["are not booked", "left the chain after they were booked", "goes back than was"]
        let faults: [String] = try await peer.pool.transaction { db in try CryptoWork.violations(in: db) }
            .filter { fault in !excused.contains { fault.contains($0) } }
        #expect(faults == [], "seed \(random.seed)")
        print("history: \(tally); seed \(random.seed)")
    }

    /// What is stored of an attempt against what the chain says of its address.
    private func check(
        _ one: Opened, _ chain: some HistoryChain, _ peer: CryptoPeer, _ tally: inout Tally
    ) async throws {
        let charge: CryptoCharge = try await peer.charge(one.request)
        let standing: StoredStanding = charge.standing
        #expect(standing.received == (try await chain.has(one.asset, one.address)), "\(one)")
        #expect(standing.pending == .zero && charge.unexplained == .zero, "\(one)")
        let back: [InstructionRecord] = try await peer.instructions(one.request).filter { $0.status == .open }
        #expect(try BaseUnits.sum(back.map(\.amount)) == standing.refundable)
        tally.back += back.count
        tally.answers[charge.answer?.text ?? "open", default: 0] += 1
        #expect(charge.answer != nil, "\(one)")
        #expect(peer.heard.all.contains(.charge(one.request.idempotencyKey)))
    }

    @Test("every payment in Bitcoin is what the chain says", arguments: [BitcoinWay.core])
    func bitcoin(_ way: BitcoinWay) async throws {
        try await withBitcoin(way) { node, peer in
            // Coins that can be spent, enough for all payers of a round.
            try await node.mine(150)
            try await play(BitcoinHistory(node: node), peer, rounds: 30)
        }
    }

    @Test("every payment in ether and in a token is what the chain says")
    func evm() async throws {
        try await withEVM { chain, peer in
            try await play(EVMHistory(chain: chain), peer, rounds: 30)
        }
    }
}
