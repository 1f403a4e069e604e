import JSON
import Synchronization
import Telemetry

/// The routes that every service has and that need no key: health, readiness, metrics and the API's description.
final class OperationsRoutes: Sendable {
    enum Route: String, CaseIterable, Sendable {
        case health = "/healthz"
        case readiness = "/readyz"
        case metrics = "/metrics"
        case document = "/openapi.json"
    }

    private let checks: [ReadinessCheck]
    private let metrics: Metrics
    private let document: @Sendable () -> JSONValue
    private let documentBytes = Mutex<[UInt8]?>(nil)
    private let stopping = Atomic<Bool>(false)

    init(checks: [ReadinessCheck], metrics: Metrics, document: @escaping @Sendable () -> JSONValue) {
        self.checks = checks
        self.metrics = metrics
        self.document = document
    }

    /// From now on the service is not ready.
    func stop() { stopping.store(true, ordering: .relaxed) }

    func answer(_ route: Route) async -> RawReply {
        switch route {
        case .health:
            return RawReply(status: 200, body: Array("{\"status\":\"ok\"}".utf8))
        case .readiness:
            return await Readiness.answer(checks, isStopping: stopping.load(ordering: .relaxed))
        case .metrics:
            return RawReply(
                status: 200, body: Array(metrics.prometheusText.utf8),
                contentType: "text/plain; version=0.0.4; charset=utf-8")
        case .document:
            return RawReply(status: 200, body: describe())
        }
    }

    /// The document's bytes, made when first asked for.
    private func describe() -> [UInt8] {
        documentBytes.withLock { (known: inout [UInt8]?) -> [UInt8] in
            if let known { return known }
            let made = document().serialized
            known = made
            return made
        }
    }
}
