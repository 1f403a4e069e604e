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
        guard token.utf8.count <= Self.maxTokenLength, let bytes = Base64.url.decode(token),
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
        return Base64.url.encode(bytes)
    }
}
