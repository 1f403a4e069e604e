import BillingCore
import JSON
import Synchronization
import Testing

import PaymentChains

private let token = "0xd1220a0cf47c7b9be7a2e6ba89f429762e7b9adb"

/// 32 bytes with a number at the end.
private func word(_ number: UInt64) -> String {
    let digits = String(number, radix: 16)
    return "0x" + String(repeating: "0", count: 64 - digits.utf8.count) + digits
}

private func address(_ number: UInt64) -> String { "0x" + word(number).suffix(40) }

/// A chain of blocks 0 to 60 behind nodes that share an address; those that are asked for logs may differ from the others.
/// Block 10 holds a transfer to the first payee, block 59 one transaction with transfers to both.
private final class LogNodes: ChainTransport {
    struct Ways: Sendable {
        /// Blocks that the nodes with the logs do not have yet.
        var behind: UInt64 = 0
        /// The same for those with the blocks.
        var blocksBehind: UInt64 = 0
        var knowsHashes = true
        /// The widest range, and the most addresses, that are answered.
        var widest: (blocks: UInt64, addresses: Int) = (.max, .max)
        /// A transport's fault, or the error with this code.
        var code: Int64?
    }

    private let state = Mutex((ways: Ways(), calls: [String]()))

    init(_ ways: Ways = Ways()) { state.withLock { $0.ways = ways } }

    /// The methods that were called.
    var calls: [String] { state.withLock { $0.calls } }

    private static func log(_ height: UInt64, _ payee: UInt64) -> JSONValue {
        [
            "address": .string(token),
            "topics": [.string(EVMWire.transferTopic), .string(word(9)), .string(word(payee))],
            "data": .string(word(100 * payee)), "transactionHash": .string(word(1_000 + height)),
            "logIndex": EVMWire.quantity(payee), "blockNumber": EVMWire.quantity(height),
            "blockHash": .string(word(height)),
        ]
    }

    private static let all: [(height: UInt64, payee: UInt64)] = [(10, 1), (59, 1), (59, 2)]

    func get(_ path: String) async throws(ChainFault) -> ChainAnswer { throw .unreachable }

    func post(_ body: [UInt8]) async throws(ChainFault) -> ChainAnswer {
        let question: JSONValue = try JSONRPC.parse(body)
        let method: String = question["method"]?.stringValue ?? ""
        let parameters: [JSONValue] = question["params"]?.arrayValue ?? []
        let ways: Ways = state.withLock { state in
            state.calls.append(method)
            return state.ways
        }
        let answer: JSONValue
        switch method {
        case "eth_getLogs": answer = try Self.logs(parameters[0], ways)
        case "eth_getBlockByNumber":
            let height: UInt64 = try EVMWire.number(parameters[0], "number")
            let block: JSONValue = [
                "number": parameters[0], "hash": .string(word(height)), "parentHash": .string(word(height - 1)),
                "timestamp": "0x64",
            ]
            answer = ["result": height > 60 - ways.blocksBehind ? .null : block]
        default:
            let logs: [JSONValue] = Self.all.filter { .string(word(1_000 + $0.height)) == parameters[0] }
                .map { Self.log($0.height, $0.payee) }
            answer = [
                "result": [
                    "transactionHash": parameters[0], "blockHash": logs[0]["blockHash"] ?? .null, "status": "0x1",
                    "logs": .array(logs),
                ]
            ]
        }
        let id: JSONValue = question["id"] ?? 1
        let whole: JSONValue =
            answer["code"].map { ["id": id, "error": ["code": $0]] } ?? ["id": id, "result": answer["result"] ?? .null]
        return ChainAnswer(status: 200, body: whole.serialized)
    }

    private static func logs(_ filter: JSONValue, _ ways: Ways) throws(ChainFault) -> JSONValue {
        let last: UInt64 = 60 - ways.behind
        var blocks: ClosedRange<UInt64>
        if let hash = filter["blockHash"]?.stringValue {
            let height = UInt64(hash.suffix(8), radix: 16) ?? 0
            guard ways.knowsHashes, height <= last else { return ["code": -32_000] }
            blocks = height...height
        } else {
            blocks = try EVMWire.number(filter["fromBlock"], "from")...EVMWire.number(filter["toBlock"], "to")
        }
        let payees: [JSONValue] = filter["topics"]?.arrayValue?.last?.arrayValue ?? []
        if blocks.upperBound - blocks.lowerBound >= ways.widest.blocks || payees.count > ways.widest.addresses {
            if let code = ways.code { return ["code": .number("\(code)")] }
            throw .tooMuch("answer")
        }
        let found = all.filter { one in
            blocks.contains(one.height) && one.height <= last && payees.contains(.string(word(one.payee)))
        }
        return ["result": .array(found.map { log($0.height, $0.payee) })]
    }
}

@Suite("A token's logs") struct EVMLogTests {
    private func transfers(_ nodes: LogNodes, hashed: UInt64 = 32) async throws -> [ChainTransfer] {
        let blocks: [BlockRef] = (1...60).map { BlockRef(height: $0, hash: word($0)) }
        let trail: ChainTrail = try #require(ChainTrail(depth: 400, blocks: blocks, peak: 60))
        let reader = EVMReader(transport: nodes, chainID: 1, limits: EVMReader.Limits(blocks: 20, hashed: hashed))
        return try await reader.tokenTransfers(
            of: try EVMAddress(parsing: token),
            to: [try EVMAddress(parsing: address(1)), try EVMAddress(parsing: address(2))], in: 1...60, on: trail)
    }

    private static let amounts: [BaseUnits] = [BaseUnits(100), BaseUnits(100), BaseUnits(200)]

    @Test("old blocks are asked for in ranges, the newest by their hash, and each transaction's receipt once")
    func places() async throws {
        for (hashed, questions) in [(UInt64(32), 34), (1, 4), (100, 60)] {
            let nodes = LogNodes()
            #expect(try await transfers(nodes, hashed: hashed).map(\.amount) == Self.amounts)
            #expect(nodes.calls.count { $0 == "eth_getLogs" } == questions)
            #expect(nodes.calls.count { $0 == "eth_getTransactionReceipt" } == 2)
        }
    }

    @Test("a node that does not have the newest blocks yet does not pass for one whose blocks are empty")
    func behind() async throws {
        for behind: UInt64 in [1, 2, 5] {
            let nodes = LogNodes(.init(behind: behind))
            await #expect(throws: ChainFault.moved) { try await transfers(nodes) }
        }
    }

    @Test("a node that knows blocks by their height only is asked so, as long as it has the last one")
    func heights() async throws {
        #expect(try await transfers(LogNodes(.init(knowsHashes: false))).map(\.amount) == Self.amounts)
        let late = LogNodes(.init(blocksBehind: 1, knowsHashes: false))
        await #expect(throws: ChainFault.moved) { try await transfers(late) }
    }

    @Test(
        "what is too much for one answer is asked for in halves: blocks, then addresses",
        arguments: [nil, -32_005] as [Int64?])
    func halves(_ code: Int64?) async throws {
        for widest in [(blocks: UInt64(3), addresses: 2), (1, 1), (20, 1)] {
            let nodes = LogNodes(.init(widest: widest, code: code))
            #expect(try await transfers(nodes).map(\.amount).sorted() == Self.amounts)
        }
        let none = LogNodes(.init(widest: (1, 0), code: code))
        await #expect(throws: code.map { ChainFault.rpc($0) } ?? .tooMuch("answer")) { try await transfers(none) }
        #expect(none.calls.count < 10)
    }

    @Test(
        "a range that is too long for a node is asked for in halves, whatever the node calls it",
        arguments: [-32_600, -32_602, -32_614, -32_000, -32_603, 35] as [Int64])
    func words(_ code: Int64) async throws {
        let nodes = LogNodes(.init(widest: (blocks: 5, addresses: 2), code: code))
        #expect(try await transfers(nodes).map(\.amount).sorted() == Self.amounts)
    }
}
