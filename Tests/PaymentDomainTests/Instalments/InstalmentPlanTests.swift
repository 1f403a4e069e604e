import BillingCore
import PaymentDomain
import TestKit
import Testing

private func eur(_ minor: Int64) -> Money { Money(minor: minor, currency: .eur) }
private func day(_ text: String) throws -> CivilDate { try #require(CivilDate(text)) }

@Suite("Instalment plans") struct InstalmentPlanTests {
    /// 1,200.00 at 12 %, twelve months from 15 January 2027, 5 % for being late, at most 4.00.
    private func offer(count: InstalmentCount = .twelve, down: Money? = nil) throws -> InstalmentOffer {
        let late = LatePolicy(
            fee: .percentage(try ExactDecimal(parsing: "0.05"), cap: eur(400)), graceDays: 3, defaultAfterDays: 60)
        let terms = InstalmentTerms(
            count: count, interval: .month,
            charge: .interest(nominalAnnualRate: try ExactDecimal(parsing: "0.12")), downPayment: down, late: late)
        return try InstalmentOffer(purchase: eur(120_000), on: day("2027-01-15"), terms: terms)
    }

    private func lines(_ entries: [InstalmentEntry], _ reason: InstalmentEntry.Reason) -> [String: Int64] {
        var found: [String: Int64] = [:]
        for posting in entries.filter({ $0.reason == reason }).flatMap(\.postings) {
            found[posting.account, default: 0] += posting.amount.minor
        }
        return found
    }

    @Test("the table of states is this one") func table() {
        var allowed: [String] = []
        for status in InstalmentStatus.allCases {
            for step in InstalmentStatus.Step.allCases {
                guard let next = status.after(step) else { continue }
                allowed.append("\(status) \(step) \(next)")
            }
            #expect(status.isOpen == (status.after(.pay) != nil) && status.isOpen == (status.after(.giveUp) != nil))
        }
        #expect(
            allowed == [
                "scheduled fallDue due", "scheduled pay paid", "scheduled settle settledEarly",
                "scheduled giveUp defaulted", "scheduled cancel canceled", "due fallLate late", "due pay paid",
                "due settle settledEarly", "due giveUp defaulted", "due cancel canceled", "late pay paid",
                "late settle settledEarly", "late giveUp defaulted", "late cancel canceled", "late waive late",
            ])
    }

    @Test(
        "a plan stands where its most pressing instalment stands",
        arguments: [
            ([.paid, .scheduled], .scheduled), ([.paid, .due, .scheduled], .due), ([.late, .due, .scheduled], .late),
            ([.paid, .defaulted, .defaulted], .defaulted), ([.paid, .settledEarly], .settledEarly),
            ([.paid, .paid], .paid), ([.paid, .canceled], .paid), ([.canceled, .canceled], .canceled),
        ] as [([InstalmentStatus], InstalmentStatus)])
    func planStatus(parts: [InstalmentStatus], expected: InstalmentStatus) {
        #expect(InstalmentStatus.of(parts) == expected)
    }

    @Test("a plan paid on its days earns the whole interest and ends paid") func paidInTime() throws {
        let offer = try offer(down: eur(20_000))
        var (plan, entries) = try InstalmentPlan.open(offer)
        #expect(plan.status == .due && plan.instalments[0].status == .due)
        #expect(
            lines(entries, .opened) == [
                InstalmentLedger.receivable: offer.totalPayable.minor, Ledger.customerPayments: -120_000,
                InstalmentLedger.unearned: -offer.charge.minor,
            ])
        for planned in offer.schedule {
            let amount = try planned.amount()
            entries += try plan.apply(.paid(number: planned.number, amount: amount, on: planned.due, provider: "s"))
        }
        #expect(try plan.status == .paid && plan.owed().isZero)
        #expect(lines(entries, .earned)[InstalmentLedger.interest] == -offer.charge.minor)
        #expect(
            lines(entries, .paid) == [
                Ledger.providerBalance("s"): offer.totalPayable.minor,
                InstalmentLedger.receivable: -offer.totalPayable.minor,
            ])
    }

    @Test("after its grace an instalment is late once and costs its fee; the fee can be waived") func late() throws {
        var plan = try InstalmentPlan.open(offer()).plan
        #expect(try plan.apply(.day(day("2027-02-14"))).isEmpty && plan.status == .scheduled)
        _ = try plan.apply(.day(day("2027-02-15")))
        #expect(plan.status == .due)
        #expect(try plan.apply(.day(day("2027-02-18"))).isEmpty && plan.status == .due)
        let entries = try plan.apply(.day(day("2027-02-19")))
        #expect(plan.status == .late && plan.instalments[0].lateFee == eur(400))
        #expect(
            lines(entries, .lateFee) == [InstalmentLedger.receivable: 400, InstalmentLedger.lateFees: -400])
        #expect(try plan.apply(.day(day("2027-02-25"))).isEmpty)
        let before: InstalmentPlan = plan
        let on = try day("2027-02-26")
        #expect(throws: InstalmentError.wrongAmount(owed: eur(10_662 + 400))) {
            try plan.apply(.paid(number: 1, amount: eur(10_662), on: on, provider: "s"))
        }
        #expect(plan == before, "a refused event leaves the plan as it was")
        #expect(try plan.apply(.lateFeeWaived(number: 1, on: on)).map(\.reason) == [.lateFeeWaived])
        _ = try plan.apply(.paid(number: 1, amount: eur(10_662), on: on, provider: "s"))
        #expect(plan.instalments[0].status == .paid && plan.status == .scheduled)
    }

    @Test("a late fee is a share, up to its cap, or fixed") func fees() throws {
        let five = try ExactDecimal(parsing: "0.05")
        for (fee, expected) in [
            (LatePolicy.Fee.none, 0), (.fixed(eur(250)), 250), (.percentage(five, cap: nil), 167),
            (.percentage(five, cap: eur(100)), 100), (.percentage(five, cap: eur(200)), 167),
        ] as [(LatePolicy.Fee, Int64)] {
            let terms = InstalmentTerms(
                count: .three, interval: .twoWeeks, first: .atPurchase, late: LatePolicy(fee: fee, graceDays: 0))
            let date = try day("2027-01-01")
            var plan = try InstalmentPlan.open(InstalmentOffer(purchase: eur(10_000), on: date, terms: terms)).plan
            _ = try plan.apply(.day(date.adding(days: 1)))
            #expect(plan.instalments[0].status == .late && plan.instalments[0].lateFee == eur(expected))
        }
    }

    @Test("a plan in default is written off without the interest not yet earned") func defaulted() throws {
        let offer = try offer()
        var (plan, _) = try InstalmentPlan.open(offer)
        let entries = try plan.apply(.day(day("2028-06-01")))
        #expect(plan.status == .defaulted && plan.instalments.allSatisfy { $0.status == .defaulted })
        #expect(entries.last?.day.description == "2027-04-17" && entries.last?.reason == .writtenOff)
        // Instalments 1 to 3 had come due; two of them were late, each with its fee.
        let earned: Int64 = offer.schedule.prefix(3).reduce(0) { $0 + $1.charge.minor }
        #expect(lines(entries, .earned)[InstalmentLedger.interest] == -earned)
        #expect(
            lines(entries, .writtenOff) == [
                InstalmentLedger.writeOff: 120_000 + earned + 800,
                InstalmentLedger.unearned: offer.charge.minor - earned,
                InstalmentLedger.receivable: -(offer.totalPayable.minor + 800),
            ])
        let on = try day("2028-06-02")
        #expect(throws: InstalmentError.notAllowed(.pay, in: .defaulted)) {
            try plan.apply(.paid(number: 1, amount: eur(1), on: on, provider: "s"))
        }
        #expect(throws: InstalmentError.self) { try plan.apply(.refunded(amount: eur(1), on: on, provider: "s")) }
    }

    @Test("paying off on any day asks for what is earned by then and leaves nothing owed") func settledAnyDay() throws {
        let offer = try offer()
        var last: Int64 = 120_000
        for offset in 0...365 {
            let on: CivilDate = offer.date.adding(days: offset)
            var (plan, _) = try InstalmentPlan.open(offer)
            for planned in offer.schedule where planned.due <= on {
                let amount = try planned.amount()
                _ = try plan.apply(.paid(number: planned.number, amount: amount, on: planned.due, provider: "s"))
            }
            guard plan.status.isOpen else { break }
            _ = try plan.apply(.day(on))
            let owed: Money = try plan.owed()
            let settlement = try plan.settlement(on: on)
            #expect(try settlement.amount.adding(settlement.rebate) == owed)
            #expect(settlement.amount.minor <= last + 40, "interest of a day at most: \(on)")
            last = settlement.amount.minor
            if offset == 0 { #expect(settlement.amount == eur(120_000) && settlement.rebate == offer.charge) }
            let entries = try plan.apply(.settled(amount: settlement.amount, on: on, provider: "s"))
            #expect(try plan.status == .settledEarly && plan.owed().isZero)
            #expect(lines(entries, .settledEarly)[InstalmentLedger.unearned, default: 0] == settlement.rebate.minor)
            #expect(throws: InstalmentError.notAllowed(.settle, in: .settledEarly)) {
                try plan.apply(.settled(amount: eur(0), on: on, provider: "s"))
            }
        }
    }

    @Test("a refund shortens the plan from its last instalment and saves the interest on it") func refunded() throws {
        let offer = try offer()
        var (plan, _) = try InstalmentPlan.open(offer)
        let back: Int64 = offer.schedule.suffix(2).reduce(50) { $0 + $1.principal.minor }
        let entries = try plan.apply(.refunded(amount: eur(back), on: offer.date, provider: "s"))
        #expect(plan.instalments.map(\.status) == Array(repeating: .scheduled, count: 10) + [.canceled, .canceled])
        #expect(plan.instalments[9].principal.minor == offer.schedule[9].principal.minor - 50)
        #expect(plan.instalments.prefix(9).map(\.principal) == offer.schedule.prefix(9).map(\.principal))
        #expect(zip(plan.instalments, offer.schedule).allSatisfy { $0.charge.minor < $1.charge.minor })
        // One month on what is left, at 1 %.
        #expect(abs(plan.instalments[0].charge.minor - (120_000 - back) / 100) <= 1)
        let saved: Int64 = offer.charge.minor - plan.instalments.reduce(0) { $0 + $1.charge.minor }
        #expect(
            lines(entries, .refunded) == [
                Ledger.customerRefunds: back, InstalmentLedger.unearned: saved,
                InstalmentLedger.receivable: -(back + saved),
            ])
        let left = eur(120_000 - back)
        #expect(throws: InstalmentError.refundTooLarge(left: left)) {
            try plan.apply(.refunded(amount: eur(left.minor + 1), on: offer.date, provider: "s"))
        }
        #expect(throws: InstalmentError.notPositive) {
            try plan.apply(.refunded(amount: eur(0), on: offer.date, provider: "s"))
        }
    }

    @Test("what was paid of a refunded purchase goes back as money") func paidBack() throws {
        let offer = try offer(count: .three)
        var (plan, _) = try InstalmentPlan.open(offer)
        let first = try offer.schedule[0].amount()
        _ = try plan.apply(.paid(number: 1, amount: first, on: offer.date, provider: "s"))
        let entries = try plan.apply(.refunded(amount: eur(120_000), on: offer.date, provider: "s"))
        #expect(try plan.status == .paid && plan.owed().isZero && plan.purchaseLeft.isZero)
        #expect(
            lines(entries, .refunded)[Ledger.providerBalance("s")] == -offer.schedule[0].principal.minor)
    }

    @Test("a plan is canceled only before anything is paid, and leaves no trace of income") func canceled() throws {
        let offer = try offer()
        var (plan, entries) = try InstalmentPlan.open(offer)
        entries += try plan.apply(.canceled(on: day("2027-03-01")))
        #expect(try plan.status == .canceled && plan.owed().isZero)
        var sums: [String: Int64] = [:]
        for posting in entries.flatMap(\.postings) { sums[posting.account, default: 0] += posting.amount.minor }
        #expect(
            sums.filter { $0.value != 0 } == [Ledger.customerPayments: -120_000, Ledger.customerRefunds: 120_000])
        var other = try InstalmentPlan.open(offer).plan
        let first = try offer.schedule[0].amount()
        _ = try other.apply(.paid(number: 1, amount: first, on: offer.date, provider: "s"))
        #expect(throws: InstalmentError.alreadyPaid) { try other.apply(.canceled(on: offer.date)) }
    }

    @Test("unknown instalments and days that go back are refused") func refusals() throws {
        let offer = try offer()
        var plan = try InstalmentPlan.open(offer).plan
        for number in [0, 13, -1] {
            #expect(throws: InstalmentError.unknownInstalment(number)) {
                try plan.apply(.paid(number: number, amount: eur(1), on: offer.date, provider: "s"))
            }
        }
        #expect(throws: InstalmentError.outOfOrder(after: offer.date)) {
            try plan.apply(.day(offer.date.adding(days: -1)))
        }
        #expect(throws: InstalmentError.notAllowed(.waive, in: .scheduled)) {
            try plan.apply(.lateFeeWaived(number: 1, on: offer.date))
        }
    }
}
