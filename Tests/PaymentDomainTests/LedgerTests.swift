import BillingCore
import PaymentDomain
import TestKit
import Testing

@Suite("Journal entries") struct LedgerTests {
    @Test("every entry sums to zero in its currency, whatever the amount") func balanced() throws {
        var random = Seeded()
        for _ in 0..<2_000 {
            let currency: Currency = Currency.all.randomElement(using: &random) ?? .usd
            let minor: Int64 =
                [1, Int64.max, Int64.random(in: 1...Int64.max, using: &random)]
                .randomElement(using: &random) ?? 1
            let amount = Money(minor: minor, currency: currency)
            for postings in [
                try Ledger.capture(amount, provider: "sandbox"), try Ledger.refund(amount, provider: "sandbox"),
            ] {
                var sum: Money = .zero(currency)
                for posting in postings { sum = try sum.adding(posting.amount) }
                #expect(sum.isZero, "seed \(random.seed)")
                #expect(postings.count == 2 && postings.allSatisfy { !$0.amount.isZero }, "seed \(random.seed)")
                #expect(postings[0].amount == amount, "the debit comes first; seed \(random.seed)")
            }
        }
    }

    @Test("a capture and its refund leave the provider's account as it was") func undone() throws {
        let amount = Money(minor: 1_299, currency: .eur)
        let account: String = Ledger.providerBalance("stripe")
        let lines: [Posting] =
            try Ledger.capture(amount, provider: "stripe") + Ledger.refund(amount, provider: "stripe")
        let onAccount: [Int64] = lines.filter { $0.account == account }.map(\.amount.minor)
        #expect(onAccount == [1_299, -1_299])
    }

    @Test("the accounts are named as the consistency check reads them") func names() throws {
        let amount = Money(minor: 1, currency: .usd)
        #expect(
            try Ledger.capture(amount, provider: "sandbox").map(\.account)
                == ["assets:provider:sandbox", "income:customer_payments"])
        #expect(
            try Ledger.refund(amount, provider: "sandbox").map(\.account)
                == ["contra_income:customer_refunds", "assets:provider:sandbox"])
    }

    @Test("an amount whose opposite does not exist is refused, not wrapped around") func overflow() {
        let least = Money(minor: .min, currency: .usd)
        #expect(throws: MoneyError.overflow) { try Ledger.capture(least, provider: "sandbox") }
        #expect(throws: MoneyError.overflow) { try Ledger.refund(least, provider: "sandbox") }
    }
}
