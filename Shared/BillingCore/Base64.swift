/// Base 64 as text, strict both ways (RFC 4648): each sequence of bytes has exactly one text, and only that is read.
public enum Base64: Sendable {
    /// With `+` and `/`, padded with `=` (RFC 4648 section 4).
    case standard
    /// With `-` and `_`, without padding (RFC 4648 section 5).
    case url

    /// The text of some bytes.
    public func encode(_ bytes: some Sequence<UInt8>) -> String {
        var text: [UInt8] = []
        var bits: UInt32 = 0
        var count = 0
        for byte in bytes {
            bits = bits << 8 | UInt32(byte)
            count += 8
            while count >= 6 {
                count -= 6
                text.append(symbol(bits >> UInt32(count)))
            }
        }
        if count > 0 { text.append(symbol(bits << UInt32(6 - count))) }
        if self == .standard {
            while !text.count.isMultiple(of: 4) { text.append(UInt8(ascii: "=")) }
        }
        return String(decoding: text, as: UTF8.self)
    }

    /// The bytes of a text.
    /// - Returns: `nil` for a foreign character, wrong padding, and bits after the last byte that are not zero.
    public func decode(_ text: some StringProtocol) -> [UInt8]? {
        var symbols: [UInt8] = Array(text.utf8)
        if self == .standard {
            guard symbols.count.isMultiple(of: 4) else { return nil }
            for _ in 0..<2 where symbols.last == UInt8(ascii: "=") { symbols.removeLast() }
        }
        guard symbols.count % 4 != 1 else { return nil }
        var bytes: [UInt8] = []
        bytes.reserveCapacity(symbols.count * 3 / 4)
        var bits: UInt32 = 0
        var count = 0
        for symbol in symbols {
            guard let value = value(of: symbol) else { return nil }
            bits = bits << 6 | UInt32(value)
            count += 6
            if count >= 8 {
                count -= 8
                bytes.append(UInt8(truncatingIfNeeded: bits >> UInt32(count)))
            }
        }
        let rest: UInt32 = bits & ((1 << UInt32(count)) - 1)
        return rest == 0 ? bytes : nil
    }

    private func symbol(_ bits: UInt32) -> UInt8 {
        let value: UInt8 = UInt8(bits & 63)
        switch value {
        case 0..<26: return UInt8(ascii: "A") + value
        case 26..<52: return UInt8(ascii: "a") + (value - 26)
        case 52..<62: return UInt8(ascii: "0") + (value - 52)
        case 62: return self == .standard ? UInt8(ascii: "+") : UInt8(ascii: "-")
        default: return self == .standard ? UInt8(ascii: "/") : UInt8(ascii: "_")
        }
    }

    private func value(of symbol: UInt8) -> UInt8? {
        switch symbol {
        case UInt8(ascii: "A")...UInt8(ascii: "Z"): return symbol - UInt8(ascii: "A")
        case UInt8(ascii: "a")...UInt8(ascii: "z"): return symbol - UInt8(ascii: "a") + 26
        case UInt8(ascii: "0")...UInt8(ascii: "9"): return symbol - UInt8(ascii: "0") + 52
        case UInt8(ascii: "+"), UInt8(ascii: "/"):
            guard self == .standard else { return nil }
            return symbol == UInt8(ascii: "+") ? 62 : 63
        case UInt8(ascii: "-"), UInt8(ascii: "_"):
            guard self == .url else { return nil }
            return symbol == UInt8(ascii: "-") ? 62 : 63
        default: return nil
        }
    }
}
