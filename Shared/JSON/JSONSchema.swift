/// Fragments of JSON Schema (draft 2020-12) that inputs and outputs are described with.
public enum JSONSchema {
    /// `true` or `false`.
    public static var boolean: JSONValue { ["type": "boolean"] }

    /// Anything at all.
    public static var anything: JSONValue { .object([]) }

    /// A string with a length in Unicode scalars.
    public static func string(min: Int = 0, max: Int? = nil, format: String? = nil) -> JSONValue {
        var schema = [JSONMember(name: "type", value: "string")]
        if let format { schema.append(JSONMember(name: "format", value: .string(format))) }
        if min > 0 { schema.append(JSONMember(name: "minLength", value: .number(String(min)))) }
        if let max { schema.append(JSONMember(name: "maxLength", value: .number(String(max)))) }
        return .object(schema)
    }

    /// A string that matches a regular expression.
    public static func string(pattern: String, format: String? = nil) -> JSONValue {
        adding(string(format: format), "pattern", .string(pattern))
    }

    /// A 64-bit integer with bounds; a bound at the end of 64 bits is left out.
    public static func integer(_ range: ClosedRange<Int64> = Int64.min...Int64.max) -> JSONValue {
        var schema = [JSONMember(name: "type", value: "integer"), JSONMember(name: "format", value: "int64")]
        if range.lowerBound != .min {
            schema.append(JSONMember(name: "minimum", value: .number(String(range.lowerBound))))
        }
        if range.upperBound != .max {
            schema.append(JSONMember(name: "maximum", value: .number(String(range.upperBound))))
        }
        return .object(schema)
    }

    /// A word out of a closed list.
    public static func enumeration<E>(_ type: E.Type) -> JSONValue
    where E: CaseIterable & RawRepresentable, E.RawValue == String {
        ["type": "string", "enum": .array(E.allCases.map { .string($0.rawValue) })]
    }

    /// A word out of a closed list that is not all of a type.
    public static func word(of words: [String]) -> JSONValue {
        ["type": "string", "enum": .array(words.map { .string($0) })]
    }

    /// An array; bounds are given when they bind.
    public static func array(of item: JSONValue, count: ClosedRange<Int>? = nil) -> JSONValue {
        var schema = [JSONMember(name: "type", value: "array"), JSONMember(name: "items", value: item)]
        if let count, count.lowerBound > 0 {
            schema.append(JSONMember(name: "minItems", value: .number(String(count.lowerBound))))
        }
        if let count { schema.append(JSONMember(name: "maxItems", value: .number(String(count.upperBound)))) }
        return .object(schema)
    }

    /// A map of strings.
    public static func stringMap(maxKeys: Int? = nil, maxKey: Int? = nil, maxValue: Int? = nil) -> JSONValue {
        var schema = [
            JSONMember(name: "type", value: "object"),
            JSONMember(name: "additionalProperties", value: string(max: maxValue)),
        ]
        if let maxKey {
            schema.append(
                JSONMember(name: "propertyNames", value: ["minLength": 1, "maxLength": .number(String(maxKey))]))
        }
        if let maxKeys { schema.append(JSONMember(name: "maxProperties", value: .number(String(maxKeys)))) }
        return .object(schema)
    }

    /// The same schema, `null` allowed as well.
    public static func nullable(_ schema: JSONValue) -> JSONValue {
        guard case .object(var members) = schema, !members.isEmpty else { return schema }
        guard let type = members.firstIndex(where: { $0.name == "type" }), case .string = members[type].value else {
            return ["anyOf": [schema, ["type": "null"]]]
        }
        members[type].value = [members[type].value, "null"]
        if let words = members.firstIndex(where: { $0.name == "enum" }), case .array(let list) = members[words].value {
            members[words].value = .array(list + [.null])
        }
        return .object(members)
    }

    /// The same schema with a description; an empty one adds nothing.
    public static func documented(_ schema: JSONValue, _ doc: String) -> JSONValue {
        doc.isEmpty ? schema : adding(schema, "description", .string(doc))
    }

    /// The same schema with one more keyword.
    public static func adding(_ schema: JSONValue, _ keyword: String, _ value: JSONValue) -> JSONValue {
        guard case .object(let members) = schema else { return schema }
        return .object(members + [JSONMember(name: keyword, value: value)])
    }

    static func firstCase<E: CaseIterable>(_ type: E.Type) -> E {
        guard let first = E.allCases.first else {
            preconditionFailure("\(type) has no case to stand in for a faulty value")
        }
        return first
    }
}
