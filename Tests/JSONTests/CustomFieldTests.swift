import JSON
import Testing

/// Reads values of the test's own making.
private struct Custom: JSONInput, Equatable {
    var even: Int64
    var maybe: Int64?
    var viaCustom: Int64?
    var list: [Int64]
    var anything: JSONValue?

    init(_ f: inout InputFields) {
        even = f.required("even", schema: JSONSchema.integer(), placeholder: 0, doc: "Even", parse: Self.parse)
        maybe = f.optional("maybe", schema: JSONSchema.integer(), parse: Self.parse)
        viaCustom = f.custom(
            "via", schema: JSONSchema.integer(), placeholder: 0, required: false, doc: "Even too", parse: Self.parse)
        list = f.customList("list", element: JSONSchema.integer(), count: 0...3, required: false, parse: Self.parse)
        anything = f.json("anything")
    }

    static func parse(_ value: JSONValue) -> Result<Int64, Fault> {
        guard let number = value.intValue else { return .failure(Fault(code: "invalid_type", message: "a number")) }
        if number == 13 { return .failure(Fault(param: "digits[1]", code: "unlucky", message: "no")) }
        return number.isMultiple(of: 2) ? .success(number) : .failure(Fault(code: "odd", message: "is odd"))
    }
}

@Suite("Values of other targets") struct CustomFieldTests {
    @Test("are read by the parser they bring") func reads() throws {
        let text = "{\"even\":2,\"maybe\":4,\"via\":6,\"list\":[8,10],\"anything\":{\"x\":[1]}}"
        let value = try decode(Custom.self, from: parseJSON(text))
        #expect(value.even == 2 && value.maybe == 4 && value.viaCustom == 6 && value.list == [8, 10])
        #expect(value.anything == ["x": [1]])
        let bare = try decode(Custom.self, from: parseJSON("{\"even\":0}"))
        #expect(bare.maybe == nil && bare.viaCustom == nil && bare.list.isEmpty && bare.anything == nil)
    }

    @Test("have their faults put under the field's path") func faultPaths() throws {
        let text = "{\"even\":1,\"maybe\":13,\"via\":\"x\",\"list\":[2,3,13]}"
        #expect(
            try faults(Custom.self, text) == [
                "even odd", "maybe.digits[1] unlucky", "via invalid_type", "list[1] odd", "list[2].digits[1] unlucky",
            ])
        #expect(try faults(Custom.self, "{\"list\":[2,2,2,2]}") == ["even required", "list too_many"])
    }

    @Test("appear in the schema") func schemaOfCustom() {
        let properties = schema(of: Custom.self)["properties"]
        #expect(properties?["even"] == ["type": "integer", "format": "int64", "description": "Even"])
        #expect(properties?["via"]?["type"] == ["integer", "null"])
        #expect(properties?["list"]?["items"] == ["type": "integer", "format": "int64"])
        #expect(schema(of: Custom.self)["required"] == ["even"])
    }
}
