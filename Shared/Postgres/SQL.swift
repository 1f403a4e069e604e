/// A statement whose interpolated values travel as bound parameters, never as text.
///
/// ```swift
/// let one: SQL = "SELECT status FROM invoices WHERE id = \(id)"      // … WHERE id = $1
/// let page: SQL = one + " AND number > \(last)"                      // $2
/// let nested: SQL = "SELECT count(*) FROM (\(page)) AS p"
/// ```
/// The server infers a parameter's type from where it stands; write `\(value)::bigint` where it cannot.
public struct SQL: ExpressibleByStringInterpolation, Sendable, CustomStringConvertible {
    /// The statement as the server sees it: `$1`, `$2`… in place of values.
    public private(set) var text: String
    /// The bound values in the order of their numbers.
    public private(set) var values: [PostgresValue]
    /// Where each `$n` begins in `text`, in UTF-8 bytes; needed to renumber when statements are joined.
    private var marks: [Int]
    /// Whether the session keeps a prepared statement for this text.
    var isPrepared: Bool = true

    /// Makes a statement without parameters.
    public init(stringLiteral value: String) {
        text = value
        values = []
        marks = []
    }

    /// Makes a statement from its interpolated form.
    public init(stringInterpolation: StringInterpolation) {
        self = stringInterpolation.sql
    }

    /// The text without the values, so that a log never shows them.
    public var description: String { text }

    /// The same statement, planned afresh at each use: for text that varies, which would only crowd the cache.
    public var unprepared: SQL {
        var copy: SQL = self
        copy.isPrepared = false
        return copy
    }

    /// Joins two pieces; parameters of the second are renumbered.
    public static func + (first: SQL, second: SQL) -> SQL {
        var joined: SQL = first
        joined.append(second)
        return joined
    }

    /// Appends a piece; its parameters are renumbered.
    public static func += (first: inout SQL, second: SQL) {
        first.append(second)
    }

    /// Joins pieces with a separator between them; an empty list gives empty text.
    public static func joined(_ pieces: [SQL], separator: SQL = ", ") -> SQL {
        var result: SQL = ""
        for (index, piece) in pieces.enumerated() {
            if index > 0 { result.append(separator) }
            result.append(piece)
        }
        return result
    }

    /// `WHERE` with the conditions that are there; empty text when none is. Each choice of filters is a statement of its
    /// own with a plan of its own, which `$1 IS NULL OR …` would not be.
    public static func matching(_ conditions: SQL?...) -> SQL {
        let given: [SQL] = conditions.compactMap { $0 }
        return given.isEmpty ? "" : "WHERE \(SQL.joined(given, separator: " AND "))"
    }

    /// A condition: whether a SELECT finds a row. The SELECT keeps its order, so that the first row comes out of the index
    /// which gives that order; it has no LIMIT and no lock of its own.
    public static func exists(_ rows: SQL) -> SQL {
        "EXISTS (SELECT FROM (\(rows) LIMIT 1) AS found)"
    }

    mutating func append(text piece: String) {
        text += piece
    }

    mutating func append(value: PostgresValue) {
        values.append(value)
        marks.append(text.utf8.count)
        text += "$\(values.count)"
    }

    mutating func append(_ other: SQL) {
        isPrepared = isPrepared && other.isPrepared
        var position: String.UTF8View.Index = other.text.utf8.startIndex
        var consumed: Int = 0
        for (index, value) in other.values.enumerated() {
            let start = other.text.utf8.index(position, offsetBy: other.marks[index] - consumed)
            text += other.text[position..<start]
            append(value: value)
            let width: Int = 1 + String(index + 1).utf8.count
            position = other.text.utf8.index(start, offsetBy: width)
            consumed = other.marks[index] + width
        }
        text += other.text[position...]
    }
}

extension SQL {
    /// Collects the literal pieces and the values of a statement.
    public struct StringInterpolation: StringInterpolationProtocol {
        var sql: SQL

        /// Starts with room for the literal.
        public init(literalCapacity: Int, interpolationCount: Int) {
            sql = SQL(stringLiteral: "")
            sql.reserve(text: literalCapacity + interpolationCount * 3, values: interpolationCount)
        }

        /// Appends fixed text.
        public mutating func appendLiteral(_ literal: String) {
            sql.append(text: literal)
        }

        /// Binds a value.
        public mutating func appendInterpolation<T: PostgresEncodable>(_ value: T) {
            sql.append(value: value.postgresValue)
        }

        /// Binds a value, or NULL.
        public mutating func appendInterpolation<T: PostgresEncodable>(_ value: T?) {
            sql.append(value: value.postgresValue)
        }

        /// Binds the raw value of a string enumeration.
        @_disfavoredOverload
        public mutating func appendInterpolation<T: RawRepresentable>(_ value: T) where T.RawValue == String {
            sql.append(value: PostgresValue(value.rawValue))
        }

        /// Binds the raw value of a string enumeration, or NULL.
        @_disfavoredOverload
        public mutating func appendInterpolation<T: RawRepresentable>(_ value: T?) where T.RawValue == String {
            sql.append(value: value.map { PostgresValue($0.rawValue) } ?? .null)
        }

        /// Binds the raw values of string enumerations as an array.
        @_disfavoredOverload
        public mutating func appendInterpolation<T: RawRepresentable>(_ values: [T]) where T.RawValue == String {
            sql.append(value: values.map(\.rawValue).postgresValue)
        }

        /// Binds a value already in Postgres' text form.
        public mutating func appendInterpolation(_ value: PostgresValue) {
            sql.append(value: value)
        }

        /// Inserts another statement with its parameters.
        public mutating func appendInterpolation(_ other: SQL) {
            sql.append(other)
        }

        /// Inserts fixed text as it is. Only text known at compile time is accepted, so no input can get here.
        public mutating func appendInterpolation(raw: StaticString) {
            sql.append(text: raw.description)
        }

        /// Inserts a name, quoted, so that it cannot be anything but a name.
        public mutating func appendInterpolation(identifier: String) {
            sql.append(text: Identifier.quoted(identifier))
        }
    }

    private mutating func reserve(text textBytes: Int, values valueCount: Int) {
        text.reserveCapacity(textBytes)
        values.reserveCapacity(valueCount)
        marks.reserveCapacity(valueCount)
    }
}

/// Names and literals for the few places that take no parameters.
enum Identifier {
    /// The name in double quotes. A NUL character, which no name can hold, is dropped.
    static func quoted(_ name: String) -> String {
        wrapped(name, in: "\"")
    }

    /// A string literal for utility statements; backslashes are plain because the session's strings conform.
    static func literal(_ text: String) -> String {
        wrapped(text, in: "'")
    }

    private static func wrapped(_ text: String, in mark: Character) -> String {
        var result: String = String(mark)
        for scalar in text.unicodeScalars where scalar.value != 0 {
            if Character(scalar) == mark { result.append(mark) }
            result.unicodeScalars.append(scalar)
        }
        result.append(mark)
        return result
    }
}
