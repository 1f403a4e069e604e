import Synchronization

/// The instruments of a process by name and labels, and their text in Prometheus' exposition format.
///
/// Asking again for the same name and labels gives the same instrument. Look instruments up once and keep them: the
/// lookup takes a lock, the use does not. Label values come from fixed sets; should they not, a family keeps
/// ``seriesLimit`` series and counts the rest in one series labelled `overflow="true"`.
public final class Metrics: Sendable {
    /// The registry of this process.
    public static let shared = Metrics()
    /// The number of label combinations a name may have.
    public static let seriesLimit = 1_000

    enum Instrument: Sendable {
        case counter(Counter)
        case gauge(Gauge)
        case computed(kind: String, @Sendable () -> Double)
        case histogram(Histogram)

        var kind: String {
            switch self {
            case .counter: "counter"
            case .gauge: "gauge"
            case .computed(let kind, _): kind
            case .histogram: "histogram"
            }
        }
    }

    struct Family: Sendable {
        var help: String
        var kind: String
        /// By the labels as they appear in the text, without braces.
        var series: [String: Instrument]
    }

    private let families = Mutex<[String: Family]>([:])

    /// Makes an empty registry; tests use their own, the program uses ``shared``.
    public init() {}

    /// The counter of this name and labels. By convention the name ends in `_total`.
    public func counter(_ name: String, help: String = "", labels: [String: String] = [:]) -> Counter {
        let found = instrument(name, help, labels, kind: "counter") { .counter(Counter()) }
        guard case .counter(let counter) = found else { preconditionFailure("\(name) is not a counter") }
        return counter
    }

    /// The gauge of this name and labels.
    public func gauge(_ name: String, help: String = "", labels: [String: String] = [:]) -> Gauge {
        let found = instrument(name, help, labels, kind: "gauge") { .gauge(Gauge()) }
        guard case .gauge(let gauge) = found else { preconditionFailure("\(name) is a computed gauge") }
        return gauge
    }

    /// Shows a gauge whose value is asked for whenever the text is made. A second call replaces the first.
    /// - Parameter read: Quick and callable from any thread.
    public func gauge(
        _ name: String, help: String = "", labels: [String: String] = [:], read: @escaping @Sendable () -> Double
    ) {
        compute(name, help, labels, kind: "gauge", read)
    }

    /// Shows a counter that is kept elsewhere and asked for whenever the text is made.
    /// - Parameter read: Quick and callable from any thread; never goes down.
    public func counter(
        _ name: String, help: String = "", labels: [String: String] = [:], read: @escaping @Sendable () -> Double
    ) {
        compute(name, help, labels, kind: "counter", read)
    }

    /// The histogram of this name and labels. The unit is in the name: `_seconds`, `_bytes`.
    /// - Parameter buckets: The inclusive upper bounds, growing; `+Inf` is added.
    public func histogram(
        _ name: String, help: String = "", buckets: [Double] = Histogram.seconds, labels: [String: String] = [:]
    ) -> Histogram {
        let found = instrument(name, help, labels, kind: "histogram") { .histogram(Histogram(bounds: buckets)) }
        guard case .histogram(let histogram) = found else { preconditionFailure("\(name) is not a histogram") }
        return histogram
    }

    /// A copy of what is registered, for the text.
    var content: [String: Family] { families.withLock { $0 } }

    private func compute(
        _ name: String, _ help: String, _ labels: [String: String], kind: String,
        _ read: @escaping @Sendable () -> Double
    ) {
        let computed: Instrument = .computed(kind: kind, read)
        _ = instrument(name, help, labels, kind: kind) { computed }
        families.withLock { $0[name]?.series[labelText(labels)] = computed }
    }

    private func instrument(
        _ name: String, _ help: String, _ labels: [String: String], kind: String, make: () -> Instrument
    ) -> Instrument {
        precondition(isMetricName(name), "\(name) is not a metric name")
        precondition(labels.keys.allSatisfy(isLabelName), "a label of \(name) has an invalid name")
        let key = labelText(labels)
        return families.withLock { (families: inout [String: Family]) -> Instrument in
            var family = families[name] ?? Family(help: help, kind: kind, series: [:])
            precondition(family.kind == kind, "\(name) is already a \(family.kind)")
            if let known = family.series[key] { return known }
            let room = family.series.count < Self.seriesLimit
            let slot = room ? key : labelText(["overflow": "true"])
            if let known = family.series[slot] { return known }
            let made = make()
            if family.help.isEmpty { family.help = help }
            family.series[slot] = made
            families[name] = family
            return made
        }
    }
}

private func isMetricName(_ name: String) -> Bool {
    guard let first = name.utf8.first, !(48...57).contains(first) else { return false }
    return name.utf8.allSatisfy { (48...57).contains($0) || (97...122).contains($0 | 0x20) || $0 == 95 || $0 == 58 }
}

private func isLabelName(_ name: String) -> Bool {
    isMetricName(name) && !name.utf8.contains(58) && !name.hasPrefix("__") && name != "le"
}

/// Labels as they stand in the text, in the order of their names: `method="GET",status="200"`.
private func labelText(_ labels: [String: String]) -> String {
    if labels.isEmpty { return "" }
    return labels.sorted { $0.key < $1.key }
        .map { "\($0.key)=\"\(escapeLabel($0.value))\"" }
        .joined(separator: ",")
}

private func escapeLabel(_ value: String) -> String {
    var text = ""
    for scalar in value.unicodeScalars {
        switch scalar {
        case "\\": text += "\\\\"
        case "\"": text += "\\\""
        case "\n": text += "\\n"
        default: text.unicodeScalars.append(scalar)
        }
    }
    return text
}
