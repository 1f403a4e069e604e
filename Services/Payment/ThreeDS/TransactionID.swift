/// Names one authentication, or one party's part in it: a lower-case UUID (RFC 4122), compared as text.
package struct TransactionID: Sendable, Hashable, LosslessStringConvertible {
    /// The 36 characters.
    package let description: String

    /// Reads an id.
    /// - Returns: `nil` for anything but 8-4-4-4-12 lower-case hexadecimal digits.
    package init?(_ description: String) {
        let bytes: [UInt8] = Array(description.utf8.prefix(37))
        guard bytes.count == 36 else { return nil }
        for (index, byte) in bytes.enumerated() {
            switch (index, byte) {
            case (8, UInt8(ascii: "-")), (13, UInt8(ascii: "-")), (18, UInt8(ascii: "-")), (23, UInt8(ascii: "-")):
                continue
            case (8, _), (13, _), (18, _), (23, _): return nil
            case (_, UInt8(ascii: "0")...UInt8(ascii: "9")), (_, UInt8(ascii: "a")...UInt8(ascii: "f")): continue
            default: return nil
            }
        }
        self.description = description
    }

    /// Makes a new id: 122 random bits (RFC 4122, version 4).
    package static func new() -> TransactionID {
        var random = SystemRandomNumberGenerator()
        return TransactionID(high: random.next(), low: random.next())
    }

    private init(high: UInt64, low: UInt64) {
        let version: UInt64 = high & 0xFFFF_FFFF_FFFF_0FFF | 0x4000
        let variant: UInt64 = low & 0x3FFF_FFFF_FFFF_FFFF | 0x8000_0000_0000_0000
        let digits: [Character] = Array(Self.hexadecimal(version) + Self.hexadecimal(variant))
        var text = ""
        for (index, digit) in digits.enumerated() {
            if index == 8 || index == 12 || index == 16 || index == 20 { text.append("-") }
            text.append(digit)
        }
        description = text
    }

    private static func hexadecimal(_ word: UInt64) -> String {
        let digits = String(word, radix: 16)
        return String(repeating: "0", count: 16 - digits.count) + digits
    }
}
