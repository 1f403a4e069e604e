import BillingCore
import PaymentDomain
import TestKit
import Testing

@Suite("Retry budgets") struct RetryBudgetTests {
    private static let now = Instant(seconds: 1_800_000_000)
    private static let amount = Money(minor: 1_999, currency: .eur)
    private static let day: Int64 = 86_400

    private func failed(_ secondsAgo: Int64, _ amount: Money = amount, code: String? = "51") -> CardAttempt {
        CardAttempt(
            at: Self.now - .seconds(secondsAgo), amount: amount, outcome: .declined(networkCode: code, advice: nil))
    }

    private func permission(_ budget: RetryBudget, _ past: [CardAttempt]) -> RetryPermission {
        budget.permission(for: Self.amount, at: Self.now, after: past)
    }

    @Test("Visa: the fifteenth attempt goes, the sixteenth waits until the first is 30 days old") func visa() {
        for count in 0..<15 {
            let past: [CardAttempt] = (0..<count).map { failed(Int64($0) * 3_600) }
            #expect(permission(.visa, past) == .allowed(left: 15 - count))
        }
        let past: [CardAttempt] = (0..<15).map { failed(Int64($0) * 3_600) }
        let until: Instant = Self.now - .seconds(14 * 3_600) + .seconds(30 * Self.day)
        #expect(permission(.visa, past.reversed()) == .refused(until: until, .limit(RetryBudget.visa.limits[0])))
    }

    @Test("an attempt counts until it is exactly 30 days old") func edge() {
        let recent: [CardAttempt] = (1...14).map { failed(Int64($0)) }
        let inside: [CardAttempt] = recent + [failed(30 * Self.day - 1)]
        #expect(
            permission(.visa, inside)
                == .refused(until: Self.now + .seconds(1), .limit(RetryBudget.visa.limits[0])))
        #expect(permission(.visa, recent + [failed(30 * Self.day)]) == .allowed(left: 1))
    }

    @Test("Visa counts one amount, Mastercard the card") func amounts() {
        let other = Money(minor: 2_000, currency: .eur)
        let sameNumber = Money(minor: 1_999, currency: .usd)
        let past: [CardAttempt] = (0..<9).map { failed(Int64($0), other) } + [failed(20, sameNumber)]
        #expect(permission(.visa, past) == .allowed(left: 15))
        #expect(
            permission(.mastercard, past)
                == .refused(
                    until: Self.now - .seconds(20) + .seconds(Self.day), .limit(RetryBudget.mastercard.limits[0])))
    }

    @Test("Mastercard: 10 in 24 hours, 35 in 30 days, and the later end of two") func mastercard() {
        let spread: [CardAttempt] = (0..<35).map { failed(Int64($0) * 4 * 3_600 + 1) }
        let oldest: Instant = Self.now - .seconds(34 * 4 * 3_600 + 1)
        #expect(
            permission(.mastercard, spread)
                == .refused(until: oldest + .seconds(30 * Self.day), .limit(RetryBudget.mastercard.limits[1])))
        #expect(permission(.mastercard, Array(spread.prefix(34))) == .allowed(left: 1))
        let quick: [CardAttempt] = (0..<10).map { failed(Int64($0)) }
        #expect(permission(.mastercard, Array(quick.prefix(9))) == .allowed(left: 1))
        #expect(
            permission(.mastercard, quick)
                == .refused(
                    until: Self.now - .seconds(9) + .seconds(Self.day), .limit(RetryBudget.mastercard.limits[0])))
    }

    @Test("category 1 ends it, however long ago and whatever the amount") func categoryOne() {
        let other = Money(minor: 1, currency: .usd)
        for code in ["04", "07", "12", "14", "15", "41", "43", "46", "57", "R0", "R1", "R3"] {
            let past: [CardAttempt] = [failed(400 * Self.day, other, code: code)]
            #expect(permission(.visa, past) == .refusedForGood(.code(code)))
        }
        for code in ["05", "51", "54", "59", "61", "91", "N7", nil] {
            #expect(permission(.visa, [failed(1, code: code)]) == .allowed(left: 14))
        }
    }

    @Test("every advice code of Mastercard", arguments: MerchantAdviceCode.allCases)
    func advice(code: MerchantAdviceCode) {
        let attempt = CardAttempt(
            at: Self.now - .seconds(1_800), amount: Self.amount, outcome: .declined(networkCode: "51", advice: code))
        let expected: RetryPermission =
            switch code.retry {
            case .never, .onceCorrected: .refusedForGood(.advice(code))
            case .after(let wait): .refused(until: attempt.at + wait, .advice(code))
            case nil: .allowed(left: 9)
            }
        #expect(permission(.mastercard, [attempt]) == expected)
    }

    @Test("after the wait that an advice names, the card may be tried to the second") func adviceOver() {
        let attempt = CardAttempt(
            at: Self.now, amount: Self.amount, outcome: .declined(networkCode: "51", advice: .afterHour))
        let budget: RetryBudget = .mastercard
        let end: Instant = Self.now + .seconds(3_600)
        #expect(
            budget.permission(for: Self.amount, at: end - .microseconds(1), after: [attempt])
                == .refused(until: end, .advice(.afterHour)))
        #expect(budget.permission(for: Self.amount, at: end, after: [attempt]) == .allowed(left: 9))
    }

    @Test("an approval clears what was before it, final codes too; an unknown end counts") func approval() {
        let approved = CardAttempt(at: Self.now - .seconds(100), amount: Self.amount, outcome: .approved)
        let before: [CardAttempt] = (0..<20).map { failed(200 + Int64($0)) }
        #expect(permission(.visa, before + [approved]) == .allowed(left: 15))
        #expect(permission(.visa, before + [approved, failed(50)]) == .allowed(left: 14))
        // The bank has spoken since; what it says after that counts again.
        #expect(permission(.visa, [failed(200, code: "57"), approved]) == .allowed(left: 15))
        #expect(permission(.visa, [failed(200, code: "57"), approved, failed(50)]) == .allowed(left: 14))
        #expect(permission(.visa, [approved, failed(50, code: "41")]) == .refusedForGood(.code("41")))
        let advised: (MerchantAdviceCode) -> CardAttempt = { advice in
            CardAttempt(
                at: Self.now - .seconds(200), amount: Self.amount, outcome: .declined(networkCode: nil, advice: advice))
        }
        #expect(permission(.mastercard, [advised(.doNotTryAgain), approved]) == .allowed(left: 10))
        // The cardholder's own orders stay.
        #expect(permission(.visa, [failed(200, code: "R1"), approved]) == .refusedForGood(.code("R1")))
        #expect(
            permission(.mastercard, [advised(.paymentCancellation), approved])
                == .refusedForGood(.advice(.paymentCancellation)))
        let unknown = CardAttempt(at: Self.now, amount: Self.amount, outcome: .unknown)
        #expect(permission(.visa, [unknown]) == .allowed(left: 14))
    }

    /// What ends it until the bank has approved the card again, and what no approval lifts, with the codes of providers' own
    /// that came with it.
    private static let words: [(decline: String, code: String?, isOrder: Bool)] = [
        ("stolen_card", "9520", false), ("pickup_card", "5150", false), ("do_not_try_again", "9540", false),
        ("do_not_try_again", "51", false), ("lost_card", nil, false), ("account_closed", "5140", false),
        ("stop_payment_order", "0R00", true), ("revocation_of_authorization", "5120", true),
        ("revocation_of_all_authorizations", nil, true),
    ]

    @Test(
        "what a provider tells in words of its own binds with every network, whatever code came with it, or none",
        arguments: [RetryBudget.visa, .mastercard, .other])
    func told(budget: RetryBudget) {
        let said: (String, String?) -> CardAttempt = { decline, code in
            CardAttempt(
                at: Self.now - .seconds(40 * Self.day), amount: Self.amount,
                outcome: .declined(networkCode: code, advice: nil, decline: Decline(code: decline)))
        }
        let approved = CardAttempt(at: Self.now - .seconds(100), amount: Self.amount, outcome: .approved)
        let free: RetryPermission = permission(budget, [])
        for (decline, code, isOrder) in Self.words {
            let refused: RetryPermission = .refusedForGood(.decline(Decline(code: decline)))
            #expect(permission(budget, [said(decline, code)]) == refused)
            #expect(permission(budget, [said(decline, code), approved]) == (isOrder ? refused : free), "\(decline)")
        }
        for decline in ["do_not_honor", "insufficient_funds", "expired_card", "other_data_required", "unknown"] {
            #expect(permission(budget, [said(decline, nil)]) == free, "\(decline)")
        }
    }

    @Test("brands have their budgets") func brands() {
        #expect(RetryBudget.of(brand: "visa") == .visa)
        #expect(RetryBudget.of(brand: "mastercard") == .mastercard)
        #expect(RetryBudget.of(brand: "maestro") == .mastercard)
        #expect(RetryBudget.of(brand: "amex") == .other)
        #expect(RetryBudget.of(brand: "") == .other)
    }

    @Test("whoever asks before every attempt never goes over a limit") func property() {
        var random = Seeded()
        for budget in [RetryBudget.visa, .mastercard, .other] {
            var past: [CardAttempt] = []
            var now: Instant = Self.now
            for _ in 0..<400 {
                now = now + .seconds(Int64.random(in: 1...20_000, using: &random))
                switch budget.permission(for: Self.amount, at: now, after: past) {
                case .allowed: break
                case .refused(let until, _):
                    #expect(until > now, "seed \(random.seed)")
                    now = until
                    guard case .allowed = budget.permission(for: Self.amount, at: now, after: past) else {
                        Issue.record("refused at the instant it named, seed \(random.seed)")
                        continue
                    }
                case .refusedForGood: Issue.record("nothing final happened, seed \(random.seed)")
                }
                past.append(
                    CardAttempt(
                        at: now, amount: Self.amount, outcome: .declined(networkCode: "51", advice: nil)))
                for limit in budget.limits {
                    #expect(past.count { $0.at > now - limit.window } <= limit.attempts, "seed \(random.seed)")
                }
            }
        }
    }
}
