import BrokerFront
import TestKit
import Testing

@Suite("Reading Kafka's frames") struct WireTests {
    private static func read(_ frame: some Sequence<UInt8>) -> Request {
        Array(frame).withUnsafeBytes { Request($0) }
    }

    private static func fetched(_ frame: some Sequence<UInt8>, _ version: Int16) -> Answer.Fetched? {
        Array(frame).withUnsafeBytes { Answer.fetched($0, version: version) }
    }

    private static func isEmpty(_ frame: some Sequence<UInt8>, _ version: Int16) -> Bool {
        fetched(frame, version)?.isEmpty ?? false
    }

    private static func positions(_ topics: [Frames.Topic]) -> [Position] {
        topics.flatMap { topic in
            (0..<Int32(topic.partitions)).map { partition in
                Position(topic: Array(topic.name.utf8), partition: partition, offset: topic.offset(partition))
            }
        }
    }

    private static func topics(_ random: inout Seeded) -> [Frames.Topic] {
        (0..<Int.random(in: 1...5, using: &random)).map { _ in
            let name = String(repeating: "ü", count: Int.random(in: 1...124, using: &random))
            let partitions = Int.random(in: 0...4, using: &random)
            let offsets: [Int64] = (0..<partitions).map { _ in .random(in: 0 ... .max, using: &random) }
            return Frames.Topic(name: name, partitions: partitions, offsets: offsets)
        }
    }

    @Test(
        "a fetch of every version that is read says how long it waits, for which topics, and where it reads from",
        arguments: Int16(4)...11)
    func fetch(version: Int16) {
        var random = Seeded()
        for _ in 0..<50 {
            let topics: [Frames.Topic] = Self.topics(&random)
            let correlation: Int32 = .random(in: .min ... .max, using: &random)
            let wait: Int32 = .random(in: 1 ... .max, using: &random)
            let request: Request = Self.read(Frames.fetch(correlation, topics, version: version, wait: wait))
            let names: [[UInt8]] = topics.map { Array($0.name.utf8) }
            #expect(request.correlation == correlation)
            let kind: Request.Kind = .fetch(
                version: version, waitMilliseconds: wait, topics: names, positions: Self.positions(topics))
            #expect(request.kind == kind)
        }
    }

    @Test(
        "a produce of every version that is read names its topics and says whether it wants an answer",
        arguments: Int16(3)...8)
    func produce(version: Int16) {
        var random = Seeded()
        for _ in 0..<50 {
            let topics: [Frames.Topic] = Self.topics(&random)
            let acks: Int16 = .random(in: -1...1, using: &random)
            let records = [UInt8](repeating: 5, count: Int.random(in: 0...100, using: &random))
            let request: Request = Self.read(
                Frames.produce(3, topics, version: version, acks: acks, records: records))
            let names: [[UInt8]] = topics.map { Array($0.name.utf8) }
            #expect(request.correlation == 3)
            #expect(request.kind == .produce(topics: names, isAnswered: acks != 0))
        }
    }

    @Test("what wants no waiting, what is of another version and what is something else means nothing")
    func other() {
        let topics = [Frames.Topic(name: "orders")]
        #expect(Self.read(Frames.fetch(1, topics, wait: 0)).kind == .other)
        #expect(Self.read(Frames.fetch(1, topics, wait: -1)).kind == .other)
        #expect(Self.read(Frames.fetch(1, topics, least: 0)).kind == .other)
        #expect(Self.read(Frames.fetch(1, topics, epoch: 1)).kind == .other)
        #expect(Self.read(Frames.fetch(1, topics, epoch: 0)).kind != .other)
        for version in [Int16(0), 3, 12, 13, -1, .max] {
            #expect(Self.read(Frames.fetch(1, topics, version: version)).kind == .other)
        }
        for version in [Int16(0), 2, 9, 12, -1] {
            #expect(Self.read(Frames.produce(1, topics, version: version)).kind == .other)
        }
        for api in [Int16(2), 4, 8, 9, 11, 12, 18, 22, -1, .max] {
            #expect(Self.read(Frames.request(api, 5, 1, [0, 0, 0, 0])).kind == .other)
        }
        for version in Int16(0)...13 {
            #expect(Self.read(Frames.request(3, version, 1)).kind == .addresses)
            #expect(Self.read(Frames.request(10, version, 1)).kind == .addresses)
        }
    }

    @Test("a request that ends anywhere before its end is not read as another one")
    func truncatedRequests() {
        let topics = [Frames.Topic(name: "orders", partitions: 2), Frames.Topic(name: "bills")]
        for version in Int16(4)...11 {
            let whole: [UInt8] = Frames.fetch(1, topics, version: version)
            let behind: Int = (version >= 7 ? 4 : 0) + (version >= 11 ? 6 : 0)
            for size in 0..<whole.count - behind {
                #expect(Self.read(whole.prefix(size)).kind == .other, "version \(version), \(size) bytes")
            }
        }
        for version in Int16(3)...8 {
            let whole: [UInt8] = Frames.produce(1, topics, version: version)
            for size in whole.indices {
                #expect(Self.read(whole.prefix(size)).kind == .other, "version \(version), \(size) bytes")
            }
        }
    }

    @Test("a name that is longer than Kafka allows makes a request unreadable")
    func longNames() {
        let allowed = [Frames.Topic(name: String(repeating: "a", count: 249))]
        let long = [Frames.Topic(name: String(repeating: "a", count: 250))]
        #expect(Self.read(Frames.fetch(1, allowed)).kind != .other)
        #expect(Self.read(Frames.fetch(1, long)).kind == .other)
        #expect(Self.read(Frames.produce(1, allowed)).kind != .other)
        #expect(Self.read(Frames.produce(1, long)).kind == .other)
    }

    @Test("an answer without a record and without an error is empty, in every version", arguments: Int16(4)...11)
    func emptyAnswers(version: Int16) {
        var random = Seeded()
        for _ in 0..<30 {
            let topics: [Frames.Topic] = Self.topics(&random) + [Frames.Topic(name: "orders", partitions: 3)]
            let aborted = Int32.random(in: -1...3, using: &random)
            func answer(error: Int16 = 0, records: [UInt8]? = []) -> [UInt8] {
                Frames.fetched(1, topics, version: version, error: error, records: records, aborted: aborted)
            }
            let empty: [UInt8] = answer()
            #expect(Self.isEmpty(empty, version))
            #expect(Self.isEmpty(answer(records: nil), version))
            #expect(!Self.isEmpty(answer(error: 3), version))
            #expect(!Self.isEmpty(answer(error: -1), version))
            #expect(!Self.isEmpty(answer(records: [1]), version))
            let size = Int.random(in: 0..<empty.count, using: &random)
            #expect(!Self.isEmpty(empty.prefix(size), version), "\(size) bytes")
        }
        #expect(Self.isEmpty(Frames.fetched(1, [], version: version), version))
        if version >= 7 {
            #expect(!Self.isEmpty(Frames.fetched(1, [], version: version, wholeError: 70), version))
        }
    }

    @Test(
        "an answer says where its partitions end, but for those with a fault or without a known end",
        arguments: Int16(4)...11)
    func ends(version: Int16) {
        var random = Seeded()
        let known = Frames.Topic(name: "orders", partitions: 3, offsets: [0, 40, .max])
        for _ in 0..<30 {
            let topics: [Frames.Topic] = Self.topics(&random) + [known]
            for records: [UInt8] in [[], [1, 2, 3]] {
                let whole: [UInt8] = Frames.fetched(1, topics, version: version, records: records)
                #expect(Self.fetched(whole, version)?.ends == Set(Self.positions(topics)))
            }
        }
        let faulty: [UInt8] = Frames.fetched(1, [known], version: version, error: 6)
        #expect(Self.fetched(faulty, version)?.ends == Set(Self.positions([known]).prefix(2)))
        let aborted: [UInt8] = Frames.fetched(1, [known], version: version, aborted: 1)
        #expect(Self.fetched(aborted, version)?.ends.isEmpty == true)
        let unknown = Frames.Topic(name: "orders", partitions: 2, offsets: [17, -1])
        let half: [UInt8] = Frames.fetched(1, [unknown], version: version)
        #expect(Self.fetched(half, version)?.ends == Set(Self.positions([unknown]).prefix(1)))
        let refused: [UInt8] = Frames.fetched(1, [known], version: version, wholeError: 70)
        if version >= 7 { #expect(Self.fetched(refused, version)?.ends.isEmpty == true) }
    }

    @Test("an answer that ends anywhere before its end is not empty", arguments: Int16(4)...11)
    func truncatedAnswers(version: Int16) {
        let topics = [Frames.Topic(name: "orders", partitions: 2), Frames.Topic(name: "bills")]
        let whole: [UInt8] = Frames.fetched(1, topics, version: version, aborted: 1)
        for size in whole.indices { #expect(!Self.isEmpty(whole.prefix(size), version), "\(size) bytes") }
    }

    @Test("frames of generated bytes, and readable ones with a byte changed, are read without harm")
    func generated() {
        var random = Seeded()
        let topics = [Frames.Topic(name: "orders", partitions: 2), Frames.Topic(name: "bills")]
        for _ in 0..<20_000 {
            let version = Int16.random(in: 3...11, using: &random)
            var frame: [UInt8] =
                switch Int.random(in: 0...3, using: &random) {
                case 0: Frames.fetch(1, topics, version: version)
                case 1: Frames.produce(1, topics, version: version)
                case 2: Frames.fetched(1, topics, version: version)
                default:
                    Frames.framed(
                        (0..<Int.random(in: 0...60, using: &random)).map { _ in
                            UInt8.random(in: 0...255, using: &random)
                        })
                }
            frame[Int.random(in: frame.indices, using: &random)] = UInt8.random(in: 0...255, using: &random)
            _ = Self.read(frame)
            _ = Self.isEmpty(frame, version)
        }
    }

    @Test("a port is replaced behind its host, wherever it stands, and nothing else is")
    func ports() {
        func replaced(_ body: [UInt8]) -> [UInt8] {
            var frame: [UInt8] = Frames.framed(body)
            frame.withUnsafeMutableBytes { Answer.replacePort(7093, with: 7092, of: "127.0.0.1", in: $0) }
            return Array(frame.dropFirst(4))
        }
        func broker(_ host: String, _ port: Int32) -> [UInt8] {
            var bytes = Bytes()
            bytes.add(host)
            bytes.add(port)
            return bytes.all
        }
        #expect(replaced(broker("127.0.0.1", 7093)) == broker("127.0.0.1", 7092))
        let two: [UInt8] = broker("127.0.0.1", 7093) + broker("127.0.0.1", 7093)
        #expect(replaced(two) == broker("127.0.0.1", 7092) + broker("127.0.0.1", 7092))
        for untouched in [broker("127.0.0.1", 7094), broker("127.0.0.2", 7093), [], Array(two.prefix(14))] {
            #expect(replaced(untouched) == untouched)
        }
    }
}
