/// One thing that is wrong with an input, in a form the caller's program and a person can both use.
public struct Fault: Error, Equatable, Hashable, Sendable {
    /// Where: the path of the field, such as `amount`, `items[2].price` or `metadata.order`; empty for the whole input.
    public var param: String
    /// What: a fixed word, see ``FaultCode`` for those this target reports itself.
    public var code: String
    /// What, as a sentence. It never repeats the value.
    public var message: String

    /// Makes a fault. A reader given to ``InputFields/custom(_:schema:placeholder:required:doc:parse:)`` leaves `param`
    /// empty: the field's own path is put in front of it.
    public init(param: String = "", code: String, message: String) {
        self.param = param
        self.code = code
        self.message = message
    }

    /// The same fault seen from one level up.
    func under(_ name: String) -> Fault {
        guard !param.isEmpty else { return Fault(param: name, code: code, message: message) }
        let path = param.utf8.first == UInt8(ascii: "[") ? name + param : name + "." + param
        return Fault(param: path, code: code, message: message)
    }
}

/// The codes that reading fields reports.
public enum FaultCode {
    /// The field must be given.
    public static let required = "required"
    /// The field has another JSON type.
    public static let invalidType = "invalid_type"
    /// A number beyond its bounds.
    public static let outOfRange = "out_of_range"
    /// Fewer characters than allowed.
    public static let tooShort = "too_short"
    /// More characters than allowed.
    public static let tooLong = "too_long"
    /// Fewer elements than allowed.
    public static let tooFew = "too_few"
    /// More elements or keys than allowed.
    public static let tooMany = "too_many"
    /// A word outside the list of allowed ones.
    public static let unknownValue = "unknown_value"
    /// A decimal string that is not one.
    public static let invalidDecimal = "invalid_decimal"
    /// A field nobody asked for.
    public static let unknownField = "unknown_field"
}

/// An input with at least one fault; carries all that were found.
public struct InvalidInput: Error, Equatable, Sendable {
    /// Every fault, in the order of the declaration; at most ``InputFields/maxFaults``.
    public let faults: [Fault]

    /// Makes the error.
    public init(faults: [Fault]) { self.faults = faults }
}

/// What to do with members that the declaration does not name.
public enum UnknownFields: Sendable {
    /// Report each as a fault (requests).
    case refuse
    /// Leave them alone (events: fields are added over time).
    case ignore
}
