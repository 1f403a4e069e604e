import BillingCore
import JSON
import Testing

import PaymentChains

private let contractText = "0xd1220a0cf47c7b9be7a2e6ba89f429762e7b9adb"
private let payeeText = "0x5aaeb6053f3e94c9b9a09f33669435e7ef1beaed"

private func word(_ digits: String) -> String {
    "0x" + String(repeating: "0", count: 64 - digits.utf8.count) + digits
}

/// A chain of blocks 0 to 20; one `Transfer` in block 18 and one plain transfer beside it.
private struct FakeChain: Sendable {
    var data: String = word("bc4b20")
    var payee: String = word(String(payeeText.dropFirst(2)))
    var contract: String = contractText
    var status: String = "0x1"
    var receiptBlock: String = FakeChain.block(18)
    var logBlock: String = FakeChain.block(18)
    var receiptData: String?

    static func block(_ height: UInt64) -> String {
        "0x" + String(repeating: "0", count: 62) + String(height + 16, radix: 16)
    }

    func log(_ data: String) -> JSONValue {
        [
            "address": .string(contract),
            "topics": [.string(EVMWire.transferTopic), .string(word("1")), .string(payee)],
            "data": .string(data), "transactionHash": .string(hash("a", prefix: "0x")), "logIndex": "0x2",
            "blockNumber": "0x12", "blockHash": .string(logBlock), "removed": false,
        ]
    }

    func header(_ height: UInt64, _ transactions: JSONValue = []) -> JSONValue {
        [
            "number": .string("0x" + String(height, radix: 16)), "hash": .string(Self.block(height)),
            "parentHash": .string(height == 0 ? word("0") : Self.block(height - 1)), "timestamp": "0x64",
            "transactions": transactions,
        ]
    }

    var node: FakeNode {
        FakeNode(call: { method, parameters in
            switch method {
            case "eth_chainId": return "0x7765747469697"
            case "eth_blockNumber": return "0x14"
            case "eth_getBlockByNumber":
                let height = UInt64(parameters[0].stringValue?.dropFirst(2) ?? "", radix: 16) ?? 0
                return height <= 20 ? header(height) : .null
            case "eth_getBlockByHash":
                guard parameters[0].stringValue == Self.block(18) else { return .null }
                let payment: JSONValue = [
                    "hash": .string(hash("b", prefix: "0x")),
                    "to": .string(payeeText.uppercased().replacing("0X", with: "0x")),
                    "value": "0xde0b6b3a7640000",
                ]
                return header(18, [["to": .null, "value": "0x1"], ["to": .string(contractText)], payment])
            case "eth_getLogs":
                let filter: JSONValue = parameters[0]
                if let asked = filter["blockHash"]?.stringValue { return asked == logBlock ? [log(data)] : [] }
                let low = UInt64(filter["fromBlock"]?.stringValue?.dropFirst(2) ?? "", radix: 16) ?? 0
                let high = UInt64(filter["toBlock"]?.stringValue?.dropFirst(2) ?? "", radix: 16) ?? 0
                return (low...high).contains(18) && high - low < 3 ? [log(data)] : []
            case "eth_getTransactionReceipt":
                // What an unknown contract writes beside ours must not matter.
                let odd: JSONValue = [
                    "address": .string(payeeText), "logIndex": "0x1", "data": "0x",
                    "topics": [
                        .string(EVMWire.transferTopic), .string(hash("f", prefix: "0x")),
                        .string(hash("f", prefix: "0x")),
                    ],
                ]
                return [
                    "transactionHash": parameters[0], "blockHash": .string(receiptBlock), "status": .string(status),
                    "logs": [odd, log(receiptData ?? data)],
                ]
            default: return ["fault": -32601]
            }
        })
    }
}

@Suite("EVM reader") struct EVMReaderTests {
    private static func trail(_ reader: EVMReader) async throws -> ChainTrail {
        var trail = ChainTrail(depth: 40)
        try trail.append(try await reader.header(at: 4))
        return try await reader.catchUp(trail).trail
    }

    private func transfers(_ chain: FakeChain) async throws -> [ChainTransfer] {
        let limits = EVMReader.Limits(blocks: 3, addresses: 1, hashed: 1)
        let reader = EVMReader(transport: chain.node, chainID: 0x7_7657_4746_9697, limits: limits)
        return try await reader.tokenTransfers(
            of: try EVMAddress(parsing: contractText), to: [try EVMAddress(parsing: payeeText)], in: 5...20,
            on: try await Self.trail(reader))
    }

    @Test("a token's transfer is read once over ranges of blocks, exactly") func token() async throws {
        let transfers: [ChainTransfer] = try await transfers(FakeChain())
        #expect(
            transfers == [
                ChainTransfer(
                    id: TransferID(transaction: hash("a", prefix: "0x"), position: 2), address: payeeText,
                    amount: BaseUnits(12_340_000),
                    block: BlockStamp(
                        ref: BlockRef(height: 18, hash: FakeChain.block(18)), time: Instant(seconds: 100)))
            ])
        let largest = try await self.transfers(FakeChain(data: hash("f", prefix: "0x")))
        #expect(largest.map(\.amount) == [.max])
        #expect(try await self.transfers(FakeChain(data: word("0"))).isEmpty, "transfers of nothing are noise")
    }

    @Test("a receipt with status 0 does not pay") func failed() async throws {
        #expect(try await transfers(FakeChain(status: "0x0")).map(\.succeeded) == [false])
    }

    @Test("logs that were not asked for, or that the receipt does not have, are refused") func hostile() async throws {
        let cases: [(FakeChain, ChainFault)] = [
            (FakeChain(payee: word("77")), .unusable("logs")), (FakeChain(contract: payeeText), .unusable("logs")),
            (FakeChain(payee: hash("f", prefix: "0x")), .unusable("log")), (FakeChain(data: "0x12"), .unusable("logs")),
            (FakeChain(receiptData: word("1")), .unusable("receipt")), (FakeChain(status: "0x2"), .unusable("status")),
            (FakeChain(status: "1"), .unusable("status")), (FakeChain(receiptBlock: word("9")), .moved),
            (FakeChain(logBlock: word("9")), .moved),
        ]
        for (chain, fault) in cases {
            await #expect(throws: fault) { try await transfers(chain) }
        }
    }

    @Test("plain transfers are read from blocks, with their receipts") func coins() async throws {
        let block = BlockStamp(ref: BlockRef(height: 18, hash: FakeChain.block(18)), time: Instant(seconds: 100))
        for (status, succeeded) in [("0x1", true), ("0x0", false)] {
            let reader = EVMReader(transport: FakeChain(status: status).node, chainID: 1)
            let transfers = try await reader.coinTransfers(in: block, to: [try EVMAddress(parsing: payeeText)])
            #expect(transfers.map(\.amount) == [BaseUnits(1_000_000_000_000_000_000)])
            #expect(transfers.map(\.succeeded) == [succeeded])
        }
        let reader = EVMReader(transport: FakeChain().node, chainID: 1)
        let gone = BlockStamp(ref: BlockRef(height: 18, hash: word("9")), time: .epoch)
        await #expect(throws: ChainFault.moved) { try await reader.coinTransfers(in: gone, to: []) }
        await #expect(throws: ChainFault.otherChain) { try await reader.verify() }
        try await EVMReader(transport: FakeChain().node, chainID: 0x7_7657_4746_9697).verify()
    }

    @Test("a trail follows a reorganisation to its fork, and stops at what is final") func follow() async throws {
        let reader = EVMReader(transport: FakeChain().node, chainID: 1)
        let real: ChainTrail = try await Self.trail(reader)
        var blocks: [BlockRef] = real.blocks
        for index in blocks.indices.suffix(5) {
            blocks[index] = BlockRef(height: blocks[index].height, hash: "x\(index)")
        }
        let left = try #require(ChainTrail(depth: 40, blocks: blocks, peak: 20))
        let advance: TrailAdvance = try await reader.catchUp(left)
        #expect(advance.trail == real && advance.undone == blocks.suffix(5).reversed() && advance.added.count == 5)
        let shallow = try #require(ChainTrail(depth: 8, blocks: blocks, peak: 20))
        await #expect(throws: ChainFault.reorganisedTooDeep) { try await reader.catchUp(shallow) }
        let log = FakeChain()
        for (member, value) in [("logIndex", "0xffffffffffffffff"), ("blockNumber", "0x8000000000000000")] {
            let members: [JSONMember] = (log.log(word("1")).objectValue ?? []).map {
                $0.name == member ? JSONMember(name: member, value: .string(value)) : $0
            }
            #expect(throws: ChainFault.unusable("log"), "what cannot be stored") {
                try EVMWire.transfer(.object(members))
            }
        }
        let tall = FakeNode(call: { _, _ in "0xffffffffffffffff" })
        await #expect(throws: ChainFault.unusable("height")) {
            try await EVMReader(transport: tall, chainID: 1).catchUp(ChainTrail())
        }
    }
}
