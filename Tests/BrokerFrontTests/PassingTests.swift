import TestKit
import Testing

@Suite("Passing on") struct PassingTests {
    @Test("the front's port stands in the place of the broker's in every answer that names brokers")
    func ownPort() async throws {
        try await withFront { scene in
            let (client, broker) = try scene.connect()
            for (api, version) in [(Int16(3), Int16(0)), (3, 4), (3, 12), (10, 0), (10, 3)] {
                try client.send(Frames.request(api, version, 8))
                _ = try broker.frame()
                try broker.send(Frames.addresses(8, port: scene.listener.port))
                #expect(try client.frame() == Frames.addresses(8, port: scene.port))
            }
            try client.send(Frames.request(Frames.heartbeat, 0, 9))
            _ = try broker.frame()
            let untouched: [UInt8] = Frames.addresses(9, port: scene.listener.port)
            try broker.send(untouched)
            #expect(try client.frame() == untouched)
        }
    }

    @Test("generated frames, readable or not, in pieces of any size arrive as they were sent, both ways")
    func anything() async throws {
        var random = Seeded()
        try await withFront { scene in
            let (client, broker) = try scene.connect()
            for _ in 0..<40 {
                for (from, to) in [(client, broker), (broker, client)] {
                    let frames: [UInt8] = (0..<Int.random(in: 1...5, using: &random)).flatMap { _ in
                        Frames.framed(anyBytes(&random))
                    }
                    var rest: ArraySlice<UInt8> = frames[...]
                    while !rest.isEmpty {
                        let piece: ArraySlice<UInt8> = rest.prefix(Int.random(in: 1...700, using: &random))
                        try from.send(Array(piece))
                        rest = rest.dropFirst(piece.count)
                    }
                    #expect(try to.receive(frames.count) == frames)
                }
            }
        }
    }

    /// Up to 2,000 bytes, often with the header of a request that the front would read.
    private func anyBytes(_ random: inout Seeded) -> [UInt8] {
        let bytes: [UInt8] = (0..<Int.random(in: 0...2000, using: &random)).map { _ in
            UInt8.random(in: 0...255, using: &random)
        }
        guard Bool.random(using: &random) else { return bytes }
        let api: UInt8 = UInt8.random(in: 0...1, using: &random)
        return [0, api, 0, UInt8.random(in: 0...12, using: &random)] + bytes
    }

    @Test("a frame of many megabytes passes whole, both ways")
    func large() async throws {
        let frame: [UInt8] = Frames.framed((0..<5_000_000).map { UInt8(truncatingIfNeeded: $0 / 7) })
        try await withFront { scene in
            let (client, broker) = try scene.connect()
            // The front takes a frame whole before it passes it on, so that nobody has to read meanwhile.
            try client.send(frame)
            #expect(try broker.frame() == frame)
            try broker.send(frame)
            #expect(try client.frame() == frame)
        }
    }

    @Test("a broker whose client does not read is not read either, and nothing is lost")
    func slowClient() async throws {
        try await withFront { scene in
            let (client, broker) = try scene.connect()
            let frame: [UInt8] = Frames.framed([UInt8](repeating: 7, count: 60_000))
            var sent = 0
            while true {
                let taken: Int = broker.sendUntilFull(frame)
                sent += taken
                if taken < frame.count { break }
                try #require(sent < 100 << 20, "the front keeps all it is given")
            }
            let whole: Int = sent / frame.count
            for _ in 0..<whole { #expect(try client.frame() == frame) }
        }
    }

    @Test(
        "who promises a frame that is too long, or of a negative length, is closed",
        arguments: [
            [0x06, 0x40, 0x00, 0x01], [0x7F, 0xFF, 0xFF, 0xFF], [0xFF, 0xFF, 0xFF, 0xFF],
        ] as [[UInt8]])
    func badLength(length: [UInt8]) async throws {
        try await withFront { scene in
            let asking = try scene.connect(), answering = try scene.connect()
            try asking.client.send(length)
            #expect(try asking.client.isEnded())
            #expect(try asking.broker.isEnded())
            try answering.broker.send(length)
            #expect(try answering.client.isEnded())
            #expect(try answering.broker.isEnded())
        }
    }
}

@Suite("Closing") struct ClosingTests {
    private let orders = Frames.Topic(name: "orders")

    @Test("a client that closes closes its connection to the broker, which gets all that was sent before")
    func clientCloses() async throws {
        try await withFront { scene in
            let (client, broker) = try scene.connect()
            let last: [UInt8] = Frames.produce(1, [orders], acks: 0)
            try client.send(last)
            client.end()
            #expect(try broker.frame() == last)
            #expect(try broker.isEnded())
        }
    }

    @Test("a broker that closes closes its client, which gets all that was answered before")
    func brokerCloses() async throws {
        try await withFront { scene in
            let (client, broker) = try scene.connect()
            let answers: [UInt8] = Frames.answer(1) + Frames.answer(2)
            try broker.send(answers)
            broker.end()
            #expect(try client.receive(answers.count) == answers)
            #expect(try client.isEnded())
        }
    }

    @Test("a frame that was begun and not finished is not passed on")
    func unfinished() async throws {
        try await withFront { scene in
            let (client, broker) = try scene.connect()
            try client.send(Array(Frames.answer(1).dropLast()))
            client.endSending()
            #expect(try broker.isEnded())
            #expect(try client.isEnded())
        }
    }

    @Test("a client that closes while its fetch is held leaves nothing that wakes")
    func heldCloses() async throws {
        try await withFront { scene in
            let gone = try scene.connect(), writer = try scene.connect()
            try gone.client.send(Frames.fetch(1, [orders]))
            _ = try gone.broker.frame()
            try gone.broker.send(Frames.fetched(1, [orders]))
            gone.client.end()
            #expect(try gone.broker.isEnded())
            try writer.client.send(Frames.produce(5, [orders]))
            _ = try writer.broker.frame()
            try writer.broker.send(Frames.answer(5))
            #expect(try writer.client.frame() == Frames.answer(5))
        }
    }

    @Test("a client is closed when no broker listens")
    func noBroker() async throws {
        try await withFront { scene in
            let (first, broker) = try scene.connect()
            scene.listener.end()
            let client = try Connection(to: scene.port)
            #expect(try client.isEnded())
            try first.send(Frames.answer(1))
            #expect(try broker.frame() == Frames.answer(1))
        }
    }
}
