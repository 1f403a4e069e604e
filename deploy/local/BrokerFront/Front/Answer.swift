/// What the front understands of a broker's answers.
package enum Answer {
    /// The request that it answers; `nil` when the frame is too short to say.
    package static func correlation(_ frame: UnsafeRawBufferPointer) -> Int32? {
        var reader = FrameReader(frame)
        return try? reader.number(Int32.self)
    }

    /// What the answer to a fetch says.
    package struct Fetched {
        /// It holds neither a record nor an error.
        package fileprivate(set) var isEmpty = true
        /// Where its partitions end: their high watermarks. Not of those with an error or with aborted transactions.
        package fileprivate(set) var ends: Set<Position> = []
    }

    /// Reads the answer to a fetch; `nil` when it cannot be read.
    package static func fetched(_ frame: UnsafeRawBufferPointer, version: Int16) -> Fetched? {
        var reader = FrameReader(frame)
        return try? fetched(version, &reader)
    }

    private static func fetched(_ version: Int16, _ reader: inout FrameReader) throws(Unreadable) -> Fetched {
        var found = Fetched()
        try reader.skip(4 + 4)  // correlation, throttle
        if version >= 7 {
            guard try reader.number(Int16.self) == 0 else {
                found.isEmpty = false
                return found
            }
            try reader.skip(4)  // session
        }
        for _ in 0..<(try reader.count()) {
            let topic: [UInt8] = try reader.topic()
            for _ in 0..<(try reader.count()) {
                let partition: Int32 = try reader.number(Int32.self)
                let isFault: Bool = try reader.number(Int16.self) != 0
                let end: Int64 = try reader.number(Int64.self)
                try reader.skip(8 + (version >= 5 ? 8 : 0))  // last stable offset, log start
                let aborted: Int = try reader.count()
                try reader.skip(aborted * 16 + (version >= 11 ? 4 : 0))  // their transactions, replica
                let records: Int = try reader.count()
                try reader.skip(records)
                if isFault || records > 0 { found.isEmpty = false }
                if !isFault, aborted == 0, end >= 0 {
                    found.ends.insert(Position(topic: topic, partition: partition, offset: end))
                }
            }
        }
        return found
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
