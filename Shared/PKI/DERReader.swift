/// Reads values of DER (ITU-T X.690) one after the other, each with the tag that has to be there. For containers it
/// also takes BER's form without a length, which ends with two zero bytes, as signers that write in one pass use it.
struct DERReader {
    /// The bytes are not what they have to be.
    struct Fault: Error {}

    private let bytes: [UInt8]
    private(set) var position = 0
    private var limit: Int

    init(_ bytes: [UInt8]) {
        self.bytes = bytes
        limit = bytes.count
    }

    /// Whether everything, or everything of the container with a length that is being read, was read.
    var isAtEnd: Bool { position == limit }

    /// Whether a value with this tag comes next.
    func isNext(_ tag: UInt8) -> Bool { position < limit && bytes[position] == tag }

    /// Reads a container: the body has to read all that is in it.
    mutating func container<R>(
        _ tag: UInt8, _ body: (inout DERReader) throws(Fault) -> R
    ) throws(Fault) -> R {
        let outer: Int = limit
        if let length = try header(tag) {
            limit = position + length
            let result = try body(&self)
            guard isAtEnd else { throw Fault() }
            limit = outer
            return result
        }
        let result = try body(&self)
        guard position + 2 <= limit, bytes[position] == 0, bytes[position + 1] == 0 else { throw Fault() }
        position += 2
        return result
    }

    /// Reads a value with a length.
    /// - Returns: Its content.
    mutating func value(_ tag: UInt8) throws(Fault) -> [UInt8] {
        guard let length = try header(tag) else { throw Fault() }
        defer { position += length }
        return Array(bytes[position..<position + length])
    }

    /// Reads a value with a length.
    /// - Returns: All of it, tag and length included.
    mutating func whole(_ tag: UInt8) throws(Fault) -> [UInt8] {
        let start: Int = position
        guard let length = try header(tag) else { throw Fault() }
        position += length
        return Array(bytes[start..<position])
    }

    /// Reads a value that must be just this.
    mutating func expect(_ tag: UInt8, _ content: [UInt8]) throws(Fault) {
        guard try value(tag) == content else { throw Fault() }
    }

    /// Reads a tag and a length that fits; `nil` for a container without a length. Lengths have their shortest form.
    private mutating func header(_ tag: UInt8) throws(Fault) -> Int? {
        guard isNext(tag), position + 2 <= limit else { throw Fault() }
        let first: UInt8 = bytes[position + 1]
        position += 2
        if first == 0x80 { return nil }
        var length = Int(first)
        if first > 0x80 {
            let count = Int(first & 0x7F)
            guard count <= 3, position + count <= limit else { throw Fault() }
            length = bytes[position..<position + count].reduce(0) { $0 << 8 | Int($1) }
            position += count
            guard length >= 128, count == 1 || length >> (8 * (count - 1)) > 0 else { throw Fault() }
        }
        guard length <= limit - position else { throw Fault() }
        return length
    }
}
