import AnalyticsDomain
import BillingCore
import Testing

@Suite("Calendar months") struct MonthTests {
    @Test("are read and written as YYYY-MM", arguments: ["1970-01", "2024-02", "2027-12", "9998-12"])
    func text(_ text: String) throws {
        #expect(try #require(Month(text)).description == text)
    }

    @Test(
        "anything else is refused",
        arguments: [
            "", "2027", "2027-1", "2027-00", "2027-13", "2027/01", "1969-12", "9999-01", "2027-01-01", "20a7-01",
            "２０２７-01",
        ])
    func refused(_ text: String) {
        #expect(Month(text) == nil)
    }

    @Test("start at midnight UTC on the first and hold every instant until the next") func bounds() throws {
        let february = try #require(Month("2028-02"))
        #expect(february.start.rfc3339 == "2028-02-01T00:00:00Z")
        #expect(february.adding(1).start.rfc3339 == "2028-03-01T00:00:00Z")
        #expect(Month(containing: february.start) == february)
        let last = Instant(microseconds: february.adding(1).start.microseconds - 1)
        #expect(Month(containing: last) == february)
        #expect(Month(containing: february.adding(1).start) == february.adding(1))
    }

    @Test("are counted across years") func arithmetic() throws {
        let november = try #require(Month("2026-11"))
        #expect(november.adding(3).description == "2027-02")
        #expect(november.adding(-11).description == "2025-12")
        #expect(november.distance(to: november.adding(-40)) == -40)
        #expect(november < november.adding(1))
    }

    @Test("stop at the ends of the calendar") func ends() {
        #expect(Month.epoch.adding(-5) == Month.epoch)
        #expect(Month.epoch.adding(10_000_000).description == "9998-12")
        #expect(Month(containing: Instant(seconds: -1)) == nil)
    }
}

@Suite("Success rates") struct SuccessRateTests {
    @Test(
        "are decimals with four places, rounded half up",
        arguments: [
            (29, 30, "0.9667"), (30, 30, "1.0000"), (0, 30, "0.0000"), (1, 3, "0.3333"), (2, 3, "0.6667"),
            (1, 20_000, "0.0001"), (1, 20_001, "0.0000"), (19_999, 20_000, "1.0000"), (.max - 1, .max, "1.0000"),
            (1, 16, "0.0625"),
        ] as [(Int64, Int64, String)])
    func share(part: Int64, whole: Int64, expected: String) {
        #expect(SuccessRate.share(part, of: whole) == expected)
    }

    @Test("are unknown without payments") func none() {
        let rate = SuccessRate(payments: 0, succeededAtOnce: 0, succeeded: 0)
        #expect(rate.firstAttempt == nil)
        #expect(rate.afterRetries == nil)
        #expect(rate.failed == 0)
    }

    @Test("tell the first attempt from the last") func both() {
        let rate = SuccessRate(payments: 360, succeededAtOnce: 348, succeeded: 359)
        #expect(rate.firstAttempt == "0.9667")
        #expect(rate.afterRetries == "0.9972")
        #expect(rate.failed == 1)
    }
}
