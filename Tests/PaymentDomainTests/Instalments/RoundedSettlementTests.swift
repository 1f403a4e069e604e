import BillingCore
import PaymentDomain
import TestKit
import Testing

@Suite("Settlements of which a rounding is given up") struct RoundedSettlementTests {
    private static func eur(_ minor: Int64) -> Money { Money(minor: minor, currency: .eur) }

    /// 1,200.00 at 12 %, three months from 15 January 2027, and what opening it books.
    private func opened() throws -> (plan: InstalmentPlan, entries: [InstalmentEntry]) {
        let terms = InstalmentTerms(
            count: .three, interval: .month,
            charge: .interest(nominalAnnualRate: try ExactDecimal(parsing: "0.12")))
        let date: CivilDate = try #require(CivilDate("2027-01-15"))
        return try InstalmentPlan.open(InstalmentOffer(purchase: Self.eur(120_000), on: date, terms: terms))
    }

    private func balances(_ entries: [InstalmentEntry]) -> [String: Int64] {
        var found: [String: Int64] = [:]
        for posting in entries.flatMap(\.postings) { found[posting.account, default: 0] += posting.amount.minor }
        return found
    }

    @Test("leave nothing owed on any day: it is a loss beside what was earned") func everyDay() throws {
        for offset in 0..<90 {
            var (plan, entries) = try opened()
            let on: CivilDate = plan.day.adding(days: offset)
            entries += try plan.apply(.day(on))
            let whole: Settlement = try plan.settlement(on: on)
            let rounding = Self.eur(whole.amount.minor % 100)
            let amount: Money = try whole.amount.subtracting(rounding)
            entries += try plan.apply(.settled(amount: amount, rounding: rounding, on: on))
            #expect(plan.instalments.allSatisfy { $0.status == .settledEarly })
            #expect(plan.instalments.reduce(0) { $0 + $1.paid.minor } == amount.minor)
            let books: [String: Int64] = balances(entries)
            #expect(books.values.reduce(0, +) == 0)
            #expect(books[InstalmentLedger.receivable] == 0 && books[InstalmentLedger.unearned] == 0)
            #expect(books[InstalmentLedger.writeOff, default: 0] == rounding.minor)
            #expect(books[InstalmentLedger.interest, default: 0] == 120_000 - whole.amount.minor)
        }
    }

    @Test("end a plan in default, too: the rounding stays a loss") func defaulted() throws {
        var (plan, entries) = try opened()
        let on: CivilDate = plan.day.adding(days: 400)
        entries += try plan.apply(.day(on))
        let lost: Money = try plan.lost()
        let amount: Money = try lost.subtracting(Self.eur(99))
        entries += try plan.apply(.settled(amount: amount, rounding: Self.eur(99), on: on))
        #expect(plan.instalments.allSatisfy { $0.status == .paid })
        #expect(balances(entries)[InstalmentLedger.writeOff] == 99)
    }

    @Test("are refused where both do not make the settlement, and where more would be asked for") func refused()
        throws
    {
        let opened: InstalmentPlan = try opened().plan
        let owed: Money = try opened.settlement(on: opened.day).amount
        for (short, rounding) in [(1, 0), (1, 2), (0, 1), (-1, -1)] as [(Int64, Int64)] {
            var plan: InstalmentPlan = opened
            let amount: Money = try owed.subtracting(Self.eur(short))
            #expect(throws: InstalmentError.wrongAmount(owed: owed)) {
                try plan.apply(.settled(amount: amount, rounding: Self.eur(rounding), on: plan.day))
            }
            #expect(plan == opened)
        }
    }
}
