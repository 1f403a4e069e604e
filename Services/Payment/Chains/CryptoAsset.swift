/// A Bitcoin network, as far as addresses and extended keys differ.
package enum BitcoinNetwork: String, Sendable, CaseIterable {
    /// The network with money on it.
    case main
    /// The public test networks.
    case test
    /// A private network for tests.
    case regtest

    /// What segwit addresses start with (BIP-173; regtest: Bitcoin Core's chain parameters).
    package var segwitPrefix: String {
        switch self {
        case .main: "bc"
        case .test: "tb"
        case .regtest: "bcrt"
        }
    }

    /// The version byte of addresses that pay a public key's hash (Bitcoin Core's chain parameters).
    package var publicKeyHashVersion: UInt8 { self == .main ? 0x00 : 0x6F }
    /// The version byte of addresses that pay a script's hash (Bitcoin Core's chain parameters).
    package var scriptHashVersion: UInt8 { self == .main ? 0x05 : 0xC4 }

    /// The hash of the first block (Bitcoin Core's chain parameters; `test` is testnet3).
    package var genesisHash: String {
        switch self {
        case .main: "000000000019d6689c085ae165831e934ff763ae46a2a6c172b3f1b60a8ce26f"
        case .test: "000000000933ea01ad0ee984209779baaec3ced90fa3f408719526f8d77f4943"
        case .regtest: "0f9188f13cb7b2c71f2a335e3a4fc328bf5beb436012afca590b1a11466e2206"
        }
    }
}

/// What is paid in: a coin or a token on one chain.
package struct CryptoAsset: Hashable, Sendable {
    /// Where the asset lives and how its payments are found.
    package enum Kind: Hashable, Sendable {
        /// Bitcoin.
        case bitcoin(BitcoinNetwork)
        /// The chain's own coin. A chain id may need more than 32 bits.
        case ether(chainID: UInt64)
        /// A token of a contract (ERC-20).
        case token(chainID: UInt64, contract: EVMAddress)
    }

    /// The most decimals an asset may have: the power of ten must fit 128 bits.
    package static let maxDecimals = 38

    /// Its short name: `BTC`, `ETH`, `USDC`.
    package let symbol: String
    /// How many digits a whole coin has after the point.
    package let decimals: Int
    /// Where it lives.
    package let kind: Kind

    private init(symbol: String, decimals: Int, kind: Kind) {
        self.symbol = symbol
        self.decimals = decimals
        self.kind = kind
    }

    /// Bitcoin: 8 decimals.
    package static func bitcoin(_ network: BitcoinNetwork) -> CryptoAsset {
        CryptoAsset(symbol: "BTC", decimals: 8, kind: .bitcoin(network))
    }

    /// A chain's own coin: 18 decimals.
    package static func ether(chainID: UInt64, symbol: String = "ETH") -> CryptoAsset {
        CryptoAsset(symbol: symbol, decimals: 18, kind: .ether(chainID: chainID))
    }

    /// A token; its decimals are configured, not asked of the contract.
    /// - Returns: `nil` for decimals outside of 0 to ``maxDecimals``.
    package static func token(
        symbol: String, decimals: Int, chainID: UInt64, contract: EVMAddress
    ) -> CryptoAsset? {
        guard (0...maxDecimals).contains(decimals) else { return nil }
        return CryptoAsset(symbol: symbol, decimals: decimals, kind: .token(chainID: chainID, contract: contract))
    }
}
