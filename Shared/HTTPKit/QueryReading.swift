import JSON

/// Reads the query of a URL against the parameters that an endpoint declares.
enum QueryReading {
    /// - Parameter ignoringUnknown: Whether parameters that are not declared are passed over.
    /// - Throws: ``Problem/invalid(_:)`` with every fault: unknown, repeated, missing and wrong parameters.
    static func read(
        _ query: Substring, _ parameters: [QueryParameter], ignoringUnknown: Bool = false
    ) throws(Problem) -> QueryValues {
        if query.isEmpty, !parameters.contains(where: \.isRequired) { return .none }
        var values: [String: String] = [:]
        var faults: [Fault] = []
        let pairs = query.split(separator: "&")
        guard pairs.count <= maximumPairs else {
            throw Problem.invalid("", code: "too_many", "the query has more than \(maximumPairs) parameters")
        }
        for pair in pairs {
            let parts = pair.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
            guard let name = decode(parts[0]), let value = decode(parts.count > 1 ? parts[1] : "") else {
                faults.append(Fault(code: "invalid_encoding", message: "the query is not valid percent-encoded UTF-8"))
                continue
            }
            guard let parameter = parameters.first(where: { $0.name == name }) else {
                if ignoringUnknown { continue }
                let shown = String(name.unicodeScalars.prefix(80))
                faults.append(
                    Fault(param: shown, code: "unknown_parameter", message: "is not a parameter of this route"))
                continue
            }
            if values.updateValue(value, forKey: name) != nil {
                faults.append(Fault(param: name, code: "duplicate_parameter", message: "is given more than once"))
            } else if let fault = parameter.check(value) {
                faults.append(Fault(param: name, code: fault.code, message: fault.message))
            }
        }
        for parameter in parameters where parameter.isRequired && values[parameter.name] == nil {
            faults.append(Fault(param: parameter.name, code: "required", message: "is required"))
        }
        guard faults.isEmpty else { throw Problem.invalid(faults) }
        return QueryValues(values)
    }

    /// The text that a percent-encoded part of a URL stands for.
    /// - Parameter plusIsSpace: True in queries, false in paths.
    /// - Returns: `nil` for a broken escape, invalid UTF-8 or U+0000.
    static func decode(_ text: Substring, plusIsSpace: Bool = true) -> String? {
        var bytes: [UInt8] = []
        bytes.reserveCapacity(text.utf8.count)
        var iterator = text.utf8.makeIterator()
        while let byte = iterator.next() {
            switch byte {
            case UInt8(ascii: "%"):
                guard let high = iterator.next().flatMap(nibble), let low = iterator.next().flatMap(nibble) else {
                    return nil
                }
                bytes.append(high << 4 | low)
            case UInt8(ascii: "+") where plusIsSpace:
                bytes.append(UInt8(ascii: " "))
            default:
                bytes.append(byte)
            }
        }
        if bytes.contains(0) { return nil }
        return String(validating: bytes, as: UTF8.self)
    }

    private static let maximumPairs = 100

    private static func nibble(_ byte: UInt8) -> UInt8? {
        switch byte {
        case UInt8(ascii: "0")...UInt8(ascii: "9"): byte - UInt8(ascii: "0")
        case UInt8(ascii: "a")...UInt8(ascii: "f"): byte - UInt8(ascii: "a") + 10
        case UInt8(ascii: "A")...UInt8(ascii: "F"): byte - UInt8(ascii: "A") + 10
        default: nil
        }
    }
}
