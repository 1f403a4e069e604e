/// Segwit's text encoding with a checksum that finds every error of up to four characters.
///
/// Source: BIP-173 (Bech32) and BIP-350 (Bech32m).
package enum Bech32 {
    /// Which constant the checksum ends in.
    package enum Variant: UInt32, CaseIterable {
        /// Witness version 0.
        case bech32 = 1
        /// Witness versions 1 to 16.
        case bech32m = 0x2BC8_30A3
    }

    /// A text taken apart: the readable part in lower case, groups of five bits without the checksum.
    package struct Text: Equatable {
        package let prefix: String
        package let groups: [UInt8]
        package let variant: Variant
    }

    private static let alphabet: [UInt8] = Array("qpzry9x8gf2tvdw0s3jn54khce6mua7l".utf8)
    private static let maxLength = 90
    private static let checksumLength = 6

    /// Writes the parts in lower case.
    /// - Returns: `nil` for a readable part that the encoding does not allow, or a text that would be too long.
    package static func encode(prefix: String, groups: [UInt8], variant: Variant) -> String? {
        let readable: [UInt8] = Array(prefix.utf8)
        guard isReadable(readable), !readable.contains(where: isUpper), groups.allSatisfy({ $0 < 32 }),
            readable.count + 1 + groups.count + checksumLength <= maxLength
        else { return nil }
        let blank: [UInt8] = Array(repeating: 0, count: checksumLength)
        let remainder: UInt32 = polymod(expanded(readable) + groups + blank) ^ variant.rawValue
        let checksum: [UInt8] = (0..<checksumLength).map { UInt8(remainder >> UInt32(5 * (5 - $0)) & 31) }
        let data: [UInt8] = (groups + checksum).map { alphabet[Int($0)] }
        return String(decoding: readable + [UInt8(ascii: "1")] + data, as: UTF8.self)
    }

    /// Takes a text apart.
    /// - Throws: ``AddressFault/malformed``, ``AddressFault/checksum``.
    package static func decode(_ text: String) throws(AddressFault) -> Text {
        let bytes: [UInt8] = Array(text.utf8)
        guard bytes.count <= maxLength, !(bytes.contains(where: isUpper) && bytes.contains(where: isLower)) else {
            throw .malformed
        }
        let lower: [UInt8] = bytes.map { isUpper($0) ? $0 | 0x20 : $0 }
        guard let separator = lower.lastIndex(of: UInt8(ascii: "1")) else { throw .malformed }
        let readable: [UInt8] = Array(lower[..<separator])
        guard isReadable(readable), lower.count - separator - 1 >= checksumLength else { throw .malformed }
        var groups: [UInt8] = []
        for byte in lower[(separator + 1)...] {
            guard let value = alphabet.firstIndex(of: byte) else { throw .malformed }
            groups.append(UInt8(value))
        }
        guard let variant = Variant(rawValue: polymod(expanded(readable) + groups)) else { throw .checksum }
        return Text(
            prefix: String(decoding: readable, as: UTF8.self), groups: Array(groups.dropLast(checksumLength)),
            variant: variant)
    }

    /// Regroups bits; writing pads the last group with zeros, reading refuses padding that is not up to four zeros.
    package static func regroup(_ values: [UInt8], from: UInt32, to: UInt32, pad: Bool) -> [UInt8]? {
        var bits: UInt32 = 0
        var held: UInt32 = 0
        var groups: [UInt8] = []
        for value in values {
            held = held << from | UInt32(value)
            bits += from
            while bits >= to {
                bits -= to
                groups.append(UInt8(held >> bits & (1 << to - 1)))
            }
            held &= 1 << bits - 1
        }
        if pad {
            if bits > 0 { groups.append(UInt8(held << (to - bits) & (1 << to - 1))) }
        } else if bits >= from || held != 0 {
            return nil
        }
        return groups
    }

    private static func isReadable(_ bytes: [UInt8]) -> Bool {
        (1...83).contains(bytes.count) && bytes.allSatisfy { (33...126).contains($0) }
    }

    private static func isUpper(_ byte: UInt8) -> Bool { (UInt8(ascii: "A")...UInt8(ascii: "Z")).contains(byte) }
    private static func isLower(_ byte: UInt8) -> Bool { (UInt8(ascii: "a")...UInt8(ascii: "z")).contains(byte) }
    private static func expanded(_ bytes: [UInt8]) -> [UInt8] { bytes.map { $0 >> 5 } + [0] + bytes.map { $0 & 31 } }

    private static func polymod(_ values: [UInt8]) -> UInt32 {
        let generators: [UInt32] = [0x3B6A_57B2, 0x2650_8E6D, 0x1EA1_19FA, 0x3D42_33DD, 0x2A14_62B3]
        var sum: UInt32 = 1
        for value in values {
            let top: UInt32 = sum >> 25
            sum = (sum & 0x1FF_FFFF) << 5 ^ UInt32(value)
            for (bit, generator) in generators.enumerated() where top >> UInt32(bit) & 1 == 1 { sum ^= generator }
        }
        return sum
    }
}
