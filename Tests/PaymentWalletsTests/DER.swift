import BillingCore

/// Just enough of DER (ITU-T X.690) to write certificates and signatures.
enum DER {
    static func value(_ tag: UInt8, _ content: [UInt8]) -> [UInt8] {
        var length: [UInt8] = []
        if content.count < 128 {
            length = [UInt8(content.count)]
        } else {
            var rest = content.count
            while rest > 0 {
                length.insert(UInt8(rest & 255), at: 0)
                rest >>= 8
            }
            length.insert(0x80 | UInt8(length.count), at: 0)
        }
        return [tag] + length + content
    }

    /// The same with an end mark instead of a length, as BER allows and Apple's signatures have it.
    static func indefinite(_ tag: UInt8, _ content: [UInt8]) -> [UInt8] { [tag, 0x80] + content + [0, 0] }

    static func sequence(_ parts: [[UInt8]]) -> [UInt8] { value(0x30, parts.flatMap { $0 }) }
    static func set(_ parts: [[UInt8]]) -> [UInt8] {
        value(0x31, parts.sorted { $0.lexicographicallyPrecedes($1) }.flatMap { $0 })
    }
    static func octets(_ bytes: [UInt8]) -> [UInt8] { value(0x04, bytes) }
    static func bits(_ bytes: [UInt8]) -> [UInt8] { value(0x03, [0] + bytes) }
    static func text(_ text: String) -> [UInt8] { value(0x0C, Array(text.utf8)) }
    static func integer(_ number: UInt32) -> [UInt8] {
        var bytes: [UInt8] = withUnsafeBytes(of: number.bigEndian) { Array($0) }
        while bytes.count > 1, bytes[0] == 0 { bytes.removeFirst() }
        return value(0x02, bytes[0] > 127 ? [0] + bytes : bytes)
    }
    static let null: [UInt8] = [0x05, 0x00]
    static let yes: [UInt8] = [0x01, 0x01, 0xFF]

    static func identifier(_ dotted: String) -> [UInt8] {
        let arcs: [UInt32] = dotted.split(separator: ".").compactMap { UInt32($0) }
        var bytes: [UInt8] = [UInt8(arcs[0] * 40 + arcs[1])]
        for arc in arcs.dropFirst(2) {
            var groups: [UInt8] = [UInt8(arc & 127)]
            var rest = arc >> 7
            while rest > 0 {
                groups.insert(UInt8(rest & 127) | 128, at: 0)
                rest >>= 7
            }
            bytes += groups
        }
        return value(0x06, bytes)
    }

    static func utcTime(_ instant: Instant) -> [UInt8] {
        let digits: String = instant.rfc3339.filter(\.isNumber)
        return value(0x17, Array("\(digits.prefix(14).dropFirst(2))Z".utf8))
    }

    static func generalizedTime(_ instant: Instant) -> [UInt8] {
        value(0x18, Array("\(instant.rfc3339.filter(\.isNumber).prefix(14))Z".utf8))
    }
}

/// Base 64 as tokens carry it.
func base64(_ bytes: [UInt8]) -> String { Base64.standard.encode(bytes) }

func hexadecimal(_ bytes: [UInt8]) -> String {
    let digits: [Character] = Array("0123456789abcdef")
    return String(bytes.flatMap { [digits[Int($0 >> 4)], digits[Int($0 & 15)]] })
}
