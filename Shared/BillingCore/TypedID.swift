/// An identifier that knows what it identifies.
///
/// The text is the prefix, `_`, and 26 lower-case Crockford base-32 digits of 128 bits: 48 bits of Unix milliseconds,
/// 16 bits of a counter that keeps a process's ids in order, 64 random bits. Order and equality are those of the text.
public protocol TypedID: Hashable, Sendable, Comparable, LosslessStringConvertible {
    /// The letters before the underscore, such as `inv`.
    static var prefix: String { get }
    /// Whether callers may choose ids of their own: 1 to 64 of `A-Z a-z 0-9 _ -`.
    static var acceptsForeignText: Bool { get }
    /// The whole text, prefix included.
    var rawValue: String { get }
    /// Takes over text that is known to be an id, such as from the database.
    init(unchecked rawValue: String)
}

extension TypedID {
    /// Only ids made here, unless a type says otherwise.
    public static var acceptsForeignText: Bool { false }

    /// Parses an id from outside; `nil` when it is not an id of this type.
    public init?(_ description: String) {
        guard
            IDText.isWellFormed(description, prefix: Self.prefix)
                || (Self.acceptsForeignText && IDText.isForeign(description))
        else { return nil }
        self.init(unchecked: description)
    }

    /// Makes a new id. Ids of one process come in order, even when the given instants repeat or go backwards.
    public static func new(at instant: Instant) -> Self {
        let (high, low) = IDGenerator.shared.next(at: instant)
        return Self(unchecked: IDText.make(prefix: prefix, high: high, low: low))
    }

    /// The first id that can have been made at an instant, to the millisecond: where a range of ids by time begins.
    public static func first(at instant: Instant) -> Self {
        let milliseconds = UInt64(max(0, instant.microseconds)) / 1_000
        return Self(unchecked: IDText.make(prefix: prefix, high: min(milliseconds, 1 << 48 - 1) << 16, low: 0))
    }

    /// When the id was made, to the millisecond it starts with; `nil` for a caller's own text.
    public var madeAt: Instant? {
        guard IDText.isWellFormed(rawValue, prefix: Self.prefix) else { return nil }
        return Instant(microseconds: IDText.milliseconds(rawValue, prefix: Self.prefix) * 1_000)
    }

    /// The whole text.
    public var description: String { rawValue }

    /// Orders by text, which is the order of creation for ids made here.
    public static func < (left: Self, right: Self) -> Bool { left.rawValue < right.rawValue }
}

/// How an id is written.
enum IDText {
    static let digitCount = 26
    static let foreignMax = 64

    private static let alphabet: StaticString = "0123456789abcdefghjkmnpqrstvwxyz"

    static func make(prefix: String, high: UInt64, low: UInt64) -> String {
        let start = prefix.utf8.count + 1
        return String(unsafeUninitializedCapacity: start + digitCount) { buffer in
            var at = 0
            for byte in prefix.utf8 {
                buffer[at] = byte
                at += 1
            }
            buffer[at] = UInt8(ascii: "_")
            var (high, low) = (high, low)
            for position in stride(from: start + digitCount - 1, through: start, by: -1) {
                buffer[position] = alphabet.utf8Start[Int(low & 31)]
                low = low >> 5 | high << 59
                high >>= 5
            }
            return start + digitCount
        }
    }

    /// The 48 bits of milliseconds in the first ten digits of a well-formed id.
    static func milliseconds(_ text: String, prefix: String) -> Int64 {
        text.utf8.dropFirst(prefix.utf8.count + 1).prefix(10).reduce(0) { time, digit in
            let value: Int = (0..<32).first { alphabet.utf8Start[$0] == digit } ?? 0
            return time << 5 | Int64(value)
        }
    }

    static func isWellFormed(_ text: String, prefix: String) -> Bool {
        let bytes = text.utf8
        guard bytes.count == prefix.utf8.count + 1 + digitCount, bytes.starts(with: prefix.utf8) else { return false }
        let rest = bytes.dropFirst(prefix.utf8.count)
        guard rest.first == UInt8(ascii: "_") else { return false }
        let digits = rest.dropFirst()
        guard let first = digits.first, (UInt8(ascii: "0")...UInt8(ascii: "7")).contains(first) else { return false }
        return digits.allSatisfy { byte in
            switch byte {
            case UInt8(ascii: "0")...UInt8(ascii: "9"): true
            case UInt8(ascii: "i"), UInt8(ascii: "l"), UInt8(ascii: "o"), UInt8(ascii: "u"): false
            case UInt8(ascii: "a")...UInt8(ascii: "z"): true
            default: false
            }
        }
    }

    static func isForeign(_ text: String) -> Bool {
        let bytes = text.utf8
        guard (1...foreignMax).contains(bytes.count) else { return false }
        return bytes.allSatisfy { byte in
            switch byte {
            case UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "a")...UInt8(ascii: "z"),
                UInt8(ascii: "A")...UInt8(ascii: "Z"), UInt8(ascii: "_"), UInt8(ascii: "-"):
                true
            default: false
            }
        }
    }
}
