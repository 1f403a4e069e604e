import Crypto

/// SHA-256 of what a request asks for: method, path with query, and body.
public struct RequestHash: Sendable, Hashable, CustomStringConvertible {
    private let words: (UInt64, UInt64, UInt64, UInt64)

    init(_ digest: SHA256.Digest) {
        words = digest.withUnsafeBytes { (bytes: UnsafeRawBufferPointer) in
            (
                bytes.loadUnaligned(fromByteOffset: 0, as: UInt64.self).bigEndian,
                bytes.loadUnaligned(fromByteOffset: 8, as: UInt64.self).bigEndian,
                bytes.loadUnaligned(fromByteOffset: 16, as: UInt64.self).bigEndian,
                bytes.loadUnaligned(fromByteOffset: 24, as: UInt64.self).bigEndian
            )
        }
    }

    /// Hashes a request. The parts are separated so that they cannot run into each other.
    public init(method: String, path: String, body: [UInt8]) {
        var hasher = SHA256()
        for part in [method, path] {
            var text = part
            text.withUTF8 { hasher.update(bufferPointer: UnsafeRawBufferPointer($0)) }
            withUnsafeBytes(of: UInt8(0)) { hasher.update(bufferPointer: $0) }
        }
        body.withUnsafeBytes { hasher.update(bufferPointer: $0) }
        self.init(hasher.finalize())
    }

    /// Hashes a secret text.
    init(secret: String) {
        var hasher = SHA256()
        var text = secret
        text.withUTF8 { hasher.update(bufferPointer: UnsafeRawBufferPointer($0)) }
        self.init(hasher.finalize())
    }

    /// 64 lower-case hexadecimal digits.
    public var description: String { hex(words.0) + hex(words.1) + hex(words.2) + hex(words.3) }

    /// Compares all 256 bits.
    public static func == (left: RequestHash, right: RequestHash) -> Bool {
        left.words == right.words
    }

    /// The hash is uniform, so a part of it is enough.
    public func hash(into hasher: inout Hasher) {
        hasher.combine(words.0)
    }

    private func hex(_ word: UInt64) -> String {
        let digits = String(word, radix: 16)
        return String(repeating: "0", count: 16 - digits.count) + digits
    }
}
