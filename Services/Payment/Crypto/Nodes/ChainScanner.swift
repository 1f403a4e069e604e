package import BillingCore
package import PaymentChains

/// What was seen on an address in one look.
package struct Sighting: Sendable, Equatable {
    /// In blocks; saying the same again changes nothing.
    package var confirmed: [ChainTransfer] = []
    /// Those that wait for a block, as far as they were read; `nil` where the node does not tell.
    package var unconfirmed: [ChainTransfer]?
    /// What the address has; `nil` where it was not asked for.
    package var balance: Balance?
    /// Whether that was asked for.
    package var question: BalanceQuestion = .unneeded
    /// Blocks below the trail that hold some of the transfers: the node was asked, and has them on its chain.
    package var settled: [BlockRef] = []
    /// How much of what there is was read.
    package var extent: Extent = .whole

    /// How much of what there is on an address was read.
    package enum Extent: Sendable, Equatable {
        case whole
        /// Not all that waits for a block, on any address: what was not seen may be there, what was seen before goes on to
        /// count, and nothing is declined.
        case partial
        /// Not all that waits for a block on this address: what was seen before goes on to count, and nothing is declined.
        case truncated
        /// Nothing in this look: what is known goes on, and nothing is declined or closed.
        case unread
        /// Nothing, since there is more than is ever read: what is known goes on, and nothing is declined.
        case tooMuch
    }

    /// Whether a node was asked what an address has after the trail's last block.
    package enum BalanceQuestion: Sendable, Equatable {
        /// There was no need: it was asked for after this block before, or nobody is about to pay.
        case unneeded
        /// In this look, whatever the node answered.
        case asked
        /// There was no room for it in this look: what no transfer explains may be there, and nothing is declined.
        case postponed
    }

    /// What an address has after a block.
    package struct Balance: Sendable, Equatable {
        package let block: BlockRef
        package let amount: BaseUnits

        package init(block: BlockRef, amount: BaseUnits) {
            self.block = block
            self.amount = amount
        }
    }

    package init(
        confirmed: [ChainTransfer] = [], unconfirmed: [ChainTransfer]? = nil, balance: Balance? = nil,
        settled: [BlockRef] = [], extent: Extent = .whole
    ) {
        self.confirmed = confirmed
        self.unconfirmed = unconfirmed
        self.balance = balance
        self.settled = settled
        self.extent = extent
    }
}

/// Looks for payments on a chain, however its node is asked.
package protocol ChainScanner: Sendable {
    var reader: any ChainReader { get }

    /// What there is on addresses.
    /// - Parameters:
    ///   - step: How the trail was brought forward in this look.
    ///   - isWhole: Whether the trail reaches the node's last block, and the node is not behind what was seen of the chain.
    /// - Returns: Nothing for an address on which nothing is new; for one that could not be read its extent
    ///   says so.
    /// - Throws: ``ChainFault/moved`` when the chain went on meanwhile; nothing may be concluded then.
    func sightings(
        of addresses: [WatchedAddress], after step: TrailAdvance, isWhole: Bool
    ) async throws(ChainFault) -> [AttemptID: Sighting]

    /// What one transaction moves to an address; nothing when the node does not know it.
    func transfers(
        by transaction: String, of asset: CryptoAsset, to address: String
    ) async throws(ChainFault) -> [ChainTransfer]
}

extension WatchedAddress {
    /// Whether its turn has come, of so many turns that follow each other by blocks.
    func isDue(at tip: BlockRef, of turns: UInt64) -> Bool {
        let number: UInt64 = attemptID.rawValue.utf8.reduce(0) { $0 &* 31 &+ UInt64($1) }
        return number % turns == tip.height % turns
    }
}

/// Reads an address of ours out of the database again.
enum OwnAddress {
    static func bitcoin(_ text: String, _ network: BitcoinNetwork) throws(ChainFault) -> BitcoinAddress {
        do throws(AddressFault) { return try BitcoinAddress(parsing: text, network: network) } catch {
            throw .unusable("address")
        }
    }

    static func evm(_ text: String) throws(ChainFault) -> EVMAddress {
        do throws(AddressFault) { return try EVMAddress(parsing: text) } catch { throw .unusable("address") }
    }
}
