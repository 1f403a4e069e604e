import Glibc

/// Lays out the parameters of a statement as C strings, reusing its memory from statement to statement.
struct ParameterBuffer {
    private var bytes: [UInt8] = []
    private var offsets: [Int] = []
    private var pointers: [UnsafePointer<CChar>?] = []

    /// The protocol counts parameters in 16 bits.
    static let parameterLimit = 65_535
    /// Memory kept between statements.
    private static let keptBytes = 1 << 20

    /// Refuses what cannot be sent, before anything is.
    static func check(_ sql: SQL) throws(PostgresError) {
        guard sql.values.count <= parameterLimit else {
            throw .refusedValue("a statement takes at most \(parameterLimit) parameters")
        }
        for value in sql.values {
            guard let text = value.text else { continue }
            if holdsNUL(text) { throw .refusedValue("text with a NUL character cannot be stored") }
        }
        if holdsNUL(sql.text) { throw .misuse("a statement cannot contain a NUL character") }
    }

    private static func holdsNUL(_ text: String) -> Bool {
        var text: String = text
        return text.withUTF8 { bytes in
            guard let base = bytes.baseAddress else { return false }
            return memchr(base, 0, bytes.count) != nil
        }
    }

    /// Calls `body` with the count and the parameter array that libpq's send functions take.
    mutating func with<R>(
        _ values: [PostgresValue], _ body: (Int32, UnsafePointer<UnsafePointer<CChar>?>?) -> R
    ) -> R {
        if values.isEmpty { return body(0, nil) }
        bytes.removeAll(keepingCapacity: bytes.capacity <= Self.keptBytes)
        offsets.removeAll(keepingCapacity: true)
        pointers.removeAll(keepingCapacity: true)
        for value in values {
            guard let text = value.text else {
                offsets.append(-1)
                continue
            }
            offsets.append(bytes.count)
            bytes.append(contentsOf: text.utf8)
            bytes.append(0)
        }
        return bytes.withUnsafeBufferPointer { buffer in
            buffer.withMemoryRebound(to: CChar.self) { characters in
                for offset in offsets { pointers.append(offset < 0 ? nil : characters.baseAddress.map { $0 + offset }) }
                return pointers.withUnsafeBufferPointer { body(Int32($0.count), $0.baseAddress) }
            }
        }
    }
}
