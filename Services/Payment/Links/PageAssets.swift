import Crypto
import Foundation
import HTTPKit

/// The page's own files, read once at start: template, style sheet, scripts, texts.
package struct PageAssets: Sendable {
    /// A file that cannot be served.
    package struct Missing: Error, CustomStringConvertible {
        package let description: String
    }

    private struct File: Sendable {
        let type: String
        let bytes: [UInt8]
    }

    /// The page with places for what differs.
    let template: String
    /// The page on which customers authenticate, with places for what differs.
    let authentication: String?
    /// Changes with any file, so that browsers may keep files for ever.
    let version: String
    private let files: [String: File]

    private static let types: [String: String] = [
        "css": "text/css; charset=utf-8", "js": "text/javascript; charset=utf-8", "json": "application/json",
        "svg": "image/svg+xml",
    ]

    /// - Parameter home: The directory that holds `Services`.
    /// - Throws: ``Missing`` when the files are not where they should be.
    package init(home: String) throws {
        let folder = URL(fileURLWithPath: "\(home)/Services/Payment/Links/Page")
        var files: [String: File] = [:]
        for directory in [folder, folder.appendingPathComponent("text")] {
            for name in try FileManager.default.contentsOfDirectory(atPath: directory.path).sorted() {
                let path: URL = directory.appendingPathComponent(name)
                guard let type: String = Self.types[path.pathExtension] else { continue }
                files[name] = File(type: type, bytes: Array(try Data(contentsOf: path)))
            }
        }
        for language in PageLanguage.allCases.compactMap(\.code) where files["\(language).json"] == nil {
            throw Missing(description: "the payment page has no texts in \(language)")
        }
        self.files = files
        template = try String(contentsOf: folder.appendingPathComponent("page.html"), encoding: .utf8)
        authentication = try? String(contentsOf: folder.appendingPathComponent("authenticate.html"), encoding: .utf8)
        var hash = SHA256()
        hash.update(data: Array(template.utf8))
        for (name, file) in files.sorted(by: { $0.key < $1.key }) {
            hash.update(data: Array(name.utf8))
            hash.update(data: file.bytes)
        }
        version = hash.finalize().prefix(6).map(\.hexDigits).joined()
    }

    /// One file; `nil` when there is none of that name.
    /// - Parameter version: What the page asked for. While two releases run side by side another's page may ask here: it
    ///   gets our file, which nobody keeps then.
    func reply(_ name: String, version asked: String) -> PageReply? {
        guard let file: File = files[name] else { return nil }
        return PageReply(
            contentType: file.type, body: file.bytes,
            cacheControl: asked == version ? "public, max-age=31536000, immutable" : "no-store",
            headers: [PageHeaders.noSniff])
    }
}
