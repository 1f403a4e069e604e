import BillingCore
import JSON
import Postgres

/// Metadata as stored: a JSON object of strings.
package enum Metadata {
    /// The text of a map, in the order of its keys.
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

/// One of a merchant's own names of a payment.
package struct MetadataLabel: Sendable {
    package let key: String
    package let value: String

    package init(key: String, value: String) {
        self.key = key
        self.value = value
    }
}

/// SQL over the metadata that payments are found by.
enum MetadataStore {
    /// Has new payments found by their metadata, with the next statement or COMMIT.
    static func add(_ payments: [NewPayment], in db: borrowing PostgresTransaction) throws {
        var (keys, values, ids): ([String], [String], [String]) = ([], [], [])
        for payment in payments where payment.metadata != "{}" {
            for (key, value) in Metadata.decode(payment.metadata) {
                keys.append(key)
                values.append(value)
                ids.append(payment.id.rawValue)
            }
        }
        guard !ids.isEmpty else { return }
        try db.enqueue(
            """
            INSERT INTO payment_metadata (key, value, payment_id)
            SELECT * FROM unnest(\(keys)::text[], \(values)::text[], \(ids)::text[])
            """)
    }

    /// Whether the payment `p` has a label.
    static func matches(_ label: MetadataLabel) -> SQL {
        "p.id IN (SELECT l.payment_id FROM payment_metadata l WHERE l.key = \(label.key) AND l.value = \(label.value))"
    }
}
