/// An international bank account number (ISO 13616) of a country in the SEPA schemes. It is handed to the provider and not
/// kept.
public struct IBAN: Sendable, CustomStringConvertible, CustomReflectable {
    /// Why a text is none.
    public enum Fault: String, Error, Sendable {
        /// Wrong characters, length or check digits.
        case invalid = "invalid_iban"
        /// Of a country outside the SEPA schemes.
        case country = "unsupported_country"
    }

    /// Letters and digits without spaces, capitals.
    public let text: String

    /// Reads an IBAN as people write it, in any case, with spaces.
    /// - Throws: ``Fault``.
    public init(_ typed: String) throws(Fault) {
        guard typed.utf8.count <= 64 else { throw .invalid }
        let text: String = typed.filter { $0 != " " }.uppercased()
        guard text.utf8.count >= 5, text.utf8.allSatisfy({ Self.value(of: $0) != nil }),
            text.prefix(2).utf8.allSatisfy({ (65...90).contains($0) })
        else { throw .invalid }
        guard let length: Int = Self.lengths[String(text.prefix(2))] else { throw .country }
        guard text.utf8.count == length, Self.remainder(of: text.dropFirst(4) + text.prefix(4)) == 1 else {
            throw .invalid
        }
        self.text = text
    }

    /// The country of the account, ISO 3166.
    public var country: String { String(text.prefix(2)) }
    /// The last four characters, which may be shown.
    public var last4: String { String(text.suffix(4)) }

    /// ISO 7064, MOD 97-10.
    private static func remainder(of text: some StringProtocol) -> Int {
        text.utf8.reduce(0) { rest, byte in
            let value: Int = value(of: byte) ?? 0
            return (rest * (value < 10 ? 10 : 100) + value) % 97
        }
    }

    /// `0` to `9`, `A` is 10.
    private static func value(of byte: UInt8) -> Int? {
        switch byte {
        case 48...57: Int(byte) - 48
        case 65...90: Int(byte) - 55
        default: nil
        }
    }

    /// How long each country's are, by SWIFT's IBAN registry; countries of the SEPA schemes (EPC409-09).
    private static let lengths: [String: Int] = [
        "AD": 24, "AT": 20, "BE": 16, "BG": 22, "CH": 21, "CY": 28, "CZ": 24, "DE": 22, "DK": 18, "EE": 20, "ES": 24,
        "FI": 18, "FR": 27, "GB": 22, "GI": 23, "GR": 27, "HR": 21, "HU": 28, "IE": 22, "IS": 26, "IT": 27, "LI": 21,
        "LT": 20, "LU": 20, "LV": 21, "MC": 27, "MT": 31, "NL": 18, "NO": 15, "PL": 28, "PT": 25, "RO": 24, "SE": 24,
        "SI": 19, "SK": 24, "SM": 27, "VA": 22,
    ]

    /// What it is, for people.
    public var description: String { "\(country) •••• \(last4)" }
    /// Shows nothing.
    public var customMirror: Mirror { Mirror(self, children: [], displayStyle: .struct) }
}
