/// Readers for single values. An optional reader takes an absent member and an explicit `null` as the same.
extension InputFields {
    /// Reads a string; lengths count Unicode scalars.
    public mutating func string(_ name: String, min: Int = 0, max: Int = 500, doc: String = "") -> String {
        if isDescribing { record(name, required: true, doc: doc, JSONSchema.string(min: min, max: max)) }
        guard !isDescribing, let value = takeRequired(name) else { return "" }
        return text(value, name, min: min, max: max) ?? ""
    }

    /// Reads a string that may be left out; lengths count Unicode scalars.
    public mutating func optionalString(_ name: String, min: Int = 0, max: Int = 500, doc: String = "") -> String? {
        if isDescribing { record(name, required: false, doc: doc, JSONSchema.string(min: min, max: max)) }
        guard !isDescribing, let value = take(name) else { return nil }
        return text(value, name, min: min, max: max)
    }

    /// Reads an integer. A fraction or an exponent is `invalid_type`, a value beyond the range or beyond 64 bits is
    /// `out_of_range`.
    public mutating func int(
        _ name: String, range: ClosedRange<Int64> = Int64.min...Int64.max, doc: String = ""
    ) -> Int64 {
        if isDescribing { record(name, required: true, doc: doc, JSONSchema.integer(range)) }
        guard !isDescribing, let value = takeRequired(name) else { return range.lowerBound }
        return integer(value, name, range) ?? range.lowerBound
    }

    /// Reads an integer that may be left out; see ``int(_:range:doc:)``.
    public mutating func optionalInt(
        _ name: String, range: ClosedRange<Int64> = Int64.min...Int64.max, doc: String = ""
    ) -> Int64? {
        if isDescribing { record(name, required: false, doc: doc, JSONSchema.integer(range)) }
        guard !isDescribing, let value = take(name) else { return nil }
        return integer(value, name, range)
    }

    /// Reads a boolean.
    public mutating func bool(_ name: String, doc: String = "") -> Bool {
        if isDescribing { record(name, required: true, doc: doc, JSONSchema.boolean) }
        guard !isDescribing, let value = takeRequired(name) else { return false }
        return flag(value, name) ?? false
    }

    /// Reads a boolean that has a default.
    public mutating func bool(_ name: String, default fallback: Bool, doc: String = "") -> Bool {
        if isDescribing {
            record(name, required: false, doc: doc, JSONSchema.adding(JSONSchema.boolean, "default", .bool(fallback)))
        }
        guard !isDescribing, let value = take(name) else { return fallback }
        return flag(value, name) ?? fallback
    }

    /// Reads a boolean that may be left out.
    public mutating func optionalBool(_ name: String, doc: String = "") -> Bool? {
        if isDescribing { record(name, required: false, doc: doc, JSONSchema.boolean) }
        guard !isDescribing, let value = take(name) else { return nil }
        return flag(value, name)
    }

    /// Reads an exact decimal that travels as a string, such as `"0.0725"`, and returns it as it was written.
    /// - Parameters:
    ///   - maxDigits: How many digits it may have in all.
    ///   - maxScale: How many of them may follow the point.
    ///   - allowsNegative: Whether a leading minus is accepted.
    public mutating func decimal(
        _ name: String, maxDigits: Int = 30, maxScale: Int = 12, allowsNegative: Bool = false, doc: String = ""
    ) -> String {
        let format = DecimalFormat(maxDigits: maxDigits, maxScale: maxScale, allowsNegative: allowsNegative)
        if isDescribing { record(name, required: true, doc: doc, format.schema) }
        guard !isDescribing, let value = takeRequired(name) else { return "0" }
        return decimal(value, name, format) ?? "0"
    }
}

/// Checks behind the readers: each returns the value, or reports a fault under `path` and returns nothing.
extension InputFields {
    mutating func text(_ value: JSONValue, _ path: @autoclosure () -> String, min: Int, max: Int) -> String? {
        guard case .string(let text) = value else {
            report(Fault(param: path(), code: FaultCode.invalidType, message: "must be a string"))
            return nil
        }
        let bytes = text.utf8.count
        if bytes > max, bytes > 4 * max || text.unicodeScalars.count > max {
            report(Fault(param: path(), code: FaultCode.tooLong, message: "must have at most \(max) characters"))
            return nil
        }
        if bytes < 4 * min, text.unicodeScalars.count < min {
            report(Fault(param: path(), code: FaultCode.tooShort, message: "must have at least \(min) characters"))
            return nil
        }
        return text
    }

    private mutating func integer(_ value: JSONValue, _ name: String, _ range: ClosedRange<Int64>) -> Int64? {
        guard case .number(let lexeme) = value, value.kind == "integer" else {
            report(Fault(param: name, code: FaultCode.invalidType, message: "must be an integer"))
            return nil
        }
        guard let number = Int64(lexeme), range.contains(number) else {
            report(Fault(param: name, code: FaultCode.outOfRange, message: Self.rangeMessage(range)))
            return nil
        }
        return number
    }

    private static func rangeMessage(_ range: ClosedRange<Int64>) -> String {
        switch (range.lowerBound, range.upperBound) {
        case (.min, .max): "must fit 64 bits"
        case (let low, .max): "must be at least \(low)"
        case (.min, let high): "must be at most \(high)"
        case (let low, let high): "must be between \(low) and \(high)"
        }
    }

    private mutating func flag(_ value: JSONValue, _ name: String) -> Bool? {
        if case .bool(let flag) = value { return flag }
        report(Fault(param: name, code: FaultCode.invalidType, message: "must be true or false"))
        return nil
    }

    private mutating func decimal(_ value: JSONValue, _ name: String, _ format: DecimalFormat) -> String? {
        guard case .string(let text) = value else {
            report(Fault(param: name, code: FaultCode.invalidType, message: "must be a decimal number in a string"))
            return nil
        }
        guard format.accepts(text) else {
            report(Fault(param: name, code: FaultCode.invalidDecimal, message: format.message))
            return nil
        }
        return text
    }
}

/// The shape of a decimal string.
struct DecimalFormat {
    let maxDigits: Int
    let maxScale: Int
    let allowsNegative: Bool

    var message: String {
        "must be a decimal such as \"12.5\" with at most \(maxDigits) digits, \(maxScale) of them after the point"
            + (allowsNegative ? "" : ", and not negative")
    }

    var schema: JSONValue {
        let sign = allowsNegative ? "-?" : ""
        let fraction = maxScale > 0 ? "(\\.[0-9]{1,\(maxScale)})?" : ""
        return ["type": "string", "format": "decimal", "pattern": .string("^\(sign)[0-9]+\(fraction)$")]
    }

    func accepts(_ text: String) -> Bool {
        var digits = 0
        var scale: Int?
        for (index, byte) in text.utf8.enumerated() {
            switch byte {
            case UInt8(ascii: "-"): guard allowsNegative, index == 0 else { return false }
            case UInt8(ascii: "."):
                guard scale == nil, digits > 0 else { return false }
                scale = 0
            case UInt8(ascii: "0")...UInt8(ascii: "9"):
                digits += 1
                scale = scale.map { $0 + 1 }
            default: return false
            }
        }
        return digits > 0 && digits <= maxDigits && scale != 0 && (scale ?? 0) <= maxScale
    }
}
