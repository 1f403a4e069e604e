import BillingCore
import Foundation
import Testing
@Test func zcross() throws {
    let text = try String(contentsOfFile: "/tmp/tzcases.txt", encoding: .utf8)
    var bad = 0, n = 0; var zones: [String: TimeZoneID] = [:]
    for line in text.utf8.split(separator: 10) {
        let p = String(Substring(line)).split(separator: " ").map(String.init)
        let z: TimeZoneID
        if let k = zones[p[0]] { z = k } else { guard let k = TimeZoneID(p[0]) else { print("NOZONE", p[0]); bad += 1; continue }; z = k; zones[p[0]] = k }
        let d = CivilDate(year: Int(p[1])!, month: Int(p[2])!, day: Int(p[3])!)!
        let got = z.instant(of: d, secondsOfDay: Int(p[4])!).seconds
        n += 1
        if got != Int64(p[5])! { bad += 1; if bad < 30 { print("DIFF", line, p, got) } }
    }
    print("CROSS", n, "bad", bad)
    let c = ContinuousClock(); let z = TimeZoneID("Europe/Berlin")!; let d = CivilDate("2027-03-31")!; let far = CivilDate("2077-03-31")!
    var s: Int64 = 0
    let a = c.measure { for _ in 0..<200_000 { s &+= z.startOfDay(d).microseconds } }
    let b = c.measure { for _ in 0..<200_000 { s &+= z.startOfDay(far).microseconds } }
    let i = c.measure { for _ in 0..<200_000 { s &+= Int64(EventID.new(at: Instant(seconds: 1)).rawValue.utf8.count) } }
    let id = EventID.new(at: Instant(seconds: 1)).rawValue
    let pr = c.measure { for _ in 0..<200_000 { s &+= EventID(id) == nil ? 1 : 0 } }
    let cu = c.measure { for _ in 0..<1_000_000 { s &+= Currency("USD") == nil ? 1 : 0 } }
    let al = try c.measure { for _ in 0..<100_000 { s &+= try Money(minor: 1000, currency: .usd).allocate(by: [1, 2, 3, 4])[0].minor } }
    let rf = c.measure { for k in 0..<200_000 { s &+= Int64(Instant(microseconds: Int64(k)).rfc3339.utf8.count) } }
    let rp = c.measure { for _ in 0..<200_000 { s &+= Instant(rfc3339: "2027-01-31T00:00:00.123Z")!.microseconds } }
    let cal = BillingCalendar(anchor: d, rule: BillingPeriodRule(interval: .month), zone: z)
    let pe = c.measure { for _ in 0..<100_000 { s &+= Int64(cal.period(containing: Instant(seconds: 1_900_000_000)).index) } }
    print("BENCH startOfDay", a / 200_000, "far", b / 200_000, "id", i / 200_000, "idparse", pr / 200_000, "currency", cu / 1_000_000, "allocate", al / 100_000, "rfc", rf / 200_000, "rfcparse", rp / 200_000, "period", pe / 100_000, s)
}
