import BillingCore
import JSON

/// Hexadecimal digits in lower case, as Apple writes them: one text for one value.
enum Hexadecimal {
    /// - Returns: `nil` for other characters and odd lengths.
    static func decode(_ text: String) -> [UInt8]? {
        guard text.utf8.count % 2 == 0 else { return nil }
        var bytes: [UInt8] = []
        var high: UInt8?
        for character in text.utf8 {
            let value: UInt8
            switch character {
            case UInt8(ascii: "0")...UInt8(ascii: "9"): value = character - 48
            case UInt8(ascii: "a")...UInt8(ascii: "f"): value = character - 87
            default: return nil
            }
            if let upper = high {
                bytes.append(upper << 4 | value)
                high = nil
            } else {
                high = value
            }
        }
        return bytes
    }
}

/// A JSON object of a token whose fields are read one by one; a fault names the field by its path.
struct TokenFields {
    private let json: JSONValue
    private let path: String

    /// Reads a text that has to be one JSON object.
    init(parsing text: some Collection<UInt8>, path: String) throws(WalletTokenError) {
        let limits = JSONLimits(maxBytes: WalletToken.maxBytes, maxDepth: 8, maxMembers: 64, maxValues: 256)
        let parsed: JSONValue
        do {
            parsed = try parseJSON(text, limits: limits)
        } catch {
            throw .malformed(path)
        }
        try self.init(parsed, path: path)
    }

    private init(_ json: JSONValue, path: String) throws(WalletTokenError) {
        guard json.objectValue != nil else { throw .malformed(path) }
        self.json = json
        self.path = path
    }

    private func name(_ field: String) -> String { path == "token" ? field : "\(path).\(field)" }

    /// The fault of a field.
    func fault(_ field: String) -> WalletTokenError { .malformed(name(field)) }

    /// Refuses members beyond these.
    func requireOnly(_ names: Set<String>) throws(WalletTokenError) {
        for member in json.objectValue ?? [] where !names.contains(member.name) { throw .malformed(path) }
    }

    /// A nested object.
    func object(_ field: String) throws(WalletTokenError) -> TokenFields {
        guard let value = json[field] else { throw fault(field) }
        return try TokenFields(value, path: name(field))
    }

    /// A string.
    func text(_ field: String) throws(WalletTokenError) -> String {
        guard let text = json[field]?.stringValue else { throw fault(field) }
        return text
    }

    /// A string that may be missing or `null`.
    func optionalText(_ field: String) throws(WalletTokenError) -> String? {
        guard let value = json[field], !value.isNull else { return nil }
        guard let text = value.stringValue else { throw fault(field) }
        return text
    }

    /// An array of 1 to 16 strings.
    func texts(_ field: String) throws(WalletTokenError) -> [String] {
        guard let elements = json[field]?.arrayValue, (1...16).contains(elements.count) else { throw fault(field) }
        let texts: [String] = elements.compactMap(\.stringValue)
        guard texts.count == elements.count else { throw fault(field) }
        return texts
    }

    /// A string of base 64.
    func bytes(_ field: String) throws(WalletTokenError) -> [UInt8] {
        guard let bytes = Base64.standard.decode(try text(field)) else { throw fault(field) }
        return bytes
    }

    /// A number that is an integer.
    func integer(_ field: String) throws(WalletTokenError) -> Int64 {
        guard let value = json[field]?.intValue else { throw fault(field) }
        return value
    }
}
