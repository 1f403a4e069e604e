import BillingCore
import PaymentDomain
import TestKit
import Testing

private func decimal(_ text: String) throws -> ExactDecimal { try ExactDecimal(parsing: text) }
private func eur(_ minor: Int64) -> Money { Money(minor: minor, currency: .eur) }

/// Every shape of terms: counts, intervals, first days, charges, with and without a down payment.
private func everyTerms(currency: Currency) throws -> [InstalmentTerms] {
    let charges: [InstalmentCharge] = [
        .none, .flatFee(Money(minor: 1, currency: currency)), .flatFee(Money(minor: 500, currency: currency)),
        .interest(nominalAnnualRate: try decimal("0.0001")), .interest(nominalAnnualRate: try decimal("0.1299")),
        .interest(nominalAnnualRate: .one),
    ]
    var all: [InstalmentTerms] = []
    for count in InstalmentCount.allCases {
        for interval in InstalmentInterval.allCases {
            for first in FirstInstalment.allCases {
                for charge in charges {
                    for down in [nil, Money(minor: 7, currency: currency)] {
                        all.append(
                            InstalmentTerms(
                                count: count, interval: interval, first: first, charge: charge, downPayment: down))
                    }
                }
            }
        }
    }
    return all
}

@Suite("Instalment offers") struct InstalmentOfferTests {
    private let date = CivilDate(dayNumber: 20_000)

    @Test("parts add up exactly, differ by a unit at most and are never negative, for every kind of terms")
    func exhaustive() throws {
        var random = Seeded()
        let terms: [InstalmentTerms] = try everyTerms(currency: .eur)
        var amounts: [Int64] = Array(1...60) + [99, 100, 999, 10_000, 99_999, 1_234_567, 1_000_000_000_000]
        for _ in 0..<10 { amounts.append(Int64.random(in: 61...10_000_000, using: &random)) }
        var offers = 0
        for terms in terms {
            for minor in amounts {
                let offer: InstalmentOffer
                do {
                    offer = try InstalmentOffer(purchase: eur(minor), on: date, terms: terms)
                } catch let error as InstalmentError {
                    #expect([.tooSmall, .invalidDownPayment, .chargeTooHigh].contains(error))
                    let least: Int64 = error == .chargeTooHigh ? 1_000 : 100
                    #expect(minor < least, "\(minor) \(terms): \(error)")
                    continue
                }
                offers += 1
                check(offer, seed: random.seed)
            }
        }
        #expect(offers > 10_000)
    }

    private func check(_ offer: InstalmentOffer, seed: UInt64) {
        let place: String = "\(offer.purchase) \(offer.terms), seed \(seed)"
        let parts: [PlannedInstalment] = offer.schedule.filter { $0.number > 0 }
        let principal: Int64 = offer.schedule.reduce(0) { $0 + $1.principal.minor }
        let charge: Int64 = offer.schedule.reduce(0) { $0 + $1.charge.minor }
        let payments: [Int64] = parts.map { $0.principal.minor + $0.charge.minor }
        #expect(parts.map(\.number) == Array(1...offer.terms.count.rawValue), "\(place)")
        #expect(principal == offer.purchase.minor && charge == offer.charge.minor, "\(place)")
        #expect(offer.totalPayable.minor == principal + charge, "\(place)")
        #expect(offer.schedule.allSatisfy { $0.principal.isPositive && !$0.charge.isNegative }, "\(place)")
        #expect(payments == payments.sorted(by: >) && payments[0] - payments[payments.count - 1] <= 1, "\(place)")
        #expect(offer.schedule.allSatisfy { $0.start <= $0.due }, "\(place)")
        let isShown: Bool = offer.charge.minor > offer.purchase.minor / 1_000
        #expect(!isShown || offer.annualPercentageRate > .zero, "\(place)")
        #expect(!offer.charge.isZero || offer.annualPercentageRate.isZero, "\(place)")
        if case .flatFee(let fee) = offer.terms.charge { #expect(offer.charge == fee, "\(place)") }
        if case .none = offer.terms.charge { #expect(offer.charge.isZero, "\(place)") }
    }

    @Test(
        "interest, payments and the effective rate agree with the formulas worked out to 60 digits",
        arguments: [
            (120_000, 12, "month", "after_interval", "0.12", 7_942, 10_662, 10_661, "12.68"),
            (120_000, 12, "month", "at_purchase", "0.12", 6_676, 10_557, 10_556, "12.68"),
            (99_999, 6, "two_weeks", "after_interval", "0.1999", 2_708, 17_118, 17_117, "22.03"),
            (50_000, 3, "month", "after_interval", "fee", 1_500, 17_167, 17_166, "19.46"),
            (50_000, 4, "two_weeks", "at_purchase", "fee", 500, 12_625, 12_625, "18.88"),
            (1_000_000, 12, "month", "after_interval", "0.0599", 32_742, 86_062, 86_061, "6.16"),
            (123_456, 6, "month", "at_purchase", "0.2499", 6_448, 21_651, 21_650, "28.06"),
            (30_000, 3, "two_weeks", "after_interval", "1", 2_337, 10_779, 10_779, "166.81"),
            (10_000, 12, "two_weeks", "after_interval", "fee", 1, 834, 833, "0.04"),
        ] as [(Int64, Int, String, String, String, Int64, Int64, Int64, String)])
    func figures(
        financed: Int64, count: Int, interval: String, first: String, charge: String, total: Int64, most: Int64,
        least: Int64, rate: String
    ) throws {
        let terms = InstalmentTerms(
            count: try #require(InstalmentCount(rawValue: count)),
            interval: try #require(InstalmentInterval(rawValue: interval)),
            first: try #require(FirstInstalment(rawValue: first)),
            charge: charge == "fee" ? .flatFee(eur(total)) : .interest(nominalAnnualRate: try decimal(charge)),
            downPayment: eur(2_500))
        let offer = try InstalmentOffer(purchase: eur(financed + 2_500), on: date, terms: terms)
        #expect(offer.charge == eur(total))
        #expect(try offer.schedule[0].amount() == eur(2_500) && offer.schedule[0].number == 0)
        #expect(try offer.schedule[1].amount() == eur(most) && offer.schedule[count].amount() == eur(least))
        #expect(try offer.annualPercentageRate == decimal(rate))
    }

    @Test("interest falls from instalment to instalment, and there is none on the day of the purchase") func falling()
        throws
    {
        for first in FirstInstalment.allCases {
            let terms = InstalmentTerms(
                count: .twelve, interval: .month, first: first,
                charge: .interest(nominalAnnualRate: try decimal("0.12")))
            let charges: [Int64] = try InstalmentOffer(purchase: eur(120_000), on: date, terms: terms)
                .schedule.map(\.charge.minor)
            let paying: ArraySlice<Int64> = first == .atPurchase ? charges.dropFirst() : charges[...]
            #expect(Array(paying) == paying.sorted(by: >))
            #expect(first == .atPurchase ? charges[0] == 0 : charges[0] == 1_200)
        }
    }

    @Test("days follow the billing calendar: the purchase's day, or the month's last") func days() throws {
        let start = try #require(CivilDate("2027-10-31"))
        let monthly = InstalmentTerms(count: .six, interval: .month)
        #expect(
            try InstalmentOffer(purchase: eur(600), on: start, terms: monthly).schedule.map(\.due.description)
                == ["2027-11-30", "2027-12-31", "2028-01-31", "2028-02-29", "2028-03-31", "2028-04-30"])
        let fortnights = InstalmentTerms(
            count: .four, interval: .twoWeeks, first: .atPurchase, downPayment: eur(10))
        let offer = try InstalmentOffer(purchase: eur(600), on: start, terms: fortnights)
        #expect(
            offer.schedule.map(\.due.description)
                == ["2027-10-31", "2027-10-31", "2027-11-14", "2027-11-28", "2027-12-12"])
        #expect(
            offer.schedule.map(\.start.description)
                == ["2027-10-31", "2027-10-31", "2027-10-31", "2027-11-14", "2027-11-28"])
    }

    @Test("terms that are none are refused") func refusals() throws {
        func offer(
            _ purchase: Money = eur(10_000), _ charge: InstalmentCharge = .none, down: Money? = nil,
            fee: LatePolicy.Fee = .none
        ) throws {
            let terms = InstalmentTerms(
                count: .three, interval: .month, charge: charge, downPayment: down, late: LatePolicy(fee: fee))
            _ = try InstalmentOffer(purchase: purchase, on: date, terms: terms)
        }
        let dollar = Money(minor: 1, currency: .usd)
        try offer()
        for minor in [0, -1] as [Int64] { #expect(throws: InstalmentError.notPositive) { try offer(eur(minor)) } }
        for minor in [0, -1, 10_000, 10_001] as [Int64] {
            #expect(throws: InstalmentError.invalidDownPayment) { try offer(down: eur(minor)) }
        }
        for rate in ["0", "-0.1", "1.01", "0.123456789"] {
            let charge: InstalmentCharge = .interest(nominalAnnualRate: try decimal(rate))
            #expect(throws: InstalmentError.invalidRate) { try offer(eur(10_000), charge) }
        }
        for share in ["-0.01", "1.01"] {
            let fee: LatePolicy.Fee = .percentage(try decimal(share), cap: nil)
            #expect(throws: InstalmentError.invalidRate) { try offer(fee: fee) }
        }
        #expect(throws: InstalmentError.notPositive) { try offer(eur(10_000), .flatFee(eur(0))) }
        #expect(throws: InstalmentError.notPositive) { try offer(fee: .fixed(eur(-5))) }
        let usd = InstalmentError.wrongCurrency(.usd)
        #expect(throws: usd) { try offer(down: dollar) }
        #expect(throws: usd) { try offer(eur(10_000), .flatFee(dollar)) }
        #expect(throws: usd) { try offer(fee: .fixed(dollar)) }
        #expect(throws: usd) { try offer(fee: .percentage(.one, cap: dollar)) }
        #expect(throws: InstalmentError.tooSmall) { try offer(eur(2)) }
        #expect(throws: MoneyError.overflow) { try offer(eur(.max), .flatFee(eur(1))) }
    }

    @Test(
        "the effective rate is that of the examples of consumer credit law: Directive 98/7/EC, Annex III",
        arguments: [
            (1_000, [(546, 1_200)], 365, "12.96"), (950, [(546, 1_200)], 365, "16.9"),
            (1_000, [(365, 600), (730, 600)], 365, "13.07"),
        ] as [(Int64, [(Int, Int64)], Int, String)])
    func directive(credit: Int64, repayments: [(Int, Int64)], perYear: Int, expected: String) throws {
        let paid: [(period: Int, amount: Money)] = repayments.map { ($0.0, eur($0.1)) }
        let rate = try EffectiveAnnualRate.percent(credit: eur(credit), repayments: paid, perYear: perYear)
        let scale: Int = expected.count - 3
        #expect(try rate.rounded(scale: scale, rounding: .halfUp) == decimal(expected))
    }

    @Test("a charge out of all proportion is refused") func outOfProportion() throws {
        let terms = InstalmentTerms(count: .three, interval: .month, first: .atPurchase, charge: .flatFee(eur(500)))
        #expect(throws: InstalmentError.chargeTooHigh) {
            try InstalmentOffer(purchase: eur(100), on: date, terms: terms)
        }
    }

    @Test("a rate of exactly half a hundredth rounds up, nothing to pay for is zero, the boundless is refused")
    func edges() throws {
        let exact = try EffectiveAnnualRate.percent(
            credit: eur(1_000_000), repayments: [(1, eur(1_129_650))], perYear: 1)
        #expect(exact.description == "12.97")
        let below = try EffectiveAnnualRate.percent(
            credit: eur(1_000_000_000), repayments: [(1, eur(1_129_649_999))], perYear: 1)
        #expect(below.description == "12.96")
        let free = try EffectiveAnnualRate.percent(credit: eur(100), repayments: [(3, eur(100))], perYear: 12)
        #expect(free.isZero)
        #expect(throws: MoneyError.overflow) {
            try EffectiveAnnualRate.percent(credit: eur(100), repayments: [(0, eur(101))], perYear: 12)
        }
    }
}
