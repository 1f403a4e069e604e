import Crypto

/// Why a text is no address or key that can be used here.
package enum AddressFault: Error, Equatable, Sendable {
    /// Characters, length, case or padding that the encoding does not allow.
    case malformed
    /// A checksum that does not match: a typing error.
    case checksum
    /// For another network.
    case network
    /// A version or a script that this service does not pay or derive from.
    case unsupported
    /// A private key. It was not kept; whoever sent it should move the money.
    case privateKey
}

/// Bytes as text with a checksum of four bytes: older Bitcoin addresses and extended keys.
///
/// Source: Bitcoin Core, `base58.cpp`; BIP-32 for extended keys.
package enum Base58Check {
    private static let alphabet: [UInt8] = Array("123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz".utf8)
    /// Longer than any address or extended key; bounds the work for hostile text.
    private static let maxLength = 128

    /// Writes the bytes and their checksum.
    package static func encode(_ payload: [UInt8]) -> String {
        let bytes: [UInt8] = payload + checksum(of: payload)
        var digits: [UInt8] = []
        for byte in bytes {
            var carry = Int(byte)
            for index in digits.indices {
                carry += Int(digits[index]) << 8
                digits[index] = UInt8(carry % 58)
                carry /= 58
            }
            while carry > 0 {
                digits.append(UInt8(carry % 58))
                carry /= 58
            }
        }
        let zeros: Int = bytes.prefix { $0 == 0 }.count
        let text: [UInt8] = Array(repeating: alphabet[0], count: zeros) + digits.reversed().map { alphabet[Int($0)] }
        return String(decoding: text, as: UTF8.self)
    }

    /// Reads the bytes before the checksum.
    /// - Throws: ``AddressFault/malformed``, ``AddressFault/checksum``.
    package static func decode(_ text: String) throws(AddressFault) -> [UInt8] {
        guard text.utf8.count <= maxLength else { throw .malformed }
        var bytes: [UInt8] = []
        for character in text.utf8 {
            guard let digit = alphabet.firstIndex(of: character) else { throw .malformed }
            var carry: Int = digit
            for index in bytes.indices {
                carry += Int(bytes[index]) * 58
                bytes[index] = UInt8(truncatingIfNeeded: carry)
                carry >>= 8
            }
            while carry > 0 {
                bytes.append(UInt8(truncatingIfNeeded: carry))
                carry >>= 8
            }
        }
        let zeros: Int = text.utf8.prefix { $0 == alphabet[0] }.count
        let whole: [UInt8] = Array(repeating: 0, count: zeros) + bytes.reversed()
        guard whole.count >= 4 else { throw .malformed }
        let payload: [UInt8] = Array(whole.dropLast(4))
        guard Array(whole.suffix(4)) == checksum(of: payload) else { throw .checksum }
        return payload
    }

    private static func checksum(of payload: [UInt8]) -> [UInt8] {
        Array(SHA256.hash(data: Array(SHA256.hash(data: payload))).prefix(4))
    }
}
