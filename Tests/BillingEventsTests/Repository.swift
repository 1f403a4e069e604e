import Foundation

/// Files of the repository that tests hold the code against.
enum Repository {
    /// `REFRAIN_UPDATE_DOCS=1` rewrites what is made from the code.
    static var isUpdating: Bool { ProcessInfo.processInfo.environment["REFRAIN_UPDATE_DOCS"] == "1" }

    /// A path from the top of the repository.
    static func file(_ path: String) -> URL {
        URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
            .deletingLastPathComponent().appendingPathComponent(path)
    }

    /// The bytes of a file; `nil` when there is none.
    static func bytes(_ path: String) throws -> [UInt8]? {
        let url: URL = file(path)
        guard FileManager.default.fileExists(atPath: url.path) else { return nil }
        return [UInt8](try Data(contentsOf: url))
    }

    /// Writes a file and the directories above it.
    static func write(_ bytes: [UInt8], to path: String) throws {
        let url: URL = file(path)
        try FileManager.default.createDirectory(
            at: url.deletingLastPathComponent(), withIntermediateDirectories: true)
        try Data(bytes).write(to: url)
    }
}
