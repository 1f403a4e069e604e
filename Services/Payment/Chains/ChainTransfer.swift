/// One movement to an address, by what makes it unique on its chain.
package struct TransferID: Hashable, Sendable, Comparable, CustomStringConvertible {
    /// The transaction's hash.
    package let transaction: String
    /// Which output (Bitcoin), which log of the block (tokens), or 0 (the chain's own coin). A reorganisation may
    /// change a log's number.
    package let position: UInt64

    /// An id.
    package init(transaction: String, position: UInt64) {
        self.transaction = transaction
        self.position = position
    }

    /// `hash:position`.
    package var description: String { "\(transaction):\(position)" }

    /// Orders by transaction, then position.
    package static func < (left: TransferID, right: TransferID) -> Bool {
        (left.transaction, left.position) < (right.transaction, right.position)
    }
}

/// A movement to one of our addresses as a node reports it.
package struct ChainTransfer: Hashable, Sendable {
    /// What makes it unique.
    package let id: TransferID
    /// The address as ``BitcoinAddress/text`` or ``EVMAddress/lowercased`` give it.
    package let address: String
    /// How much.
    package let amount: BaseUnits
    /// Whether the chain carried it out: `false` for receipts with status 0. Bitcoin knows no other than `true`.
    package let succeeded: Bool
    /// The block it is in; `nil` while it waits for one.
    package let block: BlockStamp?

    /// A movement.
    package init(id: TransferID, address: String, amount: BaseUnits, succeeded: Bool = true, block: BlockStamp?) {
        self.id = id
        self.address = address
        self.amount = amount
        self.succeeded = succeeded
        self.block = block
    }
}
