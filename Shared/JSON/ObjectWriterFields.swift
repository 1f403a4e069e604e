/// Writers for single values.
extension ObjectWriter {
    /// Writes a string.
    public mutating func field(_ name: String, _ value: String, doc: String = "") {
        if begin(name, doc, JSONSchema.string()) { json.string(value) }
    }

    /// Writes a string or `null`.
    public mutating func field(_ name: String, _ value: String?, doc: String = "") {
        text(name, value, schema: JSONSchema.string(), doc: doc)
    }

    /// Writes an integer.
    public mutating func field(_ name: String, _ value: Int64, doc: String = "") {
        if begin(name, doc, JSONSchema.integer()) { json.int(value) }
    }

    /// Writes an integer or `null`.
    public mutating func field(_ name: String, _ value: Int64?, doc: String = "") {
        guard begin(name, doc, JSONSchema.nullable(JSONSchema.integer())) else { return }
        if let value { json.int(value) } else { json.null() }
    }

    /// Writes an integer.
    public mutating func field(_ name: String, _ value: Int, doc: String = "") {
        field(name, Int64(value), doc: doc)
    }

    /// Writes an integer or `null`.
    public mutating func field(_ name: String, _ value: Int?, doc: String = "") {
        field(name, value.map(Int64.init), doc: doc)
    }

    /// Writes a boolean.
    public mutating func field(_ name: String, _ value: Bool, doc: String = "") {
        if begin(name, doc, JSONSchema.boolean) { json.bool(value) }
    }

    /// Writes a boolean or `null`.
    public mutating func field(_ name: String, _ value: Bool?, doc: String = "") {
        guard begin(name, doc, JSONSchema.nullable(JSONSchema.boolean)) else { return }
        if let value { json.bool(value) } else { json.null() }
    }

    /// Writes a word out of a closed list.
    public mutating func field<E>(_ name: String, _ value: E, doc: String = "")
    where E: CaseIterable & RawRepresentable, E.RawValue == String {
        if begin(name, doc, JSONSchema.enumeration(E.self)) { json.string(value.rawValue) }
    }

    /// Writes a word out of a closed list, or `null`.
    public mutating func field<E>(_ name: String, _ value: E?, doc: String = "")
    where E: CaseIterable & RawRepresentable, E.RawValue == String {
        text(name, value?.rawValue, schema: JSONSchema.enumeration(E.self), doc: doc)
    }

    /// Writes a value of another target as a string with a schema of its own (ids, currencies, instants).
    public mutating func text(_ name: String, _ value: String, schema: @autoclosure () -> JSONValue, doc: String = "") {
        if begin(name, doc, schema()) { json.string(value) }
    }

    /// Writes a value of another target as a string with a schema of its own, or `null`.
    public mutating func text(_ name: String, _ value: String?, schema: @autoclosure () -> JSONValue, doc: String = "")
    {
        guard begin(name, doc, JSONSchema.nullable(schema())) else { return }
        if let value { json.string(value) } else { json.null() }
    }

    /// Writes an integer with a schema of its own.
    public mutating func number(_ name: String, _ value: Int64, schema: @autoclosure () -> JSONValue, doc: String = "")
    {
        if begin(name, doc, schema()) { json.int(value) }
    }
}

/// Writers for nested values.
extension ObjectWriter {
    /// Writes a nested object.
    public mutating func field<T: JSONOutput>(_ name: String, _ value: T, doc: String = "") {
        if begin(name, doc, outputSchema(of: T.self)) { object(value) }
    }

    /// Writes a nested object or `null`.
    public mutating func field<T: JSONOutput>(_ name: String, _ value: T?, doc: String = "") {
        guard begin(name, doc, JSONSchema.nullable(outputSchema(of: T.self))) else { return }
        if let value { object(value) } else { json.null() }
    }

    /// Writes a list of objects.
    public mutating func field<T: JSONOutput>(_ name: String, _ values: [T], doc: String = "") {
        guard begin(name, doc, JSONSchema.array(of: outputSchema(of: T.self))) else { return }
        json.beginArray()
        for value in values { object(value) }
        json.endArray()
    }

    /// Writes a list of strings.
    public mutating func field(_ name: String, _ values: [String], doc: String = "") {
        texts(name, values, schema: JSONSchema.string(), doc: doc)
    }

    /// Writes a list of words out of a closed list.
    public mutating func field<E>(_ name: String, _ values: [E], doc: String = "")
    where E: CaseIterable & RawRepresentable, E.RawValue == String {
        texts(name, values.lazy.map(\.rawValue), schema: JSONSchema.enumeration(E.self), doc: doc)
    }

    /// Writes a list of strings with a schema for each element.
    public mutating func texts(
        _ name: String, _ values: some Sequence<String>, schema: @autoclosure () -> JSONValue, doc: String = ""
    ) {
        guard begin(name, doc, JSONSchema.array(of: schema())) else { return }
        json.beginArray()
        for value in values { json.string(value) }
        json.endArray()
    }

    /// Writes a map of strings, ordered by key so that equal maps have equal bytes.
    public mutating func field(_ name: String, _ map: [String: String], doc: String = "") {
        guard begin(name, doc, JSONSchema.stringMap()) else { return }
        json.beginObject()
        for (key, value) in map.sorted(by: { $0.key < $1.key }) {
            json.key(key)
            json.string(value)
        }
        json.endObject()
    }

    /// Writes any JSON value.
    public mutating func field(_ name: String, _ value: JSONValue, doc: String = "") {
        if begin(name, doc, JSONSchema.anything) { json.value(value) }
    }

    /// Writes any JSON value with a schema of its own.
    public mutating func field(
        _ name: String, json value: JSONValue, schema: @autoclosure () -> JSONValue = JSONSchema.anything,
        doc: String = ""
    ) {
        if begin(name, doc, schema()) { json.value(value) }
    }

    /// Writes bytes that are one JSON value already.
    public mutating func field(
        _ name: String, raw bytes: [UInt8], schema: @autoclosure () -> JSONValue = JSONSchema.anything, doc: String = ""
    ) {
        if begin(name, doc, schema()) { json.raw(bytes) }
    }
}
