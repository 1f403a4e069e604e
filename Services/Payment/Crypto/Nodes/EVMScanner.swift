package import BillingCore
package import PaymentChains

/// Looks through a node of an EVM chain: blocks for its own coin, logs for tokens, the node's next block for what waits,
/// and balances for coin that came in no transfer of its own.
package struct EVMScanner: ChainScanner {
    /// An address that nobody is about to pay has its balance asked for once in so many blocks.
    private static let rotation: UInt64 = 64

    private let evm: EVMReader
    /// What is accepted on the chain, by provider.
    private let assets: [String: CryptoAsset]
    private let balanceLimit: Int

    package var reader: any ChainReader { evm }

    /// - Parameter balanceLimit: Balances asked for in one look.
    package init(
        transport: any ChainTransport, chainID: UInt64, assets: [String: CryptoAsset], balanceLimit: Int = 200
    ) {
        evm = EVMReader(transport: transport, chainID: chainID)
        self.assets = assets
        self.balanceLimit = balanceLimit
    }

    package func sightings(
        of addresses: [WatchedAddress], after step: TrailAdvance, isWhole: Bool
    ) async throws(ChainFault) -> [AttemptID: Sighting] {
        guard !addresses.isEmpty else { return [:] }
        // Asked for first: the nearer to the trail's last block, the surer it stands on it.
        let pending: EVMPending? = isWhole ? await evm.pending() : nil
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
            for transfer in try await transfers(of: asset, to: wanted, in: step.added, on: step.trail) {
                if let owner = owners[transfer.address] { seen[owner, default: Sighting()].confirmed.append(transfer) }
            }
            if let pending, let tip = step.trail.tip, pending.height == tip.height + 1 {
                let asked: [WatchedAddress] = watched.filter {
                    $0.isOpen || $0.isDue(at: tip, of: Self.rotation)
                }
                for one in asked { seen[one.attemptID, default: Sighting()].unconfirmed = [] }
                for transfer in pending.transfers(of: asset) {
                    guard let owner = owners[transfer.address] else { continue }
                    seen[owner, default: Sighting()].unconfirmed = (seen[owner]?.unconfirmed ?? []) + [transfer]
                }
            }
        }
        if isWhole { try await lookAtBalances(addresses, on: step.trail, &seen) }
        return seen
    }

    private func transfers(
        of asset: CryptoAsset, to wanted: Set<EVMAddress>, in added: [BlockHeader], on trail: ChainTrail
    ) async throws(ChainFault) -> [ChainTransfer] {
        guard let first = added.first, let last = added.last else { return [] }
        if case .token(_, let contract) = asset.kind {
            return try await evm.tokenTransfers(
                of: contract, to: wanted, in: first.ref.height...last.ref.height, on: trail)
        }
        var transfers: [ChainTransfer] = []
        for block in added { transfers += try await evm.coinTransfers(in: block.stamp, to: wanted) }
        return transfers
    }

    /// The balances of addresses that take the chain's own coin, as of the trail's last block.
    private func lookAtBalances(
        _ addresses: [WatchedAddress], on trail: ChainTrail, _ seen: inout [AttemptID: Sighting]
    ) async throws(ChainFault) {
        guard let tip = trail.tip else { return }
        let (asked, postponed): ([WatchedAddress], [WatchedAddress]) = balancesDue(addresses, at: tip)
        for one in postponed { seen[one.attemptID, default: Sighting()].question = .postponed }
        guard !asked.isEmpty else { return }
        for one in asked {
            seen[one.attemptID, default: Sighting()].question = .asked
            do throws(ChainFault) {
                let balance: BaseUnits = try await evm.balance(of: try OwnAddress.evm(one.address), at: tip.height)
                seen[one.attemptID, default: Sighting()].balance = Sighting.Balance(block: tip, amount: balance)
            } catch .rpc {
                // The node has the state of that block no more, or not yet.
                continue
            }
        }
        // A balance is asked for by height: it is of this block only if that is still there.
        guard try await evm.header(at: tip.height).ref == tip else { throw .moved }
    }

    /// Whose balances are asked for in a look, and which of somebody who may be paying must wait for the next. What was asked
    /// for after the last block has nothing new to tell. Of the room a quarter is kept for those that nobody is about to pay.
    private func balancesDue(
        _ addresses: [WatchedAddress], at tip: BlockRef
    ) -> (asked: [WatchedAddress], postponed: [WatchedAddress]) {
        let due: [WatchedAddress] = addresses.filter { one in
            guard case .ether = assets[one.provider]?.kind, one.balanceBlock != tip.hash else { return false }
            return one.isOpen || one.isDue(at: tip, of: Self.rotation)
        }
        // What may be declined goes first, then what was not asked for longest, whatever the node answered.
        let sorted: [WatchedAddress] = due.sorted { left, right in
            guard left.isOver == right.isOver else { return left.isOver }
            return (left.balanceAskedAt ?? left.since, left.attemptID)
                < (right.balanceAskedAt ?? right.since, right.attemptID)
        }
        let (open, quiet): ([WatchedAddress], [WatchedAddress]) = (
            sorted.filter(\.isOpen), sorted.filter { !$0.isOpen }
        )
        let first: Int = min(open.count, balanceLimit - min(quiet.count, balanceLimit / 4))
        return (Array(open.prefix(first) + quiet.prefix(balanceLimit - first)), Array(open.dropFirst(first)))
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

extension EVMPending {
    /// The transfers of an asset. Which log of its block one will be is not known yet.
    fileprivate func transfers(of asset: CryptoAsset) -> [ChainTransfer] {
        var contract: String?
        if case .token(_, let token) = asset.kind { contract = token.lowercased }
        return transfers.filter { $0.contract == contract }.map { waiting in
            ChainTransfer(
                id: TransferID(transaction: waiting.transaction, position: 0), address: waiting.payee,
                amount: waiting.amount, block: nil)
        }
    }
}
