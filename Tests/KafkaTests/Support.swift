import Kafka
import Synchronization
import TestKit

/// Collects what a handler was given.
final class Collector: Sendable {
    private struct State {
        var messages: [KafkaMessage] = []
        var batches: [Int] = []
    }
    private let state = Mutex(State())

    func add(_ batch: [KafkaMessage]) {
        state.withLock {
            $0.messages += batch
            $0.batches.append(batch.count)
        }
    }

    var messages: [KafkaMessage] { state.withLock { $0.messages } }
    var count: Int { state.withLock { $0.messages.count } }
    var batches: [Int] { state.withLock { $0.batches } }
    var values: [String] { messages.map { String(decoding: $0.value, as: UTF8.self) } }
    var distinctValues: Set<String> { Set(values) }

    /// Values by key, in order of arrival.
    var byKey: [String: [String]] {
        Dictionary(grouping: messages) { $0.key ?? "" }.mapValues {
            $0.map { String(decoding: $0.value, as: UTF8.self) }
        }
    }
}

/// A door handlers wait at.
final class Gate: Sendable {
    private struct State {
        var isOpen = false
        var waiting: [CheckedContinuation<Void, Never>] = []
    }
    private let state = Mutex(State())

    var waiting: Int { state.withLock { $0.waiting.count } }

    func pass() async {
        await withCheckedContinuation { continuation in
            let isOpen = state.withLock { state in
                if !state.isOpen { state.waiting.append(continuation) }
                return state.isOpen
            }
            if isOpen { continuation.resume() }
        }
    }

    func open() {
        let waiting = state.withLock { state in
            state.isOpen = true
            defer { state.waiting = [] }
            return state.waiting
        }
        for continuation in waiting { continuation.resume() }
    }
}

func records(_ count: Int, topic: String, keys: Int = 10, from start: Int = 0) -> [KafkaRecord] {
    (start..<start + count).map { number in
        KafkaRecord(topic: topic, key: "key-\(number % keys)", value: Array("\(number)".utf8))
    }
}

func milliseconds(_ duration: Duration) -> Double {
    Double(duration.components.seconds) * 1_000 + Double(duration.components.attoseconds) / 1e15
}

extension Duration {
    /// The duration as a number, for printing.
    var seconds: Double { Double(components.seconds) + Double(components.attoseconds) / 1e18 }
}

/// Delays between sending one message and its arrival.
final class Times: Sendable {
    private struct State {
        var sentAt: ContinuousClock.Instant?
        var delays: [Double] = []
    }
    private let state = Mutex(State())

    func sent() { state.withLock { $0.sentAt = .now } }

    func arrived() {
        let now = ContinuousClock.now
        state.withLock { state in
            guard let sentAt = state.sentAt else { return }
            state.delays.append(milliseconds(sentAt.duration(to: now)))
        }
    }

    /// In milliseconds, sorted.
    var delays: [Double] { state.withLock { $0.delays.sorted() } }
}
