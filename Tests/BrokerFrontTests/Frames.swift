/// Writes Kafka's frames, as far as the tests need them: https://kafka.apache.org/protocol.
enum Frames {
    static let produce: Int16 = 0
    static let fetch: Int16 = 1
    static let heartbeat: Int16 = 12

    /// A topic of a request or an answer, with so many partitions.
    struct Topic {
        let name: String
        var partitions = 1
        /// Where the first partitions are read from in a request, or end in an answer.
        var offsets: [Int64] = []

        func offset(_ partition: Int32) -> Int64 {
            offsets.indices.contains(Int(partition)) ? offsets[Int(partition)] : 17
        }
    }

    // Requests

    static func request(_ api: Int16, _ version: Int16, _ correlation: Int32, _ body: [UInt8] = []) -> [UInt8] {
        var bytes = Bytes()
        bytes.add(api)
        bytes.add(version)
        bytes.add(correlation)
        bytes.add("client")
        return framed(bytes.all + body)
    }

    static func fetch(
        _ correlation: Int32, _ topics: [Topic], version: Int16 = 11, wait: Int32 = 10_000, least: Int32 = 1,
        epoch: Int32 = -1, forgotten: [Topic] = []
    ) -> [UInt8] {
        var bytes = Bytes()
        bytes.add(Int32(-1))  // replica
        bytes.add(wait)
        bytes.add(least)
        bytes.add(Int32(1 << 20))  // most bytes
        bytes.add(Int8(0))  // isolation
        if version >= 7 {
            bytes.add(Int32(0))  // session
            bytes.add(epoch)
        }
        bytes.add(Int32(topics.count))
        for topic in topics {
            bytes.add(topic.name)
            bytes.add(Int32(topic.partitions))
            for partition in 0..<Int32(topic.partitions) {
                bytes.add(partition)
                if version >= 9 { bytes.add(Int32(3)) }  // leader epoch
                bytes.add(topic.offset(partition))
                if version >= 5 { bytes.add(Int64(-1)) }  // log start
                bytes.add(Int32(1 << 20))  // most bytes
            }
        }
        if version >= 7 {
            bytes.add(Int32(forgotten.count))
            for topic in forgotten {
                bytes.add(topic.name)
                bytes.add(Int32(topic.partitions))
                for partition in 0..<Int32(topic.partitions) { bytes.add(partition) }
            }
        }
        if version >= 11 { bytes.add("rack") }
        return request(fetch, version, correlation, bytes.all)
    }

    static func produce(
        _ correlation: Int32, _ topics: [Topic], version: Int16 = 7, acks: Int16 = -1, records: [UInt8] = [1, 2, 3]
    ) -> [UInt8] {
        var bytes = Bytes()
        bytes.add(Int16(-1))  // transaction
        bytes.add(acks)
        bytes.add(Int32(1000))  // time-out
        bytes.add(Int32(topics.count))
        for topic in topics {
            bytes.add(topic.name)
            bytes.add(Int32(topic.partitions))
            for partition in 0..<Int32(topic.partitions) {
                bytes.add(partition)
                bytes.add(Int32(records.count))
                bytes.all += records
            }
        }
        return request(produce, version, correlation, bytes.all)
    }

    // Answers

    static func answer(_ correlation: Int32, _ body: [UInt8] = []) -> [UInt8] {
        var bytes = Bytes()
        bytes.add(correlation)
        return framed(bytes.all + body)
    }

    static func fetched(
        _ correlation: Int32, _ topics: [Topic], version: Int16 = 11, error: Int16 = 0, records: [UInt8]? = [],
        aborted: Int32 = -1, wholeError: Int16 = 0
    ) -> [UInt8] {
        var bytes = Bytes()
        bytes.add(Int32(0))  // throttle
        if version >= 7 {
            bytes.add(wholeError)
            bytes.add(Int32(0))  // session
        }
        bytes.add(Int32(topics.count))
        for topic in topics {
            bytes.add(topic.name)
            bytes.add(Int32(topic.partitions))
            for partition in 0..<Int32(topic.partitions) {
                let isLast: Bool = partition == Int32(topic.partitions) - 1
                bytes.add(partition)
                bytes.add(isLast ? error : 0)
                bytes.add(topic.offset(partition))  // high watermark
                bytes.add(topic.offset(partition))  // last stable
                if version >= 5 { bytes.add(Int64(0)) }  // log start
                bytes.add(aborted)
                for _ in 0..<max(aborted, 0) * 2 { bytes.add(Int64(1)) }
                if version >= 11 { bytes.add(Int32(-1)) }  // replica
                let held: [UInt8]? = isLast ? records : []
                bytes.add(Int32(held?.count ?? -1))
                bytes.all += held ?? []
            }
        }
        return answer(correlation, bytes.all)
    }

    /// An answer that names a broker on loopback.
    static func addresses(_ correlation: Int32, port: Int) -> [UInt8] {
        var bytes = Bytes()
        bytes.add(Int32(1))
        bytes.add(Int32(1))  // node
        bytes.add("127.0.0.1")
        bytes.add(Int32(port))
        return answer(correlation, bytes.all)
    }

    static func framed(_ body: [UInt8]) -> [UInt8] {
        var bytes = Bytes()
        bytes.add(Int32(body.count))
        return bytes.all + body
    }
}

/// Big-endian numbers and strings with their lengths.
struct Bytes {
    var all: [UInt8] = []

    mutating func add(_ number: some FixedWidthInteger) { withUnsafeBytes(of: number.bigEndian) { all += $0 } }

    mutating func add(_ text: String) {
        add(Int16(text.utf8.count))
        all += text.utf8
    }
}
