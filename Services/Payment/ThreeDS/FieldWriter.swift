import BillingCore
import JSON

/// An element of a message that we were about to send is missing or not in the protocol's form.
package struct InvalidField: Error, Sendable, Equatable {
    /// The protocol's name of the element.
    package let name: String

    init(_ name: String) { self.name = name }
}

/// Writes the elements of a message and refuses what another party would refuse.
struct FieldWriter {
    private(set) var json = JSONWriter()

    init() { json.beginObject() }

    /// The whole message.
    mutating func finished() -> [UInt8] {
        json.endObject()
        return json.bytes
    }

    /// A text of so many characters, none of them a control character; nothing where there is no text.
    mutating func text(_ name: String, _ value: String?, _ length: ClosedRange<Int>) throws(InvalidField) {
        guard let value else { return }
        guard length.contains(value.unicodeScalars.count),
            value.unicodeScalars.allSatisfy({ $0.properties.generalCategory != .control })
        else { throw InvalidField(name) }
        json.member(name, value)
    }

    /// Decimal digits, so many of them; nothing where there is no text.
    mutating func digits(_ name: String, _ value: String?, _ count: ClosedRange<Int>) throws(InvalidField) {
        guard let value else { return }
        guard count.contains(value.utf8.count), value.utf8.allSatisfy({ $0 &- 0x30 < 10 }) else {
            throw InvalidField(name)
        }
        json.member(name, value)
    }

    /// A number in a range, as decimal digits.
    mutating func number(_ name: String, _ value: Int, _ range: ClosedRange<Int>) throws(InvalidField) {
        guard range.contains(value) else { throw InvalidField(name) }
        json.member(name, String(value))
    }

    /// A web address of at most so many characters.
    mutating func address(_ name: String, _ value: String, max: Int) throws(InvalidField) {
        guard WebAddress(value, max: max) != nil else { throw InvalidField(name) }
        json.member(name, value)
    }

    /// A value out of a closed set.
    mutating func code(_ name: String, _ value: (some RawRepresentable<String>)?) {
        json.member(name, value?.rawValue)
    }

    mutating func flag(_ name: String, _ value: Bool) {
        json.key(name)
        json.bool(value)
    }
}
