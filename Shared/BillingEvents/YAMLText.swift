import JSON

/// Writes a JSON tree as YAML in block style: enough for documents people read in a diff.
struct YAMLText {
    private(set) var text = ""

    /// Writes a whole document.
    init(_ value: JSONValue, comment: String) {
        for line in comment.split(separator: "\n") { text += "# \(line)\n" }
        if case .object(let members) = value { write(members, indent: 0) }
    }

    private mutating func write(_ members: [JSONMember], indent: Int) {
        for member in members {
            text += String(repeating: " ", count: indent) + Self.scalar(member.name) + ":"
            write(under: member.value, indent: indent)
        }
    }

    /// Writes what follows a key.
    private mutating func write(under value: JSONValue, indent: Int) {
        switch value {
        case .object(let members) where !members.isEmpty:
            text += "\n"
            write(members, indent: indent + 2)
        case .array(let elements) where !elements.isEmpty:
            text += "\n"
            write(elements, indent: indent + 2)
        default: text += " " + Self.inline(value) + "\n"
        }
    }

    private mutating func write(_ elements: [JSONValue], indent: Int) {
        for element in elements {
            text += String(repeating: " ", count: indent) + "-"
            guard case .object(let members) = element, let first = members.first else {
                write(under: element, indent: indent)
                continue
            }
            text += " " + Self.scalar(first.name) + ":"
            write(under: first.value, indent: indent + 2)
            write(Array(members.dropFirst()), indent: indent + 2)
        }
    }

    private static func inline(_ value: JSONValue) -> String {
        switch value {
        case .string(let string): scalar(string)
        case .object: "{}"
        case .array: "[]"
        default: value.description
        }
    }

    /// A string as it is when nothing in it means something to YAML, otherwise quoted as JSON does.
    private static func scalar(_ string: String) -> String {
        let reserved: Set<String> = ["true", "false", "null", "yes", "no", "on", "off", "y", "n"]
        let isPlain: Bool = string.utf8.allSatisfy { byte in
            switch byte {
            case 0x30...0x39, 0x41...0x5A, 0x61...0x7A: true
            case UInt8(ascii: " "), UInt8(ascii: "_"), UInt8(ascii: "."), UInt8(ascii: "-"), UInt8(ascii: "$"),
                UInt8(ascii: "/"), UInt8(ascii: "("), UInt8(ascii: ")"), UInt8(ascii: ","), UInt8(ascii: ";"):
                true
            default: false
            }
        }
        let startsPlain: Bool =
            string.utf8.first.map { byte in
                (0x41...0x5A).contains(byte) || (0x61...0x7A).contains(byte) || byte == UInt8(ascii: "$")
            } ?? false
        if isPlain, startsPlain, string.utf8.last != UInt8(ascii: " "), !reserved.contains(string.lowercased()) {
            return string
        }
        return JSONValue.string(string).description
    }
}
