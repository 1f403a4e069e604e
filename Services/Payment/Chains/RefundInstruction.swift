package import BillingCore
import Crypto

/// What a person is to send back with keys that this service does not have.
package struct RefundInstruction: Hashable, Sendable {
    /// Why money goes back.
    package enum Reason: String, Sendable, CaseIterable {
        /// More came than was asked for.
        case overpaid
        /// It came when the quote was over.
        case late
        /// Less came than was asked for, and the rest never did.
        case underpaid
        /// The merchant gives it back.
        case merchant
        /// It was held until a person decided.
        case held
    }

    /// Why there is no instruction.
    package enum Failure: Error, Equatable, Sendable {
        /// Nothing to send.
        case amount
        /// An address that is none on the asset's chain.
        case address(AddressFault)
        /// An address from which nobody can take the money: the zero account, the token's own contract.
        case lost
    }

    /// Identifies the refund it carries out.
    package let refundID: RefundID
    /// What is sent.
    package let asset: CryptoAsset
    /// Where to, given by the payer: never the address the payment came from, which may be an exchange's.
    package let address: String
    /// How much.
    package let amount: BaseUnits
    /// Why.
    package let reason: Reason

    /// An instruction; the address is checked against the asset's chain.
    package init(
        refundID: RefundID, asset: CryptoAsset, to address: String, amount: BaseUnits, reason: Reason
    ) throws(Failure) {
        guard !amount.isZero else { throw .amount }
        self.refundID = refundID
        self.asset = asset
        self.amount = amount
        self.reason = reason
        do throws(AddressFault) {
            switch asset.kind {
            case .bitcoin(let network):
                self.address = try BitcoinAddress(parsing: address, network: network).text
            case .ether, .token:
                self.address = try EVMAddress(parsing: address).description
            }
        } catch {
            throw .address(error)
        }
        var unusable: [String] = [EVMAddress.zero.description]
        if case .token(_, let contract) = asset.kind { unusable.append(contract.description) }
        guard !unusable.contains(self.address) else { throw .lost }
    }

    /// The payment URI to open in the wallet that signs: BIP-21 or ERC-681.
    package var uri: String {
        switch asset.kind {
        case .bitcoin: "bitcoin:\(address)?amount=\(amount.coins(decimals: asset.decimals))"
        case .ether(let chain): "ethereum:\(address)@\(chain)?value=\(amount)"
        case .token(let chain, let contract):
            "ethereum:\(contract)@\(chain)/transfer?address=\(address)&uint256=\(amount)"
        }
    }

    /// What the person reads and signs off, line by line.
    package var text: String {
        """
        refund \(refundID)
        asset \(asset.symbol)
        to \(address)
        amount \(amount.coins(decimals: asset.decimals)) \(asset.symbol)
        base units \(amount)
        reason \(reason.rawValue)
        \(uri)
        """
    }

    /// SHA-256 of ``text``: keep it with the signature, so that what was signed off is what is sent.
    package var fingerprint: String { Hex.encode(SHA256.hash(data: Array(text.utf8))) }
}
