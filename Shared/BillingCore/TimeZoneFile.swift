import Glibc

/// Reads compiled time zone files (TZif, RFC 8536) as the system's tzdata package installs them.
enum TimeZoneFile {
    static let directory = "/usr/share/zoneinfo/"
    static let maxBytes = 256 * 1_024

    /// Reads a zone; `nil` when there is no such file or it is not a TZif file of version 2 or later.
    static func load(_ name: String) -> ZoneRules? {
        guard isAcceptable(name), let bytes = read(directory + name) else { return nil }
        return parse(bytes)
    }

    /// Whether a name may be a zone at all; keeps paths from leaving the directory. Names under `posix/` and `right/`
    /// (other views of the same zones) and helper files are not zones.
    static func isAcceptable(_ name: String) -> Bool {
        guard (1...64).contains(name.utf8.count), !["posixrules", "localtime", "Factory"].contains(name) else {
            return false
        }
        let parts = name.split(separator: "/", omittingEmptySubsequences: false)
        guard let area = parts.first, area != "posix", area != "right" else { return false }
        return parts.allSatisfy { part in
            !part.isEmpty
                && part.utf8.allSatisfy { byte in
                    switch byte {
                    case UInt8(ascii: "A")...UInt8(ascii: "Z"), UInt8(ascii: "a")...UInt8(ascii: "z"),
                        UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "_"), UInt8(ascii: "-"), UInt8(ascii: "+"):
                        true
                    default: false
                    }
                }
        }
    }

    private static func read(_ path: String) -> [UInt8]? {
        let descriptor = open(path, O_RDONLY | O_CLOEXEC)
        guard descriptor >= 0 else { return nil }
        defer { close(descriptor) }
        var bytes: [UInt8] = []
        var chunk = [UInt8](repeating: 0, count: 8_192)
        while bytes.count <= maxBytes {
            let count = Glibc.read(descriptor, &chunk, chunk.count)
            if count < 0, errno == EINTR { continue }
            guard count >= 0 else { return nil }
            if count == 0 { return bytes }
            bytes.append(contentsOf: chunk.prefix(count))
        }
        return nil
    }

    /// Parses the 64-bit block and the footer.
    static func parse(_ bytes: [UInt8]) -> ZoneRules? {
        guard let first = Header(bytes, at: 0), first.version >= UInt8(ascii: "2") else { return nil }
        let start = Header.size + first.bodySize(timeSize: 4)
        guard let header = Header(bytes, at: start), header.types > 0 else { return nil }
        var at = start + Header.size
        let footer = at + header.bodySize(timeSize: 8)
        guard footer <= bytes.count else { return nil }
        let times = (0..<header.times).map { Int64(bitPattern: bigEndian(bytes, at + $0 * 8, 8)) }
        at += header.times * 8
        let kinds = bytes[at..<at + header.times].map(Int.init)
        at += header.times
        let offsets = (0..<header.types).map { Int(Int32(truncatingIfNeeded: bigEndian(bytes, at + $0 * 6, 4))) }
        guard kinds.allSatisfy({ $0 < offsets.count }), zip(times, times.dropFirst()).allSatisfy(<) else { return nil }
        let rule = bytes[footer...].dropFirst().prefix { $0 != UInt8(ascii: "\n") }
        return ZoneRules(
            initialOffset: offsets[0], times: times, offsets: kinds.map { offsets[$0] },
            rule: PosixRule(String(decoding: rule, as: UTF8.self)))
    }

    private static func bigEndian(_ bytes: [UInt8], _ start: Int, _ count: Int) -> UInt64 {
        bytes[start..<start + count].reduce(0) { $0 << 8 | UInt64($1) }
    }

    /// The counts at the start of each block.
    private struct Header {
        static let size = 44
        let version: UInt8
        let utIndicators, standardIndicators, leaps, times, types, characters: Int

        init?(_ bytes: [UInt8], at start: Int) {
            guard start + Self.size <= bytes.count, bytes[start..<start + 4].elementsEqual("TZif".utf8) else {
                return nil
            }
            version = bytes[start + 4]
            let counts = (0..<6).map { Int(TimeZoneFile.bigEndian(bytes, start + 20 + $0 * 4, 4)) }
            guard counts.allSatisfy({ $0 <= TimeZoneFile.maxBytes }) else { return nil }
            (utIndicators, standardIndicators, leaps) = (counts[0], counts[1], counts[2])
            (times, types, characters) = (counts[3], counts[4], counts[5])
        }

        func bodySize(timeSize: Int) -> Int {
            times * (timeSize + 1) + types * 6 + characters + leaps * (timeSize + 4) + standardIndicators + utIndicators
        }
    }
}
