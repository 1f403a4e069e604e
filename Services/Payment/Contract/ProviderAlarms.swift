package import Logging
import Synchronization
package import Telemetry

/// What providers are asked, as alarms tell it apart.
package enum ProviderCall: String, Sendable, CaseIterable {
    case charge
    /// What has become of a charge, or is still held of it.
    case readBack = "read_back"
    case capture, release, refund
    /// The keeping and the removal of payment methods.
    case method
    case dispute, settlement
}

/// Tells people of faults that no repeat and no patience mends: an answer that makes no sense, a request that is refused,
/// credentials that are. Every one is counted in `provider_alarms_total`, by provider and call; a log line of level error
/// names the first in a minute of each provider and call, and every one that nothing will tell of again.
package final class ProviderAlarms: Sendable {
    /// Those of this process.
    package static let shared = ProviderAlarms(logger: Logger(label: "refrain.payment"))

    /// No more than one line in so long, of each provider and call.
    static let quiet: Duration = .seconds(60)
    /// Codes are the providers' words: a line repeats no more of them.
    private static let longestReason = 200

    private struct Source: Hashable {
        let provider: String
        let call: ProviderCall
    }

    private let metrics: Metrics
    private let logger: Logger
    private let told = Mutex<[Source: ContinuousClock.Instant]>([:])

    /// - Parameter metrics: Where it counts; tests use their own.
    package init(metrics: Metrics = .shared, logger: Logger) {
        self.metrics = metrics
        self.logger = logger
    }

    /// Shows a provider's counters before anything is counted, so that the first alarm is seen as a rise.
    package func expect(_ provider: String) {
        for call in ProviderCall.allCases { _ = counter(Source(provider: provider, call: call)) }
    }

    /// Takes in a fault; one that mends itself is none of its concern.
    /// - Parameter isSingular: Whether it names one thing that is never asked about again: it gets its line in any case.
    package func note(
        _ fault: ProviderFault, of provider: String, on call: ProviderCall, isSingular: Bool = false,
        at now: ContinuousClock.Instant = .now
    ) {
        guard fault.isAlarming(on: call) else { return }
        let source = Source(provider: provider, call: call)
        counter(source).increment()
        guard isSingular || isDue(source, at: now) else { return }
        let reason = String("\(fault)".prefix(Self.longestReason))
        logger.error(
            "a provider's answer needs a person",
            metadata: ["provider": "\(provider)", "call": "\(call.rawValue)", "fault": "\(reason)"])
    }

    private func counter(_ source: Source) -> Counter {
        metrics.counter(
            "provider_alarms_total",
            help: "Provider answers that make no sense, and requests and credentials that providers refuse",
            labels: ["provider": source.provider, "call": source.call.rawValue])
    }

    private func isDue(_ source: Source, at now: ContinuousClock.Instant) -> Bool {
        told.withLock { told in
            if let last: ContinuousClock.Instant = told[source], now < last.advanced(by: Self.quiet) { return false }
            told[source] = now
            return true
        }
    }
}

extension ProviderFault {
    /// Whether a person has to see to it. A method that a provider does not take to keep is no fault of ours: who gave it is
    /// told.
    package func isAlarming(on call: ProviderCall) -> Bool {
        switch self {
        case .unusable, .unauthorized: true
        case .rejected: call != .method
        case .notSent, .timedOut, .unavailable, .rateLimited: false
        }
    }
}
