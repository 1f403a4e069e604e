import Synchronization
import Telemetry

/// Counts and times the requests of one route. Handles are made once per status and kept.
final class RouteMetrics: Sendable {
    private let metrics: Metrics
    private let method: String
    private let route: String
    private let duration: Histogram
    private let counters = Mutex<[Int: Counter]>([:])

    init(_ metrics: Metrics, method: String, route: String) {
        self.metrics = metrics
        self.method = method
        self.route = route
        duration = metrics.histogram(
            "http_request_seconds", help: "Time from the request's head to its answer.",
            labels: ["method": method, "route": route])
    }

    func record(status: Int, _ time: Duration) {
        duration.observe(time)
        let known = counters.withLock { $0[status] }
        if let known { return known.increment() }
        let counter = metrics.counter(
            "http_requests_total", help: "Requests by route and status.",
            labels: ["method": method, "route": route, "status": String(status)])
        counters.withLock { $0[status] = counter }
        counter.increment()
    }
}
