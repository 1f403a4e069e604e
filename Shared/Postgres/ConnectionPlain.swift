import CPostgres

/// What pipeline mode cannot do: scripts of many statements, and COPY.
extension Connection {
    /// Runs a script through the simple protocol. Without BEGIN of its own it is one implicit transaction.
    func script(_ text: String) throws(PostgresError) {
        guard !text.utf8.contains(0) else { throw .misuse("a script cannot contain a NUL character") }
        let handle: OpaquePointer = try leavePipeline()
        guard PQsendQuery(handle, text) == 1 else { throw drop(handle) }
        try flush(handle)
        let failure: PostgresError? = try drain(handle)
        try enterPipeline(handle)
        if let failure { throw failure }
    }

    /// Loads rows through COPY in text form.
    func copyIn(
        _ table: String, columns: [String], rows: some Sequence<[PostgresValue?]>
    ) throws(PostgresError) -> Int {
        let names: String = columns.map(Identifier.quoted).joined(separator: ", ")
        let text: String = "COPY \(Identifier.quotedPath(table)) (\(names)) FROM STDIN"
        let handle: OpaquePointer = try leavePipeline()
        guard PQsendQuery(handle, text) == 1 else { throw drop(handle) }
        try flush(handle)
        try awaitAnswer(handle)
        guard let first = PQgetResult(handle) else { throw drop(handle) }
        let accepted: Bool = PQresultStatus(first) == PGRES_COPY_IN
        let refusal: PostgresError? = accepted ? nil : serverError(first, statement: text)
        PQclear(first)
        if let refusal {
            _ = try drain(handle)
            try enterPipeline(handle)
            throw refusal
        }
        let unsendable: PostgresError? = try sendRows(rows, width: columns.count, on: handle)
        try endCopy(handle, unsendable)
        var copied: Int = 0
        let failure: PostgresError? = try drain(handle, statement: text) { copied = self.affectedRows($0) }
        try enterPipeline(handle)
        if let unsendable { throw unsendable }
        if let failure { throw failure }
        return copied
    }

    /// Sends the rows in pieces; a row that cannot be sent ends the sending and is returned.
    private func sendRows(
        _ rows: some Sequence<[PostgresValue?]>, width: Int, on handle: OpaquePointer
    ) throws(PostgresError) -> PostgresError? {
        var buffer: [UInt8] = []
        buffer.reserveCapacity(CopyText.pieceSize * 2)
        for row in rows {
            guard row.count == width else { return .misuse("a row has \(row.count) values for \(width) columns") }
            do {
                try CopyText.append(row, to: &buffer)
            } catch {
                return error
            }
            if buffer.count >= CopyText.pieceSize { try put(&buffer, on: handle) }
        }
        if !buffer.isEmpty { try put(&buffer, on: handle) }
        return nil
    }

    private func put(_ buffer: inout [UInt8], on handle: OpaquePointer) throws(PostgresError) {
        while true {
            let sent: Int32 = buffer.withUnsafeBytes { bytes in
                PQputCopyData(handle, bytes.baseAddress?.assumingMemoryBound(to: CChar.self), Int32(bytes.count))
            }
            if sent == 1 { break }
            guard sent == 0 else { throw drop(handle) }
            try flush(handle)
        }
        buffer.removeAll(keepingCapacity: true)
    }

    private func endCopy(_ handle: OpaquePointer, _ unsendable: PostgresError?) throws(PostgresError) {
        while true {
            let ended: Int32 = PQputCopyEnd(handle, unsendable == nil ? nil : "the client gave up")
            if ended == 1 { break }
            guard ended == 0 else { throw drop(handle) }
            try flush(handle)
        }
        try flush(handle)
    }

    /// Reads answers to the end; returns the first failure.
    private func drain(
        _ handle: OpaquePointer, statement: String? = nil, _ success: (OpaquePointer) -> Void = { _ in }
    ) throws(PostgresError) -> PostgresError? {
        var failure: PostgresError?
        while true {
            try awaitAnswer(handle)
            guard let result = PQgetResult(handle) else { return failure }
            defer { PQclear(result) }
            switch PQresultStatus(result) {
            case PGRES_COMMAND_OK, PGRES_TUPLES_OK, PGRES_EMPTY_QUERY:
                success(result)
            case PGRES_COPY_IN, PGRES_COPY_OUT, PGRES_COPY_BOTH:
                close()
                throw .misuse("COPY goes through copyIn only")
            default:
                let error: PostgresError = serverError(result, statement: statement)
                if error.endsSession || PQstatus(handle) != CONNECTION_OK {
                    close()
                    throw error.endsSession ? error : .lost(error.message)
                }
                if failure == nil { failure = error }
            }
        }
    }

    private func leavePipeline() throws(PostgresError) -> OpaquePointer {
        guard let handle else { throw .lost("the session is closed") }
        guard PQexitPipelineMode(handle) == 1 else { throw drop(handle) }
        return handle
    }

    private func enterPipeline(_ handle: OpaquePointer) throws(PostgresError) {
        guard PQenterPipelineMode(handle) == 1 else { throw drop(handle) }
    }
}

/// COPY's text form: tabs between values, `\N` for NULL.
enum CopyText {
    /// Rows are handed to libpq in pieces of about this many bytes.
    static let pieceSize = 64 * 1024

    static func append(_ row: [PostgresValue?], to buffer: inout [UInt8]) throws(PostgresError) {
        for (index, value) in row.enumerated() {
            if index > 0 { buffer.append(UInt8(ascii: "\t")) }
            guard let text = value?.text else {
                buffer.append(contentsOf: "\\N".utf8)
                continue
            }
            for byte in text.utf8 { try append(byte, to: &buffer) }
        }
        buffer.append(UInt8(ascii: "\n"))
    }

    private static func append(_ byte: UInt8, to buffer: inout [UInt8]) throws(PostgresError) {
        switch byte {
        case 0: throw .refusedValue("text with a NUL character cannot be stored")
        case UInt8(ascii: "\\"): buffer.append(contentsOf: "\\\\".utf8)
        case UInt8(ascii: "\t"): buffer.append(contentsOf: "\\t".utf8)
        case UInt8(ascii: "\n"): buffer.append(contentsOf: "\\n".utf8)
        case UInt8(ascii: "\r"): buffer.append(contentsOf: "\\r".utf8)
        default: buffer.append(byte)
        }
    }
}
