import BillingCore
import JSON
import PaymentChains
import Synchronization

/// An EVM node in the process: blocks without transactions, balances, and a next block as a test has it.
final class FakeEVM: ChainTransport {
    private struct State {
        /// When each block was made, from height 0 on.
        var times: [Int64] = []
        /// By address in lower case.
        var balances: [String: BaseUnits] = [:]
        /// The transactions of the next block; `nil` where the node tells of none.
        var waiting: [JSONValue]?
        /// How far above the last block the next one says it is.
        var ahead: UInt64 = 1
        var asked = 0
    }

    private let state = Mutex(State())
    private let clock: any WallClock

    init(_ clock: any WallClock) {
        self.clock = clock
        mine(40)
    }

    /// How often a balance was asked for.
    var asked: Int { state.withLock { $0.asked } }

    /// Puts blocks on top.
    func mine(_ count: Int = 1) {
        let now: Int64 = clock.now.seconds
        state.withLock { $0.times += [Int64](repeating: now, count: count) }
    }

    /// A contract sends coin: an address has so much, and no transfer says why.
    func give(_ address: String, _ wei: BaseUnits) {
        state.withLock { $0.balances[address.lowercased()] = wei }
    }

    /// What the node tells of its next block from now on.
    func wait(_ transactions: [JSONValue]?, ahead: UInt64 = 1) {
        state.withLock { state in
            state.waiting = transactions
            state.ahead = ahead
        }
    }

    func get(_ path: String) async throws(ChainFault) -> ChainAnswer { throw .unreachable }

    func post(_ body: [UInt8]) async throws(ChainFault) -> ChainAnswer {
        let question: JSONValue = try JSONRPC.parse(body)
        let method: String = question["method"]?.stringValue ?? ""
        let first: String = question["params"]?.arrayValue?.first?.stringValue ?? ""
        let result: JSONValue = state.withLock { state in Self.answer(method, first, &state) }
        let answer: JSONValue = ["jsonrpc": "2.0", "id": question["id"] ?? 1, "result": result]
        return ChainAnswer(status: 200, body: answer.serialized)
    }

    private static func answer(_ method: String, _ first: String, _ state: inout State) -> JSONValue {
        let last = UInt64(state.times.count - 1)
        switch method {
        case "eth_blockNumber": return EVMWire.quantity(last)
        case "eth_getBlockByNumber" where first == "pending":
            guard let waiting = state.waiting else { return .null }
            return ["number": EVMWire.quantity(last + state.ahead), "transactions": .array(waiting)]
        case "eth_getBlockByNumber", "eth_getBlockByHash":
            // A block's hash is its height, written out.
            guard let height = UInt64(first.dropFirst(2), radix: 16), height <= last else { return .null }
            return [
                "number": EVMWire.quantity(height), "hash": .string(hash(height)),
                "parentHash": .string(hash(height == 0 ? 0 : height - 1)),
                "timestamp": EVMWire.quantity(UInt64(state.times[Int(height)])), "transactions": [],
            ]
        case "eth_getBalance":
            state.asked += 1
            let wei: BaseUnits = state.balances[first.lowercased()] ?? .zero
            return .string("0x" + String(wei.low, radix: 16))
        default: return .null
        }
    }

    private static func hash(_ height: UInt64) -> String {
        let digits = String(height, radix: 16)
        return "0x" + String(repeating: "0", count: 64 - digits.utf8.count) + digits
    }
}
