package import BillingCore
package import PaymentChains

/// Looks through a node of an EVM chain: blocks for its own coin, logs for tokens. What waits for a block is not seen.
package struct EVMScanner: ChainScanner {
    private let evm: EVMReader
    /// What is accepted on the chain, by provider.
    private let assets: [String: CryptoAsset]

    package var reader: any ChainReader { evm }

    package init(transport: any ChainTransport, chainID: UInt64, assets: [String: CryptoAsset]) {
        evm = EVMReader(transport: transport, chainID: chainID)
        self.assets = assets
    }

    package func sightings(
        of addresses: [WatchedAddress], after step: TrailAdvance, isWhole: Bool
    ) async throws(ChainFault) -> [AttemptID: Sighting] {
        guard let first = step.added.first, let last = step.added.last else { return [:] }
        var seen: [AttemptID: Sighting] = [:]
        for (provider, watched) in Dictionary(grouping: addresses, by: \.provider) {
            guard let asset = assets[provider] else { continue }
            var owners: [String: AttemptID] = [:]
            var wanted: Set<EVMAddress> = []
            for one in watched {
                let address: EVMAddress = try OwnAddress.evm(one.address)
                owners[address.lowercased] = one.attemptID
                wanted.insert(address)
            }
            for transfer in try await transfers(
                of: asset, to: wanted, in: step.added, first.ref.height...last.ref.height, on: step.trail)
            {
                if let owner = owners[transfer.address] { seen[owner, default: Sighting()].confirmed.append(transfer) }
            }
        }
        return seen
    }

    private func transfers(
        of asset: CryptoAsset, to wanted: Set<EVMAddress>, in added: [BlockHeader], _ heights: ClosedRange<UInt64>,
        on trail: ChainTrail
    ) async throws(ChainFault) -> [ChainTransfer] {
        if case .token(_, let contract) = asset.kind {
            return try await evm.tokenTransfers(of: contract, to: wanted, in: heights, on: trail)
        }
        var transfers: [ChainTransfer] = []
        for block in added { transfers += try await evm.coinTransfers(in: block.stamp, to: wanted) }
        return transfers
    }

    package func transfers(
        by transaction: String, of asset: CryptoAsset, to address: String
    ) async throws(ChainFault) -> [ChainTransfer] {
        let payee: EVMAddress = try OwnAddress.evm(address)
        var contract: EVMAddress?
        if case .token(_, let token) = asset.kind { contract = token }
        return try await evm.transfers(by: transaction, of: contract, to: payee)
    }
}
