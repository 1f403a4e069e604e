import BillingCore
import JSON
import Testing

import PaymentChains

/// Two blocks, one transaction in the second, one waiting.
private func core(value: String = "0.01500000") -> FakeNode {
    FakeNode(call: { method, parameters in
        let output: JSONValue = [
            "n": 1, "value": .number(value), "scriptPubKey": ["hex": "0014c0cebcd6c3d3ca8c75dc5ec62ebe55330ef910e2"],
        ]
        let other: JSONValue = ["n": 0, "value": .number("49.99999999"), "scriptPubKey": ["hex": "6a"]]
        switch method {
        case "getblockchaininfo": return ["chain": "regtest", "initialblockdownload": false]
        case "getblockcount": return 1
        case "getblockhash":
            if parameters == [0] { return .string(hash("0")) }
            return parameters == [1] ? .string(hash("1")) : ["fault": -8]
        case "getblockheader":
            if parameters[0].stringValue == hash("0") { return ["hash": .string(hash("0")), "height": 0, "time": 5] }
            return [
                "hash": .string(hash("1")), "height": 1, "time": 600, "previousblockhash": .string(hash("0")),
                "difficulty": .number("4.656542373906925e-10"),
            ]
        case "getblock":
            guard parameters[0].stringValue == hash("1") else { return ["fault": -5] }
            let transaction: JSONValue = ["txid": .string(hash("a")), "vout": [other, output]]
            return ["hash": .string(hash("1")), "height": 1, "tx": [transaction]]
        case "getrawmempool": return [.string(hash("b")), .string(hash("c"))]
        case "getrawtransaction":
            if parameters[0].stringValue == hash("c") { return ["fault": -5] }
            return ["txid": .string(hash("b")), "vout": [output]]
        default: return ["fault": -32601]
        }
    })
}

@Suite("Bitcoin readers") struct BitcoinReaderTests {
    private static func address() throws -> BitcoinAddress {
        try BitcoinAddress(parsing: "bcrt1qcr8te4kr609gcawutmrza0j4xv80jy8zeqchgx", network: .regtest)
    }

    @Test("Core's blocks, headers and waiting transactions are read, amounts to the satoshi") func reads() async throws
    {
        let reader = CoreReader(transport: core(), network: .regtest)
        try await reader.verify()
        let advance: TrailAdvance = try await reader.catchUp(ChainTrail())
        #expect(advance.trail.tip == BlockRef(height: 1, hash: hash("1")) && advance.undone.isEmpty)
        let block: BlockStamp = try #require(advance.added.last).stamp
        let transfers: [ChainTransfer] = try await reader.transfers(in: block, to: [try Self.address()])
        #expect(
            transfers == [
                ChainTransfer(
                    id: TransferID(transaction: hash("a"), position: 1), address: try Self.address().text,
                    amount: BaseUnits(1_500_000), block: block)
            ])
        var memory = CoreReader.Mempool()
        for _ in 0..<2 {
            let waiting: CoreReader.Waiting = try await reader.unconfirmed(to: [try Self.address()], memory: &memory)
            #expect(waiting.transfers.map(\.id.transaction) == [hash("b")] && waiting.isComplete)
            #expect(waiting.transfers.allSatisfy { $0.block == nil })
            #expect(memory.count == 1)
        }
    }

    @Test("a large pool is read in parts, what is waited for first, and until the end it is told that there is more")
    func largePool() async throws {
        let ids: [String] = (0..<CoreReader.maxReads + 5).map { number in
            let digits = String(number, radix: 16)
            return String(repeating: "0", count: 64 - digits.utf8.count) + digits
        }
        let last: String = try #require(ids.last)
        let node = FakeNode(call: { method, parameters in
            if method == "getrawmempool" { return .array(ids.map { .string($0) }) }
            let script = parameters[0].stringValue == last ? "0014c0cebcd6c3d3ca8c75dc5ec62ebe55330ef910e2" : "6a"
            return ["txid": parameters[0], "vout": [["n": 0, "value": 1, "scriptPubKey": ["hex": .string(script)]]]]
        })
        let reader = CoreReader(transport: node, network: .regtest)
        let address: BitcoinAddress = try Self.address()
        var memory = CoreReader.Mempool()
        let begun: CoreReader.Waiting = try await reader.unconfirmed(to: [address], memory: &memory)
        #expect(begun == CoreReader.Waiting(transfers: [], isComplete: false))
        let done: CoreReader.Waiting = try await reader.unconfirmed(to: [address], memory: &memory)
        #expect(done.isComplete && done.transfers.map(\.id.transaction) == [last])
        #expect(memory.count == ids.count)
        var other = CoreReader.Mempool()
        let asked: CoreReader.Waiting = try await reader.unconfirmed(to: [address], first: [last], memory: &other)
        #expect(!asked.isComplete && asked.transfers.map(\.id.transaction) == [last])
        #expect(other.count == CoreReader.maxReads + 1)
    }

    @Test(
        "amounts are read from the number's characters, exactly or not at all",
        arguments: [
            ("0.00000001", 1), ("20999999.97690000", 2_099_999_997_690_000), ("0.1", 10_000_000), ("1e-8", nil),
            ("-0.01", nil), ("0.000000001", nil), ("21000000.00000001", nil), ("1E3", nil),
        ] as [(String, Int?)])
    func amounts(value: String, satoshi: Int?) async throws {
        let reader = CoreReader(transport: core(value: value), network: .regtest)
        let block = BlockStamp(ref: BlockRef(height: 1, hash: hash("1")), time: .epoch)
        guard let satoshi else {
            await #expect(throws: ChainFault.unusable("value")) {
                try await reader.transfers(in: block, to: [try Self.address()])
            }
            return
        }
        let transfers = try await reader.transfers(in: block, to: [try Self.address()])
        #expect(transfers.map(\.amount) == [BaseUnits(UInt128(satoshi))])
    }

    @Test("hostile and broken answers are refused, each for what it is") func hostile() async throws {
        let answers: [(Int, String, ChainFault)] = [
            (200, "<html>", .unusable("json")), (200, "{\"result\":1", .unusable("json")), (200, "[]", .unusable("id")),
            (200, "{\"result\":1,\"id\":2}", .unusable("id")), (200, "{\"id\":1,\"error\":\"x\"}", .unusable("error")),
            (200, "{\"result\":1,\"result\":2,\"id\":1}", .unusable("json")), (401, "", .refused(401)),
            (200, "{\"result\":-1,\"id\":1}", .unusable("getblockcount")),
            (200, "{\"result\":1.5,\"id\":1}", .unusable("getblockcount")),
            (200, "{\"result\":\"1\",\"id\":1}", .unusable("getblockcount")),
            (503, "Work queue depth exceeded", .unavailable(503)), (429, "", .unavailable(429)),
            (400, "x", .refused(400)),
            (500, "{\"result\":null,\"error\":{\"code\":-28,\"message\":\"\"},\"id\":1}", .rpc(-28)),
        ]
        for (status, body, fault) in answers {
            let node = FakeNode(raw: { _ in ChainAnswer(status: status, body: Array(body.utf8)) })
            await #expect(throws: fault) { try await CoreReader(transport: node, network: .main).tipHeight() }
        }
        await #expect(throws: ChainFault.otherChain) {
            try await CoreReader(transport: core(), network: .main).verify()
        }
        await #expect(throws: ChainFault.moved) {
            try await CoreReader(transport: core(), network: .regtest).header(at: 2)
        }
        let gone = BlockStamp(ref: BlockRef(height: 1, hash: hash("9")), time: .epoch)
        await #expect(throws: ChainFault.moved) {
            try await CoreReader(transport: core(), network: .regtest).transfers(in: gone, to: [])
        }
    }

    @Test("Esplora's history of an address is read; a block that the trail lacks means to ask again")
    func esplora() async throws {
        let address: BitcoinAddress = try Self.address()
        let node = FakeNode(path: { path in
            let output = "{\"scriptpubkey\":\"0014c0cebcd6c3d3ca8c75dc5ec62ebe55330ef910e2\",\"value\":7}"
            switch path {
            case "/block-height/0": return (200, BitcoinNetwork.regtest.genesisHash)
            case "/blocks/tip/height": return (200, "3")
            case "/block-height/3": return (200, hash("3"))
            case "/block/\(hash("3"))":
                return (
                    200,
                    "{\"id\":\"\(hash("3"))\",\"height\":3"
                        + ",\"timestamp\":9,\"previousblockhash\":\"\(hash("2"))\"}"
                )
            case "/address/\(address.text)/txs":
                return (
                    200,
                    """
                    [{"txid":"\(hash("a"))","vout":[\(output)],"status":{"confirmed":false}},
                    {"txid":"\(hash("b"))","vout":[{"scriptpubkey":"6a","value":0},\(output)],"status":
                    {"confirmed":true,
                    "block_height":3,"block_hash":"\(hash("3"))","block_time":9}}]
                    """
                )
            default: return (404, "Block not found")
            }
        })
        let reader = EsploraReader(transport: node, network: .regtest)
        try await reader.verify()
        let trail: ChainTrail = try await reader.catchUp(ChainTrail()).trail
        let history: EsploraReader.History = try await reader.transfers(to: address, on: trail)
        #expect(history.unconfirmed.map(\.id) == [TransferID(transaction: hash("a"), position: 0)])
        #expect(history.confirmed.map(\.id) == [TransferID(transaction: hash("b"), position: 1)])
        #expect(history.confirmed.map(\.amount) == [BaseUnits(7)])
        let other = try #require(ChainTrail(depth: 9, blocks: [BlockRef(height: 3, hash: hash("4"))], peak: 3))
        await #expect(throws: ChainFault.moved) { try await reader.transfers(to: address, on: other) }
        await #expect(throws: ChainFault.otherChain) {
            try await EsploraReader(transport: node, network: .main).verify()
        }
        await #expect(throws: ChainFault.moved) { try await reader.header(at: 4) }
    }
}
