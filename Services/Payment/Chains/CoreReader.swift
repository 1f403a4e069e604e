import BillingCore
import JSON

/// Reads Bitcoin from Bitcoin Core's JSON-RPC: blocks one by one, and the transactions that wait for one.
package struct CoreReader: ChainReader {
    /// What was read of the waiting transactions, so that each is asked for once. Lives as long as the process.
    package struct Mempool: Sendable {
        fileprivate var outputs: [String: [BitcoinWire.Output]] = [:]

        /// Nothing read yet.
        package init() {}

        /// How many transactions are remembered.
        package var count: Int { outputs.count }
    }

    /// The transactions that wait for a block, as far as they were read.
    package struct Waiting: Hashable, Sendable {
        /// The transfers to the addresses.
        package let transfers: [ChainTransfer]
        /// Whether all of them were read: only then is a transfer that is not among these not there.
        package let isComplete: Bool

        /// What was read.
        package init(transfers: [ChainTransfer], isComplete: Bool) {
            self.transfers = transfers
            self.isComplete = isComplete
        }
    }

    /// The most waiting transactions to read in one poll; the others follow in the next.
    package static let maxReads = 2_000
    /// The most waiting transactions to remember. On the main network Esplora is the better source for them.
    package static let maxRemembered = 400_000
    private static let notFound: Int64 = -5
    private static let outOfRange: Int64 = -8

    private let rpc: JSONRPC
    private let network: BitcoinNetwork

    /// Reads through a transport.
    package init(transport: any ChainTransport, network: BitcoinNetwork) {
        rpc = JSONRPC(transport: transport)
        self.network = network
    }

    package func verify() async throws(ChainFault) {
        let info: JSONValue = try await rpc.call("getblockchaininfo", [])
        guard try info.text("chain") == network.rawValue else { throw .otherChain }
        guard info["initialblockdownload"] == .bool(false) else { throw .behind }
    }

    package func tipHeight() async throws(ChainFault) -> UInt64 {
        guard let height = try await rpc.call("getblockcount", []).intValue, height >= 0 else {
            throw .unusable("getblockcount")
        }
        return UInt64(height)
    }

    package func header(at height: UInt64) async throws(ChainFault) -> BlockHeader {
        guard let number = Int64(exactly: height) else { throw .unusable("height") }
        let answer: JSONValue = try await moving { () async throws(ChainFault) in
            try await rpc.call("getblockhash", [.number(String(number))])
        }
        guard let text = answer.stringValue else { throw .unusable("getblockhash") }
        let hash: String = try BitcoinWire.hash(text, "getblockhash")
        let header: JSONValue = try await rpc.call("getblockheader", [.string(hash), true])
        guard try header.text("hash") == hash, try header.count("height") == height else { throw .unusable("header") }
        let parent: String =
            try header["previousblockhash"].map { (value) throws(ChainFault) in
                try BitcoinWire.hash(value.stringValue ?? "", "previousblockhash")
            } ?? ""
        return BlockHeader(
            ref: BlockRef(height: height, hash: hash), parentHash: parent,
            time: try Instant(nodeSeconds: header.count("time")))
    }

    /// The transfers to any of the addresses in a block.
    /// - Throws: ``ChainFault/moved`` when the node no longer has the block.
    package func transfers(
        in block: BlockStamp, to addresses: some Sequence<BitcoinAddress>
    ) async throws(ChainFault) -> [ChainTransfer] {
        let wanted: [String: BitcoinAddress] = BitcoinWire.byScript(addresses)
        let answer: JSONValue = try await moving { () async throws(ChainFault) in
            try await rpc.call("getblock", [.string(block.ref.hash), 2])
        }
        guard try answer.text("hash") == block.ref.hash, try answer.count("height") == block.ref.height else {
            throw .unusable("block")
        }
        var transfers: [ChainTransfer] = []
        for transaction in try answer.list("tx") {
            let id: String = try BitcoinWire.hash(try transaction.text("txid"), "txid")
            transfers += BitcoinWire.transfers(
                try BitcoinWire.coreOutputs(transaction), of: id, to: wanted, in: block)
        }
        return transfers
    }

    /// The transfers to any of the addresses that wait for a block.
    /// - Parameters:
    ///   - first: Transactions that are read before the others, however many there are: those that are waited for.
    ///   - memory: What earlier polls read; brought up to date.
    /// - Throws: ``ChainFault/tooMuch(_:)`` beyond ``maxRemembered``.
    package func unconfirmed(
        to addresses: some Sequence<BitcoinAddress>, first: Set<String> = [], memory: inout Mempool
    ) async throws(ChainFault) -> Waiting {
        guard let listed = try await rpc.call("getrawmempool", []).arrayValue else { throw .unusable("getrawmempool") }
        guard listed.count <= Self.maxRemembered else { throw .tooMuch("mempool") }
        var next = Mempool()
        var reads = 0
        var isComplete = true
        for entry in listed {
            let id: String = try BitcoinWire.hash(entry.stringValue ?? "", "getrawmempool")
            if let known = memory.outputs[id] {
                next.outputs[id] = known
            } else if first.contains(id) {
                next.outputs[id] = try await outputs(of: id)
            } else if reads < Self.maxReads {
                reads += 1
                next.outputs[id] = try await outputs(of: id)
            } else {
                isComplete = false
            }
        }
        memory = next
        let wanted: [String: BitcoinAddress] = BitcoinWire.byScript(addresses)
        let transfers: [ChainTransfer] = next.outputs.flatMap { id, outputs in
            BitcoinWire.transfers(outputs, of: id, to: wanted, in: nil)
        }
        return Waiting(transfers: transfers, isComplete: isComplete)
    }

    /// What one transaction moves to an address; nothing when the node does not know it. The node needs `-txindex` to
    /// find it in a block.
    package func transfers(
        by transaction: String, to address: BitcoinAddress
    ) async throws(ChainFault) -> [ChainTransfer] {
        let answer: JSONValue
        do throws(ChainFault) {
            answer = try await rpc.call("getrawtransaction", [.string(transaction), true])
        } catch .rpc(Self.notFound) {
            return []
        }
        guard try answer.text("txid") == transaction else { throw .unusable("txid") }
        var block: BlockStamp?
        if let text = answer["blockhash"]?.stringValue {
            let hash: String = try BitcoinWire.hash(text, "blockhash")
            let header: JSONValue = try await moving { () async throws(ChainFault) in
                try await rpc.call("getblockheader", [.string(hash), true])
            }
            guard try header.text("hash") == hash else { throw .unusable("header") }
            block = BlockStamp(
                ref: BlockRef(height: try header.count("height"), hash: hash),
                time: try Instant(nodeSeconds: header.count("time")))
        }
        return BitcoinWire.transfers(
            try BitcoinWire.coreOutputs(answer), of: transaction, to: BitcoinWire.byScript([address]), in: block)
    }

    /// The outputs of a waiting transaction; `nil` when it left or came into a block meanwhile.
    private func outputs(of id: String) async throws(ChainFault) -> [BitcoinWire.Output]? {
        let transaction: JSONValue
        do throws(ChainFault) {
            transaction = try await rpc.call("getrawtransaction", [.string(id), true])
        } catch .rpc(Self.notFound) {
            return nil
        }
        guard try transaction.text("txid") == id else { throw .unusable("txid") }
        return transaction["blockhash"] == nil ? try BitcoinWire.coreOutputs(transaction) : nil
    }

    private func moving(
        _ call: () async throws(ChainFault) -> JSONValue
    ) async throws(ChainFault) -> JSONValue {
        do throws(ChainFault) {
            return try await call()
        } catch .rpc(Self.notFound), .rpc(Self.outOfRange) {
            throw .moved
        }
    }
}
