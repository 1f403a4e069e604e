import JSON
import TestKit
import Testing

@Suite("Parsing JSON") struct ParserTests {
    @Test(
        "accepts what RFC 8259 allows",
        arguments: [
            ("null", JSONValue.null), (" true\t", true), ("\r\nfalse\n", false), ("0", 0), ("-0", .number("-0")),
            ("-12", -12), ("1.50", .number("1.50")), ("1e3", .number("1e3")), ("1.5E-07", .number("1.5E-07")),
            ("2E+9", .number("2E+9")), ("123456789012345678901234567890", .number("123456789012345678901234567890")),
            ("\"\"", ""), ("\"a\"", "a"), ("\"é😀\"", "é😀"), ("\"\\\"\\\\\\/\\b\\f\\n\\r\\t\"", "\"\\/\u{8}\u{C}\n\r\t"),
            ("\"\\u00e9\\u00C9\"", "éÉ"), ("\"x\\ud83d\\uDE00y\"", "x😀y"), ("\"\u{7F}\u{2028}\"", "\u{7F}\u{2028}"),
            ("[]", []), ("[ ]", []), ("[1,[2],{}]", [1, [2], [:]]), ("{}", [:]), ("{ }", [:]),
            ("{\"b\" : 1 , \"a\":[ true ]}", ["b": 1, "a": [true]]), ("{\"\":0}", ["": 0]),
        ] as [(String, JSONValue)])
    func accepts(text: String, expected: JSONValue) throws {
        #expect(try parseJSON(text) == expected)
    }

    @Test(
        "refuses what RFC 8259 does not allow, and says why",
        arguments: [
            ("", .unexpectedEnd), (" ", .unexpectedEnd), ("nul", .unexpectedEnd), ("nulL", .unexpectedByte),
            ("True", .unexpectedByte), ("NaN", .unexpectedByte), ("Infinity", .unexpectedByte),
            ("'a'", .unexpectedByte),
            ("+1", .unexpectedByte), (".5", .unexpectedByte), ("01", .invalidNumber), ("-01", .invalidNumber),
            ("00", .invalidNumber), ("-", .unexpectedEnd), ("-a", .invalidNumber), ("1.", .unexpectedEnd),
            ("1.e1", .invalidNumber), ("1e", .unexpectedEnd), ("1e+]", .invalidNumber), ("0x10", .trailingBytes),
            ("1 2", .trailingBytes), ("nullx", .trailingBytes), ("{}{}", .trailingBytes), ("[1]//", .trailingBytes),
            ("[", .unexpectedEnd), ("[1", .unexpectedEnd), ("[1,]", .unexpectedByte), ("[,1]", .unexpectedByte),
            ("[1 2]", .unexpectedByte), ("[1}", .unexpectedByte), ("]", .unexpectedByte), ("{", .unexpectedEnd),
            ("{\"a\"", .unexpectedEnd), ("{\"a\":", .unexpectedEnd), ("{\"a\":1", .unexpectedEnd),
            ("{\"a\":1,}", .unexpectedByte), ("{a:1}", .unexpectedByte), ("{1:1}", .unexpectedByte),
            ("{\"a\" 1}", .unexpectedByte), ("{\"a\"::1}", .unexpectedByte), ("{\"a\":1 \"b\":2}", .unexpectedByte),
            ("\"a", .unexpectedEnd), ("\"\\", .unexpectedEnd), ("\"\\u12", .unexpectedEnd),
            ("\"\\x41\"", .invalidEscape),
            ("\"\\u12g4\"", .invalidEscape), ("\"\\U0041\"", .invalidEscape), ("\"a\nb\"", .controlCharacter),
            ("\"\\n\u{1F}\"", .controlCharacter), ("\"a\u{0}\"", .nulCharacter), ("\"\\n\u{0}\"", .nulCharacter),
            ("\"\\u0000\"", .nulCharacter), ("\"\\ud800\"", .loneSurrogate), ("\"\\udc00\"", .loneSurrogate),
            ("\"\\ud800\\u0041\"", .loneSurrogate), ("\"\\ud800\\ud800\"", .loneSurrogate),
            ("\"\\ud83dx\"", .loneSurrogate), ("{\"a\":1,\"a\":2}", .duplicateKey), ("\u{FEFF}{}", .byteOrderMark),
            ("{\"a\":1,\"\\u0061\":2}", .duplicateKey), ("[{\"k\":{\"x\":1,\"x\":1}}]", .duplicateKey),
            ("{\"\u{E9}\":1,\"e\u{301}\":2}", .duplicateKey), ("\u{A0}1", .unexpectedByte), ("\u{C}1", .unexpectedByte),
        ] as [(String, JSONFault.Code)])
    func refuses(text: String, code: JSONFault.Code) {
        let fault = #expect(throws: JSONFault.self) { try parseJSON(text) }
        #expect(fault?.code == code)
        #expect(fault?.description.isEmpty == false)
    }

    @Test(
        "refuses invalid UTF-8 in values and in keys, escaped or not",
        arguments: [
            [0xFF], [0x80], [0xC3], [0xC0, 0xAF], [0xED, 0xA0, 0x80], [0xF5, 0x80, 0x80, 0x80], [0xE2, 0x82],
        ] as [[UInt8]])
    func invalidUTF8(bytes: [UInt8]) {
        let texts: [[UInt8]] = [
            Array("\"".utf8) + bytes + Array("\"".utf8), Array("\"\\n".utf8) + bytes + Array("\"".utf8),
            Array("{\"".utf8) + bytes + Array("\":1}".utf8),
        ]
        for text in texts {
            let fault = #expect(throws: JSONFault.self) { try parseJSON(text) }
            #expect(fault?.code == .invalidUTF8)
        }
        #expect(throws: JSONFault.self) { try parseJSON(bytes) }
    }

    @Test("a fault says at which byte it was noticed") func offset() {
        #expect(throws: JSONFault(.unexpectedByte, at: 7)) { try parseJSON("{\"a\": [}") }
        #expect(throws: JSONFault(.duplicateKey, at: 7)) { try parseJSON("{\"a\":1,\"a\":2}") }
    }

    @Test("finds a duplicate among many members, and only then") func manyMembers() throws {
        let names = (0..<200).map { "\"name_\($0)\":\($0)" }
        #expect(try parseJSON("{" + names.joined(separator: ",") + "}").objectValue?.count == 200)
        for index in [0, 15, 16, 17, 150, 199] {
            let text = "{" + names.joined(separator: ",") + ",\"name_\(index)\":0}"
            let fault = #expect(throws: JSONFault.self) { try parseJSON(text) }
            #expect(fault?.code == .duplicateKey)
        }
    }

    @Test("depth, length and counts have limits") func limits() throws {
        func nested(_ depth: Int) -> String {
            String(repeating: "[", count: depth) + String(repeating: "]", count: depth)
        }
        func code(_ text: String, _ limits: JSONLimits) -> JSONFault.Code? {
            let fault = #expect(throws: JSONFault.self) { try parseJSON(text, limits: limits) }
            return fault?.code
        }
        _ = try parseJSON(nested(32))
        #expect(code(nested(33), JSONLimits()) == .tooDeep)
        #expect(code(String(repeating: "[", count: 1_000_000), JSONLimits(maxDepth: .max)) == .tooDeep)
        #expect(code(String(repeating: "{\"a\":", count: 100_000), JSONLimits(maxDepth: .max)) == .tooDeep)
        #expect(code("[1,2,3]", JSONLimits(maxBytes: 6)) == .tooLarge)
        #expect(throws: JSONFault(.tooLarge, at: 2)) {
            try parseJSON([0x31, 0x32, 0x33][...], limits: JSONLimits(maxBytes: 2))
        }
        #expect(code("{\"a\":1,\"b\":1,\"c\":1}", JSONLimits(maxMembers: 2)) == .tooManyMembers)
        #expect(code("[1,2,3]", JSONLimits(maxValues: 3)) == .tooManyValues)
    }

    @Test("cutting or changing any byte of a text never does more than throw") func mutations() {
        var random = Seeded()
        let text = Array("{\"id\":\"a\\u00e9\\ud83d\\ude00\",\"n\":[-1.5e+3,0,true,null,{\"k\":\"é😀\"}]}".utf8)
        for length in 0..<text.count {
            #expect(throws: JSONFault.self) { try parseJSON(Array(text.prefix(length))) }
        }
        for _ in 0..<20_000 {
            var changed = text
            for _ in 0..<Int.random(in: 1...3, using: &random) {
                let index = Int.random(in: 0..<changed.count, using: &random)
                changed[index] = UInt8.random(in: 0...255, using: &random)
            }
            do throws(JSONFault) {
                let value = try parseJSON(changed)
                #expect(try parseJSON(value.serialized) == value, "seed \(random.seed)")
            } catch {
                #expect(error.offset <= changed.count, "seed \(random.seed)")
            }
        }
    }
}
