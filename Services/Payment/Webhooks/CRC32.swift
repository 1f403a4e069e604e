/// The checksum of Ethernet and zlib (ISO 3309; RFC 1952 section 8), as PayPal signs it in place of a body.
enum CRC32 {
    private static let table: [UInt32] = (0..<256).map { (index: UInt32) -> UInt32 in
        (0..<8).reduce(index) { remainder, _ in
            remainder & 1 == 1 ? remainder >> 1 ^ 0xEDB8_8320 : remainder >> 1
        }
    }

    /// The checksum of some bytes.
    static func of(_ bytes: [UInt8]) -> UInt32 {
        var remainder: UInt32 = 0xFFFF_FFFF
        for byte in bytes {
            remainder = remainder >> 8 ^ table[Int(UInt8(truncatingIfNeeded: remainder) ^ byte)]
        }
        return remainder ^ 0xFFFF_FFFF
    }
}
