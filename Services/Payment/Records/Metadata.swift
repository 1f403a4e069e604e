import JSON

/// Metadata as stored: a JSON object of strings.
package enum Metadata {
    package static func encode(_ metadata: [String: String]) -> String {
        var writer = JSONWriter()
        writer.beginObject()
        for (key, value) in metadata.sorted(by: { $0.key < $1.key }) {
            writer.key(key)
            writer.string(value)
        }
        writer.endObject()
        return String(decoding: writer.bytes, as: UTF8.self)
    }

    /// Empty for what is not an object of strings; the column only ever holds what ``encode(_:)`` made.
    package static func decode(_ text: String) -> [String: String] {
        guard text != "{}", case .object(let members)? = try? parseJSON(text) else { return [:] }
        var metadata: [String: String] = [:]
        for member in members { metadata[member.name] = member.value.stringValue }
        return metadata
    }
}
