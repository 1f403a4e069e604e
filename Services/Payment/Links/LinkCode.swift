/// The short code of a link: eight characters that a person can read off a device and type, 39 bits of chance.
package struct LinkCode: Sendable, Hashable {
    /// Digits and capitals without those that look like others: 0 O, 1 I L, U.
    static let alphabet: [Character] = Array("23456789ABCDEFGHJKMNPQRSTVWXYZ")
    static let length = 8

    /// The eight characters.
    package let text: String

    /// Draws a code from the system's secure source.
    package static func new() -> LinkCode {
        var source = SystemRandomNumberGenerator()
        let drawn: [Character] = (0..<length).map { _ in alphabet[Int.random(in: 0..<alphabet.count, using: &source)] }
        return LinkCode(unchecked: String(drawn))
    }

    /// Reads what a person typed or a URL says: any case, with spaces or hyphens, full-width characters, Arabic digits.
    /// - Returns: `nil` when it cannot be a code.
    package init?(_ typed: String) {
        guard typed.utf8.count <= 32 else { return nil }
        let plain = String(String.UnicodeScalarView(typed.unicodeScalars.map(Self.plain)))
        let text: String = plain.uppercased().filter { $0 != "-" && $0 != " " }
        guard text.count == Self.length, text.allSatisfy(Self.alphabet.contains) else { return nil }
        self.text = text
    }

    init(unchecked text: String) { self.text = text }

    /// The plain character for one that other keyboards type in its place.
    private static func plain(_ typed: Unicode.Scalar) -> Unicode.Scalar {
        let plain: UInt32 =
            switch typed.value {
            case 0x0660...0x0669: typed.value - 0x0660 + 0x30
            case 0x06F0...0x06F9: typed.value - 0x06F0 + 0x30
            case 0x3000: 0x20
            case 0xFF01...0xFF5E: typed.value - 0xFEE0
            default: typed.value
            }
        return Unicode.Scalar(plain) ?? typed
    }

    /// As it is shown: `ABCD-EFGH`.
    package var shown: String { "\(text.prefix(4))-\(text.suffix(4))" }
}
