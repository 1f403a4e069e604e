import Synchronization

/// What must not appear in a log line: fields by name, and values that look like card numbers or keys.
///
/// This is the last net, not the first: code passes secrets as ``Secret`` and never logs bodies.
public enum Redaction {
    /// What stands in place of a removed value.
    public static let mark = "<redacted>"

    /// Whether a field of this name never shows its value.
    ///
    /// The whole name, or its last word when words are joined by `_`, `-`, `.` or a capital letter, decides:
    /// `authorization`, `client_secret` and `cardNumber` are hidden, `invoice_number`, `key_id` and
    /// `idempotency_key` are not.
    public static func hides(field name: String) -> Bool {
        if let known = decided.withLock({ $0[name] }) { return known }
        let verdict = decide(name)
        decided.withLock { (decided: inout [String: Bool]) in
            if decided.count < decidedLimit { decided[name] = verdict }
        }
        return verdict
    }

    /// Names seen so far: a program uses a few dozen, over and over.
    private static let decided = Mutex<[String: Bool]>([:])
    private static let decidedLimit = 1_000

    private static func decide(_ name: String) -> Bool {
        let words = splitWords(name)
        guard let last = words.last else { return false }
        if words.count == 1 { return wholeNames.contains(last) || lastWords.contains(last) }
        if lastWords.contains(last) { return true }
        return qualified.contains { $0.last == last && words.dropLast().last == $0.first }
    }

    /// The text without card numbers (13–19 digits that pass the Luhn check, with or without single spaces or
    /// dashes between groups), secret keys (`sk_…`, `rk_…`, `whsec_…`) and bearer or JSON web tokens.
    public static func clean(_ text: String) -> String {
        var copy = text
        return copy.withUTF8 { (bytes: UnsafeBufferPointer<UInt8>) -> String? in
            guard mayHoldSecret(bytes) else { return nil }
            var output: [UInt8] = []
            output.reserveCapacity(bytes.count)
            appendCleaned(bytes, to: &output)
            return String(decoding: output, as: UTF8.self)
        } ?? text
    }

    private static let wholeNames: Set<String> = ["number", "card", "key", "pan"]
    private static let lastWords: Set<String> = [
        "cvc", "cvv", "secret", "password", "passphrase", "passwd", "authorization", "token", "cookie", "pan",
        "credential", "credentials",
    ]
    private static let qualified: [[String]] = [
        ["card", "number"], ["account", "number"], ["api", "key"], ["private", "key"], ["secret", "key"],
        ["encryption", "key"], ["signing", "key"],
    ]

    /// The lower-case words of a field name.
    private static func splitWords(_ name: String) -> [String] {
        var words: [String] = []
        var word = ""
        var previousWasLower = false
        for scalar in name.unicodeScalars {
            let isUpper = scalar.value >= 65 && scalar.value <= 90
            if scalar == "_" || scalar == "-" || scalar == "." || scalar == " " || (isUpper && previousWasLower) {
                if !word.isEmpty { words.append(word) }
                word = ""
            }
            previousWasLower = scalar.value >= 97 && scalar.value <= 122
            if isUpper {
                word.unicodeScalars.append(Unicode.Scalar(UInt8(scalar.value + 32)))
            } else if scalar != "_", scalar != "-", scalar != ".", scalar != " " {
                word.unicodeScalars.append(scalar)
            }
        }
        if !word.isEmpty { words.append(word) }
        return words
    }
}

/// A cheap first look: most texts have neither thirteen digits nor a key's first letters.
func mayHoldSecret(_ bytes: UnsafeBufferPointer<UInt8>) -> Bool {
    var digits = 0
    for index in bytes.indices {
        let byte = bytes[index]
        if isDigit(byte) {
            digits += 1
            if digits >= 13 { return true }
        } else if tokenLength(bytes, at: index) != nil {
            return true
        }
    }
    return false
}

/// Appends the bytes with every secret-looking part replaced by ``Redaction/mark``.
func appendCleaned(_ bytes: UnsafeBufferPointer<UInt8>, to output: inout [UInt8]) {
    var index = 0
    while index < bytes.count {
        let length: Int?
        if isDigit(bytes[index]) {
            let startsRun = index == 0 || !isDigit(bytes[index - 1])
            length = startsRun ? cardNumberLength(bytes, at: index) : nil
        } else {
            length = tokenLength(bytes, at: index)
        }
        if let length {
            output.append(contentsOf: Redaction.mark.utf8)
            index += length
        } else {
            output.append(bytes[index])
            index += 1
        }
    }
}

private func isDigit(_ byte: UInt8) -> Bool { byte >= 48 && byte <= 57 }

private func isTokenByte(_ byte: UInt8) -> Bool {
    isDigit(byte) || (byte | 0x20 >= 97 && byte | 0x20 <= 122) || byte == 95 || byte == 45 || byte == 46
}

/// The length of a card number that starts at `start`, the longest that passes; `nil` when there is none.
private func cardNumberLength(_ bytes: UnsafeBufferPointer<UInt8>, at start: Int) -> Int? {
    // No card begins with 0 or 1, and times in milli- and microseconds do.
    guard bytes[start] >= UInt8(ascii: "2") else { return nil }
    var digits: [UInt8] = []
    var index = start
    var best: Int?
    while index < bytes.count, digits.count <= 19 {
        if isDigit(bytes[index]) {
            digits.append(bytes[index] - 48)
            index += 1
            let endsGroup = index == bytes.count || !isDigit(bytes[index])
            if endsGroup, (13...19).contains(digits.count), passesLuhn(digits) { best = index - start }
        } else if bytes[index] == 32 || bytes[index] == 45, index + 1 < bytes.count, isDigit(bytes[index + 1]) {
            index += 1
        } else {
            break
        }
    }
    return best
}

private func passesLuhn(_ digits: [UInt8]) -> Bool {
    var sum = 0
    for (position, digit) in digits.reversed().enumerated() {
        let doubled = Int(digit) * (position % 2 == 1 ? 2 : 1)
        sum += doubled > 9 ? doubled - 9 : doubled
    }
    return sum % 10 == 0
}

private let tokenPrefixes: [(text: [UInt8], minimum: Int)] = [
    (Array("sk_".utf8), 12), (Array("rk_".utf8), 12), (Array("whsec_".utf8), 12), (Array("eyJ".utf8), 24),
]
private let bearer: [UInt8] = Array("bearer ".utf8)

/// The length of a key or token that starts at `start`; `nil` when there is none.
private func tokenLength(_ bytes: UnsafeBufferPointer<UInt8>, at start: Int) -> Int? {
    switch bytes[start] {
    case UInt8(ascii: "s"), UInt8(ascii: "r"), UInt8(ascii: "w"), UInt8(ascii: "e"):
        guard start == 0 || !isTokenByte(bytes[start - 1]) else { return nil }
        for prefix in tokenPrefixes where hasPrefix(bytes, start, prefix.text, foldCase: false) {
            let end = tokenEnd(bytes, from: start)
            if end - start >= prefix.minimum { return end - start }
        }
        return nil
    case UInt8(ascii: "B"), UInt8(ascii: "b"):
        guard hasPrefix(bytes, start, bearer, foldCase: true) else { return nil }
        let end = tokenEnd(bytes, from: start + bearer.count)
        return end - start >= bearer.count + 8 ? end - start : nil
    default:
        return nil
    }
}

private func tokenEnd(_ bytes: UnsafeBufferPointer<UInt8>, from start: Int) -> Int {
    var index = start
    while index < bytes.count, isTokenByte(bytes[index]) { index += 1 }
    return index
}

private func hasPrefix(_ bytes: UnsafeBufferPointer<UInt8>, _ start: Int, _ prefix: [UInt8], foldCase: Bool) -> Bool {
    guard bytes.count - start >= prefix.count else { return false }
    for offset in prefix.indices {
        let byte = foldCase ? bytes[start + offset] | 0x20 : bytes[start + offset]
        if byte != prefix[offset] { return false }
    }
    return true
}
