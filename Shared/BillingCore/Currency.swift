/// An active ISO 4217 money code. One byte, ordered by code.
///
/// Funds codes and codes without a minor unit (metals, test codes) are not currencies here.
/// The table is generated, see `CurrencyTable.swift`.
public struct Currency: Hashable, Sendable {
    private let index: UInt8

    init(index: UInt8) { self.index = index }

    /// Finds a currency by its code: three capital letters.
    public init?(_ code: String) {
        var packed: UInt32 = 0
        guard code.utf8.count == 3 else { return nil }
        for byte in code.utf8 { packed = packed << 8 | UInt32(byte) }
        guard let index = CurrencyTable.index(of: packed) else { return nil }
        self.index = index
    }

    /// The code, such as `EUR`.
    public var code: String { entry.code }

    /// The three-digit code as text, leading zeros kept, such as `978` for EUR; card networks and wallets use it.
    public var numericCode: String { entry.numeric }

    /// Finds a currency by its three-digit code, leading zeros kept.
    public init?(numericCode: String) {
        guard let index = CurrencyTable.numericCodes[numericCode] else { return nil }
        self.index = index
    }

    /// How many decimals the minor unit has: 2 for EUR, 0 for JPY, 3 for KWD.
    public var exponent: Int { Int(entry.exponent) }

    /// The name in English.
    public var name: String { entry.name }

    /// Every currency, by code.
    public static let all: [Currency] = CurrencyTable.entries.indices.map { Currency(index: UInt8($0)) }

    private var entry: CurrencyTable.Entry { CurrencyTable.entries[Int(index)] }
}

extension Currency: Comparable {
    /// Orders by code.
    public static func < (left: Currency, right: Currency) -> Bool { left.index < right.index }
}

extension Currency: LosslessStringConvertible {
    /// The code.
    public var description: String { code }
}

extension CurrencyTable {
    /// One row of the table.
    struct Entry: Sendable {
        /// The code's three bytes, first letter highest.
        let packed: UInt32
        let code: String
        let numeric: String
        let exponent: UInt8
        let name: String
    }

    static let numericCodes: [String: UInt8] = Dictionary(
        uniqueKeysWithValues: entries.indices.map { (entries[$0].numeric, UInt8($0)) })

    private static let codes: [UInt32] = entries.map(\.packed)

    /// Where a packed code stands in the table.
    static func index(of packed: UInt32) -> UInt8? {
        var low = 0
        var high = codes.count
        while low < high {
            let middle = (low + high) / 2
            if codes[middle] < packed { low = middle + 1 } else { high = middle }
        }
        return low < codes.count && codes[low] == packed ? UInt8(low) : nil
    }
}
