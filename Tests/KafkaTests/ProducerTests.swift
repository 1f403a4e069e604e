import Kafka
import Synchronization
import TestKit
import Testing

@Suite("A producer") struct ProducerTests {
    @Test("returns when the whole batch is acknowledged, and counts it") func acknowledges() async throws {
        let topic = try await TestBroker.topic("ack")
        let producer = try KafkaProducer(TestBroker.configuration())
        try await producer.publish(records(300, topic: topic))
        #expect(producer.statistics.acknowledged == 300)
        #expect(producer.statistics.inFlight == 0)
        #expect(producer.statistics.queued == 0)
        let lag = try await KafkaAdmin(TestBroker.configuration()).groupLag("nobody", topics: [topic])
        #expect(lag.map(\.end).reduce(0, +) == 300)
        await producer.close()
    }

    @Test("returns at once for an empty batch") func empty() async throws {
        let producer = try KafkaProducer(TestBroker.configuration())
        try await producer.publish([])
        try producer.publishBlocking([], timeout: .zero)
        await producer.close()
    }

    @Test("publishes more than it may have in flight") func boundedInFlight() async throws {
        var configuration = try TestBroker.configuration()
        configuration.maxInFlight = 50
        let topic = try await TestBroker.topic("bounded")
        let producer = try KafkaProducer(configuration)
        try await producer.publish(records(2_000, topic: topic))
        #expect(producer.statistics.acknowledged == 2_000)
        await producer.close()
    }

    @Test("refuses a record that is too large for good, and drops what follows it") func tooLarge() async throws {
        var configuration = try TestBroker.configuration()
        configuration.maxRecordBytes = 10_000
        let topic = try await TestBroker.topic("large", partitions: 1)
        let producer = try KafkaProducer(configuration)
        let large = KafkaRecord(topic: topic, key: "k", value: [UInt8](repeating: 1, count: 20_000))
        let error = await #expect(throws: KafkaError.self) {
            try await producer.publish(records(1, topic: topic) + [large] + records(5, topic: topic))
        }
        #expect(error?.kind == .rejected)
        #expect(error?.isRetryable == false)
        let lag = try await KafkaAdmin(configuration).groupLag("nobody", topics: [topic])
        #expect(lag.map(\.end) == [1])
        try await producer.publish(records(1, topic: topic))
        await producer.close()
    }

    @Test("fails batches retryably and rebuilds itself after a fatal error") func fatal() async throws {
        let topic = try await TestBroker.topic("fatal")
        let producer = try KafkaProducer(TestBroker.configuration())
        try await producer.publish(records(10, topic: topic))
        producer.simulateFatalError()
        try await eventually(within: .seconds(5), "rebuilt") { producer.statistics.rebuilds == 1 }
        try await producer.publish(records(10, topic: topic))
        #expect(producer.statistics.acknowledged == 20)
        await producer.close()
    }

    @Test("loses no batch when fatal errors come under load") func fatalUnderLoad() async throws {
        let topic = try await TestBroker.topic("fatal-load")
        let producer = try KafkaProducer(TestBroker.configuration())
        await withTaskGroup { group in
            for batch in 0..<20 {
                group.addTask {
                    await repeatedly { try await producer.publish(records(50, topic: topic, from: batch * 50)) }
                }
            }
            group.addTask { producer.simulateFatalError() }
        }
        #expect(producer.statistics.acknowledged >= 1_000)
        #expect(producer.statistics.inFlight == 0)
        #expect(producer.statistics.queued == 0)
        await producer.close()
    }

    @Test("ends the wait of a cancelled task at once") func cancellation() async throws {
        var configuration = KafkaConfiguration(brokers: "127.0.0.1:1", clientID: "test")
        configuration.messageTimeout = .seconds(20)
        let producer = try KafkaProducer(configuration)
        let task = Task { try await producer.publish(records(1, topic: "nowhere")) }
        try await eventually(within: .seconds(2)) { producer.statistics.queued + producer.statistics.inFlight == 1 }
        task.cancel()
        let started = ContinuousClock.now
        let error = await #expect(throws: KafkaError.self) { try await task.value }
        #expect(error?.kind == .cancelled)
        #expect(started.duration(to: .now) < .seconds(5))
        await producer.close(timeout: .zero)
    }

    @Test("fails what is open when it is closed, and refuses what comes later") func closing() async throws {
        let configuration = KafkaConfiguration(brokers: "127.0.0.1:1", clientID: "test")
        let producer = try KafkaProducer(configuration)
        let task = Task { try await producer.publish(records(3, topic: "nowhere")) }
        try await eventually(within: .seconds(2)) { producer.statistics.queued + producer.statistics.inFlight == 3 }
        await producer.close(timeout: .milliseconds(50))
        await #expect(throws: KafkaError.self) { try await task.value }
        let error = await #expect(throws: KafkaError.self) { try await producer.publish(records(1, topic: "x")) }
        #expect(error?.kind == .closed)
    }

    @Test("fails a blocking call when its time is over") func blockingTimeout() async throws {
        let producer = try KafkaProducer(KafkaConfiguration(brokers: "127.0.0.1:1", clientID: "test"))
        let error = await #expect(throws: KafkaError.self) {
            try await onThread { try producer.publishBlocking(records(1, topic: "x"), timeout: .milliseconds(50)) }
        }
        #expect(error?.kind == .timedOut)
        await producer.close(timeout: .zero)
    }

    @Test("refuses more than its queue holds") func overloaded() async throws {
        var configuration = KafkaConfiguration(brokers: "127.0.0.1:1", clientID: "test")
        configuration.maxQueued = 10
        configuration.maxInFlight = 1
        let producer = try KafkaProducer(configuration)
        let task = Task { try await producer.publish(records(11, topic: "nowhere")) }
        try await eventually(within: .seconds(3)) { producer.statistics.queued == 10 }
        let error = await #expect(throws: KafkaError.self) {
            try await producer.publish(records(1, topic: "nowhere"))
        }
        #expect(error?.kind == .overloaded)
        await producer.close(timeout: .zero)
        await #expect(throws: KafkaError.self) { try await task.value }
    }

    @Test("names a wrong setting") func wrongSetting() throws {
        var configuration = try TestBroker.configuration()
        configuration.extra = ["no.such.setting": "1"]
        let error = #expect(throws: KafkaError.self) { try KafkaProducer(configuration) }
        #expect(error?.kind == .configuration)
        #expect(error?.message.contains("no.such.setting") == true)
    }

    @Test("acknowledges single records fast") func latency() async throws {
        let topic = try await TestBroker.topic("latency")
        let producer = try KafkaProducer(TestBroker.configuration())
        try await producer.publish(records(1, topic: topic))
        let times: [Double] = try await onThread {
            var times: [Double] = []
            for number in 0..<300 {
                let started = ContinuousClock.now
                try producer.publishBlocking(records(1, topic: topic, from: number), timeout: .seconds(5))
                times.append(milliseconds(started.duration(to: .now)))
            }
            return times.sorted()
        }
        print("publishBlocking of one record: p50 \(times[150]) ms, p99 \(times[297]) ms")
        #expect(times[150] < 2)
        await producer.close()
    }
}

/// Repeats a call until it succeeds; used for errors that say so.
func repeatedly(_ body: () async throws -> Void) async {
    for _ in 0..<100 {
        do {
            return try await body()
        } catch {
            guard let error = error as? KafkaError, error.isRetryable else {
                Issue.record("not retryable: \(error)")
                return
            }
        }
    }
}
