package import BillingCore
package import PaymentChains

/// Looks through Esplora: each address by itself. Those that nobody is about to pay are asked for at new blocks only.
package struct EsploraScanner: ChainScanner {
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
        for watched in addresses where watched.isOpen || !step.added.isEmpty {
            let address: BitcoinAddress = try OwnAddress.bitcoin(watched.address, network)
            let history: EsploraReader.History
            do throws(ChainFault) {
                history = try await esplora.transfers(to: address, on: step.trail)
            } catch .tooMuch {
                // Somebody floods one address; the others must not suffer.
                continue
            }
            seen[watched.attemptID] = Sighting(confirmed: history.confirmed, unconfirmed: history.unconfirmed)
        }
        return seen
    }

    package func transfers(
        by transaction: String, of asset: CryptoAsset, to address: String
    ) async throws(ChainFault) -> [ChainTransfer] {
        try await esplora.transfers(by: transaction, to: try OwnAddress.bitcoin(address, network))
    }
}
