/// What the front understands of a broker's answers.
package enum Answer {
    /// The request that it answers; `nil` when the frame is too short to say.
    package static func correlation(_ frame: UnsafeRawBufferPointer) -> Int32? {
        var reader = FrameReader(frame)
        return try? reader.number(Int32.self)
    }

    /// Whether the answer to a fetch holds neither a record nor an error. One that cannot be read is not empty.
    package static func isEmptyFetch(_ frame: UnsafeRawBufferPointer, version: Int16) -> Bool {
        var reader = FrameReader(frame)
        return (try? isEmptyFetch(version, &reader)) ?? false
    }

    private static func isEmptyFetch(_ version: Int16, _ reader: inout FrameReader) throws(Unreadable) -> Bool {
        try reader.skip(4 + 4)  // correlation, throttle
        if version >= 7 {
            guard try reader.number(Int16.self) == 0 else { return false }
            try reader.skip(4)  // session
        }
        for _ in 0..<(try reader.count()) {
            try reader.skipString()  // topic
            for _ in 0..<(try reader.count()) {
                try reader.skip(4)  // partition
                guard try reader.number(Int16.self) == 0 else { return false }
                try reader.skip(16 + (version >= 5 ? 8 : 0))  // offsets
                try reader.skip(try reader.count() * 16 + (version >= 11 ? 4 : 0))  // aborted transactions, replica
                guard try reader.count() == 0 else { return false }
            }
        }
        return true
    }

    /// Puts another port in the place of one: in the answer a broker is its host, a string, and then its port.
    package static func replacePort(
        _ old: Int, with new: Int, of host: String, in frame: UnsafeMutableRawBufferPointer
    ) {
        let host: [UInt8] = Array(host.utf8)
        let wanted: [UInt8] = host + bytes(of: old)
        var at = 4
        while at + wanted.count <= frame.count {
            guard frame[at..<at + wanted.count].elementsEqual(wanted) else {
                at += 1
                continue
            }
            frame[(at + host.count)..<(at + wanted.count)].copyBytes(from: bytes(of: new))
            at += wanted.count
        }
    }

    private static func bytes(of port: Int) -> [UInt8] { withUnsafeBytes(of: Int32(port).bigEndian, Array.init) }
}
