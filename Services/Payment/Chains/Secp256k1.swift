import CSecp256k1

/// A point of Bitcoin's and Ethereum's curve: a public key. There are no private keys in this service.
package struct CurvePoint: Sendable {
    private let key: secp256k1_pubkey

    /// The library asks for its self-test before a context without secrets is used; it ends the process if it fails.
    private static let isTested: Bool = {
        secp256k1_selftest()
        return true
    }()

    private static let flagsCompressed = UInt32(SECP256K1_EC_COMPRESSED)
    private static let flagsUncompressed = UInt32(SECP256K1_EC_UNCOMPRESSED)

    /// Reads a key of 33 or 65 bytes; `nil` when it is no point of the curve.
    package init?(_ bytes: [UInt8]) {
        var key = secp256k1_pubkey()
        guard Self.isTested,
            secp256k1_ec_pubkey_parse(refrain_secp256k1_context(), &key, bytes, bytes.count) == 1
        else { return nil }
        self.key = key
    }

    private init(key: secp256k1_pubkey) { self.key = key }

    /// The point plus a multiple of the generator.
    /// - Parameter scalar: 32 bytes, most significant first.
    /// - Returns: `nil` when the scalar is beyond the group's order or the sum is the point at infinity.
    package func adding(generatorTimes scalar: [UInt8]) -> CurvePoint? {
        guard scalar.count == 32 else { return nil }
        var sum: secp256k1_pubkey = key
        guard secp256k1_ec_pubkey_tweak_add(refrain_secp256k1_context(), &sum, scalar) == 1 else { return nil }
        return CurvePoint(key: sum)
    }

    /// 33 bytes.
    package var compressed: [UInt8] { serialized(length: 33, flags: Self.flagsCompressed) }
    /// 65 bytes, the first of them 4.
    package var uncompressed: [UInt8] { serialized(length: 65, flags: Self.flagsUncompressed) }

    private func serialized(length: Int, flags: UInt32) -> [UInt8] {
        var key: secp256k1_pubkey = key
        var bytes: [UInt8] = Array(repeating: 0, count: length)
        var count: Int = length
        // Cannot fail: the array has the length that the flags ask for.
        _ = secp256k1_ec_pubkey_serialize(refrain_secp256k1_context(), &bytes, &count, &key, flags)
        return bytes
    }
}
