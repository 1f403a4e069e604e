import CPostgres

/// One row of an answer, read column by column from the left.
public struct PostgresRow: ~Copyable {
    private let result: OpaquePointer
    private let row: Int32
    private let width: Int32
    private var column: Int32 = 0

    init(result: OpaquePointer, row: Int32, width: Int32) {
        self.result = result
        self.row = row
        self.width = width
    }

    /// Reads the next column.
    /// - Throws: ``PostgresError`` of kind `decoding`, naming the column, when it holds NULL (and the type is not
    ///   optional) or something else than the type, or when there are no more columns.
    public mutating func next<T: PostgresDecodable>(_ type: T.Type = T.self) throws -> T {
        let index: Int32 = column
        guard index < width else { throw PostgresError.undecodable("the row has only \(width) columns") }
        column += 1
        do {
            if PQgetisnull(result, row, index) == 1 { return try T.decodeNull() }
            let length = Int(PQgetlength(result, row, index))
            return try T.decode(UnsafeRawBufferPointer(start: PQgetvalue(result, row, index), count: length))
        } catch let error as PostgresError {
            let name: String = PQfname(result, index).map { String(cString: $0) } ?? "\(index)"
            throw PostgresError.undecodable("column \(name): \(error.message)")
        }
    }

    /// Reads the next column as the case of a string enumeration that does not conform to ``PostgresDecodable``.
    public mutating func nextCase<T: RawRepresentable>(_ type: T.Type = T.self) throws -> T where T.RawValue == String {
        let text: String = try next()
        guard let value = T(rawValue: text) else { throw PostgresError.undecodable("not a known \(T.self)") }
        return value
    }

    /// Passes over the next column.
    public mutating func skip() {
        column += 1
    }
}

extension PostgresRow {
    /// Reads every row of a result.
    static func all<T>(of result: OpaquePointer, _ decode: (inout PostgresRow) throws -> T) throws -> [T] {
        let count: Int32 = PQntuples(result)
        let width: Int32 = PQnfields(result)
        var values: [T] = []
        values.reserveCapacity(Int(count))
        for index in 0..<count {
            var row = PostgresRow(result: result, row: index, width: width)
            values.append(try decode(&row))
        }
        return values
    }
}

/// A value made of one row.
public protocol PostgresRecord {
    /// Reads the columns in the order the statement lists them.
    init(row: inout PostgresRow) throws
}

extension Answer {
    /// Reads every row of the last statement.
    borrowing func rows<T>(_ decode: (inout PostgresRow) throws -> T) throws -> [T] {
        try rows(of: results.count - 1, decode)
    }

    /// Reads every row of a statement, by its place.
    borrowing func rows<T>(of place: Int, _ decode: (inout PostgresRow) throws -> T) throws -> [T] {
        guard results.indices.contains(place) else { return [] }
        return try PostgresRow.all(of: results[place], decode)
    }

    /// Hands over the rows of the first statement.
    borrowing func tell(_ found: (OpaquePointer) throws -> Void) throws {
        if let first: OpaquePointer = results.first { try found(first) }
    }

    /// Reads the first row of the last statement.
    borrowing func first<T>(_ decode: (inout PostgresRow) throws -> T) throws -> T? {
        guard let last: OpaquePointer = results.last, PQntuples(last) > 0 else { return nil }
        var row = PostgresRow(result: last, row: 0, width: PQnfields(last))
        return try decode(&row)
    }
}
