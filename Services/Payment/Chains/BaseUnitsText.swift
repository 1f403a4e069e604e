package import BillingCore

extension BaseUnits: CustomStringConvertible {
    /// Reads a whole number of smallest units: digits and nothing else.
    /// - Throws: ``MoneyError/notANumber``, ``MoneyError/overflow``.
    package init(parsing text: some StringProtocol) throws(MoneyError) {
        guard !text.isEmpty else { throw .notANumber }
        var total: BaseUnits = .zero
        for byte in text.utf8 {
            guard byte &- 0x30 < 10 else { throw .notANumber }
            total = try total.multiplied(by: 10).adding(BaseUnits(UInt128(byte &- 0x30)))
        }
        self = total
    }

    /// Reads an amount in whole coins, such as `0.015`, exactly.
    /// - Parameter decimals: How many digits the asset has after the point: 8 for bitcoin, 18 for ether.
    /// - Throws: ``MoneyError/wrongScale(allowed:)`` for more digits after the point (even zeros),
    ///   ``MoneyError/notANumber`` for signs, exponents, spaces and missing digits, ``MoneyError/overflow``.
    package init(coins text: some StringProtocol, decimals: Int) throws(MoneyError) {
        let parts = text.split(separator: ".", omittingEmptySubsequences: false)
        guard parts.count <= 2, let whole = parts.first, !whole.isEmpty else { throw .notANumber }
        let fraction: String = parts.count == 2 ? String(parts[1]) : ""
        guard parts.count == 1 || !fraction.isEmpty else { throw .notANumber }
        guard fraction.utf8.allSatisfy({ $0 &- 0x30 < 10 }) else { throw .notANumber }
        guard fraction.utf8.count <= decimals else { throw .wrongScale(allowed: decimals) }
        let padding = String(repeating: "0", count: decimals - fraction.utf8.count)
        try self.init(parsing: whole + fraction + padding)
    }

    /// Reads hexadecimal digits, most significant first: a log's data, a JSON-RPC quantity without its `0x`.
    /// - Throws: ``MoneyError/notANumber``; ``MoneyError/overflow`` for more than 64 digits.
    package init(hexDigits text: some StringProtocol) throws(MoneyError) {
        guard !text.isEmpty else { throw .notANumber }
        guard text.utf8.count <= 64 else { throw .overflow }
        var (high, low): (UInt128, UInt128) = (0, 0)
        for byte in text.utf8 {
            guard let digit = Hex.value(of: byte) else { throw .notANumber }
            high = high << 4 | low >> 124
            low = low << 4 | UInt128(digit)
        }
        self.init(high: high, low: low)
    }

    /// The number of smallest units as digits.
    package var description: String {
        let chunk: UInt128 = 100_000_000_000_000_000_000_000_000_000_000_000_000
        var parts: [String] = []
        var (high, low): (UInt128, UInt128) = (high, low)
        while high != 0 {
            let (upper, rest) = high.quotientAndRemainder(dividingBy: chunk)
            let (lower, digits) = chunk.dividingFullWidth((rest, low))
            parts.append(Self.padded(digits))
            (high, low) = (upper, lower)
        }
        while low >= chunk {
            parts.append(Self.padded(low % chunk))
            low /= chunk
        }
        return String(low) + parts.reversed().joined()
    }

    /// The amount in whole coins, the shortest plain decimal: `0.015`, `2`.
    package func coins(decimals: Int) -> String {
        let digits: String = description
        guard decimals > 0 else { return digits }
        let missing: Int = Swift.max(0, decimals + 1 - digits.utf8.count)
        let padded: String = String(repeating: "0", count: missing) + digits
        var fraction: Substring = padded.suffix(decimals)
        while fraction.utf8.last == UInt8(ascii: "0") { fraction.removeLast() }
        let whole: Substring = padded.dropLast(decimals)
        return fraction.isEmpty ? String(whole) : "\(whole).\(fraction)"
    }

    /// 38 digits.
    private static func padded(_ value: UInt128) -> String {
        let digits = String(value)
        return String(repeating: "0", count: 38 - digits.utf8.count) + digits
    }
}
