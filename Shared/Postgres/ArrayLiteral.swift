/// Postgres' text form of arrays: `{"a","b \"c\"",NULL,{…}}`.
enum ArrayLiteral {
    private static let quote = UInt8(ascii: "\"")
    private static let backslash = UInt8(ascii: "\\")
    private static let comma = UInt8(ascii: ",")
    private static let open = UInt8(ascii: "{")
    private static let close = UInt8(ascii: "}")

    /// Writes every element quoted, so no element can be mistaken for NULL, a separator or a nested array.
    static func encode<T: PostgresEncodable>(_ elements: [T]) -> PostgresValue {
        var bytes: [UInt8] = [open]
        bytes.reserveCapacity(2 + elements.count * 24)
        for (index, element) in elements.enumerated() {
            if index > 0 { bytes.append(comma) }
            let value: PostgresValue = element.postgresValue
            guard let text = value.text else {
                bytes.append(contentsOf: "NULL".utf8)
                continue
            }
            if value.isArray { bytes.append(contentsOf: text.utf8) } else { appendQuoted(text, to: &bytes) }
        }
        bytes.append(close)
        return PostgresValue(text: String(decoding: bytes, as: UTF8.self), isArray: true)
    }

    private static func appendQuoted(_ text: String, to bytes: inout [UInt8]) {
        bytes.append(quote)
        var text: String = text
        text.withUTF8 { utf8 in
            // Most texts hold nothing to escape and are taken over whole.
            guard utf8.contains(where: { $0 == quote || $0 == backslash }) else {
                return bytes.append(contentsOf: utf8)
            }
            for byte in utf8 {
                if byte == quote || byte == backslash { bytes.append(backslash) }
                bytes.append(byte)
            }
        }
        bytes.append(quote)
    }

    /// Reads one level; nested arrays are handed to the element type whole.
    static func decode<T: PostgresDecodable>(_ bytes: UnsafeRawBufferPointer) throws -> [T] {
        guard bytes.count >= 2, bytes[0] == open, bytes[bytes.count - 1] == close else {
            throw PostgresError.undecodable("not an array literal")
        }
        var elements: [T] = []
        var scratch: [UInt8] = []
        var position: Int = 1
        let end: Int = bytes.count - 1
        if position == end { return [] }
        while true {
            let isNull: Bool = try readElement(bytes, from: &position, end: end, into: &scratch)
            elements.append(try isNull ? T.decodeNull() : scratch.withUnsafeBytes { try T.decode($0) })
            if position == end { return elements }
            guard bytes[position] == comma else { throw PostgresError.undecodable("array literal lacks a comma") }
            position += 1
        }
    }

    /// Reads one element into `scratch`, unescaped, and stops at the separator or the end.
    private static func readElement(
        _ bytes: UnsafeRawBufferPointer, from position: inout Int, end: Int, into scratch: inout [UInt8]
    ) throws -> Bool {
        scratch.removeAll(keepingCapacity: true)
        guard position < end else { throw PostgresError.undecodable("array literal ends early") }
        if bytes[position] == quote {
            position += 1
            try readQuoted(bytes, from: &position, end: end, into: &scratch)
            return false
        }
        if bytes[position] == open {
            try readNested(bytes, from: &position, end: end, into: &scratch)
            return false
        }
        while position < end, bytes[position] != comma {
            scratch.append(bytes[position])
            position += 1
        }
        return scratch.elementsEqual("NULL".utf8)
    }

    private static func readQuoted(
        _ bytes: UnsafeRawBufferPointer, from position: inout Int, end: Int, into scratch: inout [UInt8]
    ) throws {
        while position < end {
            let byte: UInt8 = bytes[position]
            position += 1
            if byte == quote { return }
            if byte == backslash, position < end {
                scratch.append(bytes[position])
                position += 1
            } else {
                scratch.append(byte)
            }
        }
        throw PostgresError.undecodable("array literal has an open quote")
    }

    private static func readNested(
        _ bytes: UnsafeRawBufferPointer, from position: inout Int, end: Int, into scratch: inout [UInt8]
    ) throws {
        var depth: Int = 0
        var isQuoted: Bool = false
        while position < end {
            let byte: UInt8 = bytes[position]
            position += 1
            scratch.append(byte)
            if byte == backslash, position < end {
                scratch.append(bytes[position])
                position += 1
            } else if byte == quote {
                isQuoted.toggle()
            } else if !isQuoted, byte == open {
                depth += 1
            } else if !isQuoted, byte == close {
                depth -= 1
                if depth == 0 { return }
            }
        }
        throw PostgresError.undecodable("array literal has an open brace")
    }
}
