/// What a JSON text may cost; a text beyond a limit is refused before it is built.
public struct JSONLimits: Sendable, Equatable {
    /// The deepest nesting any limit may allow: the parser's stack stays small whatever is configured.
    public static let deepestAllowed = 256

    /// The longest text, in bytes.
    public var maxBytes: Int
    /// How deep arrays and objects may nest; capped at ``deepestAllowed``.
    public var maxDepth: Int
    /// How many members one object may have.
    public var maxMembers: Int
    /// How many values the whole text may hold.
    public var maxValues: Int

    /// Makes limits; what is left out has the default for request bodies and events.
    public init(
        maxBytes: Int = 1 << 20, maxDepth: Int = 32, maxMembers: Int = 1_000, maxValues: Int = 200_000
    ) {
        self.maxBytes = maxBytes
        self.maxDepth = maxDepth
        self.maxMembers = maxMembers
        self.maxValues = maxValues
    }
}

/// Why a byte sequence is not acceptable JSON, and where.
public struct JSONFault: Error, Equatable, Sendable, CustomStringConvertible {
    /// The reason, as a fixed word fit for metrics and API answers.
    public enum Code: String, Sendable, CaseIterable {
        /// The text is longer than the limit.
        case tooLarge = "too_large"
        /// Arrays or objects nest deeper than the limit.
        case tooDeep = "too_deep"
        /// An object has more members than the limit.
        case tooManyMembers = "too_many_members"
        /// The text holds more values than the limit.
        case tooManyValues = "too_many_values"
        /// The text starts with a byte order mark.
        case byteOrderMark = "byte_order_mark"
        /// The text ends in the middle of a value, or is empty.
        case unexpectedEnd = "unexpected_end"
        /// A byte that cannot stand here.
        case unexpectedByte = "unexpected_byte"
        /// Something follows the value.
        case trailingBytes = "trailing_bytes"
        /// A number that JSON's grammar does not allow, such as `01` or `1.`.
        case invalidNumber = "invalid_number"
        /// An escape that JSON does not know.
        case invalidEscape = "invalid_escape"
        /// A raw control character inside a string.
        case controlCharacter = "control_character"
        /// Half of a surrogate pair.
        case loneSurrogate = "lone_surrogate"
        /// U+0000, which the database cannot store.
        case nulCharacter = "nul_character"
        /// A string that is not valid UTF-8.
        case invalidUTF8 = "invalid_utf8"
        /// Two members of one object have the same name.
        case duplicateKey = "duplicate_key"
    }

    /// The reason.
    public let code: Code
    /// The offset of the byte at which it was noticed.
    public let offset: Int

    /// Makes a fault.
    public init(_ code: Code, at offset: Int) {
        self.code = code
        self.offset = offset
    }

    /// A sentence for the caller; it never repeats what the text contained.
    public var description: String {
        let reason =
            switch code {
            case .tooLarge: "the text is too long"
            case .tooDeep: "arrays or objects are nested too deeply"
            case .tooManyMembers: "an object has too many members"
            case .tooManyValues: "the text holds too many values"
            case .byteOrderMark: "the text starts with a byte order mark"
            case .unexpectedEnd: "the text ends too early"
            case .unexpectedByte: "unexpected character"
            case .trailingBytes: "something follows the JSON value"
            case .invalidNumber: "invalid number"
            case .invalidEscape: "invalid escape sequence"
            case .controlCharacter: "control character inside a string"
            case .loneSurrogate: "half of a surrogate pair"
            case .nulCharacter: "U+0000 is not allowed in a string"
            case .invalidUTF8: "invalid UTF-8"
            case .duplicateKey: "an object has the same key twice"
            }
        return "\(reason) at byte \(offset)"
    }
}
