import BillingCore
import JSON
import PaymentChains
import PaymentContract
import PaymentCrypto
import Postgres
import Synchronization
import TestKit
import Testing

extension EVMDouble {
    /// From now on transactions wait until somebody makes a block; or get one each again.
    fileprivate func holdBlocks(_ hold: Bool) async throws {
        try await node.send("evm_setAutomine", [.bool(!hold)])
    }

    /// A contract is made that sends what it got to an address and is gone: a transfer inside of a transaction.
    fileprivate func payFromContract(_ address: String, _ wei: BaseUnits) async throws -> String {
        // PUSH20 address, SELFDESTRUCT
        let code = "0x73" + address.dropFirst(2).lowercased() + "ff"
        let transaction: JSONValue = [
            "from": .string(rich), "value": .string("0x" + String(wei.low, radix: 16)), "data": .string(code),
            "gas": "0x30d40",
        ]
        return try await node.send("eth_sendTransaction", [transaction]).stringValue ?? ""
    }
}

/// A node whose next block is a test's: the double puts nothing into its pending block.
private final class PendingTransport: ChainTransport {
    private let node: NodeTransport
    private let waiting = Mutex((transactions: [JSONValue](), ahead: UInt64(1)))

    init(node: NodeTransport) { self.node = node }

    /// What waits from now on, for a block so far above the last one.
    func wait(_ transactions: [JSONValue], ahead: UInt64 = 1) { waiting.withLock { $0 = (transactions, ahead) } }

    func get(_ path: String) async throws(ChainFault) -> ChainAnswer { try await node.get(path) }

    func post(_ body: [UInt8]) async throws(ChainFault) -> ChainAnswer {
        let question: JSONValue = try JSONRPC.parse(body)
        guard question["params"]?.arrayValue?.first == "pending" else { return try await node.post(body) }
        let last: JSONValue = try await JSONRPC(transport: node).call("eth_blockNumber", [])
        let (transactions, ahead) = waiting.withLock { $0 }
        let height: UInt64 = try EVMWire.number(last, "eth_blockNumber") + ahead
        let block: JSONValue = ["number": EVMWire.quantity(height), "transactions": .array(transactions)]
        let answer: JSONValue = ["jsonrpc": "2.0", "id": question["id"] ?? 1, "result": block]
        return ChainAnswer(status: 200, body: answer.serialized)
    }
}

@Suite("What an EVM node shows beside its blocks", .serialized) struct EVMSeenTests {
    /// 0.05 ETH, in wei.
    private static let ether = BaseUnits(50_000_000_000_000_000)

    @Test(
        "what waits for a block is seen, keeps the attempt open, and counts once when its block has come",
        arguments: ["ethereum", "usdc"])
    func pending(_ name: String) async throws {
        try await withEVM { chain, first in
            let node = PendingTransport(node: chain.node.transport(limitMilliseconds: 1_000))
            let scanner = EVMScanner(
                transport: node, chainID: chain.chainID,
                assets: Dictionary(uniqueKeysWithValues: first.assets.map { ($0.name, $0.asset) }))
            let peer = CryptoPeer(pool: first.pool, assets: first.assets, addresses: first.addresses, scanner: scanner)
            let (request, address, _) = try await peer.open(name)
            let amount: BaseUnits = name == "usdc" ? BaseUnits(100_000_000) : Self.ether
            try await chain.holdBlocks(true)
            let hash: String =
                name == "usdc"
                ? try await chain.payToken(address, 100_000_000) : try await chain.pay(address, amount)
            let sent: JSONValue = try await chain.node.send("eth_getTransactionByHash", [.string(hash)])
            #expect(sent["blockHash"]?.isNull != false)
            node.wait([sent])
            try await peer.look()
            #expect(try await peer.charge(request).standing.outcome == .seen)
            #expect(try await peer.charge(request).standing.pending == amount)
            #expect(try await peer.charge(request).standing.received == .zero)
            #expect(try await peer.word(request, of: name) == "0")
            // It was sent in time: its block may come when the quote is over.
            peer.clock.advance(by: .seconds(86_400))
            try await peer.look()
            #expect(try await peer.word(request, of: name) == "0")
            try await chain.mine(2)
            // A node that still tells of it as waiting does not make it count twice.
            try await peer.look()
            #expect(try await peer.word(request, of: name) == "captured")
            let standing: StoredStanding = try await peer.charge(request).standing
            #expect(standing.received == amount && standing.pending == .zero && standing.refundable == .zero)
        }
    }

    @Test("what waited and is gone counts no more; a pending block that stands on another block says nothing")
    func vanished() async throws {
        try await withEVM { chain, first in
            let node = PendingTransport(node: chain.node.transport(limitMilliseconds: 1_000))
            let scanner = EVMScanner(
                transport: node, chainID: chain.chainID, assets: ["ethereum": first.assets[0].asset])
            let peer = CryptoPeer(pool: first.pool, assets: first.assets, addresses: first.addresses, scanner: scanner)
            let (request, address, _) = try await peer.open("ethereum")
            let sent: JSONValue = [
                "hash": .string("0x" + String(repeating: "5a", count: 32)), "to": .string(address),
                "value": .string("0x" + String(Self.ether.low, radix: 16)), "input": "0x",
            ]
            node.wait([["hash": "none", "to": .string(address), "value": "0x1"]])
            try await peer.look()
            #expect(try await peer.charge(request).standing.pending == .zero)
            node.wait([sent], ahead: 2)
            try await peer.look()
            #expect(try await peer.charge(request).standing.pending == .zero)
            node.wait([sent])
            try await peer.look()
            #expect(try await peer.charge(request).standing.pending == Self.ether)
            node.wait([], ahead: 2)
            peer.clock.advance(by: .seconds(86_400))
            try await peer.look()
            #expect(try await peer.charge(request).answer == nil)
            node.wait([])
            try await peer.look()
            #expect(try await peer.word(request, of: "ethereum") == "quote_expired")
        }
    }

    @Test("coin that a contract sends is noticed by the balance, and counts once a person has found where it is from")
    func fromContract() async throws {
        try await withEVM { chain, peer in
            let (request, address, _) = try await peer.open("ethereum")
            let half = BaseUnits(25_000_000_000_000_000)
            try await chain.pay(address, half)
            let hash: String = try await chain.payFromContract(address, half)
            try await chain.mine(2)
            try await peer.look()
            #expect(try await peer.charge(request).unexplained == half)
            #expect(try await peer.word(request, of: "ethereum") == half.description)
            peer.clock.advance(by: .seconds(86_400))
            try await peer.look()
            #expect(try await peer.charge(request).answer == nil)
            let (accepted, now): (AcceptedAssets, Instant) = (AcceptedAssets(peer.assets), peer.clock.now)
            try await peer.pool.transaction { db in
                _ = try Unexplained.count(
                    request.idempotencyKey,
                    UnexplainedInput(transactionID: hash, amount: nil, reason: "an exchange's hot wallet"),
                    by: "key_bob", at: now, accepted, in: db)
            }
            try await chain.mine(2)
            try await peer.look()
            #expect(try await peer.charge(request).unexplained == .zero)
            #expect(try await peer.word(request, of: "ethereum") == "captured")
        }
    }
}
