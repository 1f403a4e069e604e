import JSON
import Testing

/// The faults of reading with a closure, as `param code`.
private func fault(_ json: String, _ read: (inout InputFields) -> Void) throws -> [String] {
    let json = try parseJSON(json)
    do throws(InvalidInput) {
        try decode(from: json, read)
        return []
    } catch {
        return error.faults.map { "\($0.param) \($0.code)" }
    }
}

@Suite("Reading declared fields") struct InputTests {
    @Test("reads every kind of field") func reads() throws {
        let order = try decode(Order.self, from: parseJSON(Order.text))
        #expect(order.name == "tea" && order.note == "hot" && order.amount == 12 && order.limit == 50)
        #expect(order.urgent && order.seen == false && order.colour == .green && order.shade == .blue)
        #expect(order.metadata == ["a": "1", "b": ""] && order.rate == "0.0725" && order.tags == ["p", "q"])
        #expect(order.first == Line(price: 1, label: "x") && order.second == Line(price: 2, label: nil))
        #expect(order.lines == [Line(price: 3, label: nil)])
    }

    @Test("takes absent and null optionals as the same, in any order of members") func optionals() throws {
        let text = """
            {"rate":"2","lines":[{"label":"a","price":3}],"first":{"price":1},"colour":"red","amount":-5,"name":"n",
            "note":null,"limit":null,"metadata":null,"second":null,"tags":null,"shade":null,"urgent":null}
            """
        let order = try decode(Order.self, from: parseJSON(text))
        #expect(order.note == nil && order.limit == nil && order.metadata.isEmpty && order.second == nil)
        #expect(order.tags.isEmpty && order.shade == nil && !order.urgent && order.seen == nil && order.amount == -5)
    }

    @Test("reports every missing field at once") func missing() throws {
        #expect(
            try faults(Order.self, "{}") == [
                "name required", "amount required", "colour required", "first required", "lines required",
                "rate required",
            ])
    }

    @Test("reports every faulty field at once, with its path") func everyFault() throws {
        let text = """
            {"name":"","note":"12345678901","amount":1.5,"limit":-1,"urgent":"yes","seen":1,"colour":"pink","shade":7,
            "metadata":{"a":1,"longkey":"v","b":"1234567"},"first":[],"second":{"price":0,"label":"toolong","x":1},
            "lines":[{"price":1},{"price":"2"},3],"tags":["ok","long",5],"rate":"1.23456","extra":1,"name2":{}}
            """
        #expect(
            try faults(Order.self, text) == [
                "name too_short", "note too_long", "amount invalid_type", "limit out_of_range", "urgent invalid_type",
                "seen invalid_type", "colour unknown_value", "shade invalid_type", "metadata.a invalid_type",
                "metadata too_long", "metadata.b too_long", "first invalid_type", "second.price out_of_range",
                "second.label too_long", "second.x unknown_field", "lines[1].price invalid_type",
                "lines[2] invalid_type",
                "tags too_many", "rate invalid_decimal", "extra unknown_field", "name2 unknown_field",
            ])
    }

    @Test("lists are bounded and name the faulty element") func lists() throws {
        #expect(try fault("{\"l\":[]}") { _ = $0.list("l", of: Line.self, count: 1...2) } == ["l too_few"])
        #expect(try fault("{\"l\":{}}") { _ = $0.optionalList("l", of: Line.self) } == ["l invalid_type"])
        #expect(try fault("{\"l\":[\"a\",1]}") { _ = $0.strings("l") } == ["l[1] invalid_type"])
        #expect(try fault("{}") { _ = $0.strings("l", count: 1...2) } == ["l required"])
        #expect(try fault("{}") { _ = $0.optionalList("l", of: Line.self) } == [])
    }

    @Test(
        "an integer is written plainly and fits its range",
        arguments: [
            ("0", nil), ("-0", nil), ("9223372036854775807", nil), ("-9223372036854775808", nil),
            ("9223372036854775808", "out_of_range"), ("-9223372036854775809", "out_of_range"),
            ("123456789012345678901234567890", "out_of_range"), ("1.0", "invalid_type"), ("1e3", "invalid_type"),
            ("1E3", "invalid_type"), ("\"1\"", "invalid_type"), ("true", "invalid_type"), ("null", "required"),
            ("[]", "invalid_type"), ("{}", "invalid_type"),
        ] as [(String, String?)])
    func integers(lexeme: String, code: String?) throws {
        #expect(try fault("{\"n\":\(lexeme)}") { _ = $0.int("n") } == (code.map { ["n \($0)"] } ?? []))
    }

    @Test("a positive amount has a limit, which is named") func amounts() throws {
        func faults(_ amount: String) throws -> [String] {
            let json = try parseJSON("{\"amount\":\(amount),\"currency\":\"USD\"}")
            do {
                _ = try decode(from: json) { $0.positiveMoney("amount") }
                return []
            } catch { return error.faults.map(\.message) }
        }
        for fine in ["1", "1000000000000"] { #expect(try faults(fine) == []) }
        for beyond in ["0", "-1", "1000000000001", "9223372036854775807"] {
            #expect(try faults(beyond) == ["must be between 1 and 1000000000000"], "\(beyond)")
        }
    }

    @Test("a range is named in the message") func ranges() throws {
        func message(_ range: ClosedRange<Int64>) throws -> String? {
            let json = try parseJSON("{\"n\":99999999999999999999}")
            let input = #expect(throws: InvalidInput.self) {
                try decode(from: json) { $0.int("n", range: range) }
            }
            return input?.faults.first?.message
        }
        #expect(try message(Int64.min...Int64.max) == "must fit 64 bits")
        #expect(try message(1...Int64.max) == "must be at least 1")
        #expect(try message(Int64.min...9) == "must be at most 9")
        #expect(try message(1...9) == "must be between 1 and 9")
    }

    @Test(
        "a decimal is a string of plain digits",
        arguments: [
            ("\"0\"", true), ("\"12.5\"", true), ("\"00.50\"", true), ("\"123456\"", true), ("\"1.2345\"", true),
            ("\"1234567\"", false), ("\"1.23456\"", false), ("\".5\"", false), ("\"5.\"", false), ("\"\"", false),
            ("\"-1\"", false), ("\"+1\"", false), ("\"1e2\"", false), ("\"1 \"", false), ("\"1.2.3\"", false),
            ("\"١\"", false),
        ])
    func decimals(json: String, isFine: Bool) throws {
        let found = try fault("{\"d\":\(json)}") { _ = $0.decimal("d", maxDigits: 6, maxScale: 4) }
        #expect(found == (isFine ? [] : ["d invalid_decimal"]))
    }

    @Test("a negative decimal is accepted where it is allowed; a number is never one") func signedDecimals() throws {
        #expect(try fault("{\"d\":\"-1.5\"}") { _ = $0.decimal("d", allowsNegative: true) } == [])
        #expect(try fault("{\"d\":\"1-5\"}") { _ = $0.decimal("d", allowsNegative: true) } == ["d invalid_decimal"])
        #expect(try fault("{\"d\":1.5}") { _ = $0.decimal("d") } == ["d invalid_type"])
    }

    @Test("lengths count Unicode scalars") func lengths() throws {
        #expect(try fault("{\"s\":\"😀😀😀\"}") { _ = $0.string("s", min: 3, max: 3) } == [])
        #expect(try fault("{\"s\":\"😀😀😀\"}") { _ = $0.string("s", max: 2) } == ["s too_long"])
        #expect(try fault("{\"s\":\"😀\"}") { _ = $0.optionalString("s", min: 2) } == ["s too_short"])
        #expect(try fault("{\"s\":\"e\u{301}\"}") { _ = $0.string("s", max: 1) } == ["s too_long"])
        #expect(try fault("{\"s\":\"\"}") { _ = $0.string("s") } == [])
    }

    @Test("maps are bounded and tell absent from empty") func maps() throws {
        #expect(try fault("{\"m\":[]}") { _ = $0.stringMap("m") } == ["m invalid_type"])
        #expect(try fault("{\"m\":{\"a\":\"\",\"b\":\"\"}}") { _ = $0.stringMap("m", maxKeys: 1) } == ["m too_many"])
        #expect(try fault("{\"m\":{\"\":\"x\"}}") { _ = $0.stringMap("m") } == ["m too_short"])
        let absent = try fault("{}") { f in
            let map = f.optionalStringMap("m")
            #expect(map == nil)
        }
        let empty = try fault("{\"m\":{}}") { f in
            let map = f.optionalStringMap("m")
            #expect(map == [:])
        }
        #expect(absent.isEmpty && empty.isEmpty)
    }

    @Test("unknown fields are left alone when reading events") func ignoresUnknown() throws {
        #expect(try faults(Line.self, "{\"price\":1,\"new\":true}", unknownFields: .ignore) == [])
        #expect(try faults(Line.self, "{\"price\":1,\"new\":true}") == ["new unknown_field"])
    }

    @Test("unknown fields are found beyond the sixty-fourth member, and their names are cut") func manyUnknown() throws
    {
        let known = (0..<70).map { "\"f\($0)\":1" }.joined(separator: ",")
        let read: @Sendable (inout InputFields) -> Void = { f in
            for index in (0..<70).reversed() { _ = f.int("f\(index)") }
        }
        #expect(try fault("{\(known)}", read) == [])
        #expect(try fault("{\(known),\"z\":1}", read) == ["z unknown_field"])
        let long = String(repeating: "x", count: 500)
        #expect(try fault("{\"\(long)\":1}") { _ in } == [long.prefix(80) + " unknown_field"])
    }

    @Test("at most a hundred faults are collected") func cap() throws {
        let members = (0..<500).map { "\"f\($0)\":1" }.joined(separator: ",")
        #expect(try fault("{\(members)}") { _ in }.count == InputFields.maxFaults)
    }

    @Test("faults across fields are refused by name; null can be asked") func crossField() throws {
        let found = try fault("{\"a\":null,\"b\":1}") { f in
            #expect(f.isNull("a") && !f.isNull("b") && !f.isNull("c"))
            #expect(!f.hasFaults && !f.isDescribing)
            _ = f.optionalString("a")
            _ = f.int("b")
            #expect(!f.isFaulty("a") && !f.isFaulty("b"))
            f.refuse("b", code: "odd", message: "is odd")
            #expect(f.hasFaults)
            #expect(f.isFaulty("b") && !f.isFaulty("a") && !f.isFaulty(""))
        }
        #expect(found == ["b odd"])
        let text = Order.text.replacing("\"amount\":12", with: "\"amount\":51")
        #expect(try faults(Order.self, text) == ["amount over_limit"])
    }

    @Test("only an object can be read", arguments: ["[]", "null", "1", "\"x\""])
    func root(text: String) throws {
        #expect(try faults(Line.self, text) == [" invalid_type"])
    }
}
