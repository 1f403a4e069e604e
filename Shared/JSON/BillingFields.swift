public import BillingCore

/// Readers for the values of BillingCore, shared by requests and events.
extension InputFields {
    /// The largest amount that a caller may name, in minor units: ten billion of a currency with two decimals. What is
    /// added up of such amounts is far from the end of 64 bits.
    public static let largestAmount: Int64 = 1_000_000_000_000

    /// Reads an id of the given kind.
    public mutating func id<ID: TypedID>(_ name: String, as type: ID.Type, doc: String = "") -> ID {
        required(name, schema: Self.idSchema(type), placeholder: ID.sample, doc: doc) { Self.parseID($0, type) }
    }

    /// Reads an id that may be left out.
    public mutating func optionalID<ID: TypedID>(_ name: String, as type: ID.Type, doc: String = "") -> ID? {
        optional(name, schema: Self.idSchema(type), doc: doc) { Self.parseID($0, type) }
    }

    /// Reads an active ISO 4217 currency code.
    public mutating func currency(_ name: String, doc: String = "") -> Currency {
        required(name, schema: Self.currencySchema, placeholder: .usd, doc: doc, parse: Self.parseCurrency)
    }

    /// Reads a currency code that may be left out.
    public mutating func optionalCurrency(_ name: String, doc: String = "") -> Currency? {
        optional(name, schema: Self.currencySchema, doc: doc, parse: Self.parseCurrency)
    }

    /// Reads an RFC 3339 time.
    public mutating func instant(_ name: String, doc: String = "") -> Instant {
        required(name, schema: Self.instantSchema, placeholder: .sample, doc: doc, parse: Self.parseInstant)
    }

    /// Reads an RFC 3339 time that may be left out.
    public mutating func optionalInstant(_ name: String, doc: String = "") -> Instant? {
        optional(name, schema: Self.instantSchema, doc: doc, parse: Self.parseInstant)
    }

    /// Reads a `YYYY-MM-DD` date.
    public mutating func civilDate(_ name: String, doc: String = "") -> CivilDate {
        required(name, schema: Self.dateSchema, placeholder: .sample, doc: doc, parse: Self.parseDate)
    }

    /// Reads a `YYYY-MM-DD` date that may be left out.
    public mutating func optionalCivilDate(_ name: String, doc: String = "") -> CivilDate? {
        optional(name, schema: Self.dateSchema, doc: doc, parse: Self.parseDate)
    }

    /// Reads an amount in minor units from `name` and its currency from the member `currency`; any sign.
    public mutating func money(_ name: String, doc: String = "") -> Money {
        let minor: Int64 = int(name, doc: doc)
        return Money(minor: minor, currency: currency("currency", doc: "ISO 4217 code"))
    }

    /// Reads a positive amount in minor units, up to ``largestAmount``, from `name` and its currency from the member
    /// `currency`.
    public mutating func positiveMoney(_ name: String, doc: String = "") -> Money {
        let minor: Int64 = int(name, range: 1...Self.largestAmount, doc: doc)
        return Money(minor: minor, currency: currency("currency", doc: "ISO 4217 code"))
    }

    /// Reads a list of strings; absent is empty unless `count` asks for at least one.
    public mutating func stringList(_ name: String, doc: String = "", count: ClosedRange<Int> = 0...100) -> [String] {
        strings(name, count: count, doc: doc)
    }

    /// Reads `metadata`: up to 50 keys of the caller's own.
    public mutating func metadata() -> [String: String] {
        stringMap("metadata", doc: "Up to 50 keys of your own")
    }
}

extension InputFields {
    private static func idSchema<ID: TypedID>(_ type: ID.Type) -> JSONValue {
        JSONSchema.adding(JSONSchema.id(type), "examples", .array([.string(ID.sample.rawValue)]))
    }

    private static func parseID<ID: TypedID>(_ value: JSONValue, _ type: ID.Type) -> Result<ID, Fault> {
        guard case .string(let text) = value else { return .failure(invalidType("must be a string")) }
        guard let id = ID(text) else {
            return .failure(Fault(code: "invalid_id", message: "is not an id of this kind (\(ID.prefix)_…)"))
        }
        return .success(id)
    }

    private static var currencySchema: JSONValue {
        JSONSchema.adding(JSONSchema.string(pattern: "^[A-Z]{3}$"), "examples", .array([.string("USD")]))
    }

    private static func parseCurrency(_ value: JSONValue) -> Result<Currency, Fault> {
        guard case .string(let text) = value else { return .failure(invalidType("must be a string")) }
        guard let currency = Currency(text) else {
            return .failure(
                Fault(code: "unknown_currency", message: "is not an active ISO 4217 currency code in capitals"))
        }
        return .success(currency)
    }

    private static var instantSchema: JSONValue { JSONSchema.string(max: 40, format: "date-time") }

    private static func parseInstant(_ value: JSONValue) -> Result<Instant, Fault> {
        guard case .string(let text) = value else { return .failure(invalidType("must be a string")) }
        guard let instant = Instant(rfc3339: text) else {
            return .failure(
                Fault(code: "invalid_time", message: "is not an RFC 3339 time such as 2027-01-31T00:00:00Z"))
        }
        return .success(instant)
    }

    private static var dateSchema: JSONValue { JSONSchema.string(max: 10, format: "date") }

    private static func parseDate(_ value: JSONValue) -> Result<CivilDate, Fault> {
        guard case .string(let text) = value else { return .failure(invalidType("must be a string")) }
        guard let date = CivilDate(text) else {
            return .failure(Fault(code: "invalid_date", message: "is not a date such as 2027-01-31"))
        }
        return .success(date)
    }

    private static func invalidType(_ message: String) -> Fault { Fault(code: FaultCode.invalidType, message: message) }
}

extension JSONSchema {
    /// An id as text; where callers may choose their own, what it may consist of.
    public static func id<ID: TypedID>(_ type: ID.Type) -> JSONValue {
        let text: JSONValue = string(min: 1, max: 64)
        return ID.acceptsForeignText ? adding(text, "pattern", "^[A-Za-z0-9_-]+$") : text
    }
}

extension ObjectWriter {
    /// Writes an amount in minor units as `name` and its currency as `currency`.
    public mutating func money(_ name: String, _ money: Money, doc: String = "") {
        field(name, money.minor, doc: doc)
        field("currency", money.currency.code)
    }

    /// Writes a sum of amounts in minor units; it is told whole where it has more than 64 bits.
    public mutating func sum(_ name: String, _ minor: Int128, doc: String = "") {
        if begin(name, doc, ["type": "integer"]) { json.value(.number(String(minor))) }
    }

    /// Writes a time as RFC 3339 in UTC.
    public mutating func field(_ name: String, _ instant: Instant, doc: String = "") {
        text(name, instant.rfc3339, schema: JSONSchema.string(format: "date-time"), doc: doc)
    }

    /// Writes a time as RFC 3339 in UTC, or null.
    public mutating func field(_ name: String, _ instant: Instant?, doc: String = "") {
        text(name, instant?.rfc3339, schema: JSONSchema.string(format: "date-time"), doc: doc)
    }

    /// Writes an id.
    public mutating func field<ID: TypedID>(_ name: String, _ id: ID, doc: String = "") {
        field(name, id.rawValue, doc: doc)
    }

    /// Writes an id, or null.
    public mutating func field<ID: TypedID>(_ name: String, _ id: ID?, doc: String = "") {
        field(name, id?.rawValue, doc: doc)
    }
}

extension TypedID {
    /// An example for documents; never an id of a stored thing.
    public static var sample: Self { Self(unchecked: "\(prefix)_01jd9y4w3hf3zt0v8c2m5k7q9r") }
}

extension Instant {
    /// An example for documents.
    public static var sample: Instant { Instant(seconds: 1_798_761_600) }
}

extension CivilDate {
    /// An example for documents.
    public static var sample: CivilDate { CivilDate(dayNumber: 20_819) }
}
