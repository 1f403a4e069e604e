package import BillingCore
package import PaymentChains
import Synchronization

/// Looks through Bitcoin Core: new blocks whole, and the memory pool.
package final class CoreScanner: ChainScanner {
    private let core: CoreReader
    private let network: BitcoinNetwork
    /// What was read of the memory pool already. Looks at one chain follow each other.
    private let memory = Mutex(CoreReader.Mempool())

    package var reader: any ChainReader { core }

    package init(transport: any ChainTransport, network: BitcoinNetwork) {
        core = CoreReader(transport: transport, network: network)
        self.network = network
    }

    package func sightings(
        of addresses: [WatchedAddress], after step: TrailAdvance, isWhole: Bool
    ) async throws(ChainFault) -> [AttemptID: Sighting] {
        var owners: [String: AttemptID] = [:]
        var wanted: [BitcoinAddress] = []
        for watched in addresses {
            let address: BitcoinAddress = try OwnAddress.bitcoin(watched.address, network)
            owners[address.text] = watched.attemptID
            wanted.append(address)
        }
        guard !wanted.isEmpty else { return [:] }
        var seen: [AttemptID: Sighting] = [:]
        for block in step.added {
            for transfer in try await core.transfers(in: block.stamp, to: wanted) {
                if let owner = owners[transfer.address] { seen[owner, default: Sighting()].confirmed.append(transfer) }
            }
        }
        guard isWhole else { return seen }
        // A restarted process has read nothing of the pool: what is waited for is read first, the rest follows.
        let waiting: CoreReader.Waiting = try await waiting(
            for: wanted, first: Set(addresses.flatMap(\.waiting)))
        for attempt in owners.values {
            seen[attempt, default: Sighting()].unconfirmed = []
            if !waiting.isComplete { seen[attempt]?.extent = .partial }
        }
        for transfer in waiting.transfers {
            if let owner = owners[transfer.address] { seen[owner]?.unconfirmed?.append(transfer) }
        }
        // What left the pool for a block after those above would look as if it had vanished.
        guard try await core.tipHeight() == step.trail.tip?.height else { throw .moved }
        return seen
    }

    package func transfers(
        by transaction: String, of asset: CryptoAsset, to address: String
    ) async throws(ChainFault) -> [ChainTransfer] {
        try await core.transfers(by: transaction, to: try OwnAddress.bitcoin(address, network))
    }

    private func waiting(
        for wanted: [BitcoinAddress], first: Set<String>
    ) async throws(ChainFault) -> CoreReader.Waiting {
        var pool: CoreReader.Mempool = memory.withLock { $0 }
        let waiting: CoreReader.Waiting = try await core.unconfirmed(to: wanted, first: first, memory: &pool)
        let read: CoreReader.Mempool = pool
        memory.withLock { $0 = read }
        return waiting
    }
}
