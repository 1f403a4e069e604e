extension Metrics {
    /// Everything registered, in Prometheus' text format 0.0.4, ordered by name and labels.
    public var prometheusText: String {
        var text = ""
        for (name, family) in content.sorted(by: { $0.key < $1.key }) {
            if !family.help.isEmpty { text += "# HELP \(name) \(escapeHelp(family.help))\n" }
            text += "# TYPE \(name) \(family.kind)\n"
            for (labels, instrument) in family.series.sorted(by: { $0.key < $1.key }) {
                append(name, labels, instrument, to: &text)
            }
        }
        return text
    }

    private func append(_ name: String, _ labels: String, _ instrument: Instrument, to text: inout String) {
        let braced = labels.isEmpty ? "" : "{\(labels)}"
        switch instrument {
        case .counter(let counter): text += "\(name)\(braced) \(counter.value)\n"
        case .gauge(let gauge): text += "\(name)\(braced) \(number(gauge.value))\n"
        case .computed(_, let read): text += "\(name)\(braced) \(number(read()))\n"
        case .histogram(let histogram): append(name, labels, histogram, to: &text)
        }
    }

    private func append(_ name: String, _ labels: String, _ histogram: Histogram, to text: inout String) {
        let snapshot = histogram.snapshot
        let prefix = labels.isEmpty ? "" : labels + ","
        var running: UInt64 = 0
        for (bound, count) in zip(histogram.bounds, snapshot.counts) {
            running += count
            text += "\(name)_bucket{\(prefix)le=\"\(number(bound))\"} \(running)\n"
        }
        text += "\(name)_bucket{\(prefix)le=\"+Inf\"} \(snapshot.count)\n"
        let braced = labels.isEmpty ? "" : "{\(labels)}"
        text += "\(name)_sum\(braced) \(number(snapshot.sum))\n"
        text += "\(name)_count\(braced) \(snapshot.count)\n"
    }
}

private func escapeHelp(_ help: String) -> String {
    var text = ""
    for scalar in help.unicodeScalars {
        switch scalar {
        case "\\": text += "\\\\"
        case "\n": text += "\\n"
        default: text.unicodeScalars.append(scalar)
        }
    }
    return text
}

/// A number as the format writes it: whole numbers without a fraction, `NaN`, `+Inf`, `-Inf`.
private func number(_ value: Double) -> String {
    if value.isNaN { return "NaN" }
    if value.isInfinite { return value > 0 ? "+Inf" : "-Inf" }
    if value == value.rounded(), abs(value) < 1e15 { return String(Int64(value)) }
    return "\(value)"
}
