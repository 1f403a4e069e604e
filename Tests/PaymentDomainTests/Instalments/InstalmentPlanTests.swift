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

    @Test("only what a provider has judged uses up a retry day") func retries() throws {
        let dunning = InstalmentDunning(retryDays: [1, 3])
        let due: CivilDate = try day("2027-01-15")
        let cases: [(String, Int, Int?)] = [
            ("insufficient_funds", 0, 1), ("insufficient_funds", 1, 3), ("insufficient_funds", 3, nil),
            ("no_payment_method", 0, nil), ("expired_card", 0, nil), ("provider_credentials", 0, nil),
            ("provider_configuration", 0, nil),
        ]
        for (code, after, next) in cases {
            let decline = Decline(code: code)
            #expect(
                dunning.nextAttempt(after: decline, due: due, on: due.adding(days: after))
                    == next.map { due.adding(days: $0) })
            #expect(InstalmentDunning.isJudged(decline) == !code.hasPrefix("provider_"))
        }
        let forbidden: [(decline: Decline, isMade: Bool)] = [
            (.retryLater, true), (.tooManyAttempts, true), (.doNotTryAgain, false),
        ]
        for (decline, isMade) in forbidden {
            for on in [due, due.adding(days: 3)] {
                let next: CivilDate? = dunning.nextAttempt(after: decline, isForbidden: true, due: due, on: on)
                #expect(next == (isMade ? on : nil), "what a network forbids is still to be made")
            }
        }
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
                "defaulted recover paid",
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
            entries += try plan.apply(.paid(number: planned.number, amount: amount, on: planned.due))
        }
        #expect(try plan.status == .paid && plan.owed().isZero)
        #expect(lines(entries, .earned)[InstalmentLedger.interest] == -offer.charge.minor)
        #expect(
            lines(entries, .paid) == [
                Ledger.customerPayments: offer.totalPayable.minor,
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
            try plan.apply(.paid(number: 1, amount: eur(10_662 + 401), on: on))
        }
        #expect(plan == before, "a refused event leaves the plan as it was")
        #expect(try plan.apply(.lateFeeWaived(number: 1, on: on)).map(\.reason) == [.lateFeeWaived])
        _ = try plan.apply(.paid(number: 1, amount: eur(10_662), on: on))
        #expect(plan.instalments[0].status == .paid && plan.status == .scheduled)
    }

    @Test("grace and default run from the day of the first refusal, where that is later than the due day")
    func refusedLater() throws {
        var plan = try InstalmentPlan.open(offer()).plan
        let due: CivilDate = try day("2027-02-15")
        let judged: CivilDate = due.adding(days: 6)
        _ = try plan.apply(.day(due))
        var entries = try plan.apply(.declined(number: 1, judgedOn: judged, on: due))
        #expect(entries.isEmpty && plan.day == due, "no day counts by it")
        #expect(plan.nextDay == judged.adding(days: 4))
        entries = try plan.apply(.day(judged.adding(days: 3)))
        #expect(entries.isEmpty && plan.status == .due)
        _ = try plan.apply(.declined(number: 1, judgedOn: plan.day, on: plan.day))
        _ = try plan.apply(.day(judged.adding(days: 4)))
        #expect(plan.status == .late && plan.instalments[0].lateFee == eur(400), "only the first counts")
        _ = try plan.apply(.declined(number: 1, judgedOn: plan.day, on: plan.day))
        entries = try plan.apply(.day(judged.adding(days: 60)))
        #expect(plan.status == .late)
        entries = try plan.apply(.day(judged.adding(days: 61)))
        #expect(plan.status == .defaulted && entries.last?.reason == .writtenOff)
    }

    @Test("a refusal on the due day changes no day, and one of an instalment that is not due nothing")
    func refusedInTime() throws {
        var (refused, _) = try InstalmentPlan.open(offer())
        let (untouched, _) = try InstalmentPlan.open(offer())
        let due: CivilDate = try day("2027-02-15")
        _ = try refused.apply(.declined(number: 1, judgedOn: due, on: due))
        #expect(refused.nextDay == due.adding(days: 4))
        #expect(throws: InstalmentError.unknownInstalment(13)) {
            try refused.apply(.declined(number: 13, judgedOn: due, on: due))
        }
        _ = try refused.apply(.declined(number: 2, judgedOn: due, on: due))
        #expect(refused.instalments[1] == untouched.instalments[1], "it has not come due")
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
        #expect(throws: InstalmentError.self) { try plan.apply(.refunded(amount: eur(1), on: on)) }
        #expect(throws: InstalmentError.self) { try plan.apply(.canceled(on: on)) }
    }

    @Test("an instalment can be paid in parts; the last one closes it") func partly() throws {
        var plan = try InstalmentPlan.open(offer()).plan
        let on = try day("2027-02-20")
        for amount: Int64 in [100, 10_000, 962] {
            #expect(plan.instalments[0].status != .paid)
            let entries = try plan.apply(.paid(number: 1, amount: eur(amount), on: on))
            #expect(
                lines(entries, .paid) == [Ledger.customerPayments: amount, InstalmentLedger.receivable: -amount])
        }
        #expect(plan.instalments[0].status == .paid && plan.instalments[0].paid == eur(11_062), "with its late fee")
        for amount: Int64 in [0, -5] {
            #expect(throws: InstalmentError.wrongAmount(owed: eur(10_662))) {
                try plan.apply(.paid(number: 2, amount: eur(amount), on: on))
            }
        }
        #expect(throws: InstalmentError.notAllowed(.pay, in: .paid)) {
            try plan.apply(.paid(number: 1, amount: eur(1), on: on))
        }
    }

    @Test("a fee that is waived after the rest was paid closes the instalment") func waivedLast() throws {
        var plan = try InstalmentPlan.open(offer()).plan
        let on = try day("2027-02-20")
        _ = try plan.apply(.paid(number: 1, amount: eur(10_762), on: on))
        let entries = try plan.apply(.lateFeeWaived(number: 1, on: on))
        #expect(lines(entries, .lateFeeWaived) == [InstalmentLedger.lateFees: 300, InstalmentLedger.receivable: -300])
        #expect(plan.instalments[0].status == .paid && plan.instalments[0].lateFee == eur(100))
    }

    @Test("what is paid after the default makes the loss smaller, in parts or at once") func recovered() throws {
        var plan = try InstalmentPlan.open(offer(count: .three)).plan
        _ = try plan.apply(.paid(number: 1, amount: eur(1_000), on: day("2027-02-16")))
        _ = try plan.apply(.day(day("2028-06-01")))
        #expect(try plan.status == .defaulted && plan.owed().isZero)
        let lost: Money = try plan.lost()
        let on = try day("2028-06-02")
        var entries = try plan.apply(.paid(number: 2, amount: eur(5_000), on: on))
        #expect(lines(entries, .recovered) == [Ledger.customerPayments: 5_000, InstalmentLedger.writeOff: -5_000])
        #expect(plan.status == .defaulted)
        entries = try plan.apply(.paid(number: 2, amount: plan.instalments[1].lost(), on: on))
        #expect(plan.instalments[1].status == .paid && plan.status == .defaulted)
        let rest: Money = try plan.settlement(on: on).amount
        #expect(try rest == plan.lost())
        entries = try plan.apply(.settled(amount: rest, on: on))
        #expect(lines(entries, .recovered)[InstalmentLedger.writeOff] == -rest.minor)
        #expect(try plan.status == .paid && plan.lost().isZero && lost.minor > rest.minor)
    }

    @Test("paying off on any day asks for what is earned by then and leaves nothing owed") func settledAnyDay() throws {
        let offer = try offer()
        var last: Int64 = 120_000
        for offset in 0...365 {
            let on: CivilDate = offer.date.adding(days: offset)
            var (plan, _) = try InstalmentPlan.open(offer)
            for planned in offer.schedule where planned.due <= on {
                let amount = try planned.amount()
                _ = try plan.apply(.paid(number: planned.number, amount: amount, on: planned.due))
            }
            guard plan.status.isOpen else { break }
            _ = try plan.apply(.day(on))
            let owed: Money = try plan.owed()
            let settlement = try plan.settlement(on: on)
            #expect(try settlement.amount.adding(settlement.rebate) == owed)
            #expect(settlement.amount.minor <= last + 40, "interest of a day at most: \(on)")
            last = settlement.amount.minor
            if offset == 0 { #expect(settlement.amount == eur(120_000) && settlement.rebate == offer.charge) }
            let entries = try plan.apply(.settled(amount: settlement.amount, on: on))
            #expect(try plan.status == .settledEarly && plan.owed().isZero)
            #expect(lines(entries, .settledEarly)[InstalmentLedger.unearned, default: 0] == settlement.rebate.minor)
            #expect(throws: InstalmentError.notAllowed(.settle, in: .settledEarly)) {
                try plan.apply(.settled(amount: eur(0), on: on))
            }
        }
    }

    @Test("a refund shortens the plan from its last instalment and saves the interest on it") func refunded() throws {
        let offer = try offer()
        var (plan, _) = try InstalmentPlan.open(offer)
        let back: Int64 = offer.schedule.suffix(2).reduce(50) { $0 + $1.principal.minor }
        let entries = try plan.apply(.refunded(amount: eur(back), on: offer.date))
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
            try plan.apply(.refunded(amount: eur(left.minor + 1), on: offer.date))
        }
        #expect(throws: InstalmentError.notPositive) {
            try plan.apply(.refunded(amount: eur(0), on: offer.date))
        }
    }

    @Test("only what is open of the purchase can be taken back") func paidStays() throws {
        let offer = try offer(count: .three)
        var (plan, _) = try InstalmentPlan.open(offer)
        let first = try offer.schedule[0].amount()
        _ = try plan.apply(.paid(number: 1, amount: first, on: offer.date))
        let open: Int64 = 120_000 - offer.schedule[0].principal.minor
        #expect(throws: InstalmentError.refundTooLarge(left: eur(open))) {
            try plan.apply(.refunded(amount: eur(open + 1), on: offer.date))
        }
        _ = try plan.apply(.refunded(amount: eur(open), on: offer.date))
        #expect(try plan.status == .paid && plan.owed().isZero)
        #expect(plan.purchaseLeft == offer.schedule[0].principal)
    }

    @Test("a plan that is canceled asks for nothing more and leaves no trace of income on it") func canceled() throws {
        let offer = try offer()
        var (plan, entries) = try InstalmentPlan.open(offer)
        entries += try plan.apply(.canceled(on: day("2027-03-01")))
        #expect(try plan.status == .canceled && plan.owed().isZero)
        var sums: [String: Int64] = [:]
        for posting in entries.flatMap(\.postings) { sums[posting.account, default: 0] += posting.amount.minor }
        #expect(
            sums.filter { $0.value != 0 } == [Ledger.customerPayments: -120_000, Ledger.customerRefunds: 120_000])
        (plan, entries) = try InstalmentPlan.open(offer)
        let first = try offer.schedule[0].amount()
        entries += try plan.apply(.paid(number: 1, amount: first, on: offer.date))
        entries += try plan.apply(.canceled(on: offer.date))
        sums = [:]
        for posting in entries.flatMap(\.postings) { sums[posting.account, default: 0] += posting.amount.minor }
        #expect(sums[InstalmentLedger.receivable] == 0 && sums[InstalmentLedger.unearned] == 0)
        #expect(sums[InstalmentLedger.interest] == -offer.schedule[0].charge.minor, "what was paid stays earned")
        #expect(throws: InstalmentError.self) { try plan.apply(.canceled(on: offer.date)) }
    }

    @Test("unknown instalments and days that go back are refused") func refusals() throws {
        let offer = try offer()
        var plan = try InstalmentPlan.open(offer).plan
        for number in [0, 13, -1] {
            #expect(throws: InstalmentError.unknownInstalment(number)) {
                try plan.apply(.paid(number: number, amount: eur(1), on: offer.date))
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
