/// Readers for the values of other targets (money, ids, instants).
///
/// `schema` is only built when describing. A `parse` closure leaves ``Fault/param`` empty, or sets it relative to the
/// value it was given: the path of the field is put in front of it.
extension InputFields {
    /// Reads a value of another target's making.
    /// - Parameters:
    ///   - required: Whether absence is a fault; an optional field's absence is `nil`.
    ///   - placeholder: What is returned for a required field in its place when it is faulty, and when describing.
    /// - Returns: The value; `nil` only when the field is not required and absent or faulty.
    public mutating func custom<V>(
        _ name: String, schema: @autoclosure () -> JSONValue, placeholder: @autoclosure () -> V, required: Bool,
        doc: String = "", parse: (JSONValue) -> Result<V, Fault>
    ) -> V? {
        if required {
            return self.required(name, schema: schema(), placeholder: placeholder(), doc: doc, parse: parse)
        }
        return optional(name, schema: schema(), doc: doc, parse: parse)
    }

    /// Reads a required value of another target's making; a faulty one is reported and replaced by the placeholder.
    public mutating func required<V>(
        _ name: String, schema: @autoclosure () -> JSONValue, placeholder: @autoclosure () -> V, doc: String = "",
        parse: (JSONValue) -> Result<V, Fault>
    ) -> V {
        if isDescribing { record(name, required: true, doc: doc, schema()) }
        guard !isDescribing, let value = takeRequired(name) else { return placeholder() }
        return accept(parse(value), at: name) ?? placeholder()
    }

    /// Reads a value of another target's making that may be left out; `nil` when it is absent or faulty.
    public mutating func optional<V>(
        _ name: String, schema: @autoclosure () -> JSONValue, doc: String = "", parse: (JSONValue) -> Result<V, Fault>
    ) -> V? {
        if isDescribing { record(name, required: false, doc: doc, schema()) }
        guard !isDescribing, let value = take(name) else { return nil }
        return accept(parse(value), at: name)
    }

    /// Reads a list of values of another target's making; faulty elements are reported and left out.
    /// - Parameter required: Whether absence is a fault; otherwise an absent list is empty.
    public mutating func customList<V>(
        _ name: String, element schema: @autoclosure () -> JSONValue, count: ClosedRange<Int> = 0...1_000,
        required: Bool = true, doc: String = "", parse: (JSONValue) -> Result<V, Fault>
    ) -> [V] {
        if isDescribing {
            record(name, required: required, doc: doc, JSONSchema.array(of: schema(), count: count))
        }
        guard !isDescribing, let value = required ? takeRequired(name) : take(name) else { return [] }
        guard let elements = elements(value, name, count) else { return [] }
        var values: [V] = []
        values.reserveCapacity(elements.count)
        for (index, element) in elements.enumerated() {
            if let value = accept(parse(element), at: "\(name)[\(index)]") { values.append(value) }
        }
        return values
    }

    /// Reads any JSON value as it is; `null` and absent are `nil`.
    public mutating func json(_ name: String, doc: String = "") -> JSONValue? {
        optional(name, schema: JSONValue.object([]), doc: doc) { .success($0) }
    }

    private mutating func accept<V>(_ result: Result<V, Fault>, at path: @autoclosure () -> String) -> V? {
        switch result {
        case .success(let value): return value
        case .failure(let fault):
            report(fault.under(path()))
            return nil
        }
    }
}
