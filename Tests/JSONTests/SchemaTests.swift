import JSON
import TestKit
import Testing

/// An output with a sum.
private struct Total: JSONOutput {
    func write(to o: inout ObjectWriter) { o.sum("total", .max) }

    static var sample: Self { Self() }
}

@Suite("Describing inputs and outputs") struct SchemaTests {
    @Test("one declaration gives the schema of an input") func inputSchema() {
        let found = schema(of: Order.self)
        let line: JSONValue = [
            "type": "object", "required": ["price"],
            "properties": [
                "price": [
                    "type": "integer", "format": "int64", "minimum": 1, "maximum": 1000, "description": "Minor units",
                ],
                "label": ["type": ["string", "null"], "maxLength": 5],
            ],
            "additionalProperties": false,
        ]
        #expect(found["type"] == "object" && found["additionalProperties"] == false)
        #expect(found["required"] == ["name", "amount", "colour", "first", "lines", "rate"])
        let properties = found["properties"]
        #expect(
            properties?["name"]
                == ["type": "string", "minLength": 1, "maxLength": 10, "description": "What it is called"])
        #expect(properties?["amount"] == ["type": "integer", "format": "int64", "description": "Minor units"])
        #expect(properties?["limit"] == ["type": ["integer", "null"], "format": "int64", "minimum": 0])
        #expect(properties?["urgent"] == ["type": ["boolean", "null"], "default": false])
        #expect(properties?["colour"] == ["type": "string", "enum": ["red", "green", "blue"]])
        #expect(properties?["shade"] == ["type": ["string", "null"], "enum": ["red", "green", "blue", .null]])
        #expect(properties?["metadata"]?["maxProperties"] == 3)
        #expect(properties?["metadata"]?["additionalProperties"] == ["type": "string", "maxLength": 6])
        #expect(properties?["first"] == line)
        #expect(properties?["second"]?["type"] == ["object", "null"])
        #expect(properties?["lines"] == ["type": "array", "items": line, "minItems": 1, "maxItems": 3])
        #expect(properties?["rate"]?["pattern"] == "^[0-9]+(\\.[0-9]{1,4})?$")
    }

    @Test("an input that ignores unknown fields says so by allowing more") func openSchema() {
        #expect(schema(of: Line.self, unknownFields: .ignore)["additionalProperties"] == nil)
    }

    @Test("the sample gives the schema of an output; every field is always there") func schemaOfOutput() {
        let found = outputSchema(of: Order.self)
        let names = found["properties"]?.objectValue?.map(\.name)
        #expect(found["required"]?.arrayValue?.compactMap(\.stringValue) == names)
        #expect(names?.count == 14)
        #expect(found["properties"]?["note"] == ["type": ["string", "null"]])
        #expect(found["properties"]?["limit"]?["type"] == ["integer", "null"])
        #expect(found["properties"]?["shade"]?["enum"] == ["red", "green", "blue", .null])
        #expect(found["properties"]?["second"]?["type"] == ["object", "null"])
        #expect(found["properties"]?["lines"]?["items"] == outputSchema(of: Line.self))
        #expect(found["properties"]?["metadata"]?["additionalProperties"] == ["type": "string"])
    }

    @Test("the schema of a sum does not say 64 bits: it is told whole where it has more") func sums() {
        #expect(outputSchema(of: Total.self)["properties"]?["total"] == ["type": "integer"])
    }

    @Test("a fragment without a single type becomes nullable by choice") func nullable() {
        #expect(JSONSchema.nullable(["$ref": "#/x"]) == ["anyOf": [["$ref": "#/x"], ["type": "null"]]])
        #expect(JSONSchema.nullable(JSONSchema.anything) == JSONSchema.anything)
        #expect(JSONSchema.string(pattern: "^a$", format: "f") == ["type": "string", "format": "f", "pattern": "^a$"])
    }
}

@Suite("Writing declared fields") struct OutputTests {
    @Test("writes every kind of field in order") func writes() {
        let text = encodeString(Order.sample)
        #expect(
            text == """
                {"name":"tea","note":"hot","amount":12,"limit":50,"urgent":true,"seen":false,"colour":"green",\
                "shade":"blue","metadata":{"a":"1","b":""},"first":{"price":1,"label":"x"},"second":{"price":2,"label":null},\
                "lines":[{"price":5,"label":"tea"}],"tags":["p","q"],"rate":"0.0725"}
                """)
    }

    @Test("writes null for what is absent") func nulls() {
        var order = Order.sample
        (order.note, order.limit, order.seen, order.shade, order.second) = (nil, nil, nil, nil, nil)
        order.lines = []
        order.tags = []
        order.metadata = [:]
        let text = encodeString(order)
        for name in ["note", "limit", "seen", "shade", "second"] { #expect(text.contains("\"\(name)\":null")) }
        #expect(text.contains("\"metadata\":{}") && text.contains("\"lines\":[]") && text.contains("\"tags\":[]"))
    }

    @Test("what is written is read back as the same value") func roundTrip() throws {
        var random = Seeded()
        var order = Order.sample
        for _ in 0..<2_000 {
            order.name = String(("x" + random.text(upTo: 9)).unicodeScalars.prefix(10))
            order.note = Bool.random(using: &random) ? random.text(upTo: 10) : nil
            order.amount = Int64.random(in: .min ... .max, using: &random)
            order.limit = Bool.random(using: &random) ? .max : nil
            order.colour = Colour.allCases.randomElement(using: &random) ?? .red
            order.metadata = ["k": random.text(upTo: 6)]
            order.lines = (1...Int.random(in: 1...3, using: &random)).map { Line(price: Int64($0), label: nil) }
            let read = try decode(Order.self, from: parseJSON(encode(order)))
            #expect(read == order, "seed \(random.seed)")
        }
    }

    @Test("embeds values and bytes that are JSON already") func embedded() {
        struct Embedding: JSONOutput {
            static let sample = Embedding()
            func write(to o: inout ObjectWriter) {
                o.field("value", json: ["a": .null])
                o.field("raw", raw: Array("[1]".utf8))
                o.number("n", 7, schema: JSONSchema.integer(0...9))
                o.field("colours", [Colour.red, .blue])
                o.field("count", 3)
                o.field("none", Int?.none)
            }
        }
        #expect(
            encodeString(Embedding.sample)
                == "{\"value\":{\"a\":null},\"raw\":[1],\"n\":7,\"colours\":[\"red\",\"blue\"],\"count\":3,\"none\":null}"
        )
        let properties = outputSchema(of: Embedding.self)["properties"]
        #expect(properties?["raw"] == JSONSchema.anything && properties?["n"]?["maximum"] == 9)
        #expect(properties?["colours"]?["items"]?["enum"] == ["red", "green", "blue"])
    }
}
