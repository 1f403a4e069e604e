import JSON
import TestKit
import Testing

@Suite("Writing JSON") struct WriterTests {
    private func text(_ body: (inout JSONWriter) -> Void) -> String {
        var writer = JSONWriter()
        body(&writer)
        return String(decoding: writer.bytes, as: UTF8.self)
    }

    @Test("places commas and colons") func structure() {
        let written = text { writer in
            writer.beginObject()
            writer.key("a")
            writer.beginArray()
            writer.int(1)
            writer.int(-20)
            writer.beginArray()
            writer.endArray()
            writer.beginObject()
            writer.endObject()
            writer.null()
            writer.endArray()
            writer.key("b")
            writer.bool(true)
            writer.key("c")
            writer.raw(Array("[0]".utf8))
            writer.key("d")
            writer.string("x")
            writer.endObject()
        }
        #expect(written == "{\"a\":[1,-20,[],{},null],\"b\":true,\"c\":[0],\"d\":\"x\"}")
    }

    @Test(
        "escapes what must be escaped and nothing else",
        arguments: [
            ("", "\"\""), ("plain", "\"plain\""), ("a\"b\\c/d", "\"a\\\"b\\\\c/d\""),
            ("\u{8}\u{9}\u{A}\u{C}\u{D}", "\"\\b\\t\\n\\f\\r\""), ("\u{1}\u{1F}", "\"\\u0001\\u001f\""),
            ("é😀\u{7F}\u{2028}", "\"é😀\u{7F}\u{2028}\""),
        ])
    func escapes(value: String, expected: String) {
        #expect(text { $0.string(value) } == expected)
    }

    @Test(
        "writes every size of integer",
        arguments: [0, 9, 10, 99, 100, -1, -9, -10, 1_234_567_890, .max, .min] as [Int64])
    func integers(value: Int64) {
        #expect(text { $0.int(value) } == String(value))
    }

    @Test("appends to bytes that are there already") func appending() {
        var writer = JSONWriter(appendingTo: Array("data: ".utf8))
        writer.value(["a": [1, .null, false]])
        #expect(String(decoding: writer.bytes, as: UTF8.self) == "data: {\"a\":[1,null,false]}")
    }

    @Test("what is written reads back as the same value") func roundTrip() throws {
        var random = Seeded()
        for _ in 0..<3_000 {
            let value = Self.value(depth: 4, &random)
            let bytes = value.serialized
            #expect(try parseJSON(bytes) == value, "seed \(random.seed)")
            #expect(try parseJSON(bytes).serialized == bytes, "seed \(random.seed)")
        }
    }

    private static func value(depth: Int, _ random: inout Seeded) -> JSONValue {
        switch Int.random(in: 0...(depth > 0 ? 6 : 4), using: &random) {
        case 0: return .null
        case 1: return .bool(Bool.random(using: &random))
        case 2: return .number(String(Int64.random(in: .min ... .max, using: &random)))
        case 3:
            return .number(
                "-\(UInt8.random(in: 0...255, using: &random)).\(UInt8.random(in: 0...255, using: &random))e-7")
        case 4: return .string(random.text(upTo: 20))
        case 5:
            return .array((0..<Int.random(in: 0...4, using: &random)).map { _ in value(depth: depth - 1, &random) })
        default:
            var names: Set<String> = []
            for _ in 0..<Int.random(in: 0...20, using: &random) { names.insert(random.text(upTo: 4)) }
            return .object(names.map { JSONMember(name: $0, value: value(depth: depth - 1, &random)) })
        }
    }
}

@Suite("Looking into JSON") struct ValueTests {
    @Test("finds members and elements, and says nothing where there are none") func access() {
        let value: JSONValue = ["a": [1, "x", true, .null], "n": .number("1.0")]
        #expect(value["a"]?[0]?.intValue == 1)
        #expect(value["a"]?[1]?.stringValue == "x")
        #expect(value["a"]?[2]?.boolValue == true)
        #expect(value["a"]?[3]?.isNull == true)
        #expect(value["a"]?.arrayValue?.count == 4)
        #expect(value.objectValue?.map(\.name) == ["a", "n"])
        #expect(value["b"] == nil && value[0] == nil && value["a"]?[4] == nil && value["a"]?[-1] == nil)
        #expect(value["n"]?.intValue == nil && value["a"]?.stringValue == nil && value["a"]?.boolValue == nil)
        #expect(value.arrayValue == nil && value["a"]?.objectValue == nil)
        #expect(value.description == "{\"a\":[1,\"x\",true,null],\"n\":1.0}")
    }
}
