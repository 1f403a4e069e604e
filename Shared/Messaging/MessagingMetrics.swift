import BillingCore
import BillingEvents
import Synchronization
import Telemetry

/// Counters of one consumer.
final class MessagingMetrics: Sendable {
    let parked: Counter
    let retried: Counter
    private let delay: Histogram
    private let batchSize: Histogram
    private let handledByType: [String: Counter]
    private let system: any WallClock

    init(consumer: EventConsumer, system: any WallClock = SystemClock()) {
        let metrics: Metrics = .shared
        let labels: [String: String] = ["consumer": consumer.name]
        parked = metrics.counter("events_parked_total", help: "Messages parked", labels: labels)
        retried = metrics.counter("events_retried_total", help: "Events put off to a retry", labels: labels)
        delay = metrics.histogram(
            "event_delay_seconds", help: "From the record in the outbox to the commit of its effect", labels: labels)
        batchSize = metrics.histogram(
            "event_batch_size", help: "Events in one transaction", buckets: Histogram.sizes, labels: labels)
        var byType: [String: Counter] = [:]
        for type in consumer.handledTypes {
            byType[type] = metrics.counter(
                "events_handled_total", help: "Events handled", labels: ["consumer": consumer.name, "type": type])
        }
        handledByType = byType
        self.system = system
    }

    func handled(_ batch: SortedBatch) {
        batchSize.observe(Double(batch.events.count))
        let now: Int64 = system.now.microseconds
        for recorded in batch.recordedAt { delay.observe(Double(max(0, now - recorded)) / 1_000_000) }
        for event in batch.events { handledByType[event.type]?.increment() }
    }

    func handled(_ event: RawEvent) { handledByType[event.type]?.increment() }
}
