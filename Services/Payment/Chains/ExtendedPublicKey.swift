import Crypto

/// A public key from which further public keys follow (BIP-32). Private keys are refused, never kept.
package struct ExtendedPublicKey: Hashable, Sendable, CustomStringConvertible {
    /// What the key says it is for, by the version in front of it (BIP-32, and SLIP-132 for the letters z and v).
    package enum Version: UInt32, Sendable, CaseIterable {
        /// `xpub`: any use, main network.
        case xpub = 0x0488_B21E
        /// `tpub`: any use, test networks.
        case tpub = 0x0435_87CF
        /// `zpub`: segwit addresses (BIP-84), main network.
        case zpub = 0x04B2_4746
        /// `vpub`: segwit addresses (BIP-84), test networks.
        case vpub = 0x045F_1CF6

        /// Whether it is for the network with money on it.
        package var isMain: Bool { self == .xpub || self == .zpub }
        /// Whether it is for segwit addresses only.
        package var isSegwit: Bool { self == .zpub || self == .vpub }
    }

    /// What the key says it is for.
    package let version: Version
    /// How many steps it is away from the root; an account is 3 steps away (BIP-44).
    package let depth: UInt8
    /// The first four bytes of the hash of the parent's key.
    package let parentFingerprint: [UInt8]
    /// Which child of its parent it is; from 2^31 on the step was hardened.
    package let childNumber: UInt32
    /// 32 bytes that derivation mixes in.
    package let chainCode: [UInt8]
    /// The key, compressed: 33 bytes.
    package let publicKey: [UInt8]

    /// The versions of private keys: BIP-32 and SLIP-132.
    private static let privateVersions: Set<UInt32> = [
        0x0488_ADE4, 0x0435_8394, 0x04B2_430C, 0x045F_18BC, 0x049D_7878, 0x044A_4E28, 0x0295_B005, 0x02AA_7A99,
    ]

    /// Reads an extended key.
    /// - Throws: ``AddressFault/privateKey`` for a private one, ``AddressFault/unsupported`` for other kinds,
    ///   ``AddressFault/malformed`` for a key that is no point of the curve or a root with a parent,
    ///   ``AddressFault/checksum``.
    package init(parsing text: String) throws(AddressFault) {
        let bytes: [UInt8] = try Base58Check.decode(text)
        guard bytes.count == 78 else { throw .malformed }
        let code: UInt32 = Self.number(bytes[0..<4])
        guard !Self.privateVersions.contains(code) else { throw .privateKey }
        guard let version = Version(rawValue: code) else { throw .unsupported }
        self.version = version
        depth = bytes[4]
        parentFingerprint = Array(bytes[5..<9])
        childNumber = Self.number(bytes[9..<13])
        chainCode = Array(bytes[13..<45])
        publicKey = Array(bytes[45..<78])
        // A private key under a public version starts with zero; the point check below refuses it like any other.
        guard depth > 0 || (childNumber == 0 && parentFingerprint.allSatisfy { $0 == 0 }),
            CurvePoint(publicKey) != nil
        else { throw .malformed }
    }

    private init(parent: ExtendedPublicKey, childNumber: UInt32, chainCode: [UInt8], publicKey: [UInt8]) {
        version = parent.version
        depth = parent.depth + 1
        parentFingerprint = Array(BitcoinAddress.hash160(parent.publicKey).prefix(4))
        self.childNumber = childNumber
        self.chainCode = chainCode
        self.publicKey = publicKey
    }

    /// The child with a number below 2^31 (BIP-32, CKDpub).
    /// - Throws: ``AddressFault/unsupported`` for hardened children, which need the private key; below 255 steps; and
    ///   for the one child in 2^127 that does not exist: take the next number then.
    package func child(_ number: UInt32) throws(AddressFault) -> ExtendedPublicKey {
        guard number < 1 << 31, depth < .max, let point = CurvePoint(publicKey) else { throw .unsupported }
        let index: [UInt8] = Self.bytes(of: number)
        let code = HMAC<SHA512>.authenticationCode(for: publicKey + index, using: SymmetricKey(data: chainCode))
        let digest: [UInt8] = Array(code)
        guard let sum = point.adding(generatorTimes: Array(digest.prefix(32))) else { throw .unsupported }
        return ExtendedPublicKey(
            parent: self, childNumber: number, chainCode: Array(digest.suffix(32)), publicKey: sum.compressed)
    }

    /// The key, uncompressed: 65 bytes.
    package var uncompressed: [UInt8] { CurvePoint(publicKey)?.uncompressed ?? [] }

    /// The key as text: `xpub…`, `zpub…`.
    package var description: String {
        let head: [UInt8] = Self.bytes(of: version.rawValue) + [depth] + parentFingerprint + Self.bytes(of: childNumber)
        return Base58Check.encode(head + chainCode + publicKey)
    }

    private static func number(_ bytes: ArraySlice<UInt8>) -> UInt32 { bytes.reduce(0) { $0 << 8 | UInt32($1) } }
    private static func bytes(of number: UInt32) -> [UInt8] {
        (0..<4).map { UInt8(truncatingIfNeeded: number >> (24 - 8 * UInt32($0))) }
    }
}
