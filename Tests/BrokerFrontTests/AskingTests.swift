import Testing

@Suite("Asking only where something may be found") struct AskingTests {
    private typealias Link = (client: Connection, broker: Connection)

    private let bills = Frames.Topic(name: "bills")

    /// A topic with a partition for each offset: where it is read from, or where it ends.
    private func orders(_ offsets: Int64...) -> Frames.Topic {
        Frames.Topic(name: "orders", partitions: offsets.count, offsets: offsets)
    }

    /// The client has asked, and is told with some records that its partitions end there.
    private func tell(_ link: Link, _ ends: [Frames.Topic], version: Int16 = 11) throws {
        let found: [UInt8] = Frames.fetched(1, ends, version: version, records: [9, 9, 9])
        try link.client.send(Frames.fetch(1, ends, version: version))
        _ = try link.broker.frame()
        try link.broker.send(found)
        #expect(try link.client.frame() == found)
    }

    /// Something is produced to the topic, and its producer is told so.
    private func produce(_ topic: Frames.Topic, _ writer: Link) throws {
        try writer.client.send(Frames.produce(5, [topic]))
        _ = try writer.broker.frame()
        try writer.broker.send(Frames.answer(5))
        #expect(try writer.client.frame() == Frames.answer(5))
    }

    @Test("the broker is asked once for each delivery, and never in vain")
    func once() async throws {
        try await withFront { scene in
            let reader = try scene.connect(), writer = try scene.connect()
            try tell(reader, [orders(18), bills])
            for end in Int64(18)..<38 {
                // Clients take turns at which partition they name first.
                let fetch: [UInt8] = Frames.fetch(Int32(end), [bills, orders(end)], wait: 60_000)
                try reader.client.send(fetch)
                try writer.client.send(Frames.produce(5, [orders(17)]))
                _ = try writer.broker.frame()
                #expect(reader.broker.isSilent)
                try writer.broker.send(Frames.answer(5))
                #expect(try writer.client.frame() == Frames.answer(5))
                #expect(try reader.broker.frame() == fetch)
                let found: [UInt8] = Frames.fetched(Int32(end), [orders(end + 1), bills], records: [9])
                try reader.broker.send(found)
                #expect(try reader.client.frame() == found)
            }
        }
    }

    @Test(
        "a held fetch is asked when its time is over, and not before; what the broker then says is not held",
        arguments: [Int16(4), 7, 11])
    func timedOut(version: Int16) async throws {
        try await withFront { scene in
            let (client, broker) = try scene.connect()
            try tell((client, broker), [orders(18)], version: version)
            for turn in Int32(2)..<4 {
                let fetch: [UInt8] = Frames.fetch(turn, [orders(18)], version: version, wait: 150)
                let began = ContinuousClock.now
                try client.send(fetch)
                #expect(try broker.frame() == fetch)
                #expect(began.duration(to: .now) >= .milliseconds(150))
                let empty: [UInt8] = Frames.fetched(turn, [orders(18)], version: version)
                try broker.send(empty)
                #expect(try client.frame() == empty)
            }
        }
    }

    @Test("a held fetch that finds nothing although something was produced is held on, and asked again")
    func heldOn() async throws {
        try await withFront { scene in
            let reader = try scene.connect(), writer = try scene.connect()
            try tell(reader, [orders(18), bills])
            let fetch: [UInt8] = Frames.fetch(2, [orders(18), bills], wait: 60_000)
            try reader.client.send(fetch)
            for topic in [bills, orders(17), bills] {
                try produce(topic, writer)
                #expect(try reader.broker.frame() == fetch)
                try reader.broker.send(Frames.fetched(2, [orders(18), bills]))
            }
        }
    }

    @Test("where something was produced after the last answer, or while it was on its way, the broker is asked at once")
    func producedMeanwhile() async throws {
        try await withFront { scene in
            let reader = try scene.connect(), writer = try scene.connect()
            try tell(reader, [orders(18)])
            try produce(orders(17), writer)
            let after: [UInt8] = Frames.fetch(2, [orders(18)], wait: 60_000)
            try reader.client.send(after)
            #expect(try reader.broker.frame() == after)

            try produce(orders(17), writer)
            let found: [UInt8] = Frames.fetched(2, [orders(19)], records: [9])
            try reader.broker.send(found)
            #expect(try reader.client.frame() == found)
            let next: [UInt8] = Frames.fetch(3, [orders(19)], wait: 60_000)
            try reader.client.send(next)
            #expect(try reader.broker.frame() == next)
        }
    }

    @Test("a fetch of anything but the ends that the last answer told of is asked at once")
    func elsewhere() async throws {
        let told: [UInt8] = Frames.fetched(1, [orders(18, 18)], records: [9])
        func asking(_ topics: Frames.Topic...) -> [UInt8] { Frames.fetch(2, topics, wait: 60_000) }
        let cases: [(answer: [UInt8], next: [UInt8])] = [
            (told, asking(orders(18, 17))),
            (told, asking(orders(18, 19))),
            (told, asking(orders(18, 18, 18))),
            (told, asking(orders(18, 18), bills)),
            (told, asking()),
            (told, Frames.fetch(2, [orders(18, 18)], wait: 60_000, forgotten: [bills])),
            (told, Frames.fetch(2, [orders(18, 18)], wait: 0)),
            (told, Frames.fetch(2, [orders(18, 18)], wait: 60_000, least: 0)),
            (told, Frames.fetch(2, [orders(18, 18)], wait: 60_000, epoch: 4)),
            (told, Frames.request(Frames.fetch, 12, 2, [1, 2, 3])),
            (Frames.fetched(1, [orders(18, 18)], error: 1), asking(orders(18, 18))),
            (Frames.fetched(1, [orders(18, 18)], wholeError: 70), asking(orders(18, 18))),
            (Frames.fetched(1, [orders(18, 18)], records: [9], aborted: 1), asking(orders(18, 18))),
            (Frames.fetched(1, [orders(18, -1)], records: [9]), asking(orders(18, -1))),
            (Frames.answer(1, [0, 0]), asking(orders(18, 18))),
        ]
        try await withFront { scene in
            for (answer, next) in cases {
                let (client, broker) = try scene.connect()
                try client.send(Frames.fetch(1, [orders(17, 17)]))
                _ = try broker.frame()
                try broker.send(answer)
                #expect(try client.frame() == answer)
                try client.send(next)
                #expect(try broker.frame() == next)
            }
        }
    }

    @Test("what an answer told of no longer counts once its fetch is asked again")
    func askedAgain() async throws {
        try await withFront { scene in
            let reader = try scene.connect(), writer = try scene.connect()
            let fetch: [UInt8] = Frames.fetch(1, [orders(17)])
            try reader.client.send(fetch)
            _ = try reader.broker.frame()
            try reader.broker.send(Frames.fetched(1, [orders(17)]))
            try produce(orders(17), writer)
            #expect(try reader.broker.frame() == fetch)
            let next: [UInt8] = Frames.fetch(2, [orders(17)], wait: 60_000)
            try reader.client.send(next)
            #expect(try reader.broker.frame() == next)
        }
    }

    @Test("a held fetch is asked at once when its client asks something else; requests and answers keep their order")
    func nextRequest() async throws {
        try await withFront { scene in
            let fetch: [UInt8] = Frames.fetch(2, [orders(18)], wait: 60_000)
            let next: [UInt8] = Frames.request(Frames.heartbeat, 3, 3)
            for writes in [[fetch, next], [fetch + next]] {
                let (client, broker) = try scene.connect()
                try tell((client, broker), [orders(18)])
                for write in writes { try client.send(write) }
                #expect(try broker.frame() == fetch)
                #expect(try broker.frame() == next)
                let empty: [UInt8] = Frames.fetched(2, [orders(18)])
                try broker.send(empty + Frames.answer(3))
                #expect(try client.frame() == empty)
                #expect(try client.frame() == Frames.answer(3))
            }
        }
    }

    @Test("a client that closes while its fetch is held leaves nothing that wakes or is asked")
    func clientCloses() async throws {
        try await withFront { scene in
            let gone = try scene.connect(), writer = try scene.connect()
            try tell(gone, [orders(18)])
            try gone.client.send(Frames.fetch(2, [orders(18)]))
            gone.client.end()
            #expect(try gone.broker.isEnded())
            try produce(orders(17), writer)
        }
    }

    @Test("a broker that closes while a fetch is held closes its client; of one that comes back nothing is known yet")
    func brokerCloses() async throws {
        try await withFront { scene in
            let (client, broker) = try scene.connect()
            try tell((client, broker), [orders(18)])
            let fetch: [UInt8] = Frames.fetch(2, [orders(18)], wait: 60_000)
            try client.send(fetch)
            broker.end()
            #expect(try client.isEnded())

            let again = try scene.connect()
            try again.client.send(fetch)
            #expect(try again.broker.frame() == fetch)
        }
    }
}
