import BillingCore
import JSON
import PaymentChains
import PaymentContract
import PaymentCrypto
import TestKit
import Testing

/// How a Bitcoin node is read.
enum BitcoinWay: String, CaseIterable, Sendable { case core, esplora }

/// Runs a test against a Bitcoin node of its own. 0.002 BTC need two confirmations.
func withBitcoin(_ way: BitcoinWay, _ body: (CryptoNode, CryptoPeer) async throws -> Void) async throws {
    let node = try await CryptoNode("btc/btc_node.py", credentials: "rpc:rpc")
    defer { node.stop() }
    let policy = try WatchPolicy(
        tiers: [.init(upTo: BaseUnits(999_999), confirmations: 2), .init(upTo: nil, confirmations: 6)],
        toleranceBasisPoints: 100, leastRefund: BaseUnits(1_000), late: .refund)
    let asset = AcceptedAsset(
        name: "bitcoin", asset: .bitcoin(.regtest), policy: policy, fixedRates: [.usd: ExactDecimal(50_000)])
    let transport: NodeTransport = node.transport(limitMilliseconds: 1_000)
    let scanner: any ChainScanner =
        way == .core
        ? CoreScanner(transport: transport, network: .regtest)
        : EsploraScanner(transport: transport, network: .regtest)
    try await withCryptoPeer(
        [asset], try AddressSource(extendedKey: CryptoPeer.zpub, network: .regtest), scanner
    ) { peer in try await body(node, peer) }
}

extension CryptoNode {
    /// Pays out of the double's wallet.
    func pay(_ address: String, _ coins: String) async throws -> String {
        try await send("sendtoaddress", [.string(address), .string(coins)]).stringValue ?? ""
    }

    @discardableResult
    func mine(_ count: Int = 1) async throws -> String {
        let address: JSONValue = try await send("getnewaddress", [])
        let hashes: JSONValue = try await send("generatetoaddress", [.number("\(count)"), address])
        return hashes.arrayValue?.first?.stringValue ?? ""
    }

    fileprivate func fault(_ kind: String, times: Int, ms: Int = 2_000) async throws {
        try await send(
            "devfaults",
            [["kind": .string(kind), "times": .number("\(times)"), "ms": .number("\(ms)")]])
    }
}

@Suite("Bitcoin, against a node", .serialized) struct BitcoinPeerTests {
    @Test("paid exactly: seen, confirmed, captured", arguments: BitcoinWay.allCases)
    func exact(_ way: BitcoinWay) async throws {
        try await withBitcoin(way) { node, peer in
            let (request, address, transfer) = try await peer.open("bitcoin")
            #expect(transfer.uri == "bitcoin:\(address)?amount=0.002")
            _ = try await node.pay(address, "0.002")
            try await peer.look()
            #expect(try await peer.charge(request).standing.outcome == .seen)
            try await node.mine()
            try await peer.look()
            #expect(try await peer.word(request, of: "bitcoin") == "0")
            try await node.mine()
            try await peer.look()
            #expect(try await peer.word(request, of: "bitcoin") == "captured")
            #expect(peer.heard.all == [.charge(request.idempotencyKey)])
        }
    }

    @Test("too little, then the rest in another payment; and too much", arguments: BitcoinWay.allCases)
    func underAndOver(_ way: BitcoinWay) async throws {
        try await withBitcoin(way) { node, peer in
            let (under, first, _) = try await peer.open("bitcoin")
            let (over, second, _) = try await peer.open("bitcoin")
            _ = try await node.pay(first, "0.00150000")
            _ = try await node.pay(second, "0.00250000")
            try await node.mine(2)
            try await peer.look()
            #expect(try await peer.word(under, of: "bitcoin") == "50000")
            #expect(try await peer.word(over, of: "bitcoin") == "captured")
            #expect(try await peer.instructions(over).map(\.amount) == [BaseUnits(50_000)])
            _ = try await node.pay(first, "0.0005")
            try await node.mine(2)
            try await peer.look()
            #expect(try await peer.word(under, of: "bitcoin") == "captured")
            #expect(try await peer.instructions(under).isEmpty)
        }
    }

    @Test("nothing in time, then too late: declined, and offered back", arguments: BitcoinWay.allCases)
    func late(_ way: BitcoinWay) async throws {
        try await withBitcoin(way) { node, peer in
            let (request, address, _) = try await peer.open("bitcoin")
            peer.clock.advance(by: .seconds(1_020))
            try await peer.look()
            #expect(try await peer.word(request, of: "bitcoin") != "quote_expired", "its node may stand still")
            // The double's blocks are ten minutes apart, and begin three hundred of them ago.
            try await node.mine(310)
            try await peer.look()
            #expect(try await peer.word(request, of: "bitcoin") == "quote_expired")
            _ = try await node.pay(address, "0.002")
            try await node.mine(2)
            try await peer.look()
            #expect(try await peer.word(request, of: "bitcoin") == "quote_expired")
            // Esplora is asked for what nobody is about to pay at new blocks, Core sees all of them.
            #expect(try await peer.charge(request).standing.received == BaseUnits(200_000))
            #expect(try await peer.instructions(request).map(\.reason) == [.late])
        }
    }

    @Test("a block leaves the chain and comes back", arguments: BitcoinWay.allCases)
    func reorganisation(_ way: BitcoinWay) async throws {
        try await withBitcoin(way) { node, peer in
            let (request, address, _) = try await peer.open("bitcoin")
            _ = try await node.pay(address, "0.002")
            let block: String = try await node.mine()
            try await peer.look()
            #expect(try await peer.charge(request).standing.pending == BaseUnits(200_000))
            try await node.send("invalidateblock", [.string(block)])
            try await node.send("generateempty", [3])
            try await peer.look()
            // It waits again, in no block.
            #expect(try await peer.charge(request).standing.outcome == .seen)
            #expect(try await peer.word(request, of: "bitcoin") == "0")
            try await node.mine(2)
            try await peer.look()
            #expect(try await peer.word(request, of: "bitcoin") == "captured")
        }
    }

    @Test("a payment is spent twice while it waits, and after its block left", arguments: BitcoinWay.allCases)
    func doubleSpend(_ way: BitcoinWay) async throws {
        try await withBitcoin(way) { node, peer in
            let (waiting, first, _) = try await peer.open("bitcoin")
            let (placed, second, _) = try await peer.open("bitcoin")
            let early: String = try await node.pay(first, "0.002")
            try await peer.look()
            #expect(try await peer.word(waiting, of: "bitcoin") == "0")
            try await node.send("doublespend", [.string(early)])
            try await peer.look()
            #expect(try await peer.word(waiting, of: "bitcoin") == "200000")
            let late: String = try await node.pay(second, "0.002")
            let block: String = try await node.mine()
            try await peer.look()
            try await node.send("invalidateblock", [.string(block)])
            try await node.send("doublespend", [.string(late)])
            try await node.mine(3)
            try await peer.look()
            #expect(try await peer.word(placed, of: "bitcoin") == "200000")
            #expect(try await peer.charge(placed).standing.received == .zero)
        }
    }

    @Test("a fee that is raised replaces the transaction and keeps the payment", arguments: BitcoinWay.allCases)
    func replacement(_ way: BitcoinWay) async throws {
        try await withBitcoin(way) { node, peer in
            let (request, address, _) = try await peer.open("bitcoin")
            let first: String = try await node.pay(address, "0.002")
            try await peer.look()
            // The quote is over when it is raised.
            peer.clock.advance(by: .seconds(2_000))
            try await peer.look()
            try await node.send("bumpfee", [.string(first)])
            try await peer.look()
            #expect(try await peer.charge(request).standing.pending == BaseUnits(200_000))
            try await node.mine(2)
            try await peer.look()
            #expect(try await peer.word(request, of: "bitcoin") == "captured")
            #expect(try await peer.charge(request).standing.received == BaseUnits(200_000))
        }
    }

    @Test(
        "a node that fails, is slow or hangs up says nothing, and nothing is concluded", arguments: BitcoinWay.allCases)
    func faults(_ way: BitcoinWay) async throws {
        try await withBitcoin(way) { node, peer in
            let (request, address, _) = try await peer.open("bitcoin")
            _ = try await node.pay(address, "0.002")
            try await node.mine(2)
            peer.clock.advance(by: .seconds(86_400))
            for kind in ["500", "close", "slow"] {
                try await node.fault(kind, times: 1)
                await #expect(throws: ChainFault.self) { try await peer.look() }
                #expect(try await peer.word(request, of: "bitcoin") == "200000")
            }
            try await peer.look()
            #expect(try await peer.word(request, of: "bitcoin") == "captured")
        }
    }

    @Test("a refund is confirmed by the chain", arguments: BitcoinWay.allCases)
    func refund(_ way: BitcoinWay) async throws {
        try await withBitcoin(way) { node, peer in
            let (request, address, _) = try await peer.open("bitcoin")
            _ = try await node.pay(address, "0.002")
            try await node.mine(2)
            try await peer.look()
            let asked = RefundRequest(
                idempotencyKey: .new(at: peer.clock.now), reference: address,
                amount: Money(minor: 40_00, currency: .usd))
            #expect(
                try await peer.provider("bitcoin").refund(asked) == .pending(reference: asked.idempotencyKey.rawValue))
            let payer: String = try await node.send("getnewaddress", []).stringValue ?? ""
            let transaction: String = try await node.pay(payer, "0.0008")
            let open: InstructionRecord = try #require(try await peer.instructions(request).first)
            try await peer.direct(open.id, to: payer)
            try await peer.sign(open.id, transaction)
            try await peer.look()
            #expect(try await peer.instructions(request).first?.status == .sent)
            try await node.mine(2)
            try await peer.look()
            let known = "\(transaction)/\(asked.idempotencyKey)"
            #expect(try await peer.provider("bitcoin").refund(asked) == .refunded(reference: known))
        }
    }

    @Test("a node of another network is refused", arguments: BitcoinWay.allCases)
    func otherChain(_ way: BitcoinWay) async throws {
        let node = try await CryptoNode("btc/btc_node.py", credentials: "rpc:rpc")
        defer { node.stop() }
        let reader: any ChainReader =
            way == .core
            ? CoreReader(transport: node.transport(), network: .main)
            : EsploraReader(transport: node.transport(), network: .main)
        await #expect(throws: ChainFault.otherChain) { try await reader.verify() }
    }
}
