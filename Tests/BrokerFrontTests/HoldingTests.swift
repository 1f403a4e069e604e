import Testing

@Suite("Long polling") struct HoldingTests {
    private let orders = Frames.Topic(name: "orders", partitions: 2)
    private let bills = Frames.Topic(name: "bills")

    @Test("an empty fetch is asked again once its topic was produced to, and its client sees only the records")
    func woken() async throws {
        try await withFront { scene in
            let reader = try scene.connect(), writer = try scene.connect()
            let fetch: [UInt8] = Frames.fetch(1, [bills, orders])
            try reader.client.send(fetch)
            #expect(try reader.broker.frame() == fetch)
            try reader.broker.send(Frames.fetched(1, [bills, orders]))

            try writer.client.send(Frames.produce(5, [orders]))
            _ = try writer.broker.frame()
            try writer.broker.send(Frames.answer(5))
            #expect(try writer.client.frame() == Frames.answer(5))

            #expect(try reader.broker.frame() == fetch)
            let found: [UInt8] = Frames.fetched(1, [bills, orders], records: [9, 9, 9])
            try reader.broker.send(found)
            #expect(try reader.client.frame() == found)
        }
    }

    @Test("a fetch is asked again as often as its topics are produced to")
    func wokenAgain() async throws {
        try await withFront { scene in
            let reader = try scene.connect(), writer = try scene.connect()
            let fetch: [UInt8] = Frames.fetch(1, [orders])
            try reader.client.send(fetch)
            for turn in Int32(0)..<20 {
                #expect(try reader.broker.frame() == fetch)
                try reader.broker.send(Frames.fetched(1, [orders]))
                try writer.client.send(Frames.produce(turn, [orders]))
                _ = try writer.broker.frame()
                try writer.broker.send(Frames.answer(turn))
                #expect(try writer.client.frame() == Frames.answer(turn))
            }
        }
    }

    @Test("what is produced between the question and the empty answer is not missed")
    func producedMeanwhile() async throws {
        try await withFront { scene in
            let reader = try scene.connect(), writer = try scene.connect()
            let fetch: [UInt8] = Frames.fetch(1, [orders])
            try reader.client.send(fetch)
            _ = try reader.broker.frame()
            try writer.client.send(Frames.produce(5, [orders]))
            _ = try writer.broker.frame()
            try writer.broker.send(Frames.answer(5))
            #expect(try writer.client.frame() == Frames.answer(5))
            try reader.broker.send(Frames.fetched(1, [orders]))
            #expect(try reader.broker.frame() == fetch)
        }
    }

    @Test("a produce that wants no answer wakes as well, and no answer is waited for")
    func unansweredProduce() async throws {
        try await withFront { scene in
            let reader = try scene.connect(), writer = try scene.connect()
            let fetch: [UInt8] = Frames.fetch(1, [orders])
            try reader.client.send(fetch)
            _ = try reader.broker.frame()
            try reader.broker.send(Frames.fetched(1, [orders]))
            let next: [UInt8] = Frames.request(Frames.heartbeat, 3, 6)
            try writer.client.send(Frames.produce(5, [orders], acks: 0) + next)
            #expect(try writer.broker.frame() == Frames.produce(5, [orders], acks: 0))
            #expect(try writer.broker.frame() == next)
            #expect(try reader.broker.frame() == fetch)
            try writer.broker.send(Frames.answer(6))
            #expect(try writer.client.frame() == Frames.answer(6))
        }
    }

    @Test("only fetches of the topic that was produced to are asked again")
    func otherTopics() async throws {
        try await withFront { scene in
            let other = try scene.connect(), reader = try scene.connect(), writer = try scene.connect()
            for (link, topic) in [(other, bills), (reader, orders)] {
                try link.client.send(Frames.fetch(1, [topic]))
                _ = try link.broker.frame()
                try link.broker.send(Frames.fetched(1, [topic]))
            }
            try writer.client.send(Frames.produce(5, [orders]))
            _ = try writer.broker.frame()
            try writer.broker.send(Frames.answer(5))
            #expect(try reader.broker.frame() == Frames.fetch(1, [orders]))
            let next: [UInt8] = Frames.request(Frames.heartbeat, 3, 2)
            try other.client.send(next)
            #expect(try other.broker.frame() == next)
            #expect(try other.client.frame() == Frames.fetched(1, [bills]))
        }
    }

    @Test("an empty fetch is answered when its time is over, and not before", arguments: [Int16(4), 7, 11])
    func timedOut(version: Int16) async throws {
        try await withFront { scene in
            let (client, broker) = try scene.connect()
            let began = ContinuousClock.now
            try client.send(Frames.fetch(1, [orders], version: version, wait: 150))
            _ = try broker.frame()
            try broker.send(Frames.fetched(1, [orders], version: version))
            #expect(try client.frame() == Frames.fetched(1, [orders], version: version))
            let took: Duration = began.duration(to: .now)
            #expect(took >= .milliseconds(150))
            #expect(took < .seconds(5))
        }
    }

    @Test("each of many held fetches is answered in its own time")
    func manyTimes() async throws {
        try await withFront { scene in
            let links = try (Int32(0)..<30).map { _ in try scene.connect() }
            let waits: [Int32] = links.indices.map { 20 + Int32($0) * 7 % 100 }
            let began = ContinuousClock.now
            for (link, wait) in zip(links, waits) {
                try link.client.send(Frames.fetch(wait, [orders], wait: wait))
                _ = try link.broker.frame()
                try link.broker.send(Frames.fetched(wait, [orders]))
            }
            for (link, wait) in zip(links, waits).sorted(by: { $0.1 < $1.1 }) {
                #expect(try link.client.frame() == Frames.fetched(wait, [orders]))
                #expect(began.duration(to: .now) >= .milliseconds(Int(wait)))
            }
        }
    }

    @Test("a held fetch is answered at once when its client asks something else; answers keep their order")
    func nextRequest() async throws {
        try await withFront { scene in
            let (client, broker) = try scene.connect()
            try client.send(Frames.fetch(1, [orders]))
            _ = try broker.frame()
            try broker.send(Frames.fetched(1, [orders]))
            let next: [UInt8] = Frames.request(Frames.heartbeat, 3, 2)
            try client.send(next)
            #expect(try broker.frame() == next)
            try broker.send(Frames.answer(2))
            #expect(try client.frame() == Frames.fetched(1, [orders]))
            #expect(try client.frame() == Frames.answer(2))
        }
    }

    @Test("an empty fetch is not held when more was asked behind it")
    func askedBehind() async throws {
        try await withFront { scene in
            let (client, broker) = try scene.connect()
            try client.send(Frames.fetch(1, [orders]) + Frames.request(Frames.heartbeat, 3, 2))
            _ = (try broker.frame(), try broker.frame())
            try broker.send(Frames.fetched(1, [orders]))
            #expect(try client.frame() == Frames.fetched(1, [orders]))
            try broker.send(Frames.answer(2))
            #expect(try client.frame() == Frames.answer(2))
        }
    }

    @Test("what was asked before a fetch does not keep it from being held")
    func askedBefore() async throws {
        try await withFront { scene in
            let reader = try scene.connect(), writer = try scene.connect()
            let fetch: [UInt8] = Frames.fetch(2, [orders])
            try reader.client.send(Frames.request(Frames.heartbeat, 3, 1) + fetch)
            _ = (try reader.broker.frame(), try reader.broker.frame())
            try reader.broker.send(Frames.answer(1) + Frames.fetched(2, [orders]))
            #expect(try reader.client.frame() == Frames.answer(1))
            try writer.client.send(Frames.produce(5, [orders]))
            _ = try writer.broker.frame()
            try writer.broker.send(Frames.answer(5))
            #expect(try reader.broker.frame() == fetch)
        }
    }

    @Test("an answer with an error, one of a fetch that does not wait, and one that cannot be read go out at once")
    func notHeld() async throws {
        try await withFront { scene in
            let (client, broker) = try scene.connect()
            let fetch: [UInt8] = Frames.fetch(1, [orders])
            let cases: [(asked: [UInt8], answer: [UInt8])] = [
                (fetch, Frames.fetched(1, [orders], error: 6)),
                (fetch, Frames.fetched(1, [orders], wholeError: 70)),
                (fetch, Frames.answer(1, [0, 0])),
                (fetch, Frames.fetched(77, [orders])),
                (Frames.fetch(1, [orders], wait: 0), Frames.fetched(1, [orders])),
                (Frames.fetch(1, [orders], least: 0), Frames.fetched(1, [orders])),
                (Frames.fetch(1, [orders], epoch: 4), Frames.fetched(1, [orders])),
                (Frames.request(Frames.fetch, 12, 1, [1, 2, 3]), Frames.fetched(1, [orders])),
                (Frames.request(Frames.fetch, 11, 1, [1, 2, 3]), Frames.fetched(1, [orders])),
            ]
            for (asked, answer) in cases {
                try client.send(asked)
                #expect(try broker.frame() == asked)
                try broker.send(answer)
                #expect(try client.frame() == answer)
            }
        }
    }
}
