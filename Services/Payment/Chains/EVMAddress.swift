/// An account on an EVM chain: 20 bytes.
package struct EVMAddress: Hashable, Sendable, CustomStringConvertible {
    /// The 20 bytes.
    package let bytes: [UInt8]

    /// Nobody's account: money sent there is lost.
    package static let zero = EVMAddress(unchecked: Array(repeating: 0, count: 20))

    /// Reads `0x` and 40 digits. Digits of mixed case carry a checksum (EIP-55), which must be right.
    /// - Throws: ``AddressFault/malformed``, ``AddressFault/checksum``.
    package init(parsing text: String) throws(AddressFault) {
        try self.init(ignoringCaseOf: text)
        let digits: Substring = text.dropFirst(2)
        let isMixed: Bool = digits != digits.lowercased() && digits != digits.uppercased()
        guard !isMixed || text == description else { throw .checksum }
    }

    /// Reads `0x` and 40 digits in any case: answers of nodes, payment URIs.
    /// - Throws: ``AddressFault/malformed``.
    package init(ignoringCaseOf text: String) throws(AddressFault) {
        guard text.hasPrefix("0x"), let bytes = Hex.decode(text.dropFirst(2)), bytes.count == 20 else {
            throw .malformed
        }
        self.init(unchecked: bytes)
    }

    /// The account of a public key: the last 20 bytes of the hash of its two coordinates.
    /// - Parameter publicKey: 65 bytes, uncompressed, starting with 4.
    package init(publicKey: [UInt8]) throws(AddressFault) {
        guard publicKey.count == 65, publicKey[0] == 4 else { throw .malformed }
        self.init(unchecked: Array(Keccak256.hash(Array(publicKey.dropFirst())).suffix(20)))
    }

    private init(unchecked bytes: [UInt8]) { self.bytes = bytes }

    /// The address with its checksum in the case of its letters (EIP-55).
    package var description: String {
        let digits: [UInt8] = Array(Hex.encode(bytes).utf8)
        let hash: [UInt8] = Keccak256.hash(digits)
        var text: [UInt8] = Array("0x".utf8)
        for (index, digit) in digits.enumerated() {
            let nibble: UInt8 = index.isMultiple(of: 2) ? hash[index / 2] >> 4 : hash[index / 2] & 15
            text.append(digit > UInt8(ascii: "9") && nibble >= 8 ? digit & 0xDF : digit)
        }
        return String(decoding: text, as: UTF8.self)
    }

    /// The address in lower case, as nodes write it.
    package var lowercased: String { "0x" + Hex.encode(bytes) }
    /// The address as an indexed argument of a log: 32 bytes.
    package var topic: String { "0x" + String(repeating: "0", count: 24) + Hex.encode(bytes) }

    /// Reads an address out of a log's topic.
    /// - Throws: ``AddressFault/malformed`` unless it is 32 bytes of which the first twelve are zero.
    package init(topic: String) throws(AddressFault) {
        guard topic.hasPrefix("0x"), let word = Hex.decode(topic.dropFirst(2)), word.count == 32,
            word.prefix(12).allSatisfy({ $0 == 0 })
        else { throw .malformed }
        self.init(unchecked: Array(word.suffix(20)))
    }
}
