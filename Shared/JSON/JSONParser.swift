/// Parses a JSON text (RFC 8259) strictly.
/// - Parameters:
///   - bytes: The whole text in UTF-8, without a byte order mark.
///   - limits: What the text may cost.
/// - Returns: The value, with member order and number characters kept.
/// - Throws: ``JSONFault`` for bad grammar, invalid UTF-8, lone surrogates, U+0000, a key given twice in one object
///   (keys that are canonically equivalent in Unicode count as the same), trailing bytes, and exceeded limits.
public func parseJSON(_ bytes: [UInt8], limits: JSONLimits = JSONLimits()) throws(JSONFault) -> JSONValue {
    try bytes.withUnsafeBufferPointer { (buffer) throws(JSONFault) in
        try parseJSON(buffer, limits: limits)
    }
}

/// Parses a JSON text out of memory that is lent for the call; see ``parseJSON(_:limits:)-([UInt8],_)``.
public func parseJSON(
    _ buffer: UnsafeBufferPointer<UInt8>, limits: JSONLimits = JSONLimits()
) throws(JSONFault) -> JSONValue {
    var parser = JSONParser(bytes: buffer, limits: limits)
    return try parser.document()
}

/// Parses a JSON text from any collection of bytes; see ``parseJSON(_:limits:)-([UInt8],_)``.
public func parseJSON(
    _ bytes: some Collection<UInt8>, limits: JSONLimits = JSONLimits()
) throws(JSONFault) -> JSONValue {
    guard bytes.count <= limits.maxBytes else { throw JSONFault(.tooLarge, at: limits.maxBytes) }
    return try parseJSON(Array(bytes), limits: limits)
}

/// Parses a JSON text held in a string; see ``parseJSON(_:limits:)-([UInt8],_)``.
public func parseJSON(_ text: String, limits: JSONLimits = JSONLimits()) throws(JSONFault) -> JSONValue {
    try parseJSON(Array(text.utf8), limits: limits)
}

/// A recursive-descent parser over lent bytes; recursion is bounded by `maxDepth`.
struct JSONParser {
    let bytes: UnsafeBufferPointer<UInt8>
    let limits: JSONLimits
    let maxDepth: Int
    var at = 0
    var values = 0
    var scratch: [UInt8] = []

    init(bytes: UnsafeBufferPointer<UInt8>, limits: JSONLimits) {
        self.bytes = bytes
        self.limits = limits
        self.maxDepth = min(limits.maxDepth, JSONLimits.deepestAllowed)
    }

    /// The whole text: one value, white space around it, nothing else.
    mutating func document() throws(JSONFault) -> JSONValue {
        guard bytes.count <= limits.maxBytes else { throw JSONFault(.tooLarge, at: limits.maxBytes) }
        if bytes.count >= 3, bytes[0] == 0xEF, bytes[1] == 0xBB, bytes[2] == 0xBF {
            throw JSONFault(.byteOrderMark, at: 0)
        }
        skipSpace()
        let result = try value(depth: 0)
        skipSpace()
        guard at == bytes.count else { throw JSONFault(.trailingBytes, at: at) }
        return result
    }

    private mutating func value(depth: Int) throws(JSONFault) -> JSONValue {
        guard at < bytes.count else { throw JSONFault(.unexpectedEnd, at: at) }
        values += 1
        guard values <= limits.maxValues else { throw JSONFault(.tooManyValues, at: at) }
        switch bytes[at] {
        case UInt8(ascii: "\""): return .string(try string())
        case UInt8(ascii: "{"): return .object(try object(depth: depth + 1))
        case UInt8(ascii: "["): return .array(try array(depth: depth + 1))
        case UInt8(ascii: "-"), UInt8(ascii: "0")...UInt8(ascii: "9"): return .number(try number())
        case UInt8(ascii: "t"):
            try word("true")
            return .bool(true)
        case UInt8(ascii: "f"):
            try word("false")
            return .bool(false)
        case UInt8(ascii: "n"):
            try word("null")
            return .null
        default: throw JSONFault(.unexpectedByte, at: at)
        }
    }

    private mutating func object(depth: Int) throws(JSONFault) -> [JSONMember] {
        guard depth <= maxDepth else { throw JSONFault(.tooDeep, at: at) }
        at += 1
        var members: [JSONMember] = []
        var names = NameSet()
        skipSpace()
        if at < bytes.count, bytes[at] == UInt8(ascii: "}") {
            at += 1
            return members
        }
        members.reserveCapacity(8)
        while true {
            let start = at
            guard at < bytes.count else { throw JSONFault(.unexpectedEnd, at: at) }
            guard bytes[at] == UInt8(ascii: "\"") else { throw JSONFault(.unexpectedByte, at: at) }
            let name = try string()
            guard names.insert(name, among: members) else { throw JSONFault(.duplicateKey, at: start) }
            guard members.count < limits.maxMembers else { throw JSONFault(.tooManyMembers, at: start) }
            skipSpace()
            try expect(UInt8(ascii: ":"))
            skipSpace()
            members.append(JSONMember(name: name, value: try value(depth: depth)))
            if try endsAfterElement(UInt8(ascii: "}")) { return members }
        }
    }

    private mutating func array(depth: Int) throws(JSONFault) -> [JSONValue] {
        guard depth <= maxDepth else { throw JSONFault(.tooDeep, at: at) }
        at += 1
        var elements: [JSONValue] = []
        skipSpace()
        if at < bytes.count, bytes[at] == UInt8(ascii: "]") {
            at += 1
            return elements
        }
        while true {
            elements.append(try value(depth: depth))
            if try endsAfterElement(UInt8(ascii: "]")) { return elements }
        }
    }

    /// Reads what follows an element: true at the closing bracket, false after a comma.
    private mutating func endsAfterElement(_ close: UInt8) throws(JSONFault) -> Bool {
        skipSpace()
        guard at < bytes.count else { throw JSONFault(.unexpectedEnd, at: at) }
        if bytes[at] == close {
            at += 1
            return true
        }
        try expect(UInt8(ascii: ","))
        skipSpace()
        return false
    }

    private mutating func word(_ expected: StaticString) throws(JSONFault) {
        let length = expected.utf8CodeUnitCount
        for index in 0..<length {
            guard at + index < bytes.count else { throw JSONFault(.unexpectedEnd, at: bytes.count) }
            guard bytes[at + index] == expected.utf8Start[index] else {
                throw JSONFault(.unexpectedByte, at: at + index)
            }
        }
        at += length
    }

    private mutating func expect(_ byte: UInt8) throws(JSONFault) {
        guard at < bytes.count else { throw JSONFault(.unexpectedEnd, at: at) }
        guard bytes[at] == byte else { throw JSONFault(.unexpectedByte, at: at) }
        at += 1
    }

    private mutating func skipSpace() {
        while at < bytes.count {
            switch bytes[at] {
            case 0x20, 0x0A, 0x0D, 0x09: at += 1
            default: return
            }
        }
    }
}

/// Notices a name given twice: compares in place for small objects, keeps a set for large ones.
private struct NameSet {
    private static let smallObject = 16
    private var set: Set<String> = []

    /// Whether the name is new among the members read so far.
    mutating func insert(_ name: String, among members: [JSONMember]) -> Bool {
        if members.count < Self.smallObject {
            for member in members where member.name == name { return false }
            return true
        }
        if set.isEmpty { set = Set(members.map(\.name)) }
        return set.insert(name).inserted
    }
}
