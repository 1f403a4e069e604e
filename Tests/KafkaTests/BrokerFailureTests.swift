import Kafka
import TestKit
import Testing

@Suite("With the broker away") struct BrokerFailureTests {
    @Test("a batch fails retryably, and its repetition succeeds when the broker is back") func producer() async throws {
        let broker = try OwnBroker()
        try await broker.start()
        try await KafkaAdmin(broker.configuration).ensureTopics(["t"], partitions: 2)
        var configuration = broker.configuration
        configuration.messageTimeout = .milliseconds(1_500)
        let producer = try KafkaProducer(configuration)
        try await producer.publish(records(10, topic: "t"))
        broker.kill()
        let started = ContinuousClock.now
        let error = await #expect(throws: KafkaError.self) {
            try await producer.publish(records(10, topic: "t", from: 10))
        }
        #expect(error?.isRetryable == true)
        #expect(started.duration(to: .now) < .seconds(6))
        #expect(await !KafkaAdmin(broker.configuration).reachable(timeout: .milliseconds(200)))
        try await broker.start()
        try await KafkaAdmin(broker.configuration).ensureTopics(["t"], partitions: 2)
        await repeatedly { try await producer.publish(records(10, topic: "t", from: 10)) }
        let lag = try await KafkaAdmin(broker.configuration).groupLag("nobody", topics: ["t"])
        // What the first batch wrote may be lost with the process on a broker that does not flush; the outbox is for that.
        #expect(lag.map(\.end).reduce(0, +) >= 10)
        await producer.close()
    }

    @Test("a short absence is bridged without an error") func bridged() async throws {
        let broker = try OwnBroker()
        try await broker.start()
        try await KafkaAdmin(broker.configuration).ensureTopics(["t"], partitions: 2)
        let producer = try KafkaProducer(broker.configuration)
        try await producer.publish(records(10, topic: "t"))
        broker.kill()
        let task = Task { await repeatedly { try await producer.publish(records(10, topic: "t", from: 10)) } }
        try await eventually(within: .seconds(2)) {
            producer.statistics.inFlight + producer.statistics.queued == 10
        }
        let started = ContinuousClock.now
        try await broker.start()
        await task.value
        print("publish bridged a restart in \(milliseconds(started.duration(to: .now))) ms, start included")
        await producer.close()
    }

    @Test("a broker wiped clean is published to again") func wiped() async throws {
        let broker = try OwnBroker()
        try await broker.start()
        let admin = KafkaAdmin(broker.configuration)
        try await admin.ensureTopics(["t"], partitions: 1)
        var configuration = broker.configuration
        configuration.messageTimeout = .seconds(3)
        let producer = try KafkaProducer(configuration)
        for start in 0..<5 { try await producer.publish(records(10, topic: "t", from: start * 10)) }
        broker.kill()
        broker.wipe()
        try await broker.start()
        try await admin.ensureTopics(["t"], partitions: 1)
        await repeatedly { try await producer.publish(records(10, topic: "t", from: 50)) }
        let end = try await admin.groupLag("nobody", topics: ["t"]).map(\.end).reduce(0, +)
        #expect(end >= 10)
        await producer.close()
    }

    @Test("a consumer goes on by itself when the broker is back") func consumer() async throws {
        let broker = try OwnBroker()
        try await broker.start()
        try await KafkaAdmin(broker.configuration).ensureTopics(["t"], partitions: 2)
        let producer = try KafkaProducer(broker.configuration)
        let collector = Collector()
        let consumer = KafkaConsumer(broker.configuration, group: "g", instance: "one", topics: ["t"]) {
            collector.add($0)
        }
        try consumer.start()
        try await producer.publish(records(100, topic: "t"))
        try await eventually(within: .seconds(10)) { collector.count == 100 }
        broker.kill()
        try await eventually(within: .seconds(5)) { consumer.statistics.errors > 0 }
        try await broker.start()
        // A broker killed soon after may have forgotten the topic.
        try await KafkaAdmin(broker.configuration).ensureTopics(["t"], partitions: 2)
        let started = ContinuousClock.now
        // What a killed broker has lost is written over at offsets the consumer has behind it; publishing again, as the
        // outbox relay does after trouble, gets it past them.
        try await eventually(within: .seconds(20)) {
            await repeatedly { try await producer.publish(records(100, topic: "t", from: 100)) }
            return collector.distinctValues.count == 200
        }
        print("consumer went on \(milliseconds(started.duration(to: .now))) ms after the broker was back")
        await consumer.stop()
        await producer.close()
    }

    @Test("a consumer stops in bounded time, and can start before the broker") func stops() async throws {
        let broker = try OwnBroker()
        let collector = Collector()
        let consumer = KafkaConsumer(broker.configuration, group: "g", instance: "one", topics: ["t"]) {
            collector.add($0)
        }
        try consumer.start()
        try await broker.start()
        try await KafkaAdmin(broker.configuration).ensureTopics(["t"], partitions: 2)
        let producer = try KafkaProducer(broker.configuration)
        try await producer.publish(records(10, topic: "t"))
        try await eventually(within: .seconds(15)) { collector.count == 10 }
        broker.kill()
        let started = ContinuousClock.now
        await consumer.stop()
        let took = started.duration(to: .now)
        print("consumer stopped without a broker in \(took)")
        #expect(took < .seconds(10))
        await producer.close(timeout: .milliseconds(100))
    }
}
