import BillingCore
import BillingEvents
import JSON
import Kafka
import Messaging
import Postgres
import TestKit
import Testing

@Suite("Events from which one follows that no broker takes", .serialized) struct OversizeEffectTests {
    /// Publishes events of customers through the relay, in order, in one transaction.
    private static func publish(_ names: [(key: String, name: String)], on stage: Stage) async throws {
        let topic: String = stage.topic
        let bodies: [String] = names.map { event in
            encodeString(
                CustomerCreatedV1(
                    customerID: .new(at: MessagingWorld.start), email: "e", name: event.name, country: "GB",
                    timeZone: "UTC"))
        }
        let ids: [String] = names.map { _ in EventID.new(at: MessagingWorld.start).rawValue }
        try await stage.world.database.transaction { db in
            _ = try db.execute(
                """
                INSERT INTO outbox (id, type, topic, key, time, body)
                SELECT id, \(CustomerCreatedV1.type), \(topic), key, now(), body
                FROM unnest(\(ids)::text[], \(names.map(\.key))::text[], \(bodies)::text[])
                    WITH ORDINALITY AS e(id, key, body, position) ORDER BY position
                """)
            Outbox.wakeOnCommit(db)
        }
    }

    @Test("it is parked at once with its reason, told of, and not tried again; its own key and the others go on")
    func parked() async throws {
        try await withStage { stage in
            let world: MessagingWorld = stage.world
            let configuration: KafkaConfiguration = try TestBroker.configuration()
            try await KafkaAdmin(configuration).ensureTopics([stage.topic + ".parked"], partitions: 1)
            let notices = try Reader(stage.topic + ".parked")
            let consumer = KafkaConsumer(
                configuration, group: TestBroker.uniqueName("group"), instance: TestBroker.uniqueName("i"),
                topics: [stage.topic]
            ) { batch in await world.dispatcher.handle(batch) }
            try consumer.start()
            let relay: OutboxRelay = stage.relay()
            world.recorder.bloat("big")
            try await Self.publish([("a", "a1"), ("a", "big"), ("a", "a2"), ("b", "b1")], on: stage)
            try await eventually(within: .seconds(30), "the others are handled") {
                try await world.effects().count == 3
            }
            try await eventually(within: .seconds(30), "the notice arrives") { !notices.names.isEmpty }
            #expect(try await world.effects(of: "a") == ["a1", "a2"])
            #expect(try await world.effects(of: "b") == ["b1"])
            let parked: [ParkingLot.Entry] = try await world.parked()
            let reason: String = try #require(parked.first?.reason)
            #expect(parked.count == 1 && parked[0].key == "a")
            #expect(reason.contains(CustomerUpdatedV1.type) && reason.contains("larger than the \(Outbox.sizeLimit)"))
            #expect(!reason.contains("nnn"))
            #expect(try parseJSON(notices.names[0])["reason"]?.stringValue == reason)
            #expect(try await world.waiting().isEmpty)
            #expect(try await world.count("SELECT count(*) FROM inbox") == 4)
            // What comes later for its key does not wait either.
            try await Self.publish([("a", "a3")], on: stage)
            try await eventually(within: .seconds(30), "its key goes on") { try await world.effects().last == "a3" }
            await consumer.stop()
            await relay.stop()
            await notices.stop()
        }
    }
}
