import JSON

enum Colour: String, CaseIterable, Sendable { case red, green, blue }

struct Line: JSONInput, JSONOutput, Equatable {
    var price: Int64
    var label: String?

    init(price: Int64, label: String?) {
        self.price = price
        self.label = label
    }

    init(_ f: inout InputFields) {
        price = f.int("price", range: 1...1_000, doc: "Minor units")
        label = f.optionalString("label", max: 5)
    }

    func write(to o: inout ObjectWriter) {
        o.field("price", price, doc: "Minor units")
        o.field("label", label)
    }

    static let sample = Line(price: 5, label: "tea")
}

struct Order: JSONInput, JSONOutput, Equatable {
    var name: String
    var note: String?
    var amount: Int64
    var limit: Int64?
    var urgent: Bool
    var seen: Bool?
    var colour: Colour
    var shade: Colour?
    var metadata: [String: String]
    var first: Line
    var second: Line?
    var lines: [Line]
    var tags: [String]
    var rate: String

    init(_ f: inout InputFields) {
        name = f.string("name", min: 1, max: 10, doc: "What it is called")
        note = f.optionalString("note", max: 10)
        amount = f.int("amount", doc: "Minor units")
        limit = f.optionalInt("limit", range: 0...Int64.max)
        urgent = f.bool("urgent", default: false)
        seen = f.optionalBool("seen")
        colour = f.enumeration("colour", of: Colour.self)
        shade = f.optionalEnumeration("shade", of: Colour.self)
        metadata = f.stringMap("metadata", maxKeys: 3, maxKey: 4, maxValue: 6)
        first = f.object("first", as: Line.self)
        second = f.optionalObject("second", as: Line.self)
        lines = f.list("lines", of: Line.self, count: 1...3)
        tags = f.strings("tags", count: 0...2, max: 3)
        rate = f.decimal("rate", maxDigits: 6, maxScale: 4)
        if let limit, amount > limit { f.refuse("amount", code: "over_limit", message: "is above the limit") }
    }

    func write(to o: inout ObjectWriter) {
        o.field("name", name, doc: "What it is called")
        o.field("note", note)
        o.field("amount", amount)
        o.field("limit", limit)
        o.field("urgent", urgent)
        o.field("seen", seen)
        o.field("colour", colour)
        o.field("shade", shade)
        o.field("metadata", metadata)
        o.field("first", first)
        o.field("second", second)
        o.field("lines", lines)
        o.field("tags", tags)
        o.text("rate", rate, schema: JSONSchema.string(format: "decimal"))
    }

    static let text = """
        {"name":"tea","note":"hot","amount":12,"limit":50,"urgent":true,"seen":false,"colour":"green","shade":"blue",
        "metadata":{"a":"1","b":""},"first":{"price":1,"label":"x"},"second":{"price":2},"lines":[{"price":3,"label":null}],
        "tags":["p","q"],"rate":"0.0725"}
        """

    static var sample: Order {
        var order = Order.placeholder
        order.name = "tea"
        order.lines = [.sample]
        return order
    }

    private static var placeholder: Order {
        do { return try decode(Order.self, from: parseJSON(text)) } catch { preconditionFailure("\(error)") }
    }
}

/// What decoding reports, as `param code` lines.
func faults<T: JSONInput>(_ type: T.Type, _ text: String, unknownFields: UnknownFields = .refuse) throws -> [String] {
    let json = try parseJSON(text)
    do throws(InvalidInput) {
        _ = try decode(type, from: json, unknownFields: unknownFields)
        return []
    } catch {
        return error.faults.map { "\($0.param) \($0.code)" }
    }
}
