import BillingCore
import TestKit
import Testing

@Suite("Time zones") struct TimeZoneTests {
    /// Expected instants were computed with another implementation (Python's zoneinfo).
    @Test(
        "a local time on a day is an instant: gaps move forward, overlaps are the first",
        arguments: [
            ("Europe/Berlin", "2026-03-29", 7199, "2026-03-29T00:59:59Z"),
            ("Europe/Berlin", "2026-03-29", 7200, "2026-03-29T01:00:00Z"),
            ("Europe/Berlin", "2026-03-29", 9000, "2026-03-29T01:30:00Z"),
            ("Europe/Berlin", "2026-03-29", 10800, "2026-03-29T01:00:00Z"),
            ("Europe/Berlin", "2026-10-25", 7199, "2026-10-24T23:59:59Z"),
            ("Europe/Berlin", "2026-10-25", 9000, "2026-10-25T00:30:00Z"),
            ("Europe/Berlin", "2026-10-25", 10800, "2026-10-25T02:00:00Z"),
            ("Europe/Berlin", "2026-01-31", 0, "2026-01-30T23:00:00Z"),
            ("Europe/Berlin", "2026-07-31", 0, "2026-07-30T22:00:00Z"),
            ("Europe/Berlin", "1945-07-01", 43200, "1945-07-01T09:00:00Z"),
            ("Europe/Berlin", "1880-01-01", 0, "1879-12-31T23:06:32Z"),
            ("Europe/Berlin", "2090-01-15", 43200, "2090-01-15T11:00:00Z"),
            ("Europe/Berlin", "2090-07-15", 43200, "2090-07-15T10:00:00Z"),
            ("Europe/Berlin", "2400-03-26", 9000, "2400-03-26T01:30:00Z"),
            ("America/New_York", "2026-03-08", 9000, "2026-03-08T07:30:00Z"),
            ("America/New_York", "2026-11-01", 5400, "2026-11-01T05:30:00Z"),
            ("America/New_York", "2026-11-01", 3599, "2026-11-01T04:59:59Z"),
            ("America/New_York", "2026-11-01", 7200, "2026-11-01T07:00:00Z"),
            ("America/New_York", "1999-04-04", 9000, "1999-04-04T07:30:00Z"),
            ("America/New_York", "2101-07-04", 0, "2101-07-04T04:00:00Z"),
            ("America/New_York", "2101-12-04", 0, "2101-12-04T05:00:00Z"),
            ("Australia/Lord_Howe", "2026-10-04", 7200, "2026-10-03T15:30:00Z"),
            ("Australia/Lord_Howe", "2026-10-04", 8100, "2026-10-03T15:45:00Z"),
            ("Australia/Lord_Howe", "2026-10-04", 9000, "2026-10-03T15:30:00Z"),
            ("Australia/Lord_Howe", "2026-04-05", 5400, "2026-04-04T14:30:00Z"),
            ("Australia/Lord_Howe", "2026-04-05", 6300, "2026-04-04T14:45:00Z"),
            ("Australia/Lord_Howe", "2026-04-05", 7200, "2026-04-04T15:30:00Z"),
            ("Australia/Lord_Howe", "2060-01-01", 0, "2059-12-31T13:00:00Z"),
            ("Australia/Lord_Howe", "2060-07-01", 0, "2060-06-30T13:30:00Z"),
            ("America/Sao_Paulo", "2018-11-04", 0, "2018-11-04T03:00:00Z"),
            ("America/Sao_Paulo", "2018-11-04", 1800, "2018-11-04T03:30:00Z"),
            ("America/Sao_Paulo", "2018-11-04", 3600, "2018-11-04T03:00:00Z"),
            ("America/Sao_Paulo", "2018-02-17", 84600, "2018-02-18T01:30:00Z"),
            ("America/Sao_Paulo", "2018-02-18", 0, "2018-02-18T03:00:00Z"),
            ("America/Sao_Paulo", "2026-01-15", 0, "2026-01-15T03:00:00Z"),
            ("America/Sao_Paulo", "2070-01-15", 0, "2070-01-15T03:00:00Z"),
            ("Asia/Kathmandu", "2026-05-01", 0, "2026-04-30T18:15:00Z"),
            ("Asia/Kathmandu", "1985-12-31", 86399, "1985-12-31T18:29:59Z"),
            ("Asia/Kathmandu", "1986-01-01", 0, "1985-12-31T18:30:00Z"),
            ("Asia/Kathmandu", "1986-01-01", 900, "1985-12-31T18:30:00Z"),
            ("Asia/Kathmandu", "2099-05-01", 0, "2099-04-30T18:15:00Z"),
            ("Europe/Dublin", "2026-03-29", 5400, "2026-03-29T01:30:00Z"),
            ("Europe/Dublin", "2026-10-25", 5400, "2026-10-25T00:30:00Z"),
            ("Europe/Dublin", "2077-01-01", 0, "2077-01-01T00:00:00Z"),
            ("Europe/Dublin", "2077-07-01", 0, "2077-06-30T23:00:00Z"),
            ("Pacific/Apia", "2011-12-29", 86399, "2011-12-30T09:59:59Z"),
            ("Pacific/Apia", "2011-12-30", 0, "2011-12-30T10:00:00Z"),
            ("Pacific/Apia", "2011-12-30", 43200, "2011-12-30T22:00:00Z"),
            ("Pacific/Apia", "2011-12-31", 0, "2011-12-30T10:00:00Z"),
            ("America/Havana", "2026-11-01", 0, "2026-11-01T04:00:00Z"),
            ("America/Havana", "2026-11-01", 1800, "2026-11-01T04:30:00Z"),
            ("America/Havana", "2026-03-08", 0, "2026-03-08T05:00:00Z"),
            ("America/Havana", "2026-03-08", 3600, "2026-03-08T05:00:00Z"),
            ("UTC", "2026-03-29", 9000, "2026-03-29T02:30:00Z"),
        ])
    func localTimes(zone: String, date: String, secondsOfDay: Int, expected: String) throws {
        let zone = try #require(TimeZoneID(zone))
        let date = try #require(CivilDate(date))
        #expect(zone.instant(of: date, secondsOfDay: secondsOfDay).rfc3339 == expected)
    }

    @Test(
        "the start of a day is the first instant that shows it",
        arguments: [
            ("America/Sao_Paulo", "2018-11-04"), ("America/Havana", "2026-03-08"), ("America/Havana", "2026-11-01"),
            ("Europe/Berlin", "2026-03-29"), ("Asia/Kathmandu", "2026-01-01"), ("Pacific/Kiritimati", "2026-01-01"),
            ("Africa/Cairo", "2026-04-24"), ("Asia/Beirut", "2026-03-29"), ("America/Asuncion", "2023-10-01"),
        ])
    func startOfDay(zone: String, date: String) throws {
        let zone = try #require(TimeZoneID(zone))
        let date = try #require(CivilDate(date))
        let start = zone.startOfDay(date)
        #expect(zone.civilDate(at: start) == date)
        #expect(zone.civilDate(at: start - .seconds(1)) < date)
    }

    @Test("offsets count seconds east of UTC") func offsets() throws {
        let kathmandu = try #require(TimeZoneID("Asia/Kathmandu"))
        let winter = try #require(Instant(rfc3339: "2026-01-15T00:00:00Z"))
        #expect(kathmandu.offsetSeconds(at: winter) == 20_700)
        #expect(try #require(TimeZoneID("America/New_York")).offsetSeconds(at: winter) == -18_000)
        #expect(TimeZoneID.utc.offsetSeconds(at: winter) == 0)
        #expect(kathmandu.secondsOfDay(at: winter) == 20_700)
        #expect(kathmandu.civilDate(at: winter - .seconds(20_701)).description == "2026-01-14")
    }

    @Test("every instant shows a local time that leads back to it, or to the first of two") func roundTrip() throws {
        var random = Seeded()
        let names = [
            "Europe/Berlin", "America/New_York", "Australia/Lord_Howe", "America/Sao_Paulo", "Asia/Kathmandu",
            "Africa/Casablanca", "Europe/Dublin", "America/St_Johns", "Pacific/Chatham", "Antarctica/Troll",
        ]
        for name in names {
            let zone = try #require(TimeZoneID(name))
            for _ in 0..<2_000 {
                let instant = Instant(seconds: Int64.random(in: -2_000_000_000...8_000_000_000, using: &random))
                let again = zone.instant(of: zone.civilDate(at: instant), secondsOfDay: zone.secondsOfDay(at: instant))
                let back = instant - again
                #expect(back >= .zero && back <= .seconds(7_200), "\(name) \(instant) seed \(random.seed)")
                #expect(zone.secondsOfDay(at: again) == zone.secondsOfDay(at: instant), "\(name) seed \(random.seed)")
            }
        }
    }

    @Test("UTC is always known, and a zone is its name") func names() throws {
        #expect(TimeZoneID("UTC") == .utc)
        #expect(TimeZoneID("Europe/Berlin") == TimeZoneID("Europe/Berlin"))
        #expect(TimeZoneID("Europe/Berlin") != TimeZoneID("Europe/Paris"))
        #expect(Set([TimeZoneID("UTC"), TimeZoneID("UTC")]).count == 1)
        #expect(TimeZoneID("Europe/Berlin")?.description == "Europe/Berlin")
        for name in ["Etc/GMT+5", "America/Argentina/Buenos_Aires", "America/Port-au-Prince", "EST5EDT"] {
            #expect(TimeZoneID(name)?.name == name)
        }
    }

    @Test(
        "what is no zone is refused",
        arguments: [
            "", "Europe", "Europe/", "/Europe/Berlin", "Europe//Berlin", "europe/berlin?", "Mars/Olympus",
            "../zoneinfo/UTC",
            "Europe/../Europe/Berlin", "posix/Europe/Berlin", "right/Europe/Berlin", "posixrules", "Factory",
            "zone.tab",
            "tzdata.zi", "leapseconds", "Europe/Berl\u{0}in", "Z\u{FC}rich",
            "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA",
        ])
    func unknown(name: String) {
        #expect(TimeZoneID(name) == nil)
    }
}
