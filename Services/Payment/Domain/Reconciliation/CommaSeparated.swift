/// Reads comma-separated text (RFC 4180): quotes, doubled quotes inside of them, line ends of either kind.
struct CommaSeparated {
    /// A record and the line it begins on, counted from 1.
    struct Record: Equatable {
        let line: Int
        let fields: [String]
    }

    /// Why text is not comma-separated, and on which line.
    struct Fault: Error, Equatable {
        let line: Int
        let message: String
    }

    private var bytes: Substring.UTF8View.Iterator
    private var pending: UInt8?
    private var line = 1

    private init(_ text: String) { bytes = text[...].utf8.makeIterator() }

    /// The records of a text; empty lines are none.
    static func records(_ text: String) throws(Fault) -> [Record] {
        var reader = CommaSeparated(text)
        var records: [Record] = []
        while let record = try reader.record() {
            if record.fields != [""] { records.append(record) }
        }
        return records
    }

    private mutating func next() -> UInt8? {
        if let byte = pending {
            pending = nil
            return byte
        }
        return bytes.next()
    }

    private mutating func record() throws(Fault) -> Record? {
        let start = line
        var fields: [String] = []
        guard let first = next() else { return nil }
        pending = first
        while true {
            let (field, goesOn) = try field()
            fields.append(field)
            if !goesOn { return Record(line: start, fields: fields) }
        }
    }

    /// One field and whether another follows on the record.
    private mutating func field() throws(Fault) -> (String, Bool) {
        var text: [UInt8] = []
        while let byte = next() {
            switch byte {
            case UInt8(ascii: "\""):
                guard text.isEmpty else { throw Fault(line: line, message: "a quote inside of an unquoted field") }
                return try quoted()
            case UInt8(ascii: ","): return (String(decoding: text, as: UTF8.self), true)
            case UInt8(ascii: "\n"):
                line += 1
                return (String(decoding: text, as: UTF8.self), false)
            case UInt8(ascii: "\r"):
                try lineFeed()
                return (String(decoding: text, as: UTF8.self), false)
            default: text.append(byte)
            }
        }
        return (String(decoding: text, as: UTF8.self), false)
    }

    private mutating func quoted() throws(Fault) -> (String, Bool) {
        let start = line
        var text: [UInt8] = []
        while let byte = next() {
            if byte == UInt8(ascii: "\n") { line += 1 }
            guard byte == UInt8(ascii: "\"") else {
                text.append(byte)
                continue
            }
            switch next() {
            case UInt8(ascii: "\"")?: text.append(byte)
            case UInt8(ascii: ",")?: return (String(decoding: text, as: UTF8.self), true)
            case nil: return (String(decoding: text, as: UTF8.self), false)
            case UInt8(ascii: "\n")?:
                line += 1
                return (String(decoding: text, as: UTF8.self), false)
            case UInt8(ascii: "\r")?:
                try lineFeed()
                return (String(decoding: text, as: UTF8.self), false)
            default: throw Fault(line: line, message: "text after a closing quote")
            }
        }
        throw Fault(line: start, message: "a quote that is not closed")
    }

    private mutating func lineFeed() throws(Fault) {
        guard next() == UInt8(ascii: "\n") else {
            throw Fault(line: line, message: "a carriage return without a line feed")
        }
        line += 1
    }
}
