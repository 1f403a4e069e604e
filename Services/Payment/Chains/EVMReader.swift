import BillingCore
import JSON

/// Reads an EVM chain over JSON-RPC: tokens by their logs, the chain's own coin by its blocks.
///
/// Coins that a contract sends (internal transfers) leave no trace in blocks: balances show that they came, but not how.
package struct EVMReader: ChainReader {
    /// What a query may ask at once.
    package struct Limits: Hashable, Sendable {
        /// Blocks per query of logs.
        package let blocks: UInt64
        /// Addresses per query of logs.
        package let addresses: Int
        /// Logs per answer.
        package let logs: Int
        /// The newest blocks of a query that are asked for one by one, by their hash.
        package let hashed: UInt64

        /// Limits; the defaults are within what public nodes allow.
        package init(blocks: UInt64 = 500, addresses: Int = 100, logs: Int = 10_000, hashed: UInt64 = 32) {
            self.blocks = max(1, blocks)
            self.addresses = max(1, addresses)
            self.logs = max(1, logs)
            self.hashed = min(max(1, hashed), 1 << 16)
        }
    }

    private let rpc: JSONRPC
    private let chainID: UInt64
    private let limits: Limits

    /// Reads through a transport.
    package init(transport: any ChainTransport, chainID: UInt64, limits: Limits = Limits()) {
        rpc = JSONRPC(transport: transport)
        self.chainID = chainID
        self.limits = limits
    }

    package func verify() async throws(ChainFault) {
        let answer: JSONValue = try await rpc.call("eth_chainId", [])
        guard try EVMWire.number(answer, "eth_chainId") == chainID else { throw .otherChain }
    }

    package func tipHeight() async throws(ChainFault) -> UInt64 {
        try EVMWire.number(try await rpc.call("eth_blockNumber", []), "eth_blockNumber")
    }

    package func header(at height: UInt64) async throws(ChainFault) -> BlockHeader {
        let block: JSONValue = try await rpc.call("eth_getBlockByNumber", [EVMWire.quantity(height), false])
        guard !block.isNull else { throw .moved }
        let header: BlockHeader = try EVMWire.header(block)
        guard header.ref.height == height else { throw .unusable("number") }
        return header
    }

    /// What the node would put into its next block.
    /// - Returns: `nil` where it does not tell, for whatever reason: many nodes know no such block, and what is in blocks
    ///   can be followed without it.
    package func pending() async -> EVMPending? {
        do throws(ChainFault) {
            return try EVMPending(try await rpc.call("eth_getBlockByNumber", ["pending", true]))
        } catch {
            return nil
        }
    }

    /// How much of the chain's own coin an address has after the block at a height, which is asked for by height alone.
    package func balance(of address: EVMAddress, at height: UInt64) async throws(ChainFault) -> BaseUnits {
        let parameters: [JSONValue] = [.string(address.description), EVMWire.quantity(height)]
        return try EVMWire.units(try await rpc.call("eth_getBalance", parameters), "balance")
    }

    /// The transfers of a token to any of the addresses, by the contract's logs; each is checked against its receipt.
    /// - Parameters:
    ///   - blocks: The heights to look at; all of them on the trail.
    ///   - trail: The chain, just brought up to date.
    /// - Throws: ``ChainFault/moved`` when a log is in a block that is not on the trail, or the node does not have one of
    ///   the newest blocks; ``ChainFault/tooMuch(_:)``; ``ChainFault/unusable(_:)`` for a log that was not asked for or
    ///   that its receipt does not have.
    package func tokenTransfers(
        of contract: EVMAddress, to addresses: Set<EVMAddress>, in blocks: ClosedRange<UInt64>, on trail: ChainTrail
    ) async throws(ChainFault) -> [ChainTransfer] {
        let query = EVMLogQuery(rpc: rpc, limits: limits, contract: contract, trail: trail)
        var logs: [EVMWire.Log] = []
        let sorted: [EVMAddress] = addresses.sorted { $0.lowercased < $1.lowercased }
        for start in stride(from: 0, to: sorted.count, by: limits.addresses) {
            let group: [EVMAddress] = Array(sorted[start..<min(start + limits.addresses, sorted.count)])
            logs += try await query.logs(to: group, in: blocks)
        }
        return try await transfers(by: logs)
    }

    /// The transfers that logs tell of, with their blocks and their receipts' outcome.
    private func transfers(by logs: [EVMWire.Log]) async throws(ChainFault) -> [ChainTransfer] {
        // One transaction may pay many addresses.
        var receipts: [String: JSONValue] = [:]
        var headers: [UInt64: BlockHeader] = [:]
        var transfers: [ChainTransfer] = []
        for log in logs where !log.amount.isZero {
            let header: BlockHeader
            if let known = headers[log.block.height] {
                header = known
            } else {
                header = try await self.header(at: log.block.height)
                headers[log.block.height] = header
            }
            guard header.ref == log.block else { throw .moved }
            let receipt: JSONValue
            if let known = receipts[log.transaction] {
                receipt = known
            } else {
                receipt = try await self.receipt(of: log.transaction, in: log.block)
                receipts[log.transaction] = receipt
            }
            let succeeded: Bool = try Self.outcome(receipt, with: log)
            transfers.append(
                ChainTransfer(
                    id: TransferID(transaction: log.transaction, position: log.position),
                    address: log.payee.lowercased, amount: log.amount, succeeded: succeeded, block: header.stamp))
        }
        return transfers
    }

    /// The transfers of the chain's own coin to any of the addresses in a block, with their receipts' outcome.
    /// - Throws: ``ChainFault/moved`` when the node no longer has the block.
    package func coinTransfers(
        in block: BlockStamp, to addresses: Set<EVMAddress>
    ) async throws(ChainFault) -> [ChainTransfer] {
        let answer: JSONValue = try await rpc.call("eth_getBlockByHash", [.string(block.ref.hash), true])
        guard !answer.isNull else { throw .moved }
        guard try EVMWire.header(answer).ref == block.ref else { throw .unusable("block") }
        let wanted: Set<String> = Set(addresses.map(\.lowercased))
        var transfers: [ChainTransfer] = []
        for transaction in try answer.list("transactions") {
            // A transaction without a recipient makes a contract.
            guard let payee = transaction["to"]?.stringValue?.lowercased(), wanted.contains(payee) else { continue }
            let amount: BaseUnits = try EVMWire.units(transaction["value"], "value")
            guard !amount.isZero else { continue }
            let id: String = try EVMWire.hash(transaction["hash"], "hash")
            transfers.append(
                ChainTransfer(
                    id: TransferID(transaction: id, position: 0), address: payee, amount: amount,
                    succeeded: try Self.outcome(try await receipt(of: id, in: block.ref), with: nil), block: block))
        }
        return transfers
    }

    /// What one transaction moves to an address, of a contract's token or of the chain's own coin; nothing when no block
    /// holds it.
    package func transfers(
        by transaction: String, of contract: EVMAddress?, to payee: EVMAddress
    ) async throws(ChainFault) -> [ChainTransfer] {
        let receipt: JSONValue = try await rpc.call("eth_getTransactionReceipt", [.string(transaction)])
        guard !receipt.isNull else { return [] }
        guard try EVMWire.hash(receipt["transactionHash"], "transactionHash") == transaction else {
            throw .unusable("transactionHash")
        }
        let header: BlockHeader = try await self.header(at: EVMWire.number(receipt["blockNumber"], "blockNumber"))
        guard try EVMWire.hash(receipt["blockHash"], "blockHash") == header.ref.hash else { throw .moved }
        let succeeded: Bool = try EVMWire.number(receipt["status"], "status") == 1
        var moved: [(position: UInt64, amount: BaseUnits)] = []
        if let contract {
            for entry in try receipt.list("logs") {
                guard let log = try EVMWire.transfer(entry), log.contract == contract, log.payee == payee else {
                    continue
                }
                moved.append((log.position, log.amount))
            }
        } else {
            let sent: JSONValue = try await rpc.call("eth_getTransactionByHash", [.string(transaction)])
            guard !sent.isNull, try EVMWire.hash(sent["hash"], "hash") == transaction else { throw .moved }
            if sent["to"]?.stringValue?.lowercased() == payee.lowercased {
                moved.append((0, try EVMWire.units(sent["value"], "value")))
            }
        }
        return moved.map { position, amount in
            ChainTransfer(
                id: TransferID(transaction: transaction, position: position), address: payee.lowercased,
                amount: amount, succeeded: succeeded, block: header.stamp)
        }
    }

    /// The receipt of a transaction in a block.
    private func receipt(of transaction: String, in block: BlockRef) async throws(ChainFault) -> JSONValue {
        let receipt: JSONValue = try await rpc.call("eth_getTransactionReceipt", [.string(transaction)])
        guard !receipt.isNull, try EVMWire.hash(receipt["blockHash"], "blockHash") == block.hash else { throw .moved }
        guard try EVMWire.hash(receipt["transactionHash"], "transactionHash") == transaction else {
            throw .unusable("transactionHash")
        }
        return receipt
    }

    /// Whether a transaction was carried out, by its receipt's status (EIP-658).
    /// - Parameter log: A log that the receipt must have.
    private static func outcome(_ receipt: JSONValue, with log: EVMWire.Log?) throws(ChainFault) -> Bool {
        let status: UInt64 = try EVMWire.number(receipt["status"], "status")
        guard status <= 1 else { throw .unusable("status") }
        if let log, status == 1 {
            // Only the log itself is read: whatever other contracts write beside it is none of our business.
            let entries: [JSONValue] = try receipt.list("logs")
            var entry: JSONValue?
            for other in entries where try EVMWire.number(other["logIndex"], "logIndex") == log.position {
                entry = other
            }
            guard let entry, try EVMWire.transfer(entry) == log else { throw .unusable("receipt") }
        }
        return status == 1
    }
}
