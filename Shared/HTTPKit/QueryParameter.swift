public import BillingCore
public import JSON

/// A query parameter of an endpoint: declared once, checked on every request, described in the document.
public struct QueryParameter: Sendable {
    let name: String
    let schema: JSONValue
    let isRequired: Bool
    let doc: String
    let check: @Sendable (String) -> Fault?

    /// A parameter with a check of its own.
    /// - Parameter check: Returns what is wrong with a text, with `param` left empty; `nil` when nothing is.
    public static func custom(
        _ name: String, schema: JSONValue, required: Bool = false, doc: String = "",
        check: @escaping @Sendable (String) -> Fault?
    ) -> QueryParameter {
        QueryParameter(name: name, schema: schema, isRequired: required, doc: doc, check: check)
    }

    /// Any text up to a length.
    public static func string(
        _ name: String, max: Int = 200, required: Bool = false, doc: String = ""
    ) -> QueryParameter {
        custom(name, schema: JSONSchema.string(max: max), required: required, doc: doc) { (text: String) -> Fault? in
            if text.isEmpty { return Fault(code: "too_short", message: "must not be empty") }
            return text.unicodeScalars.count > max
                ? Fault(code: "too_long", message: "must have at most \(max) characters") : nil
        }
    }

    /// An id of one kind.
    public static func id<ID: TypedID>(
        _ name: String, as type: ID.Type, required: Bool = false, doc: String = ""
    ) -> QueryParameter {
        custom(name, schema: JSONSchema.id(type), required: required, doc: doc) { (text: String) -> Fault? in
            ID(text) == nil ? Fault(code: "invalid_id", message: "is not an id of this kind (\(ID.prefix)_…)") : nil
        }
    }

    /// A word out of a closed list.
    public static func enumeration<E>(
        _ name: String, of type: E.Type, required: Bool = false, doc: String = ""
    ) -> QueryParameter where E: CaseIterable & RawRepresentable & Sendable, E.RawValue == String {
        let words = E.allCases.map(\.rawValue)
        return custom(name, schema: JSONSchema.enumeration(type), required: required, doc: doc) {
            (text: String) -> Fault? in
            words.contains(text)
                ? nil : Fault(code: "unknown_value", message: "must be one of \(words.joined(separator: ", "))")
        }
    }

    /// A whole number in a range.
    public static func int(
        _ name: String, range: ClosedRange<Int>, required: Bool = false, doc: String = ""
    ) -> QueryParameter {
        let schema = JSONSchema.integer(Int64(range.lowerBound)...Int64(range.upperBound))
        return custom(name, schema: schema, required: required, doc: doc) { (text: String) -> Fault? in
            guard let number = Int(text), text.utf8.first != UInt8(ascii: "+") else {
                return Fault(code: "invalid_type", message: "must be a whole number")
            }
            return range.contains(number)
                ? nil
                : Fault(code: "out_of_range", message: "must be between \(range.lowerBound) and \(range.upperBound)")
        }
    }

    /// `true` or `false`.
    public static func bool(_ name: String, required: Bool = false, doc: String = "") -> QueryParameter {
        custom(name, schema: JSONSchema.boolean, required: required, doc: doc) { (text: String) -> Fault? in
            text == "true" || text == "false" ? nil : Fault(code: "invalid_type", message: "must be true or false")
        }
    }

    /// An RFC 3339 time.
    public static func instant(_ name: String, required: Bool = false, doc: String = "") -> QueryParameter {
        let schema = JSONSchema.string(max: 40, format: "date-time")
        return custom(name, schema: schema, required: required, doc: doc) { (text: String) -> Fault? in
            Instant(rfc3339: text) == nil
                ? Fault(code: "invalid_time", message: "is not an RFC 3339 time such as 2027-01-31T00:00:00Z") : nil
        }
    }

    /// A `YYYY-MM-DD` date.
    public static func civilDate(_ name: String, required: Bool = false, doc: String = "") -> QueryParameter {
        let schema = JSONSchema.string(max: 10, format: "date")
        return custom(name, schema: schema, required: required, doc: doc) { (text: String) -> Fault? in
            CivilDate(text) == nil ? Fault(code: "invalid_date", message: "is not a date such as 2027-01-31") : nil
        }
    }

    /// An active ISO 4217 currency code.
    public static func currency(_ name: String, required: Bool = false, doc: String = "") -> QueryParameter {
        let schema = JSONSchema.string(pattern: "^[A-Z]{3}$")
        return custom(name, schema: schema, required: required, doc: doc) { (text: String) -> Fault? in
            Currency(text) == nil
                ? Fault(code: "unknown_currency", message: "is not an active ISO 4217 currency code in capitals") : nil
        }
    }
}

/// The query parameters of a request. Reading one gives `nil` when it was left out; a faulty one never gets this far.
public struct QueryValues: Sendable {
    private let values: [String: String]

    init(_ values: [String: String]) {
        self.values = values
    }

    /// No parameters.
    public static let none = QueryValues([:])

    /// The text of a parameter.
    public func string(_ name: String) -> String? { values[name] }

    /// A parameter as an id.
    public func id<ID: TypedID>(_ name: String, as type: ID.Type = ID.self) -> ID? { values[name].flatMap { ID($0) } }

    /// A parameter as a word out of a closed list.
    public func enumeration<E: RawRepresentable>(_ name: String, of type: E.Type = E.self) -> E?
    where E.RawValue == String {
        values[name].flatMap { E(rawValue: $0) }
    }

    /// A parameter as a whole number.
    public func int(_ name: String) -> Int? { values[name].flatMap { Int($0) } }

    /// A parameter as `true` or `false`.
    public func bool(_ name: String) -> Bool? { values[name].map { $0 == "true" } }

    /// A parameter as a time.
    public func instant(_ name: String) -> Instant? { values[name].flatMap { Instant(rfc3339: $0) } }

    /// A parameter as a date.
    public func civilDate(_ name: String) -> CivilDate? { values[name].flatMap { CivilDate($0) } }

    /// A parameter as a currency.
    public func currency(_ name: String) -> Currency? { values[name].flatMap { Currency($0) } }
}
