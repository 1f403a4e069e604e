/// One parameter in Postgres' text form, or NULL.
public struct PostgresValue: Hashable, Sendable {
    /// The text form; `nil` is NULL.
    public let text: String?
    /// Whether the text is an array literal, which nests in another array without quotes.
    let isArray: Bool

    /// Makes a value from the text form that Postgres' input function of the type accepts.
    public init(_ text: String) {
        self.init(text: text, isArray: false)
    }

    init(text: String?, isArray: Bool) {
        self.text = text
        self.isArray = isArray
    }

    /// SQL NULL.
    public static let null = PostgresValue(text: nil, isArray: false)
}

/// A type whose values can be bound as a parameter.
public protocol PostgresEncodable {
    /// The value in Postgres' text form.
    var postgresValue: PostgresValue { get }

    /// How an array of such values is bound: an array literal, except for bytes.
    static func postgresArray(_ elements: [Self]) -> PostgresValue
}

extension PostgresEncodable {
    /// Binds the elements as a Postgres array literal.
    public static func postgresArray(_ elements: [Self]) -> PostgresValue {
        ArrayLiteral.encode(elements)
    }
}

/// A type that can be read from a column.
public protocol PostgresDecodable {
    /// Reads a value from Postgres' text form; the bytes are valid during the call only.
    /// - Throws: ``PostgresError`` of kind `decoding` when the bytes are not such a value.
    static func decode(_ bytes: UnsafeRawBufferPointer) throws -> Self

    /// Reads NULL.
    /// - Throws: ``PostgresError`` of kind `decoding` unless the type is optional.
    static func decodeNull() throws -> Self

    /// Reads an array of such values: an array literal, except for bytes.
    static func decodeArray(_ bytes: UnsafeRawBufferPointer) throws -> [Self]
}

extension PostgresDecodable {
    /// Refuses NULL.
    public static func decodeNull() throws -> Self {
        throw PostgresError.undecodable("NULL where a \(Self.self) was expected")
    }

    /// Reads a Postgres array literal.
    public static func decodeArray(_ bytes: UnsafeRawBufferPointer) throws -> [Self] {
        try ArrayLiteral.decode(bytes)
    }
}

/// A type that can be both bound and read.
public typealias PostgresCodable = PostgresEncodable & PostgresDecodable

extension Optional: PostgresEncodable where Wrapped: PostgresEncodable {
    /// The wrapped value, or NULL.
    public var postgresValue: PostgresValue { self?.postgresValue ?? .null }
}

extension Optional: PostgresDecodable where Wrapped: PostgresDecodable {
    /// Reads the wrapped value.
    public static func decode(_ bytes: UnsafeRawBufferPointer) throws -> Wrapped? { try Wrapped.decode(bytes) }

    /// Reads NULL as `nil`.
    public static func decodeNull() -> Wrapped? { .none }
}

extension Array: PostgresEncodable where Element: PostgresEncodable {
    /// An array literal; `bytea` for bytes.
    public var postgresValue: PostgresValue { Element.postgresArray(self) }
}

extension Array: PostgresDecodable where Element: PostgresDecodable {
    /// Reads an array literal; `bytea` for bytes.
    public static func decode(_ bytes: UnsafeRawBufferPointer) throws -> [Element] { try Element.decodeArray(bytes) }
}

extension RawRepresentable where Self: PostgresEncodable, RawValue == String {
    /// The raw value as text.
    public var postgresValue: PostgresValue { PostgresValue(rawValue) }
}

extension RawRepresentable where Self: PostgresDecodable, RawValue == String {
    /// Reads the case with that raw value.
    public static func decode(_ bytes: UnsafeRawBufferPointer) throws -> Self {
        let text: String = String.decode(bytes)
        guard let value = Self(rawValue: text) else { throw PostgresError.undecodable("not a known \(Self.self)") }
        return value
    }
}
