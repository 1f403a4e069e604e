import BillingCore
import JSON

/// Reads Bitcoin from Esplora's REST interface: each address by itself.
///
/// Source: the Esplora HTTP API (github.com/Blockstream/esplora, API.md).
package struct EsploraReader: ChainReader {
    /// The transfers to one address.
    package struct History: Hashable, Sendable {
        /// In blocks.
        package let confirmed: [ChainTransfer]
        /// Waiting for one.
        package let unconfirmed: [ChainTransfer]
        /// Whether all that wait were told: only then is a transfer that is not among these not there.
        package let isComplete: Bool
    }

    /// The most pages of an address to read. A payment's address is used once; this many are an attack.
    package static let maxPages = 20
    private static let pageSize = 25
    /// The most waiting transactions of an address that a server tells: of those there are no pages.
    private static let maxUnconfirmed = 50

    private let transport: any ChainTransport
    private let network: BitcoinNetwork

    /// Reads through a transport.
    package init(transport: any ChainTransport, network: BitcoinNetwork) {
        self.transport = transport
        self.network = network
    }

    package func verify() async throws(ChainFault) {
        guard try await text("/block-height/0") == network.genesisHash else { throw .otherChain }
    }

    package func tipHeight() async throws(ChainFault) -> UInt64 {
        guard let height = UInt64(try await text("/blocks/tip/height")) else { throw .unusable("tip") }
        return height
    }

    package func header(at height: UInt64) async throws(ChainFault) -> BlockHeader {
        let hash: String = try BitcoinWire.hash(try await text("/block-height/\(height)"), "block-height")
        let block: JSONValue = try JSONRPC.parse(try await body("/block/\(hash)"))
        guard try block.text("id") == hash, try block.count("height") == height else { throw .unusable("block") }
        let parent: String = block["previousblockhash"]?.stringValue ?? ""
        guard height == 0 || !parent.isEmpty else { throw .unusable("previousblockhash") }
        // Esplora says `timestamp`; servers in front of Bitcoin Core pass its `time` on.
        let seconds: UInt64 = try block["timestamp"] == nil ? block.count("time") : block.count("timestamp")
        return BlockHeader(
            ref: BlockRef(height: height, hash: hash), parentHash: parent, time: try Instant(nodeSeconds: seconds))
    }

    /// The transfers to an address.
    /// - Parameter trail: The chain, just brought up to date.
    /// - Throws: ``ChainFault/moved`` when a transfer is in a block that the trail does not have, and that it is not
    ///   too old to have; ``ChainFault/tooMuch(_:)`` beyond ``maxPages``.
    package func transfers(
        to address: BitcoinAddress, on trail: ChainTrail
    ) async throws(ChainFault) -> History {
        let wanted: [String: BitcoinAddress] = BitcoinWire.byScript([address])
        var confirmed: [String: [ChainTransfer]] = [:]
        var unconfirmed: [String: [ChainTransfer]] = [:]
        var path = "/address/\(address.text)/txs"
        for _ in 0..<Self.maxPages {
            guard let page = try JSONRPC.parse(try await body(path)).arrayValue else { throw .unusable("txs") }
            let before: Int = confirmed.count
            var settled = 0
            var last = ""
            for transaction in page {
                last = try BitcoinWire.hash(try transaction.text("txid"), "txid")
                let block: BlockStamp? = try Self.block(of: transaction)
                let outputs: [BitcoinWire.Output] = try BitcoinWire.esploraOutputs(transaction)
                let transfers = BitcoinWire.transfers(outputs, of: last, to: wanted, in: block)
                if let block {
                    try Self.check(block.ref, on: trail)
                    settled += 1
                    confirmed[last] = transfers
                } else {
                    unconfirmed[last] = transfers
                }
            }
            guard settled >= Self.pageSize, confirmed.count > before else {
                return History(
                    confirmed: confirmed.values.flatMap(\.self), unconfirmed: unconfirmed.values.flatMap(\.self),
                    isComplete: unconfirmed.count < Self.maxUnconfirmed)
            }
            path = "/address/\(address.text)/txs/chain/\(last)"
        }
        throw .tooMuch("pages")
    }

    /// What one transaction moves to an address; nothing when the server does not know it.
    package func transfers(
        by transaction: String, to address: BitcoinAddress
    ) async throws(ChainFault) -> [ChainTransfer] {
        let answer: JSONValue
        do throws(ChainFault) {
            answer = try JSONRPC.parse(try await body("/tx/\(transaction)"))
        } catch .moved {
            return []
        }
        guard try answer.text("txid") == transaction else { throw .unusable("txid") }
        return BitcoinWire.transfers(
            try BitcoinWire.esploraOutputs(answer), of: transaction, to: BitcoinWire.byScript([address]),
            in: try Self.block(of: answer))
    }

    private static func check(_ block: BlockRef, on trail: ChainTrail) throws(ChainFault) {
        guard let floor = trail.floor else { throw .moved }
        guard block.height < floor.height || trail.contains(block) else { throw .moved }
    }

    private static func block(of transaction: JSONValue) throws(ChainFault) -> BlockStamp? {
        guard let status = transaction["status"], let isConfirmed = status["confirmed"]?.boolValue else {
            throw .unusable("status")
        }
        guard isConfirmed else { return nil }
        let ref = BlockRef(
            height: try status.count("block_height"),
            hash: try BitcoinWire.hash(try status.text("block_hash"), "block_hash"))
        return BlockStamp(ref: ref, time: try Instant(nodeSeconds: status.count("block_time")))
    }

    private func body(_ path: String) async throws(ChainFault) -> [UInt8] {
        let answer: ChainAnswer = try await transport.get(path)
        switch answer.status {
        case 200: return answer.body
        case 404: throw .moved
        default: throw JSONRPC.fault(status: answer.status)
        }
    }

    private func text(_ path: String) async throws(ChainFault) -> String {
        let body: [UInt8] = try await body(path)
        guard body.count <= 128, let text = String(validating: body, as: UTF8.self) else { throw .unusable(path) }
        return text
    }
}
