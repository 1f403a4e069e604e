import Crypto

/// Where bitcoin can be sent: the address and the script it stands for.
package struct BitcoinAddress: Hashable, Sendable, CustomStringConvertible {
    /// The address as it is written; segwit addresses in lower case.
    package let text: String
    /// The network it belongs to.
    package let network: BitcoinNetwork
    /// The output script that pays it. Equal scripts are the same destination.
    package let script: [UInt8]

    /// The address.
    package var description: String { text }

    /// Reads an address of any kind in use: hashes of keys and scripts in Base58Check, witness programs in Bech32 and
    /// Bech32m.
    /// - Throws: ``AddressFault``.
    package init(parsing text: String, network: BitcoinNetwork) throws(AddressFault) {
        // Only a segwit address of a network known here starts like one; everything else must be Base58Check.
        let lower: String = text.lowercased()
        if let match = BitcoinNetwork.allCases.first(where: { lower.hasPrefix($0.segwitPrefix + "1") }) {
            guard match == network else { throw .network }
            try self.init(segwit: text, network: network)
        } else {
            try self.init(base58: text, network: network)
        }
    }

    /// The address that pays a public key by its hash, segwit version 0 (BIP-84, BIP-141).
    /// - Parameter publicKey: 33 bytes, compressed.
    package static func witness(
        publicKey: [UInt8], network: BitcoinNetwork
    ) throws(AddressFault) -> BitcoinAddress {
        guard publicKey.count == 33, publicKey[0] == 2 || publicKey[0] == 3 else { throw .malformed }
        let program: [UInt8] = hash160(publicKey)
        guard let groups = Bech32.regroup(program, from: 8, to: 5, pad: true),
            let text = Bech32.encode(prefix: network.segwitPrefix, groups: [0] + groups, variant: .bech32)
        else { throw .malformed }
        return BitcoinAddress(text: text, network: network, script: [0x00, 0x14] + program)
    }

    /// RIPEMD-160 of SHA-256: how Bitcoin names keys.
    package static func hash160(_ bytes: [UInt8]) -> [UInt8] { RIPEMD160.hash(Array(SHA256.hash(data: bytes))) }

    private init(text: String, network: BitcoinNetwork, script: [UInt8]) {
        self.text = text
        self.network = network
        self.script = script
    }

    private init(segwit text: String, network: BitcoinNetwork) throws(AddressFault) {
        let parts: Bech32.Text = try Bech32.decode(text)
        guard parts.prefix == network.segwitPrefix else { throw .network }
        guard let version = parts.groups.first, version <= 16,
            let program = Bech32.regroup(Array(parts.groups.dropFirst()), from: 5, to: 8, pad: false),
            (2...40).contains(program.count), version > 0 || program.count == 20 || program.count == 32
        else { throw .malformed }
        guard parts.variant == (version == 0 ? .bech32 : .bech32m) else { throw .checksum }
        let opcode: UInt8 = version == 0 ? 0 : 0x50 + version
        self.init(text: text.lowercased(), network: network, script: [opcode, UInt8(program.count)] + program)
    }

    private init(base58 text: String, network: BitcoinNetwork) throws(AddressFault) {
        let payload: [UInt8] = try Base58Check.decode(text)
        guard payload.count == 21, let version = payload.first else { throw .malformed }
        let hash: [UInt8] = Array(payload.dropFirst())
        switch version {
        case network.publicKeyHashVersion:
            // DUP HASH160 <20 bytes> EQUALVERIFY CHECKSIG
            self.init(text: text, network: network, script: [0x76, 0xA9, 0x14] + hash + [0x88, 0xAC])
        case network.scriptHashVersion:
            // HASH160 <20 bytes> EQUAL
            self.init(text: text, network: network, script: [0xA9, 0x14] + hash + [0x87])
        case 0x00, 0x05, 0x6F, 0xC4: throw .network
        default: throw .unsupported
        }
    }
}
