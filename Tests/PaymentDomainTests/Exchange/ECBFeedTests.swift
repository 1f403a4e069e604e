import BillingCore
import PaymentDomain
import TestKit
import Testing

private let head =
    "<gesmes:Envelope xmlns:gesmes=\"http://www.gesmes.org/xml/2002-08-01\" "
    + "xmlns=\"http://www.ecb.int/vocabulary/2002-08-01/eurofxref\">"

/// As `eurofxref-daily.xml` is laid out.
private let daily = """
    <?xml version="1.0" encoding="UTF-8"?>
    \(head)
    \t<gesmes:subject>Reference rates</gesmes:subject>
    \t<gesmes:Sender>
    \t\t<gesmes:name>European Central Bank</gesmes:name>
    \t</gesmes:Sender>
    \t<Cube>
    \t\t<Cube time='2026-11-20'>
    \t\t\t<Cube currency='USD' rate='1.1575'/>
    \t\t\t<Cube currency='JPY' rate='181.00'/>
    \t\t\t<Cube currency='IDR' rate='19335.02'/>
    \t\t</Cube>
    \t</Cube>
    </gesmes:Envelope>
    """

/// As `eurofxref-hist.xml` is laid out: without white space, newest first, with currencies of old.
private let historical =
    "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\(head)<gesmes:subject>Reference rates</gesmes:subject>"
    + "<gesmes:Sender><gesmes:name>European Central Bank</gesmes:name></gesmes:Sender><Cube>"
    + "<Cube time=\"2008-01-03\"><Cube currency=\"USD\" rate=\"1.4753\"/><Cube currency=\"SKK\" rate=\"33.4\"/></Cube>"
    + "<Cube time=\"1999-01-04\"><Cube currency=\"USD\" rate=\"1.1789\"/><Cube currency=\"SKK\" rate=\"42.991\"/>"
    + "<Cube currency=\"CYP\" rate=\"0.58231\"/></Cube></Cube></gesmes:Envelope>"

private func read(_ text: String) throws(ECBFeedError) -> ECBFeed { try ECBFeed(reading: Array(text.utf8)) }

private func changed(_ old: String, _ new: String) throws -> String {
    let range = try #require(firstRange(of: old))
    return String(daily[..<range.lowerBound]) + new + String(daily[range.upperBound...])
}

private func firstRange(of text: String) -> Range<String.Index>? {
    var start: String.Index = daily.startIndex
    while start < daily.endIndex {
        if daily[start...].hasPrefix(text) { return start..<daily.index(start, offsetBy: text.count) }
        start = daily.index(after: start)
    }
    return nil
}

@Suite("The ECB's feeds") struct ECBFeedTests {
    @Test("the daily feed is read") func readDaily() throws {
        let feed = try read(daily)
        let day = try #require(feed.days.first)
        #expect(feed.days.count == 1 && day.date.description == "2026-11-20" && feed.skipped.isEmpty)
        #expect(day.perEuro.count == 3)
        #expect(try day.perEuro[.usd] == ExactDecimal(parsing: "1.1575"))
        #expect(day.perEuro[.jpy] == ExactDecimal(181))
        #expect(try ECBFeed(reading: [0xEF, 0xBB, 0xBF] + Array(daily.utf8)) == feed)
        #expect(try ECBFeed(reading: Array((daily + "\r\n").utf8)) == feed)
    }

    @Test("the historical feed is read; currencies of old are left out and counted") func readHistorical() throws {
        let feed = try read(historical)
        #expect(feed.days.map(\.date.description) == ["2008-01-03", "1999-01-04"])
        #expect(feed.skipped == ["SKK": 2, "CYP": 1])
        #expect(feed.days.allSatisfy { $0.perEuro.count == 1 })
    }

    @Test(
        "a feed's shape is the only one taken",
        arguments: [
            ("<Cube>", "<!DOCTYPE x [<!ENTITY a 'b'>]><Cube>"), ("<Cube>", "<!-- c --><Cube>"),
            ("<Cube>", "<![CDATA[x]]><Cube>"), ("<Cube>", "<?php x?><Cube>"), ("'USD'", "'&usd;'"),
            ("1.1575", "1&#46;1"),
            ("Reference rates", "&amp;"),
        ])
    func forbidden(old: String, new: String) throws {
        let text = try changed(old, new)
        do throws(ECBFeedError) {
            _ = try read(text)
            Issue.record("read \(new)")
        } catch {
            guard case .forbiddenMarkup = error else {
                Issue.record("\(new): \(error)")
                return
            }
        }
    }

    @Test("a document type before the envelope is refused") func documentType() throws {
        let text = try changed(
            "<gesmes:Envelope", "<!DOCTYPE gesmes:Envelope SYSTEM 'file:///etc/passwd'><gesmes:Envelope")
        #expect(throws: ECBFeedError.forbiddenMarkup(at: 39)) { try read(text) }
    }

    @Test(
        "other text where an element belongs is refused",
        arguments: [
            ("1.0", "1.1"), ("UTF-8", "UTF-16"), ("2002-08-01/eurofxref", "2002-08-01/other"),
            ("European Central Bank", "Bank"), ("Reference rates", "Rates"), ("<Cube>", ""), ("</Cube>", ""),
            ("<Cube>", "<Cube x='1'>"), ("rate='1.1575'", "rate='1.1575' note='x'"), ("currency='USD' ", ""),
            ("currency='USD' rate='1.1575'", "rate='1.1575' currency='USD'"), ("'USD'", "\"USD'"), ("'USD'", "USD"),
            ("<Cube currency='USD'", "<Cubecurrency='USD'"), ("<Cube currency='USD'", "<cube currency='USD'"),
            ("rate='1.1575'/>", "rate='1.1575'></Cube>"), ("'USD'", "'U<D'"),
            ("</gesmes:Envelope>", "</gesmes:Envelope>x"),
            ("</gesmes:Envelope>", ""), ("rate='1.1575'", "rate='1.1575\u{0}'"), ("'USD'", "'\u{E9}'"),
            ("1.1575", "1.15751111111111111111111111111111111111"),
        ])
    func misshapen(old: String, new: String) throws {
        let text = try changed(old, new)
        do throws(ECBFeedError) {
            _ = try read(text)
            Issue.record("read \(new)")
        } catch {
            guard case .expected = error else {
                Issue.record("\(new): \(error)")
                return
            }
        }
    }

    @Test(
        "values that mean nothing are refused",
        arguments: [
            "0", "0.000", "-1.2", "+1.2", "1,2", "1e3", "", " 1.2", "N/A", "1.2.3", ".5", "Infinity",
        ])
    func rates(value: String) throws {
        let text = try changed("'1.1575'", "'\(value)'")
        do throws(ECBFeedError) {
            _ = try read(text)
            Issue.record("read \(value)")
        } catch {
            guard case .invalidRate = error else {
                Issue.record("\(value): \(error)")
                return
            }
        }
    }

    @Test("days and codes that mean nothing are refused") func valuesOfOthers() throws {
        for value in ["2026-02-29", "2026-13-01", "26-11-20", "2026-11-20T00:00", ""] {
            let text = try changed("2026-11-20", value)
            do throws(ECBFeedError) {
                _ = try read(text)
                Issue.record("read \(value)")
            } catch {
                guard case .invalidDate = error else {
                    Issue.record("\(value): \(error)")
                    continue
                }
            }
        }
        for value in ["EUR", "usd", "US", "USDX", "U$D", ""] {
            let text = try changed("'USD'", "'\(value)'")
            do throws(ECBFeedError) {
                _ = try read(text)
                Issue.record("read \(value)")
            } catch {
                guard case .invalidCurrency = error else {
                    Issue.record("\(value): \(error)")
                    continue
                }
            }
        }
    }

    @Test("duplicates and empty feeds are refused, whether the currency is known or not") func duplicates() throws {
        let day = try #require(CivilDate("2026-11-20"))
        #expect(throws: ECBFeedError.duplicateCurrency("USD", on: day)) { try read(changed("JPY", "USD")) }
        let unknown = "'XYZ' rate='1'/><Cube currency='XYZ'"
        #expect(throws: ECBFeedError.duplicateCurrency("XYZ", on: day)) { try read(changed("'USD'", unknown)) }
        let again = "<Cube>\n<Cube time='2026-11-20'><Cube currency='USD' rate='1'/></Cube>"
        #expect(throws: ECBFeedError.duplicateDay(day)) { try read(changed("<Cube>", again)) }
        #expect(throws: ECBFeedError.empty) { try read(changed("<Cube>", "<Cube><Cube time='2026-11-19'></Cube>")) }
        let start = try #require(firstRange(of: "<Cube time")).lowerBound
        #expect(throws: ECBFeedError.empty) { try read(String(daily[..<start]) + "</Cube></gesmes:Envelope>") }
    }

    @Test("a feed above the limit is not looked at") func limit() throws {
        let bytes = Array(daily.utf8)
        #expect(throws: ECBFeedError.tooLarge(limit: bytes.count - 1)) {
            try ECBFeed(reading: bytes, limit: bytes.count - 1)
        }
        #expect(try ECBFeed(reading: bytes, limit: bytes.count).days.count == 1)
    }

    @Test("no beginning of a feed passes for a feed, and no damage is read as another rate of another currency")
    func damaged() throws {
        var random = Seeded()
        for text in [daily, historical] {
            let bytes = Array(text.utf8)
            for length in 0..<bytes.count {
                #expect(throws: ECBFeedError.self) { try ECBFeed(reading: Array(bytes[..<length])) }
            }
            for _ in 0..<5_000 {
                var damaged: [UInt8] = bytes
                for _ in 0..<Int.random(in: 1...3, using: &random) {
                    damaged[Int.random(in: 0..<damaged.count, using: &random)] = UInt8.random(
                        in: 0...255, using: &random)
                }
                do throws(ECBFeedError) {
                    let feed = try ECBFeed(reading: damaged)
                    #expect(feed.days.allSatisfy { $0.perEuro.values.allSatisfy { $0 > .zero } })
                } catch {
                    #expect(error != .tooLarge(limit: ECBFeed.usualLimit), "seed \(random.seed)")
                }
            }
        }
    }

    @Test("a feed of all days since 1999 is read within the limit") func whole() throws {
        var text: String =
            "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\(head)<gesmes:subject>Reference rates</gesmes:subject>"
            + "<gesmes:Sender><gesmes:name>European Central Bank</gesmes:name></gesmes:Sender><Cube>"
        var day = try #require(CivilDate("1999-01-04"))
        let end = try #require(CivilDate("2026-11-20"))
        let codes: [String] = Currency.all.map(\.code).filter { $0 != "EUR" }.prefix(30).map { $0 }
        var count = 0
        while day <= end {
            if TargetCalendar.isOpen(day) {
                text += "<Cube time=\"\(day)\">"
                for code in codes { text += "<Cube currency=\"\(code)\" rate=\"1.2345\"/>" }
                text += "</Cube>"
                count += 1
            }
            day = day.adding(days: 1)
        }
        text += "</Cube></gesmes:Envelope>"
        let bytes = Array(text.utf8)
        let clock = ContinuousClock()
        let start = clock.now
        let feed = try ECBFeed(reading: bytes)
        print("\(bytes.count) bytes in \(start.duration(to: clock.now))")
        #expect(feed.days.count == count && count > 7_000)
        var table = RateTable()
        table.insert(feed.days)
        #expect(table.newest == end)
    }
}
