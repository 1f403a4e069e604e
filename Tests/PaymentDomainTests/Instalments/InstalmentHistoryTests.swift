import BillingCore
import PaymentDomain
import TestKit
import Testing

/// The journal of a plan, summed by account.
private struct Books {
    private(set) var balances: [String: Int64] = [:]
    private(set) var isBalanced = true

    mutating func post(_ entries: [InstalmentEntry]) {
        for entry in entries {
            var sum: Int64 = 0
            for posting in entry.postings {
                balances[posting.account, default: 0] += posting.amount.minor
                sum += posting.amount.minor
                if posting.amount.isZero { isBalanced = false }
            }
            if sum != 0 || entry.postings.count < 2 { isBalanced = false }
        }
    }

    subscript(_ account: String) -> Int64 { balances[account, default: 0] }
}

@Suite("Histories of instalment plans") struct InstalmentHistoryTests {
    private func randomOffer(_ random: inout Seeded) throws -> InstalmentOffer? {
        let currency: Currency = [.eur, .jpy, .usd].randomElement(using: &random) ?? .eur
        func money(_ range: ClosedRange<Int64>) -> Money {
            Money(minor: Int64.random(in: range, using: &random), currency: currency)
        }
        let rate = try ExactDecimal(coefficient: Int128(Int.random(in: 1...10_000, using: &random)), scale: 4)
        let charges: [InstalmentCharge] = [.none, .flatFee(money(1...5_000)), .interest(nominalAnnualRate: rate)]
        let share = try ExactDecimal(coefficient: Int128(Int.random(in: 0...100, using: &random)), scale: 2)
        let fees: [LatePolicy.Fee] = [
            .none, .fixed(money(1...900)), .percentage(share, cap: nil), .percentage(share, cap: money(1...500)),
        ]
        let grace = Int.random(in: 0...10, using: &random)
        let late = LatePolicy(
            fee: fees.randomElement(using: &random) ?? .none, graceDays: grace,
            defaultAfterDays: grace + Int.random(in: 1...120, using: &random))
        let terms = InstalmentTerms(
            count: InstalmentCount.allCases.randomElement(using: &random) ?? .three,
            interval: InstalmentInterval.allCases.randomElement(using: &random) ?? .month,
            first: FirstInstalment.allCases.randomElement(using: &random) ?? .afterInterval,
            charge: charges.randomElement(using: &random) ?? .none,
            downPayment: Bool.random(using: &random) ? money(1...50) : nil, late: late)
        let date = CivilDate(dayNumber: Int.random(in: 20_000...22_000, using: &random))
        do {
            return try InstalmentOffer(purchase: money(20...200_000), on: date, terms: terms)
        } catch let error as InstalmentError {
            #expect([.tooSmall, .invalidDownPayment, .chargeTooHigh].contains(error))
            return nil
        }
    }

    /// An event that could come next; often a sensible one, sometimes not.
    private func randomEvent(_ plan: InstalmentPlan, _ random: inout Seeded) throws -> InstalmentEvent {
        let on: CivilDate = plan.day.adding(days: Int.random(in: 0...20, using: &random))
        // What is owed may change with the day: ask a copy that has counted it.
        var then: InstalmentPlan = plan
        _ = try then.apply(.day(on))
        let open: [Instalment] = then.instalments.filter(\.status.isOpen)
        let any: Instalment? =
            Int.random(in: 0..<4, using: &random) == 0 ? open.randomElement(using: &random) : open.first
        let currency: Currency = plan.offer.purchase.currency
        switch Int.random(in: 0..<24, using: &random) {
        case 0: return .canceled(on: on)
        case 1: return .settled(amount: try then.settlement(on: on).amount, on: on)
        case 2: return .lateFeeWaived(number: any?.number ?? 99, on: on)
        case 3, 4:
            let most: Int64 = max(1, try then.openPrincipal().minor / Int64.random(in: 1...5, using: &random))
            let amount = Money(minor: Int64.random(in: 1...most, using: &random), currency: currency)
            return .refunded(amount: amount, on: on)
        case 5...14:
            let amount: Money = try any?.owed() ?? .zero(currency)
            return .paid(number: any?.number ?? 1, amount: amount, on: on)
        case 15, 16:
            let owed: Int64 = max(1, try (any?.owed() ?? then.lost()).minor)
            let part = Money(minor: Int64.random(in: 1...owed, using: &random), currency: currency)
            return .paid(number: any?.number ?? Int.random(in: 1...12, using: &random), amount: part, on: on)
        case 17:
            let judgedOn: CivilDate = on.adding(days: Int.random(in: 0...30, using: &random))
            return .declined(number: any?.number ?? 99, judgedOn: judgedOn, on: on)
        default: return .day(on)
        }
    }

    private func check(_ plan: InstalmentPlan, _ books: Books, seed: UInt64) throws {
        let place: String = "seed \(seed)"
        let scheduled: Int64 = plan.instalments.filter { $0.status == .scheduled }.reduce(0) { $0 + $1.charge.minor }
        var paid: Money = .zero(plan.offer.purchase.currency)
        for part in plan.instalments { paid = try paid.adding(part.paid) }
        #expect(books.isBalanced, "\(place)")
        #expect(try books[InstalmentLedger.receivable] == plan.owed().minor, "\(place)")
        #expect(books[InstalmentLedger.unearned] == -scheduled, "\(place)")
        #expect(
            books[Ledger.customerRefunds] == plan.offer.purchase.minor - plan.purchaseLeft.minor, "\(place)")
        #expect(books[Ledger.customerPayments] == paid.minor - plan.offer.purchase.minor, "\(place)")
        for part in plan.instalments {
            #expect(
                !part.principal.isNegative && !part.charge.isNegative && !part.lateFee.isNegative, "\(place)")
        }
        #expect(try plan.status.isOpen == plan.owed().isPositive, "\(place)")
        #expect(try books[InstalmentLedger.writeOff] == plan.lost().minor, "\(place)")
    }

    @Test(
        "whatever happens, the journal balances and holds what is owed, states change by the table, and replay agrees")
    func histories() throws {
        var random = Seeded()
        var ends: [InstalmentStatus: Int] = [:]
        var refused = 0
        for _ in 0..<3_000 {
            guard let offer = try randomOffer(&random) else { continue }
            var (plan, entries) = try InstalmentPlan.open(offer)
            var books = Books()
            books.post(entries)
            var events: [InstalmentEvent] = []
            for _ in 0..<Int.random(in: 1...40, using: &random) {
                let event: InstalmentEvent = try randomEvent(plan, &random)
                let before: InstalmentPlan = plan
                do {
                    entries = try plan.apply(event)
                } catch is InstalmentError {
                    #expect(plan == before, "seed \(random.seed)")
                    refused += 1
                    continue
                }
                events.append(event)
                books.post(entries)
                try check(plan, books, seed: random.seed)
                checkSteps(from: before, to: plan, seed: random.seed)
            }
            ends[plan.status, default: 0] += 1
            #expect(try InstalmentPlan(replaying: events, on: offer) == plan, "seed \(random.seed)")
            try checkEnd(plan, books, &random)
        }
        #expect(ends.count == InstalmentStatus.allCases.count && refused > 1_000, "\(ends) \(refused)")
    }

    /// Each change of state can be made by steps of the table.
    private func checkSteps(from old: InstalmentPlan, to new: InstalmentPlan, seed: UInt64) {
        for (before, after) in zip(old.instalments, new.instalments) where before.status != after.status {
            var reachable: Set<InstalmentStatus> = [before.status]
            for _ in 0..<3 {
                for status in reachable {
                    for step in InstalmentStatus.Step.allCases {
                        if let next = status.after(step) { reachable.insert(next) }
                    }
                }
            }
            #expect(reachable.contains(after.status), "seed \(seed)")
        }
    }

    /// Settling an open plan on a later day leaves nothing owed and nothing unearned.
    private func checkEnd(_ plan: InstalmentPlan, _ books: Books, _ random: inout Seeded) throws {
        var plan: InstalmentPlan = plan
        var books: Books = books
        let on: CivilDate = plan.day.adding(days: Int.random(in: 0...30, using: &random))
        books.post(try plan.apply(.day(on)))
        guard plan.status.isOpen else { return }
        let settlement = try plan.settlement(on: on)
        books.post(try plan.apply(.settled(amount: settlement.amount, on: on)))
        try check(plan, books, seed: random.seed)
        #expect(books[InstalmentLedger.receivable] == 0 && books[InstalmentLedger.unearned] == 0)
        #expect(!plan.status.isOpen, "seed \(random.seed)")
    }

    @Test("days counted one by one and in leaps give the same plan and the same journal") func leaps() throws {
        var random = Seeded()
        for _ in 0..<200 {
            guard let offer = try randomOffer(&random) else { continue }
            var (walking, walked) = try InstalmentPlan.open(offer)
            var (leaping, leapt) = try InstalmentPlan.open(offer)
            let days = Int.random(in: 1...500, using: &random)
            for offset in 1...days { walked += try walking.apply(.day(offer.date.adding(days: offset))) }
            leapt += try leaping.apply(.day(offer.date.adding(days: days)))
            #expect(walking == leaping && walked == leapt, "seed \(random.seed)")
        }
    }
}
