package import BillingCore
package import PaymentChains

/// An asset that customers can pay in, with the rules for it. Each is a provider of its own, and a payment method.
package struct AcceptedAsset: Sendable {
    /// The provider's name: `bitcoin`, `ethereum`, `usdc`. It names the ledger's account, too.
    package let name: String
    package let asset: CryptoAsset
    /// `BTC`, `USDC`.
    package var symbol: String { asset.symbol }
    /// Digits after the point.
    package var decimals: Int { asset.decimals }
    /// How what arrives is judged.
    package let policy: WatchPolicy
    /// Rates that hold until the configuration changes, by currency: for coins that are pegged, and for tests.
    package let fixedRates: [Currency: ExactDecimal]
    /// Base units that are kept back of held money for sending it; what a refund gives back bears no fee.
    package let refundFee: BaseUnits

    package init(
        name: String, asset: CryptoAsset, policy: WatchPolicy, fixedRates: [Currency: ExactDecimal] = [:],
        refundFee: BaseUnits = .zero
    ) {
        self.name = name
        self.asset = asset
        self.policy = policy
        self.fixedRates = fixedRates
        self.refundFee = refundFee
    }
}

/// How quotes are given and how long they are watched, the same for every asset.
package struct CryptoTerms: Sendable {
    /// How long a quote holds (`payment.crypto.quote_seconds`).
    package var lifetime: Duration = .seconds(900)
    /// How much less than the rate a coin counts for (`payment.crypto.spread_basis_points`).
    package var spreadBasisPoints: Int = 100
    /// How long after a quote's end the attempt is declined (`payment.crypto.grace_seconds`): time for what was sent
    /// just before it to be seen, and for late money where it is accepted.
    package var grace: Duration = .seconds(120)
    /// How long after that the address is looked at (`payment.crypto.watch_hours`).
    package var watch: Duration = .seconds(30 * 86_400)
    /// A rate that is older is not used (`payment.crypto.rate_seconds`).
    package var rateAge: Duration = .seconds(300)
    /// How often a chain is looked at (`payment.crypto.poll_seconds`).
    package var poll: Duration = .seconds(10)
    /// A chain that was not seen for so long gets no new quotes (`payment.crypto.blind_seconds`).
    package var blindSeconds: Int = 300
    /// Whether a person may keep more than a price, with the payer's consent (`payment.crypto.keep_surplus`).
    package var keepsSurplus: Bool = true

    package init() {}
}

/// Where addresses come from: an account of which only the public key is here.
package struct AddressSource: Sendable {
    /// Which kind of addresses it yields.
    private enum Account: Sendable {
        case bitcoin(BitcoinAccount)
        case evm(EVMAccount)
    }

    /// Names the account in the database: the same for the same key, however it is written.
    package let account: String
    private let keys: Account

    /// The account of an extended public key for a chain.
    /// - Parameter network: The Bitcoin network; `nil` for an EVM chain.
    /// - Throws: ``AddressFault``; a private key is one.
    package init(extendedKey text: String, network: BitcoinNetwork?) throws(AddressFault) {
        let key = try ExtendedPublicKey(parsing: text)
        account = Hex.encode(Keccak256.hash(key.chainCode + key.publicKey).prefix(16))
        if let network {
            keys = .bitcoin(try BitcoinAccount(account: key, network: network))
        } else {
            keys = .evm(try EVMAccount(account: key))
        }
    }

    /// The address with this number, as it is shown.
    package func address(_ index: UInt32) throws(AddressFault) -> String {
        switch keys {
        case .bitcoin(let account): try account.address(index).text
        case .evm(let account): try account.address(index).description
        }
    }
}

extension CryptoAsset {
    /// Names the chain in records: `bitcoin:regtest`, `evm:1`.
    package var chain: String {
        switch kind {
        case .bitcoin(let network): "bitcoin:\(network.rawValue)"
        case .ether(let id), .token(let id, _): "evm:\(id)"
        }
    }

    /// The URI a wallet opens to pay to an address of ours; without an amount it asks for none.
    package func uri(to address: String, amount: BaseUnits?) throws(AddressFault) -> String {
        switch kind {
        case .bitcoin(let network):
            BitcoinURI(address: try BitcoinAddress(parsing: address, network: network), amount: amount).description
        case .ether(let chain):
            EthereumURI(.coin(to: try EVMAddress(parsing: address), amount: amount), chainID: chain).description
        case .token(let chain, let contract):
            EthereumURI(
                .token(contract: contract, to: try EVMAddress(parsing: address), amount: amount), chainID: chain
            ).description
        }
    }
}
