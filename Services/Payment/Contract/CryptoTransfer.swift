package import BillingCore

/// What the payer sends, where to and until when.
package struct CryptoTransfer: Sendable, Equatable {
    /// The asset's short name: `BTC`, `USDC`.
    package let asset: String
    package let address: String
    /// How much is missing still, in base units, as digits; `0` when enough is on its way.
    package let amount: String
    /// What a wallet opens: BIP-21 or ERC-681.
    package let uri: String
    /// When the quote ends.
    package let expiresAt: Instant

    package init(asset: String, address: String, amount: String, uri: String, expiresAt: Instant) {
        self.asset = asset
        self.address = address
        self.amount = amount
        self.uri = uri
        self.expiresAt = expiresAt
    }
}
