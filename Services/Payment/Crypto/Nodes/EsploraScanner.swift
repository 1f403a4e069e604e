package import BillingCore
package import PaymentChains

/// Looks through Esplora: each address by itself. Those that nobody is about to pay are asked for at new blocks only, and no
/// more than so many: the newest, and the others in turn.
package struct EsploraScanner: ChainScanner {
    /// Addresses that nobody is about to pay which are asked for at a new block: a look must not take as long as a block.
    package static let quietLimit = 400
    /// So much older than it is a block may say to be (Bitcoin's rules).
    private static let blockTimeSlack: Duration = .seconds(7_200)

    private let esplora: EsploraReader
    private let network: BitcoinNetwork

    package var reader: any ChainReader { esplora }

    package init(transport: any ChainTransport, network: BitcoinNetwork) {
        esplora = EsploraReader(transport: transport, network: network)
        self.network = network
    }

    package func sightings(
        of addresses: [WatchedAddress], after step: TrailAdvance, isWhole: Bool
    ) async throws(ChainFault) -> [AttemptID: Sighting] {
        // Histories are whole: what a look cannot place yet, the next one finds again.
        guard isWhole else { return [:] }
        var seen: [AttemptID: Sighting] = [:]
        var asked: Set<BlockRef> = []
        for watched in questions(about: addresses, after: step) {
            let address: BitcoinAddress = try OwnAddress.bitcoin(watched.address, network)
            do throws(ChainFault) {
                let history: EsploraReader.History = try await esplora.transfers(to: address, on: step.trail)
                seen[watched.attemptID] = Sighting(
                    confirmed: history.confirmed, unconfirmed: history.unconfirmed,
                    settled: try await settled(history.confirmed, of: watched, on: step.trail, &asked),
                    extent: history.isComplete ? .whole : .truncated)
            } catch .tooMuch {
                // Somebody floods one address; the others must not suffer.
                seen[watched.attemptID] = Sighting(extent: .tooMuch)
            } catch .moved {
                // Its newest block is not on the trail yet.
                seen[watched.attemptID] = Sighting(extent: .unread)
            }
        }
        return seen
    }

    /// Whom to ask for, in order. What the trail alone changes, confirmations, needs no question.
    private func questions(about addresses: [WatchedAddress], after step: TrailAdvance) -> [WatchedAddress] {
        func isUrgent(_ one: WatchedAddress) -> Bool {
            one.isOpen || one.isMoving || !step.undone.isEmpty && one.isUnsettled
        }
        let first: [WatchedAddress] = addresses.filter(isUrgent)
        guard let tip = step.trail.tip, !step.added.isEmpty else { return first }
        let quiet: [WatchedAddress] = addresses.filter { !isUrgent($0) }.sorted { $0.attemptID > $1.attemptID }
        guard quiet.count > Self.quietLimit else { return first + quiet }
        // Half of them by turns, the rest the newest: to these late money comes.
        let turns = UInt64(2 * quiet.count / Self.quietLimit + 1)
        let due: [WatchedAddress] = quiet.filter { $0.isDue(at: tip, of: turns) }
        let others: [WatchedAddress] = quiet.filter { !$0.isDue(at: tip, of: turns) }
        return first + (due + others).prefix(Self.quietLimit)
    }

    /// The blocks below the trail that hold transfers which are not final yet. What is older than the quote pays nothing.
    /// - Parameter asked: The blocks that the node was seen to have in this look.
    /// - Throws: ``ChainFault/moved`` when the node has another block there, or one that is not final.
    private func settled(
        _ confirmed: [ChainTransfer], of watched: WatchedAddress, on trail: ChainTrail, _ asked: inout Set<BlockRef>
    ) async throws(ChainFault) -> [BlockRef] {
        guard let floor = trail.floor else { return [] }
        let below: Set<BlockStamp> = Set(
            confirmed.compactMap(\.block).filter { block in
                block.ref.height < floor.height && block.time >= watched.since - Self.blockTimeSlack
                    && !watched.finalBlocks.contains(block.ref.hash)
            })
        for block in below.map(\.ref) where !asked.contains(block) {
            guard trail.confirmations(at: block.height) >= trail.finalConfirmations,
                try await esplora.header(at: block.height).ref == block
            else { throw .moved }
            asked.insert(block)
        }
        return below.map(\.ref)
    }

    package func transfers(
        by transaction: String, of asset: CryptoAsset, to address: String
    ) async throws(ChainFault) -> [ChainTransfer] {
        try await esplora.transfers(by: transaction, to: try OwnAddress.bitcoin(address, network))
    }
}
