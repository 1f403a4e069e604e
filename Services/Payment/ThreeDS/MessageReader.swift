import JSON

/// Reads the elements of one message strictly. What is not there, or not in the right form, becomes the `Erro` that is
/// sent back. Elements that nobody asks for are passed over, as the protocol wants it.
struct MessageReader {
    let type: String
    let version: MessageVersion
    /// `threeDSServerTransID`; `nil` only where the message need not name it.
    let transaction: TransactionID?
    private let root: JSONValue

    /// Parses a message and reads what all have in common.
    /// - Parameters:
    ///   - expected: The types that are welcome.
    ///   - maxBytes: The longest message.
    /// - Throws: 101 for what is no message or another one, 204 for an element given twice, 102, 201, 202, 203.
    init(_ bytes: [UInt8], expected: [String], maxBytes: Int = 65_536) throws(ErrorMessage) {
        root = try Self.parse(bytes, expected: expected, maxBytes: maxBytes)
        guard let type = root["messageType"]?.stringValue, expected.contains(type) else {
            throw ErrorMessage(.invalidMessage, detail: "messageType", about: expected.first)
        }
        self.type = type
        guard case .string(let written)? = root["messageVersion"] else {
            throw ErrorMessage(
                root["messageVersion"] == nil ? .missing : .malformed, detail: "messageVersion", about: type)
        }
        guard let version = MessageVersion(rawValue: written) else {
            throw ErrorMessage(.unsupportedVersion, detail: "messageVersion", about: type)
        }
        self.version = version
        transaction = root["threeDSServerTransID"]?.stringValue.flatMap(TransactionID.init)
        if transaction == nil, type != "Erro" || has("threeDSServerTransID") {
            throw fault(has("threeDSServerTransID") ? .malformed : .missing, "threeDSServerTransID")
        }
    }

    private static func parse(_ bytes: [UInt8], expected: [String], maxBytes: Int) throws(ErrorMessage) -> JSONValue {
        let value: JSONValue
        do {
            value = try parseJSON(
                bytes, limits: JSONLimits(maxBytes: maxBytes, maxDepth: 16, maxValues: max(20_000, maxBytes / 8)))
        } catch {
            let code: ErrorMessage.Code = error.code == .duplicateKey ? .duplicate : .invalidMessage
            throw ErrorMessage(code, detail: error.code.rawValue, about: expected.first)
        }
        guard case .object = value else {
            throw ErrorMessage(.invalidMessage, detail: "not an object", about: expected.first)
        }
        return value
    }

    /// An extension that may not be passed over is not known here: there are none that are.
    /// - Throws: 202, 203.
    func refuseCriticalExtensions() throws(ErrorMessage) {
        guard let extensions = root["messageExtension"] else { return }
        guard let list = extensions.arrayValue, list.count <= 15 else { throw fault(.malformed, "messageExtension") }
        for element in list {
            guard let isCritical = element["criticalityIndicator"]?.boolValue, element["id"]?.stringValue != nil else {
                throw fault(.malformed, "messageExtension")
            }
            guard !isCritical else { throw fault(.unknownCriticalExtension, "messageExtension") }
        }
    }

    /// The fault of one element of this message.
    func fault(_ code: ErrorMessage.Code, _ name: String) -> ErrorMessage {
        ErrorMessage(code, detail: name, about: type, version: version, transaction: transaction)
    }

    func has(_ name: String) -> Bool { root[name] != nil }

    /// A text in place of which nothing will do as well: in a message that refuses, only the refusal matters.
    func lenient<Value>(_ name: String, _ read: (String) -> Value?) -> Value? {
        root[name]?.stringValue.flatMap(read)
    }

    func element(_ name: String) throws(ErrorMessage) -> JSONValue {
        guard let value = root[name] else { throw fault(.missing, name) }
        return value
    }

    /// A text of so many characters, none of them a control character.
    func text(_ name: String, _ length: ClosedRange<Int>) throws(ErrorMessage) -> String {
        guard let text = try element(name).stringValue, length.contains(text.unicodeScalars.count),
            text.unicodeScalars.allSatisfy({ $0.properties.generalCategory != .control })
        else { throw fault(.malformed, name) }
        return text
    }

    func optionalText(_ name: String, _ length: ClosedRange<Int>) throws(ErrorMessage) -> String? {
        has(name) ? try text(name, length) : nil
    }

    /// A text that a closed type knows how to read.
    func value<Value>(_ name: String, _ read: (String) -> Value?) throws(ErrorMessage) -> Value {
        guard let text = try element(name).stringValue, let value = read(text) else { throw fault(.malformed, name) }
        return value
    }

    func optionalValue<Value>(_ name: String, _ read: (String) -> Value?) throws(ErrorMessage) -> Value? {
        has(name) ? try value(name, read) : nil
    }

    /// Decimal digits, so many of them.
    func digits(_ name: String, _ count: ClosedRange<Int>) throws(ErrorMessage) -> String {
        let text = try text(name, count)
        guard text.utf8.allSatisfy({ $0 &- 0x30 < 10 }) else { throw fault(.malformed, name) }
        return text
    }

    func optionalDigits(_ name: String, _ count: ClosedRange<Int>) throws(ErrorMessage) -> String? {
        has(name) ? try digits(name, count) : nil
    }
}
