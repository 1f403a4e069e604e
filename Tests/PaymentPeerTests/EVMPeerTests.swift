import BillingCore
import JSON
import PaymentChains
import PaymentContract
import PaymentCrypto
import TestKit
import Testing

/// An EVM chain with a token on it, and payers who hold both.
struct EVMDouble {
    let node: CryptoNode
    let chainID: UInt64
    let rich: String
    let poor: String
    let token: String

    init(_ node: CryptoNode) async throws {
        self.node = node
        let id: String = try await node.send("eth_chainId", []).stringValue ?? ""
        guard let number = UInt64(id.dropFirst(2), radix: 16) else { throw MissingInfrastructure("no chain id") }
        chainID = number
        let accounts: [JSONValue] = try await node.send("dev_accounts", []).arrayValue ?? []
        rich = accounts.first?["address"]?.stringValue ?? ""
        poor = accounts.last?["address"]?.stringValue ?? ""
        token = try await node.send("dev_deployERC20", ["USD Coin", "USDC", 6, 1_000_000_000_000]).stringValue ?? ""
    }

    /// Sends the chain's own coin, in wei; a block follows at once.
    @discardableResult
    func pay(_ address: String, _ wei: BaseUnits) async throws -> String {
        try await send(["from": .string(rich), "to": .string(address), "value": .string(hex(wei)), "gas": "0x5208"])
    }

    /// Sends tokens; from somebody who has none the receipt says that it failed.
    @discardableResult
    func payToken(
        _ address: String, _ amount: UInt128, of contract: String? = nil, from payer: String? = nil
    ) async throws -> String {
        let payee: EVMAddress = try EVMAddress(parsing: address)
        let digits: String = String(amount, radix: 16)
        // transfer(address,uint256)
        let data: String =
            "0xa9059cbb" + payee.topic.dropFirst(2) + String(repeating: "0", count: 64 - digits.count) + digits
        return try await send([
            "from": .string(payer ?? rich), "to": .string(contract ?? token), "data": .string(data), "gas": "0x30d40",
        ])
    }

    func mine(_ count: Int = 1) async throws { try await node.send("evm_mine", [.number("\(count)")]) }

    private func send(_ transaction: JSONValue) async throws -> String {
        try await node.send("eth_sendTransaction", [transaction]).stringValue ?? ""
    }

    private func hex(_ units: BaseUnits) -> String { "0x" + String(units.low, radix: 16) }
}

/// Runs a test against an EVM node of its own. Two confirmations are needed; a coin costs 2,000, a token 1.
func withEVM(_ body: (EVMDouble, CryptoPeer) async throws -> Void) async throws {
    let node = try await CryptoNode("evm/evm_node.py", credentials: nil)
    defer { node.stop() }
    let double = try await EVMDouble(node)
    let policy = try WatchPolicy(
        tiers: [.init(upTo: nil, confirmations: 2)], toleranceBasisPoints: 100, leastRefund: BaseUnits(1_000),
        late: .refund)
    guard
        let usdc = CryptoAsset.token(
            symbol: "USDC", decimals: 6, chainID: double.chainID, contract: try EVMAddress(parsing: double.token))
    else { throw MissingInfrastructure("no token") }
    let assets: [AcceptedAsset] = [
        AcceptedAsset(
            name: "ethereum", asset: .ether(chainID: double.chainID), policy: policy,
            fixedRates: [.usd: ExactDecimal(2_000)]),
        AcceptedAsset(name: "usdc", asset: usdc, policy: policy, fixedRates: [.usd: .one]),
    ]
    let scanner = EVMScanner(
        transport: node.transport(limitMilliseconds: 1_000), chainID: double.chainID,
        assets: ["ethereum": assets[0].asset, "usdc": usdc])
    try await withCryptoPeer(assets, try AddressSource(extendedKey: CryptoPeer.xpub, network: nil), scanner) { peer in
        try await body(double, peer)
    }
}

@Suite("An EVM chain, against a node", .serialized) struct EVMPeerTests {
    /// 0.05 ETH, in wei.
    private static let ether = BaseUnits(50_000_000_000_000_000)

    @Test("coin and token are paid exactly: confirmed, captured; the chain's id is wider than 32 bits")
    func exact() async throws {
        try await withEVM { chain, peer in
            let (coin, first, _) = try await peer.open("ethereum")
            let (token, second, transfer) = try await peer.open("usdc")
            #expect(chain.chainID > UInt64(UInt32.max))
            #expect(
                transfer.uri == "ethereum:\(chain.token)@\(chain.chainID)/transfer?address=\(second)&uint256=100000000")
            try await chain.pay(first, Self.ether)
            try await chain.payToken(second, 100_000_000)
            try await peer.look()
            #expect(try await peer.word(coin, of: "ethereum") == "captured")
            #expect(try await peer.word(token, of: "usdc") == "0")
            try await chain.mine()
            try await peer.look()
            #expect(try await peer.word(token, of: "usdc") == "captured")
            #expect(peer.heard.all == [.charge(coin.idempotencyKey), .charge(token.idempotencyKey)])
        }
    }

    @Test("too little, then the rest; too much; and nothing in time")
    func underOverLate() async throws {
        try await withEVM { chain, peer in
            let (under, first, _) = try await peer.open("usdc")
            let (over, second, _) = try await peer.open("usdc")
            let (late, third, _) = try await peer.open("usdc")
            try await chain.payToken(first, 60_000_000)
            try await chain.payToken(second, 130_000_000)
            try await chain.mine()
            try await peer.look()
            #expect(try await peer.word(under, of: "usdc") == "40000000")
            #expect(try await peer.word(over, of: "usdc") == "captured")
            #expect(try await peer.instructions(over).map(\.amount) == [BaseUnits(30_000_000)])
            try await chain.payToken(first, 40_000_000)
            try await chain.mine()
            peer.clock.advance(by: .seconds(1_020))
            try await peer.look()
            #expect(try await peer.word(under, of: "usdc") == "captured")
            #expect(try await peer.word(late, of: "usdc") == "quote_expired")
            try await chain.node.send("evm_increaseTime", [1_100])
            try await chain.payToken(third, 100_000_000)
            try await chain.mine()
            try await peer.look()
            #expect(try await peer.word(late, of: "usdc") == "quote_expired")
            #expect(try await peer.instructions(late).map(\.reason) == [.late])
        }
    }

    @Test("a transfer whose receipt says it failed, another contract's token, and coin for a token are no payment")
    func notPaid() async throws {
        try await withEVM { chain, peer in
            let (request, address, _) = try await peer.open("usdc")
            let other: String =
                try await chain.node.send("dev_deployERC20", ["Fake", "USDC", 6, 1_000_000_000_000])
                .stringValue ?? ""
            let failed: String = try await chain.payToken(address, 100_000_000, from: chain.poor)
            let receipt: JSONValue = try await chain.node.send("eth_getTransactionReceipt", [.string(failed)])
            #expect(receipt["status"] == "0x0")
            try await chain.payToken(address, 100_000_000, of: other)
            try await chain.pay(address, Self.ether)
            try await chain.mine(3)
            try await peer.look()
            #expect(try await peer.word(request, of: "usdc") == "100000000")
            #expect(try await peer.charge(request).standing.received == .zero)
        }
    }

    @Test(
        "a reorganisation takes a payment out of the chain; paid again it counts once", arguments: ["ethereum", "usdc"])
    func reorganisation(_ name: String) async throws {
        try await withEVM { chain, peer in
            let (request, address, _) = try await peer.open(name)
            func pay() async throws {
                if name == "usdc" {
                    try await chain.payToken(address, 100_000_000)
                } else {
                    try await chain.pay(address, Self.ether)
                }
            }
            try await pay()
            try await peer.look()
            #expect(try await !peer.charge(request).standing.pending.isZero)
            try await chain.node.send("dev_reorg", [1])
            try await peer.look()
            // It may come again, until as many blocks have passed as it would have needed.
            try await chain.mine()
            try await peer.look()
            #expect(try await peer.charge(request).standing.pending.isZero)
            #expect(try await peer.word(request, of: name) != "captured")
            try await pay()
            try await chain.mine()
            try await peer.look()
            #expect(try await peer.word(request, of: name) == "captured")
            #expect(try await peer.charge(request).standing.refundable.isZero)
        }
    }

    @Test("a node that fails, is overrun, slow or hangs up says nothing, and nothing is concluded")
    func faults() async throws {
        try await withEVM { chain, peer in
            let (request, address, _) = try await peer.open("usdc")
            try await chain.payToken(address, 100_000_000)
            try await chain.mine()
            peer.clock.advance(by: .seconds(86_400))
            for (kind, method) in [
                ("500", "eth_blockNumber"), ("429", "eth_getLogs"), ("close", "eth_getTransactionReceipt"),
                ("slow", "eth_getLogs"),
            ] {
                let fault: JSONValue = ["kind": .string(kind), "method": .string(method), "times": 1]
                try await chain.node.send("dev_faults", [fault])
                await #expect(throws: ChainFault.self) { try await peer.look() }
                #expect(try await peer.word(request, of: "usdc") == "100000000")
            }
            try await peer.look()
            #expect(try await peer.word(request, of: "usdc") == "captured")
        }
    }

    @Test(
        "refunds of coin and token are confirmed by the chain; one that failed on it is not",
        arguments: [
            "ethereum", "usdc",
        ])
    func refund(_ name: String) async throws {
        try await withEVM { chain, peer in
            let (request, address, _) = try await peer.open(name)
            if name == "usdc" {
                try await chain.payToken(address, 100_000_000)
            } else {
                try await chain.pay(address, Self.ether)
            }
            try await chain.mine()
            try await peer.look()
            let asked = RefundRequest(
                idempotencyKey: .new(at: peer.clock.now), reference: address,
                amount: Money(minor: 50_00, currency: .usd))
            #expect(try await peer.provider(name).refund(asked) == .pending(reference: asked.idempotencyKey.rawValue))
            let open: InstructionRecord = try #require(try await peer.instructions(request).first)
            let payer: String = chain.poor
            try await peer.direct(open.id, to: payer)
            if name == "usdc" {
                let failed: String = try await chain.payToken(payer, 50_000_000, from: chain.poor)
                try await peer.sign(open.id, failed)
                try await chain.mine(3)
                try await peer.look()
                #expect(try await peer.instructions(request).first?.status == .sent)
            }
            let sent: String =
                name == "usdc"
                ? try await chain.payToken(payer, 50_000_000)
                : try await chain.pay(payer, BaseUnits(25_000_000_000_000_000))
            try await peer.sign(open.id, sent)
            try await peer.look()
            #expect(try await peer.instructions(request).first?.status == .sent)
            try await chain.mine(2)
            try await peer.look()
            let known = "\(sent)/\(asked.idempotencyKey)"
            #expect(try await peer.provider(name).refund(asked) == .refunded(reference: known))
        }
    }

    @Test("a node of another chain is refused") func otherChain() async throws {
        try await withEVM { chain, _ in
            let reader = EVMReader(transport: chain.node.transport(), chainID: 1)
            await #expect(throws: ChainFault.otherChain) { try await reader.verify() }
        }
    }
}
