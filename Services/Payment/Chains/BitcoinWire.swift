import BillingCore
package import JSON

/// How Bitcoin's nodes write transactions.
package enum BitcoinWire {
    /// One output of a transaction.
    package struct Output: Hashable, Sendable {
        /// Its place in the transaction.
        let position: UInt64
        /// Who is paid: the script in hexadecimal digits.
        let script: String
        /// How much, in satoshi.
        let amount: BaseUnits
    }

    /// There never are more satoshi than this (21 million bitcoin).
    private static let supply = BaseUnits(2_100_000_000_000_000)

    /// Reads a hash of 32 bytes: 64 lower-case digits.
    package static func hash(_ text: String, _ name: String) throws(ChainFault) -> String {
        guard text.utf8.count == 64, text == text.lowercased(), Hex.decode(text) != nil else { throw .unusable(name) }
        return text
    }

    /// The outputs of a transaction as Bitcoin Core writes it: coins with 8 decimals, read from the number's own
    /// characters.
    package static func coreOutputs(_ transaction: JSONValue) throws(ChainFault) -> [Output] {
        var outputs: [Output] = []
        for output in try transaction.list("vout") {
            guard case .number(let coins)? = output["value"] else { throw .unusable("value") }
            guard let script = output["scriptPubKey"] else { throw .unusable("scriptPubKey") }
            let amount: BaseUnits = try amount { () throws(MoneyError) in try BaseUnits(coins: coins, decimals: 8) }
            outputs.append(
                Output(position: try output.count("n"), script: try script.text("hex"), amount: amount))
        }
        return outputs
    }

    /// The outputs of a transaction as Esplora writes it: satoshi.
    package static func esploraOutputs(_ transaction: JSONValue) throws(ChainFault) -> [Output] {
        var outputs: [Output] = []
        for (position, output) in try transaction.list("vout").enumerated() {
            guard case .number(let units)? = output["value"] else { throw .unusable("value") }
            let amount: BaseUnits = try amount { () throws(MoneyError) in try BaseUnits(parsing: units) }
            outputs.append(
                Output(position: UInt64(position), script: try output.text("scriptpubkey"), amount: amount))
        }
        return outputs
    }

    /// The outputs that pay one of the addresses.
    package static func transfers(
        _ outputs: [Output], of transaction: String, to addresses: [String: BitcoinAddress], in block: BlockStamp?
    ) -> [ChainTransfer] {
        outputs.compactMap { output in
            guard let address = addresses[output.script], !output.amount.isZero else { return nil }
            return ChainTransfer(
                id: TransferID(transaction: transaction, position: output.position), address: address.text,
                amount: output.amount, block: block)
        }
    }

    /// Addresses by their script in hexadecimal digits.
    package static func byScript(_ addresses: some Sequence<BitcoinAddress>) -> [String: BitcoinAddress] {
        Dictionary(addresses.map { (Hex.encode($0.script), $0) }) { first, _ in first }
    }

    private static func amount(_ read: () throws(MoneyError) -> BaseUnits) throws(ChainFault) -> BaseUnits {
        let amount: BaseUnits
        do throws(MoneyError) {
            amount = try read()
        } catch {
            throw .unusable("value")
        }
        guard amount <= supply else { throw .unusable("value") }
        return amount
    }
}
