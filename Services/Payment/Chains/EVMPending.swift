import BillingCore
package import JSON

/// What an EVM node would put into its next block, as far as payments can be read from it.
package struct EVMPending: Hashable, Sendable {
    /// A transfer that waits.
    package struct Transfer: Hashable, Sendable {
        package let transaction: String
        /// The token's contract, in lower case; `nil` for the chain's own coin.
        package let contract: String?
        /// In lower case.
        package let payee: String
        package let amount: BaseUnits
    }

    /// The height the next block will have.
    package let height: UInt64
    package let transfers: [Transfer]

    /// `transfer(address,uint256)` (ERC-20).
    private static let transferSelector = "0xa9059cbb"

    /// Reads a pending block with its transactions.
    /// - Returns: `nil` when it does not say which block it will be.
    package init?(_ block: JSONValue) throws(ChainFault) {
        guard case .object = block, let number = block["number"], !number.isNull else { return nil }
        height = try EVMWire.number(number, "number")
        var transfers: [Transfer] = []
        for transaction in try block.list("transactions") {
            guard let payee = transaction["to"]?.stringValue?.lowercased() else { continue }
            let hash: String = try EVMWire.hash(transaction["hash"], "hash")
            let value: BaseUnits = try EVMWire.units(transaction["value"], "value")
            if !value.isZero {
                transfers.append(Transfer(transaction: hash, contract: nil, payee: payee, amount: value))
            }
            let data: String = (transaction["input"] ?? transaction["data"])?.stringValue?.lowercased() ?? ""
            if let (to, amount) = Self.tokenTransfer(data), !amount.isZero {
                transfers.append(Transfer(transaction: hash, contract: payee, payee: to, amount: amount))
            }
        }
        self.transfers = transfers
    }

    /// Payee and amount of a call of a token's `transfer`; `nil` for any other call.
    private static func tokenTransfer(_ data: String) -> (payee: String, amount: BaseUnits)? {
        guard data.hasPrefix(transferSelector), data.utf8.count == transferSelector.utf8.count + 128 else { return nil }
        let words: Substring = data.dropFirst(transferSelector.count)
        do {
            let payee = try EVMAddress(topic: "0x" + words.prefix(64))
            return (payee.lowercased, try BaseUnits(hexDigits: words.suffix(64)))
        } catch {
            return nil
        }
    }
}
