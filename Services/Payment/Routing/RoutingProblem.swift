import HTTPKit
import JSON
import PaymentDomain

extension Problem {
    /// 422: routing rules with faults, each named by the JSON field it is in.
    static func invalid(_ faults: RoutingFaults, under prefix: String = "") -> Problem {
        invalid(
            faults.faults.map { fault in
                Fault(param: param(fault.path, under: prefix), code: "invalid_routing", message: fault.reason)
            })
    }

    /// `rules[1].then.order.volumeSplit[2].weight` is `rules[1].order.shares[2].weight` in JSON.
    private static func param(_ path: String, under prefix: String) -> String {
        let parts: [String] = path.split(separator: ".").compactMap { (part: Substring) -> String? in
            switch part {
            case "then", "successRate": nil
            case "maximumAttempts": "maximum_attempts"
            default: renamed(String(part))
            }
        }
        return (prefix.isEmpty ? parts : [prefix] + parts).joined(separator: ".")
    }

    /// Lists keep their index.
    private static func renamed(_ part: String) -> String {
        for (from, to) in [("listed", "providers"), ("volumeSplit", "shares")] where part.hasPrefix(from) {
            return to + part.dropFirst(from.count)
        }
        return part
    }
}
