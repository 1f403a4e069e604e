import JSON

/// Asks a node for the transfers of a token, by its contract's logs.
///
/// The newest blocks are asked for by their hash (EIP-234): a node that is behind has to say that it does not have them,
/// while heights that it does not have yet are answered like blocks without logs.
struct EVMLogQuery: Sendable {
    /// Which blocks one question is about.
    private enum Place {
        case heights(ClosedRange<UInt64>)
        case block(BlockRef)

        /// Whether an answer may tell of a block. Another one at a height is for the trail to judge.
        func holds(_ block: BlockRef) -> Bool {
            switch self {
            case .heights(let heights): heights.contains(block.height)
            case .block(let asked): asked == block
            }
        }
    }

    /// More than the node is willing to answer (EIP-1474).
    private static let limitExceeded: Int64 = -32_005

    let rpc: JSONRPC
    let limits: EVMReader.Limits
    let contract: EVMAddress
    /// The chain, just brought up to date.
    let trail: ChainTrail

    /// The logs of transfers to some addresses.
    /// - Parameter blocks: On the trail, all of them.
    /// - Throws: ``ChainFault/moved`` when the node does not have one of the newest blocks, or tells of another one.
    func logs(
        to payees: [EVMAddress], in blocks: ClosedRange<UInt64>
    ) async throws(ChainFault) -> [EVMWire.Log] {
        var logs: [EVMWire.Log] = []
        var low: UInt64 = blocks.lowerBound
        let split: UInt64 = firstHashed(of: blocks)
        if low < split {
            logs = try await ranges(of: low...split - 1, payees)
            low = split
        }
        while low <= blocks.upperBound {
            guard let hash = trail.hash(at: low) else { throw .moved }
            do throws(ChainFault) {
                logs += try await ask(.block(BlockRef(height: low, hash: hash)), payees)
            } catch .rpc {
                guard try await !knowsHashes(payees) else { throw .moved }
                return logs + (try await byHeight(low...blocks.upperBound, payees))
            }
            low += 1
        }
        return logs
    }

    private func ranges(
        of blocks: ClosedRange<UInt64>, _ payees: [EVMAddress]
    ) async throws(ChainFault) -> [EVMWire.Log] {
        var logs: [EVMWire.Log] = []
        for low in stride(from: blocks.lowerBound, through: blocks.upperBound, by: Int(clamping: limits.blocks)) {
            let high: UInt64 = min(blocks.upperBound, low + (limits.blocks - 1))
            logs += try await ask(.heights(low...high), payees)
        }
        return logs
    }

    /// From where on blocks are asked for by their hash. The trail's lowest one is not: see ``knowsHashes(_:)``.
    private func firstHashed(of blocks: ClosedRange<UInt64>) -> UInt64 {
        let end: UInt64 = blocks.upperBound + 1
        let lowest: UInt64 = max(blocks.lowerBound, trail.floor.map { $0.height + 1 } ?? end)
        return min(end, max(lowest, end - min(end, limits.hashed)))
    }

    /// Whether the node answers for blocks by their hash: however far it is behind, it has the trail's lowest one.
    private func knowsHashes(_ payees: [EVMAddress]) async throws(ChainFault) -> Bool {
        guard let floor = trail.floor else { return false }
        do throws(ChainFault) {
            _ = try await rpc.call("eth_getLogs", [filter(.block(floor), Array(payees.prefix(1)))])
            return true
        } catch .rpc {
            return false
        }
    }

    /// Asks a node for its newest blocks that knows them by their height only: it has them, as far as can be told.
    private func byHeight(
        _ blocks: ClosedRange<UInt64>, _ payees: [EVMAddress]
    ) async throws(ChainFault) -> [EVMWire.Log] {
        let logs: [EVMWire.Log] = try await ranges(of: blocks, payees)
        let last: JSONValue = try await rpc.call(
            "eth_getBlockByNumber", [EVMWire.quantity(blocks.upperBound), false])
        guard !last.isNull, try trail.contains(EVMWire.header(last).ref) else { throw .moved }
        return logs
    }

    /// Asks; what is too much for one answer is asked for in halves.
    private func ask(_ place: Place, _ payees: [EVMAddress]) async throws(ChainFault) -> [EVMWire.Log] {
        do throws(ChainFault) {
            return try await answer(place, payees)
        } catch {
            // Nodes have many words for a range that is too long for them; a range that fails for another reason fails in each
            // of its blocks, too.
            if case .heights(let blocks) = place, blocks.lowerBound < blocks.upperBound, Self.mayBeTooLong(error) {
                let middle: UInt64 = blocks.lowerBound + (blocks.upperBound - blocks.lowerBound) / 2
                let lower: [EVMWire.Log] = try await ask(.heights(blocks.lowerBound...middle), payees)
                return lower + (try await ask(.heights(middle + 1...blocks.upperBound), payees))
            }
            guard Self.isTooMuch(error), payees.count > 1 else { throw error }
            let half: Int = payees.count / 2
            let first: [EVMWire.Log] = try await ask(place, Array(payees[..<half]))
            return first + (try await ask(place, Array(payees[half...])))
        }
    }

    private static func mayBeTooLong(_ fault: ChainFault) -> Bool {
        if case .rpc = fault { return true }
        return isTooMuch(fault)
    }

    private static func isTooMuch(_ fault: ChainFault) -> Bool {
        if case .tooMuch = fault { return true }
        return fault == .rpc(limitExceeded)
    }

    private func answer(_ place: Place, _ payees: [EVMAddress]) async throws(ChainFault) -> [EVMWire.Log] {
        guard let entries = try await rpc.call("eth_getLogs", [filter(place, payees)]).arrayValue else {
            throw .unusable("logs")
        }
        guard entries.count <= limits.logs else { throw .tooMuch("logs") }
        var logs: [EVMWire.Log] = []
        for entry in entries where entry["removed"] != .bool(true) {
            guard let log = try EVMWire.transfer(entry), log.contract == contract, payees.contains(log.payee),
                place.holds(log.block)
            else { throw .unusable("logs") }
            guard trail.contains(log.block) else { throw .moved }
            logs.append(log)
        }
        return logs
    }

    private func filter(_ place: Place, _ payees: [EVMAddress]) -> JSONValue {
        let address: JSONValue = .string(contract.lowercased)
        let topics: JSONValue = [
            .string(EVMWire.transferTopic), .null, .array(payees.map { .string($0.topic) }),
        ]
        switch place {
        case .heights(let blocks):
            return [
                "fromBlock": EVMWire.quantity(blocks.lowerBound), "toBlock": EVMWire.quantity(blocks.upperBound),
                "address": address, "topics": topics,
            ]
        case .block(let block): return ["blockHash": .string(block.hash), "address": address, "topics": topics]
        }
    }
}
