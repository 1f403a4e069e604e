import Kafka
import Messaging
import Postgres
import Testing

@Suite("Messages that can never work") struct ParkingTests {
    @Test("a refused event is parked once with its reason, and the rest of its batch and key goes on")
    func refused() async throws {
        try await withMessaging { world in
            world.recorder.refuse("bad", "unknown invoice")
            let bad: KafkaMessage = Message.created("bad", key: "a")
            await world.handle(Message.created("a1", key: "a"), bad, Message.created("a2", key: "a"))
            await world.handle(bad)
            #expect(try await world.effects() == ["a1", "a2"])
            let parked: [ParkingLot.Entry] = try await world.parked()
            #expect(parked.map(\.reason) == ["unknown invoice"])
            #expect(parked[0].body == bad.value && parked[0].key == "a" && parked[0].eventID == bad.headers["ce_id"])
            #expect(
                try await world.texts("SELECT topic || ' ' || type FROM outbox")
                    == ["refrain.customers.parked message.parked.v1"])
        }
    }

    /// What nobody can handle, with a word that its reason must contain.
    static let hostile: [(KafkaMessage, String)] = [
        (Message.raw([:], [0xff, 0xfe]), "ce_id"),
        (Message.raw(Message.headers(id: "not an id"), Array("{}".utf8)), "ce_id"),
        (Message.raw(Message.headers().merging(["ce_specversion": "0.3"]) { $1 }, []), "ce_specversion"),
        (Message.raw(Message.headers().merging(["ce_time": "0000-01-01T00:00:00Z"]) { $1 }, []), "ce_time"),
        (Message.raw(Message.headers(), key: nil, Array("{}".utf8)), "key"),
        (Message.raw(Message.headers(type: "customer.exploded.v9"), Array("{}".utf8)), "customer.exploded.v9"),
        (Message.raw(Message.headers(type: "a\u{0}b"), Array("{}".utf8)), "a␀b"),
        (Message.raw(Message.headers(), key: "a\u{0}b", Array("{}".utf8)), "NUL"),
        (Message.raw(Message.headers().merging(["traceparent": "\u{0}"]) { $1 }, Array("{}".utf8)), "NUL"),
        (Message.raw(Message.headers(), key: String(repeating: "k", count: 9_000), Array("{}".utf8)), "512"),
        (Message.raw(Message.headers(), [0xc3, 0x28]), "UTF-8"),
        (Message.raw(Message.headers(), Array("{\"name\":\"\u{0}\"}".utf8)), "NUL"),
        (Message.raw(Message.headers(), Array("{broken".utf8)), "body"),
        (Message.raw(Message.headers(), Array("{}".utf8)), "customer_id"),
        (Message.raw(Message.headers(), Array("{\"customer_id\": 7}".utf8)), "customer_id"),
        (Message.raw(Message.headers(), []), "body"),
    ]

    @Test("each is parked once with its reason, alone and among others", .timeLimit(.minutes(1)))
    func malformed() async throws {
        try await withMessaging { world in
            for (number, (message, word)) in Self.hostile.enumerated() {
                await world.handle(Message.created("before\(number)"), message, Message.created("after\(number)"))
                let last: ParkingLot.Entry? = try await world.parked().last
                #expect(last?.reason.contains(word) == true, "\(word): \(last?.reason ?? "not parked")")
                #expect(last?.body == message.value)
            }
            #expect(try await world.effects().count == 2 * Self.hostile.count)
            let parked: Int = try await world.parked().count
            #expect(parked == Self.hostile.count)
            await world.dispatcher.handle(Self.hostile.map(\.0))
            for (message, _) in Self.hostile { await world.handle(message) }
            #expect(try await world.parked().count == parked, "redelivery does not park twice")
            #expect(try await world.count("SELECT count(*) FROM outbox") == parked)
            #expect(try await world.waiting().isEmpty)
        }
    }

    @Test("a notice fits into a record whatever was parked: it says that its body is cut, and the table has all of it")
    func large() async throws {
        try await withMessaging { world in
            // Six bytes each, once they are written as JSON; two, so that the cut falls into one.
            let hostile: [[UInt8]] = [
                [UInt8](repeating: 1, count: 900_000), Array(("e" + String(repeating: "é", count: 400_000)).utf8),
            ]
            for body in hostile {
                let headers: [String: String] = Message.headers(type: String(repeating: "t", count: 200_000))
                    .merging(["traceparent": String(repeating: "\u{2}", count: 100_000)]) { $1 }
                await world.handle(Message.raw(headers, key: String(repeating: "k", count: 300_000), body))
                #expect(try await world.parked().last?.body == body)
            }
            let sizes: [String] = try await world.texts(
                "SELECT 'large' FROM outbox WHERE octet_length(body) + octet_length(key) + octet_length(traceparent) > 500000"
            )
            #expect(sizes.isEmpty)
            #expect(
                try await world.texts("SELECT body::jsonb->>'body_bytes' FROM outbox ORDER BY seq") == [
                    "900000", "800001",
                ])
            let cut: [String] = try await world.texts(
                "SELECT octet_length(body::jsonb->>'body')::text FROM outbox ORDER BY seq")
            #expect(cut == ["65536", "65535"])
            await world.handle(Message.raw(Message.headers(), Array("{broken".utf8)))
            #expect(
                try await world.texts(
                    "SELECT coalesce(body::jsonb->>'body_bytes', 'whole') FROM outbox ORDER BY seq DESC LIMIT 1")
                    == ["whole"])
        }
    }

    @Test("an event that was put off and from which too large a one follows is parked by the loop; its key goes on")
    func tooLargeLater() async throws {
        try await withMessaging { world in
            world.recorder.fail("big")
            await world.handle(Message.created("big", key: "a"), Message.created("a1", key: "a"))
            #expect(try await world.waiting().count == 2)
            world.recorder.heal()
            world.recorder.bloat("big")
            try await world.retryNow()
            let parked: [ParkingLot.Entry] = try await world.parked()
            #expect(parked.count == 1 && parked[0].reason.contains("larger than the \(Outbox.sizeLimit)"))
            #expect(try await world.effects() == ["a1"])
            #expect(try await world.waiting().isEmpty)
            #expect(try await world.count("SELECT count(*) FROM outbox") == 1, "the notice, and nothing of the effect")
        }
    }

    @Test("a malformed message behind a waiting key is parked, not queued") func behindWaiting() async throws {
        try await withMessaging { world in
            world.recorder.fail("bad")
            await world.handle(Message.created("bad"))
            await world.handle(Message.raw(Message.headers(), Array("{\u{0}".utf8)), Message.created("next"))
            let parked: [ParkingLot.Entry] = try await world.parked()
            #expect(parked.count == 1)
            #expect(try await world.waiting().count == 2)
        }
    }

    @Test("a parked event can be handed back, behind what waits for its key, and is then handled once")
    func requeue() async throws {
        try await withMessaging { world in
            world.recorder.refuse("bad", "no such plan")
            let bad: KafkaMessage = Message.created("bad", key: "a")
            await world.handle(bad)
            world.recorder.heal()
            let id: Int64 = try await world.parked()[0].id
            #expect(try await world.database.transaction { db in try ParkingLot.requeue(id, in: db) })
            #expect(try await world.database.transaction { db in try ParkingLot.requeue(id, in: db) } == false)
            await world.handle(bad, Message.created("later", key: "a"))
            #expect(try await world.effects().isEmpty, "it waits for the loop, and its key behind it")
            try await world.retryNow()
            await world.handle(bad)
            #expect(try await world.effects() == ["bad", "later"])
            #expect(try await world.parked().isEmpty)
        }
    }

    @Test("an event that is requeued and refused again is parked again") func refusedAgain() async throws {
        try await withMessaging { world in
            world.recorder.refuse("bad", "first")
            await world.handle(Message.created("bad"))
            for reason in ["second", "third"] {
                let id: Int64 = try await world.parked()[0].id
                world.recorder.refuse("bad", reason)
                #expect(try await world.database.transaction { db in try ParkingLot.requeue(id, in: db) })
                try await world.retryNow()
                #expect(try await world.parked().map(\.reason) == [reason])
                #expect(try await world.waiting().isEmpty)
            }
            #expect(try await world.effects().isEmpty)
        }
    }

    @Test("an unknown type that is requeued while still unknown is parked again, not dropped") func unknownAgain()
        async throws
    {
        try await withMessaging { world in
            await world.handle(Message.raw(Message.headers(type: "customer.exploded.v9"), Array("{}".utf8)))
            for _ in 0..<2 {
                let id: Int64 = try await world.parked()[0].id
                #expect(try await world.database.transaction { db in try ParkingLot.requeue(id, in: db) })
                try await world.retryNow()
                #expect(try await world.parked().map(\.reason) == ["unknown event type customer.exploded.v9"])
            }
        }
    }

    /// Parks deliveries of an event whose type is not known yet; a further one is handled by somebody who knows it.
    private func handledMeanwhile(_ world: MessagingWorld, places: Int) async throws {
        let known: KafkaMessage = Message.created("once")
        let headers: [String: String] = known.headers.merging(["ce_type": "customer.exploded.v9"]) { $1 }
        for _ in 0..<places { await world.handle(Message.raw(headers, known.value)) }
        await world.handle(known)
        #expect(try await world.parked().count == places)
    }

    @Test("an unknown type that was handled as another delivery is requeued without a second effect", arguments: 1...2)
    func handledElsewhere(places: Int) async throws {
        try await withMessaging { world in
            try await handledMeanwhile(world, places: places)
            // What an upgrade does to the catalogue.
            try await world.execute("UPDATE parked_events SET type = 'customer.created.v1'")
            for entry in try await world.parked() {
                #expect(try await world.database.transaction { db in try ParkingLot.requeue(entry.id, in: db) })
            }
            try await world.retryNow()
            #expect(try await world.effects() == ["once"])
            #expect(try await world.parked().isEmpty)
            #expect(try await world.waiting().isEmpty)
        }
    }

    @Test("one that was handled and is requeued while its type is still unknown here is not parked as one that is not")
    func handledElsewhereTooEarly() async throws {
        try await withMessaging { world in
            try await handledMeanwhile(world, places: 1)
            let id: Int64 = try await world.parked()[0].id
            #expect(try await world.database.transaction { db in try ParkingLot.requeue(id, in: db) })
            try await world.retryNow()
            #expect(try await world.effects() == ["once"])
            #expect(try await world.parked().isEmpty)
            #expect(try await world.waiting().isEmpty)
        }
    }

    @Test("what cannot be read can only be discarded, and what is discarded stays so") func discard() async throws {
        try await withMessaging { world in
            world.recorder.refuse("bad", "never")
            let bad: KafkaMessage = Message.created("bad")
            let unreadable: KafkaMessage = Message.raw(Message.headers(), [0xff])
            await world.handle(bad, unreadable, Message.raw([:], []))
            let entries: [ParkingLot.Entry] = try await world.parked()
            #expect(entries.count == 3)
            for entry in entries where entry.eventID != bad.headers["ce_id"] {
                #expect(
                    try await world.database.transaction { db in try ParkingLot.requeue(entry.id, in: db) } == false)
            }
            #expect(try await world.parked().count == 3)
            for entry in entries {
                #expect(try await world.database.transaction { db in try ParkingLot.discard(entry.id, in: db) })
                #expect(
                    try await world.database.transaction { db in try ParkingLot.discard(entry.id, in: db) } == false)
                #expect(try await world.database.transaction { db in try ParkingLot.show(entry.id, in: db) } == nil)
            }
            await world.handle(bad, unreadable)
            #expect(try await world.parked().isEmpty)
            #expect(try await world.effects().isEmpty)
        }
    }

    @Test("what comes from nobody is not counted as handled, however often it is delivered", arguments: [true, false])
    func foreign(isForeign: Bool) async throws {
        try await withMessaging { world in
            world.recorder.refuse("bad", "never")
            let bad: KafkaMessage = Message.created("bad")
            await world.handle(bad, Message.created("good"))
            #expect(try await world.count("SELECT count(*) FROM inbox") == 2)
            let id: Int64 = try await world.parked()[0].id
            #expect(
                try await world.database.transaction { db in try ParkingLot.discard(id, isForeign: isForeign, in: db) })
            await world.handle(bad)
            #expect(try await world.count("SELECT count(*) FROM inbox") == (isForeign ? 1 : 2))
            #expect(try await world.parked().isEmpty)
            #expect(try await world.effects() == ["good"])
        }
    }
}
