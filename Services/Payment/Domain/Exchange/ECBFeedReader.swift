import BillingCore

/// Reads the one shape that the ECB's feeds have.
struct ECBFeedReader {
    /// The longest attribute value the feeds use is far shorter.
    private static let valueLimit = 32

    private(set) var days: [RateDay] = []
    private(set) var skipped: [String: Int] = [:]

    private let bytes: [UInt8]
    private var at = 0
    private var dates: Set<CivilDate> = []

    init(_ bytes: [UInt8]) { self.bytes = bytes }

    /// The whole feed: declaration, envelope, subject, sender, days.
    mutating func readFeed() throws(ECBFeedError) {
        try readDeclaration()
        try readEnvelopeStart()
        try expectAll(["<gesmes:subject>", "Reference rates", "</gesmes:subject>"])
        try expectAll(["<gesmes:Sender>", "<gesmes:name>", "European Central Bank", "</gesmes:name>"])
        try expectAll(["</gesmes:Sender>", "<Cube>"])
        while accept("<Cube") { try readDay() }
        try expectAll(["</Cube>", "</gesmes:Envelope>"])
        skipSpace()
        guard at == bytes.count else { throw failure("the end") }
        guard !days.isEmpty else { throw .empty }
    }

    private mutating func readDeclaration() throws(ECBFeedError) {
        // A byte order mark may come before, as XML 1.0 appendix F allows for UTF-8.
        if bytes.starts(with: [0xEF, 0xBB, 0xBF]) { at = 3 }
        guard startsHere("<?xml") else { throw failure("<?xml") }
        at += 5
        guard try attribute("version") == "1.0" else { throw failure("version 1.0") }
        guard try attribute("encoding").uppercased() == "UTF-8" else { throw failure("encoding UTF-8") }
        try expect("?>")
    }

    private mutating func readEnvelopeStart() throws(ECBFeedError) {
        try expect("<gesmes:Envelope")
        guard try attribute("xmlns:gesmes", limit: 80) == "http://www.gesmes.org/xml/2002-08-01" else {
            throw failure("the namespace of gesmes")
        }
        guard try attribute("xmlns", limit: 80) == "http://www.ecb.int/vocabulary/2002-08-01/eurofxref" else {
            throw failure("the namespace of eurofxref")
        }
        try expect(">")
    }

    /// A day, after its `<Cube`.
    private mutating func readDay() throws(ECBFeedError) {
        let start: Int = at
        guard let date = CivilDate(try attribute("time")) else { throw .invalidDate(at: start) }
        guard dates.insert(date).inserted else { throw .duplicateDay(date) }
        try expect(">")
        var perEuro: [Currency: ExactDecimal] = [:]
        var codes: Set<String> = []
        while accept("<Cube") {
            let code: String = try currencyCode()
            guard codes.insert(code).inserted else { throw .duplicateCurrency(code, on: date) }
            let rate: ExactDecimal = try rate()
            try expect("/>")
            if let currency = Currency(code) { perEuro[currency] = rate } else { skipped[code, default: 0] += 1 }
        }
        try expect("</Cube>")
        guard !codes.isEmpty else { throw .empty }
        let day: RateDay
        do throws(ExchangeError) {
            day = try RateDay(date: date, perEuro: perEuro)
        } catch {
            throw .invalidRate(at: start)
        }
        days.append(day)
    }

    private mutating func currencyCode() throws(ECBFeedError) -> String {
        let start: Int = at
        let code: String = try attribute("currency")
        let letters: ClosedRange<UInt8> = UInt8(ascii: "A")...UInt8(ascii: "Z")
        guard code.utf8.count == 3, code.utf8.allSatisfy({ letters.contains($0) }), code != "EUR" else {
            throw .invalidCurrency(at: start)
        }
        return code
    }

    private mutating func rate() throws(ECBFeedError) -> ExactDecimal {
        let start: Int = at
        guard let rate = ExactDecimal(try attribute("rate")), rate > .zero else { throw .invalidRate(at: start) }
        return rate
    }

    /// White space, `name`, `=` and the value in either quote.
    private mutating func attribute(_ name: StaticString, limit: Int = valueLimit) throws(ECBFeedError) -> String {
        let before: Int = at
        skipSpace()
        guard at > before else { throw failure("white space") }
        try expect(name)
        try expect("=")
        skipSpace()
        guard at < bytes.count, bytes[at] == UInt8(ascii: "\"") || bytes[at] == UInt8(ascii: "'") else {
            throw failure("a quote")
        }
        let quote: UInt8 = bytes[at]
        let start: Int = at + 1
        at = start
        while at < bytes.count, bytes[at] != quote {
            guard (0x20..<0x7F).contains(bytes[at]), bytes[at] != UInt8(ascii: "<") else { throw failure("a quote") }
            guard bytes[at] != UInt8(ascii: "&") else { throw .forbiddenMarkup(at: at) }
            at += 1
            guard at - start <= limit else { throw failure("a quote") }
        }
        guard at < bytes.count else { throw failure("a quote") }
        at += 1
        return String(decoding: bytes[start..<at - 1], as: UTF8.self)
    }

    private mutating func expectAll(_ texts: [StaticString]) throws(ECBFeedError) {
        for text in texts { try expect(text) }
    }

    /// Skips white space and then exactly this text.
    private mutating func expect(_ text: StaticString) throws(ECBFeedError) {
        skipSpace()
        guard startsHere(text) else { throw failure(text.description) }
        at += text.utf8CodeUnitCount
    }

    /// Skips white space and the start of an element when it comes next.
    private mutating func accept(_ text: StaticString) -> Bool {
        skipSpace()
        guard startsHere(text) else { return false }
        at += text.utf8CodeUnitCount
        return true
    }

    /// What stands here instead of what was to come.
    private func failure(_ wanted: String) -> ECBFeedError {
        if startsHere("<!") || startsHere("<?") || startsHere("&") { return .forbiddenMarkup(at: at) }
        return .expected(wanted, at: at)
    }

    private func startsHere(_ text: StaticString) -> Bool {
        let end: Int = at + text.utf8CodeUnitCount
        guard end <= bytes.count else { return false }
        return text.withUTF8Buffer { $0.elementsEqual(bytes[at..<end]) }
    }

    /// The four characters that XML calls white space.
    private mutating func skipSpace() {
        while at < bytes.count {
            switch bytes[at] {
            case 0x20, 0x09, 0x0A, 0x0D: at += 1
            default: return
            }
        }
    }
}
