/// One JSON object on one line, built in a byte buffer with redaction on the way in.
struct LogLine {
    private(set) var bytes: [UInt8]

    init() {
        bytes = []
        bytes.reserveCapacity(256)
        bytes.append(UInt8(ascii: "{"))
    }

    /// Adds a field whose value is known to hold nothing secret and nothing that needs escaping.
    mutating func plainField(_ name: StaticString, _ value: String) {
        beginField(name)
        bytes.append(UInt8(ascii: "\""))
        bytes.append(contentsOf: value.utf8)
        bytes.append(UInt8(ascii: "\""))
    }

    /// Adds a field whose bytes `build` appends between quotes; they must need no escaping.
    mutating func plainField(_ name: StaticString, _ build: (inout [UInt8]) -> Void) {
        beginField(name)
        bytes.append(UInt8(ascii: "\""))
        build(&bytes)
        bytes.append(UInt8(ascii: "\""))
    }

    /// Adds a text of unknown origin.
    mutating func textField(_ name: StaticString, _ value: String) {
        beginField(name)
        string(value)
    }

    /// Opens a member of any name; the caller appends the value next.
    mutating func key(_ name: String) {
        if bytes.last != UInt8(ascii: "{") { bytes.append(UInt8(ascii: ",")) }
        string(name)
        bytes.append(UInt8(ascii: ":"))
    }

    mutating func beginObject() { bytes.append(UInt8(ascii: "{")) }
    mutating func endObject() { bytes.append(UInt8(ascii: "}")) }
    mutating func beginArray() { bytes.append(UInt8(ascii: "[")) }
    mutating func endArray() { bytes.append(UInt8(ascii: "]")) }
    mutating func separator() { bytes.append(UInt8(ascii: ",")) }

    /// Closes the object and the line.
    mutating func finish() {
        bytes.append(UInt8(ascii: "}"))
        bytes.append(UInt8(ascii: "\n"))
    }

    /// Appends a quoted, escaped string without secrets, cut at 8 KiB.
    mutating func string(_ value: String) {
        var copy = value
        copy.withUTF8 { (text: UnsafeBufferPointer<UInt8>) in
            bytes.append(UInt8(ascii: "\""))
            if mayHoldSecret(text) {
                var cleaned: [UInt8] = []
                appendCleaned(text, to: &cleaned)
                cleaned.withUnsafeBufferPointer { escapeCut($0) }
            } else {
                escapeCut(text)
            }
            bytes.append(UInt8(ascii: "\""))
        }
    }

    private static let maximumText = 8_192

    private mutating func beginField(_ name: StaticString) {
        if bytes.count > 1 { bytes.append(UInt8(ascii: ",")) }
        bytes.append(UInt8(ascii: "\""))
        name.withUTF8Buffer { bytes.append(contentsOf: $0) }
        bytes.append(UInt8(ascii: "\""))
        bytes.append(UInt8(ascii: ":"))
    }

    /// Escapes at most ``maximumText`` bytes, whole characters only.
    private mutating func escapeCut(_ text: UnsafeBufferPointer<UInt8>) {
        var end = min(text.count, Self.maximumText)
        while end > 0, end < text.count, text[end] & 0xc0 == 0x80 { end -= 1 }
        escape(UnsafeBufferPointer(rebasing: text[..<end]))
        if end < text.count { bytes.append(contentsOf: "…".utf8) }
    }

    private mutating func escape(_ text: UnsafeBufferPointer<UInt8>) {
        for byte in text {
            switch byte {
            case UInt8(ascii: "\""), UInt8(ascii: "\\"):
                bytes.append(UInt8(ascii: "\\"))
                bytes.append(byte)
            case UInt8(ascii: "\n"):
                bytes.append(contentsOf: [UInt8(ascii: "\\"), UInt8(ascii: "n")])
            case 0..<0x20, 0x7f:
                bytes.append(contentsOf: "\\u00".utf8)
                bytes.append(hex(byte >> 4))
                bytes.append(hex(byte & 15))
            default:
                bytes.append(byte)
            }
        }
    }

    private func hex(_ nibble: UInt8) -> UInt8 {
        nibble < 10 ? UInt8(ascii: "0") + nibble : UInt8(ascii: "a") + nibble - 10
    }
}

/// Appends an RFC 3339 UTC time with milliseconds.
func appendTime(seconds: Int, milliseconds: Int, to bytes: inout [UInt8]) {
    // Days to civil date, after H. Hinnant, "chrono-Compatible Low-Level Date Algorithms".
    let days = seconds >= 0 ? seconds / 86_400 : (seconds - 86_399) / 86_400
    let secondOfDay = seconds - days * 86_400
    let shifted = days + 719_468
    let era = shifted / 146_097
    let dayOfEra = shifted - era * 146_097
    let yearOfEra = (dayOfEra - dayOfEra / 1_460 + dayOfEra / 36_524 - dayOfEra / 146_096) / 365
    let dayOfYear = dayOfEra - (365 * yearOfEra + yearOfEra / 4 - yearOfEra / 100)
    let monthIndex = (5 * dayOfYear + 2) / 153
    let month = monthIndex < 10 ? monthIndex + 3 : monthIndex - 9
    appendPadded(yearOfEra + era * 400 + (month <= 2 ? 1 : 0), 4, to: &bytes)
    bytes.append(UInt8(ascii: "-"))
    appendPadded(month, 2, to: &bytes)
    bytes.append(UInt8(ascii: "-"))
    appendPadded(dayOfYear - (153 * monthIndex + 2) / 5 + 1, 2, to: &bytes)
    bytes.append(UInt8(ascii: "T"))
    appendPadded(secondOfDay / 3_600, 2, to: &bytes)
    bytes.append(UInt8(ascii: ":"))
    appendPadded(secondOfDay / 60 % 60, 2, to: &bytes)
    bytes.append(UInt8(ascii: ":"))
    appendPadded(secondOfDay % 60, 2, to: &bytes)
    bytes.append(UInt8(ascii: "."))
    appendPadded(milliseconds, 3, to: &bytes)
    bytes.append(UInt8(ascii: "Z"))
}

private func appendPadded(_ value: Int, _ width: Int, to bytes: inout [UInt8]) {
    var divisor = 1
    for _ in 1..<width { divisor *= 10 }
    while divisor > 0 {
        bytes.append(UInt8(ascii: "0") + UInt8(truncatingIfNeeded: value / divisor % 10))
        divisor /= 10
    }
}
