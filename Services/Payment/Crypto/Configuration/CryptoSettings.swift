import BillingCore
package import PaymentChains
package import ServiceKit
package import Telemetry

/// What crypto is configured with: what is accepted from the tunables (`payment.crypto.*`), and where keys and nodes are
/// from the environment. A chain without an account and a node is absent.
package struct CryptoSettings: Sendable {
    /// How a chain's node is reached.
    package struct Node: Sendable {
        /// How Bitcoin is read; an EVM chain has one way only.
        package enum Kind: String, Sendable, CaseIterable { case core, esplora }

        package let kind: Kind
        package let url: Secret
        package let credentials: Secret?
    }

    /// Bitcoin, where it is configured.
    package struct Bitcoin: Sendable {
        package let network: BitcoinNetwork
        package let node: Node
        package let addresses: AddressSource
        package let asset: AcceptedAsset
    }

    /// An EVM chain, where one is configured, with its coin and tokens.
    package struct EVM: Sendable {
        package let chainID: UInt64
        package let node: Node
        package let addresses: AddressSource
        package let assets: [AcceptedAsset]
    }

    package let terms: CryptoTerms
    package let bitcoin: Bitcoin?
    package let evm: EVM?

    /// Reads everything.
    /// - Parameter mode: Live refuses plain text to a node elsewhere and prices that are fixed for coins that are not.
    /// - Throws: ``ServiceConfiguration/Invalid`` with every fault at once.
    package init(
        tunables: [String: String], environment: [String: String], mode: RefrainMode
    ) throws(ServiceConfiguration.Invalid) {
        var reader = CryptoSettingsReader(tunables: tunables, environment: environment, mode: mode)
        terms = reader.terms()
        bitcoin = reader.bitcoin()
        evm = reader.evm()
        guard reader.faults.isEmpty else { throw ServiceConfiguration.Invalid(faults: reader.faults) }
    }
}
