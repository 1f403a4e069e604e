/// One page of a list.
public struct Page<T: Sendable>: Sendable {
    /// The items, in the order of the list.
    public let items: [T]
    /// Whether more items follow.
    public let hasMore: Bool

    /// Makes a page.
    public init(items: [T], hasMore: Bool) {
        self.items = items
        self.hasMore = hasMore
    }

    /// Makes a page out of items of which one more than the page holds was asked for.
    public init(_ found: [T], limit: Int) {
        items = Array(found.prefix(limit))
        hasMore = found.count > limit
    }

    /// The same page of other values.
    public func map<R: Sendable, E: Error>(_ transform: (T) throws(E) -> R) throws(E) -> Page<R> {
        Page<R>(items: try items.map(transform), hasMore: hasMore)
    }
}

/// Where a list goes on: a few strings in one URL-safe token. Callers hand tokens back and do not look inside.
public struct PageCursor: Hashable, Sendable {
    /// The longest token accepted or made from sensible parts.
    public static let maxTokenLength = 1_024
    private static let version: UInt8 = 1

    /// The strings the token carries.
    public let parts: [String]

    /// Makes a cursor. A part has at most 65,535 bytes of UTF-8.
    public init(parts: [String]) {
        precondition(parts.allSatisfy { $0.utf8.count <= Int(UInt16.max) }, "a cursor's part is too long")
        self.parts = parts
    }

    /// Reads a token; `nil` when it was not made by ``token``.
    public init?(_ token: String) {
        guard token.utf8.count <= Self.maxTokenLength, let bytes = Base64URL.decode(token),
            bytes.first == Self.version
        else { return nil }
        var parts: [String] = []
        var at = 1
        while at < bytes.count {
            guard at + 2 <= bytes.count else { return nil }
            let end = at + 2 + Int(bytes[at]) << 8 + Int(bytes[at + 1])
            guard end <= bytes.count, let part = String(validating: bytes[(at + 2)..<end], as: UTF8.self) else {
                return nil
            }
            parts.append(part)
            at = end
        }
        self.parts = parts
    }

    /// The token.
    public var token: String {
        var bytes = [Self.version]
        for part in parts {
            let length = part.utf8.count
            bytes.append(UInt8(truncatingIfNeeded: length >> 8))
            bytes.append(UInt8(truncatingIfNeeded: length))
            bytes.append(contentsOf: part.utf8)
        }
        return Base64URL.encode(bytes)
    }
}

/// Base 64 with the URL-safe alphabet and no padding (RFC 4648 section 5).
enum Base64URL {
    private static let alphabet = Array("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_".utf8)

    static func encode(_ bytes: [UInt8]) -> String {
        var text: [UInt8] = []
        text.reserveCapacity((bytes.count * 4 + 2) / 3)
        for start in stride(from: 0, to: bytes.count, by: 3) {
            let chunk = bytes[start..<min(start + 3, bytes.count)]
            let bits = chunk.reduce(0) { $0 << 8 | Int($1) } << (8 * (3 - chunk.count))
            for digit in 0...chunk.count { text.append(alphabet[bits >> (18 - 6 * digit) & 63]) }
        }
        return String(decoding: text, as: UTF8.self)
    }

    /// Decodes; `nil` for other characters, impossible lengths and stray bits at the end.
    static func decode(_ text: String) -> [UInt8]? {
        var bytes: [UInt8] = []
        var bits = 0
        var count = 0
        for character in text.utf8 {
            guard let value = value(of: character) else { return nil }
            bits = bits << 6 | value
            count += 6
            if count >= 8 {
                count -= 8
                bytes.append(UInt8(truncatingIfNeeded: bits >> count))
                bits &= 1 << count - 1
            }
        }
        return count < 6 && bits == 0 ? bytes : nil
    }

    private static func value(of character: UInt8) -> Int? {
        switch character {
        case UInt8(ascii: "A")...UInt8(ascii: "Z"): Int(character) - 65
        case UInt8(ascii: "a")...UInt8(ascii: "z"): Int(character) - 71
        case UInt8(ascii: "0")...UInt8(ascii: "9"): Int(character) + 4
        case UInt8(ascii: "-"): 62
        case UInt8(ascii: "_"): 63
        default: nil
        }
    }
}
