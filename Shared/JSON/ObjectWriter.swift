/// A value that is written as a JSON object by naming its fields once. The same method encodes and describes.
public protocol JSONOutput: Sendable {
    /// Writes every field, in order. Fields are always written; an absent value is `null`.
    func write(to o: inout ObjectWriter)
    /// A plausible value: it drives the schema and is the example in the API's documentation.
    static var sample: Self { get }
}

/// The JSON bytes of an object.
public func encode<T: JSONOutput>(_ value: T) -> [UInt8] {
    var writer = ObjectWriter()
    writer.object(value)
    return writer.json.bytes
}

/// The JSON text of an object.
public func encodeString<T: JSONOutput>(_ value: T) -> String {
    String(decoding: encode(value), as: UTF8.self)
}

/// The JSON schema (draft 2020-12, as OpenAPI 3.1 uses it) of an output, found by writing its sample.
public func outputSchema<T: JSONOutput>(of type: T.Type) -> JSONValue {
    var writer = ObjectWriter(describing: true)
    T.sample.write(to: &writer)
    return writer.schema
}

/// The fields of one JSON object being written, or of one JSON schema being described.
public struct ObjectWriter: Sendable {
    /// Where the text goes.
    public internal(set) var json: JSONWriter
    /// Whether the schema is being recorded; nothing is written then.
    public let isDescribing: Bool
    private var properties: [JSONMember] = []

    init(describing: Bool = false) {
        json = JSONWriter(capacity: describing ? 0 : 512)
        isDescribing = describing
    }

    /// What has been recorded in describing mode.
    var schema: JSONValue {
        let names = properties.map { JSONValue.string($0.name) }
        return ["type": "object", "required": .array(names), "properties": .object(properties)]
    }

    /// Writes a whole nested object.
    mutating func object<T: JSONOutput>(_ value: T) {
        json.beginObject()
        value.write(to: &self)
        json.endObject()
    }

    /// Writes the name of a field. False when describing: the schema is recorded and no value may follow.
    mutating func begin(_ name: String, _ doc: String, _ schema: @autoclosure () -> JSONValue) -> Bool {
        if isDescribing {
            precondition(!properties.contains { $0.name == name }, "a field is written twice: \(name)")
            properties.append(JSONMember(name: name, value: JSONSchema.documented(schema(), doc)))
            return false
        }
        json.key(name)
        return true
    }
}
