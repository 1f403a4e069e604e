/// A place in a partition: where a fetch reads from, or where the partition ends.
package struct Position: Hashable {
    private let topic: [UInt8]
    private let partition: Int32
    private let offset: Int64

    /// - Parameters:
    ///   - topic: Its name, in UTF-8.
    ///   - partition: Its number in the topic.
    ///   - offset: Of the next record.
    package init(topic: [UInt8], partition: Int32, offset: Int64) {
        (self.topic, self.partition, self.offset) = (topic, partition, offset)
    }
}

/// What the front understands of a client's request. The layouts are those of https://kafka.apache.org/protocol, as far as
/// they are needed.
package struct Request: Equatable {
    /// What the request means to the front.
    package enum Kind: Equatable {
        /// A fetch that may be answered late; without positions where it does not say all that it reads from.
        case fetch(version: Int16, waitMilliseconds: Int32, topics: [[UInt8]], positions: [Position])
        /// Records for these topics.
        case produce(topics: [[UInt8]], isAnswered: Bool)
        /// The answer says where brokers are.
        case addresses
        /// Nothing: it is passed on as it is.
        case other
    }

    /// Comes back in the answer.
    package let correlation: Int32
    /// What it means.
    package let kind: Kind

    /// Reads a frame with its length; what has no header has no meaning either, and no answer that could be told.
    package init(_ frame: UnsafeRawBufferPointer) {
        var reader = FrameReader(frame)
        do {
            let (api, version) = (try reader.number(Int16.self), try reader.number(Int16.self))
            correlation = try reader.number(Int32.self)
            kind = (try? Self.kind(api, version, &reader)) ?? .other
        } catch {
            (correlation, kind) = (0, .other)
        }
    }

    private static func kind(
        _ api: Int16, _ version: Int16, _ reader: inout FrameReader
    ) throws(Unreadable) -> Kind {
        switch (api, version) {
        case (0, 3...8): try produce(&reader)
        case (1, 4...11): try fetch(version, &reader)
        case (3, _), (10, _): .addresses
        default: .other
        }
    }

    private static func produce(_ reader: inout FrameReader) throws(Unreadable) -> Kind {
        try reader.skipString()  // client
        try reader.skipString()  // transaction
        let isAnswered: Bool = try reader.number(Int16.self) != 0
        try reader.skip(4)  // time-out
        var topics: [[UInt8]] = []
        for _ in 0..<(try reader.count()) {
            topics.append(try reader.topic())
            for _ in 0..<(try reader.count()) {
                try reader.skip(4)  // partition
                try reader.skip(try reader.count())  // records
            }
        }
        return .produce(topics: topics, isAnswered: isAnswered)
    }

    /// One that wants an answer at once is not held, nor one that only names what has changed since its session's last.
    private static func fetch(_ version: Int16, _ reader: inout FrameReader) throws(Unreadable) -> Kind {
        try reader.skipString()  // client
        try reader.skip(4)  // replica
        let wait: Int32 = try reader.number(Int32.self)
        let least: Int32 = try reader.number(Int32.self)
        try reader.skip(4 + 1)  // most bytes, isolation
        if version >= 7 {
            try reader.skip(4)  // session
            guard try reader.number(Int32.self) <= 0 else { return .other }
        }
        guard wait > 0, least > 0 else { return .other }
        var topics: [[UInt8]] = []
        var positions: [Position] = []
        for _ in 0..<(try reader.count()) {
            let topic: [UInt8] = try reader.topic()
            topics.append(topic)
            for _ in 0..<(try reader.count()) {
                let partition: Int32 = try reader.number(Int32.self)
                if version >= 9 { try reader.skip(4) }  // leader epoch
                let offset: Int64 = try reader.number(Int64.self)
                try reader.skip(4 + (version >= 5 ? 8 : 0))  // log start, most bytes
                positions.append(Position(topic: topic, partition: partition, offset: offset))
            }
        }
        if version >= 7, try reader.count() > 0 { positions = [] }  // it forgets topics: a session knows of others
        return .fetch(version: version, waitMilliseconds: wait, topics: topics, positions: positions)
    }
}
