/// The account whose keys a person keeps outside: it yields one fresh Bitcoin address per payment.
///
/// The account's key is `m/84'/coin'/account'`; payments use its external chain, `0/index` (BIP-44, BIP-84). Wallets
/// look for payments only a few unused addresses ahead (20 by BIP-44): the one that signs must be told the last index.
package struct BitcoinAccount: Sendable {
    /// The network of the addresses.
    package let network: BitcoinNetwork
    private let external: ExtendedPublicKey

    /// Takes over the account's key.
    /// - Throws: ``AddressFault/unsupported`` for a key that is not three steps from its root;
    ///   ``AddressFault/network`` for a key of test networks on the main one. The other way round is harmless.
    package init(account: ExtendedPublicKey, network: BitcoinNetwork) throws(AddressFault) {
        guard account.depth == 3 else { throw .unsupported }
        guard account.version.isMain || network != .main else { throw .network }
        self.network = network
        external = try account.child(0)
    }

    /// The address with this number. Give each number to one payment only.
    /// - Throws: ``AddressFault/unsupported`` from 2^31 on.
    package func address(_ index: UInt32) throws(AddressFault) -> BitcoinAddress {
        try BitcoinAddress.witness(publicKey: try external.child(index).publicKey, network: network)
    }
}

/// The account whose keys a person keeps outside: it yields one fresh EVM address per payment.
///
/// The account's key is `m/44'/60'/0'`; payments use `0/index` (BIP-44). The same address is good on every EVM chain
/// and for every token.
package struct EVMAccount: Sendable {
    private let external: ExtendedPublicKey

    /// Takes over the account's key.
    /// - Throws: ``AddressFault/unsupported`` for a key that is not three steps from its root, or for segwit.
    package init(account: ExtendedPublicKey) throws(AddressFault) {
        guard account.depth == 3, !account.version.isSegwit else { throw .unsupported }
        external = try account.child(0)
    }

    /// The address with this number. Give each number to one payment only.
    /// - Throws: ``AddressFault/unsupported`` from 2^31 on.
    package func address(_ index: UInt32) throws(AddressFault) -> EVMAddress {
        try EVMAddress(publicKey: try external.child(index).uncompressed)
    }
}
