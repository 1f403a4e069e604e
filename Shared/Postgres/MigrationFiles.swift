import Glibc

/// One numbered SQL file.
struct MigrationFile: Sendable, Equatable {
    let version: Int
    /// The file's name without `.sql`, as stored.
    let name: String
    let text: String

    private static let suffix = ".sql"
    /// Tests of data changes lie beside them and are not migrations.
    private static let testSuffix = "_test.sql"
    private static let digits = 4

    /// Reads every `NNNN_name.sql` of a directory, in order.
    /// - Throws: ``PostgresError`` of kind `migrationRefused` for an unreadable directory or file, a name of another
    ///   form and a number used twice.
    static func read(directory: String) throws(PostgresError) -> [MigrationFile] {
        var files: [MigrationFile] = []
        for entry in try entries(of: directory) where entry.hasSuffix(suffix) && !entry.hasSuffix(testSuffix) {
            let name = String(entry.dropLast(suffix.count))
            guard let version = version(of: name) else {
                throw .migration("\(entry): a migration is called NNNN_name.sql")
            }
            files.append(
                MigrationFile(version: version, name: name, text: try contents(of: "\(directory)/\(entry)")))
        }
        files.sort { $0.version < $1.version }
        for (first, second) in zip(files, files.dropFirst()) where first.version == second.version {
            throw .migration("\(first.name) and \(second.name) have the same number")
        }
        return files
    }

    private static func version(of name: String) -> Int? {
        let number = name.prefix(digits)
        let rest = name.dropFirst(digits)
        guard number.utf8.count == digits, number.utf8.allSatisfy({ $0 >= 0x30 && $0 <= 0x39 }),
            rest.first == "_", rest.count > 1
        else { return nil }
        return Int(number)
    }

    private static func entries(of directory: String) throws(PostgresError) -> [String] {
        guard let stream = opendir(directory) else {
            throw .migration("\(directory) cannot be opened: \(String(cString: strerror(errno)))")
        }
        defer { closedir(stream) }
        var names: [String] = []
        while let entry = readdir(stream) {
            let name: String = withUnsafeBytes(of: entry.pointee.d_name) { bytes in
                String(decoding: bytes.prefix { $0 != 0 }, as: UTF8.self)
            }
            names.append(name)
        }
        return names
    }

    private static func contents(of path: String) throws(PostgresError) -> String {
        guard let file = fopen(path, "re") else {
            throw .migration("\(path) cannot be read: \(String(cString: strerror(errno)))")
        }
        defer { fclose(file) }
        var bytes: [UInt8] = []
        var piece: [UInt8] = Array(repeating: 0, count: 16_384)
        while true {
            let count: Int = fread(&piece, 1, piece.count, file)
            if count == 0 { break }
            bytes.append(contentsOf: piece.prefix(count))
        }
        guard ferror(file) == 0, let text = String(validating: bytes, as: UTF8.self) else {
            throw .migration("\(path) is not readable UTF-8 text")
        }
        return text
    }
}

extension PostgresError {
    static func migration(_ message: String) -> PostgresError {
        PostgresError(kind: .migrationRefused, code: "F0001", message: message)
    }
}
