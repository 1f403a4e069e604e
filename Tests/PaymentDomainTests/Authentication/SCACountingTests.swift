import BillingCore
import PaymentDomain
import Testing

@Suite("What a payment adds to the counters of low value") struct SCACountingTests {
    private static let engine = SCAEngine()

    private static func payment(_ amount: Money, rate: String? = nil, merchant: String = "DE") throws -> SCAPayment {
        var payment = SCAPayment(amount: amount, customerCountry: merchant, merchantCountry: merchant)
        if let rate {
            payment.rates = [
                SCAPayment.Rate(from: amount.currency, to: .eur, rate: try #require(ExactDecimal(rate)))
            ]
        }
        return payment
    }

    @Test("its worth in the currency of the law it is under, rounded up; the limit where the worth is not known")
    func worth() throws {
        let yen = try #require(Currency("JPY"))
        let table: [(SCAPayment, Money)] = [
            (try Self.payment(Money(minor: 1_299, currency: .eur)), Money(minor: 1_299, currency: .eur)),
            (
                try Self.payment(Money(minor: 1_299, currency: .gbp), merchant: "GB"),
                Money(minor: 1_299, currency: .gbp)
            ),
            (try Self.payment(Money(minor: 101, currency: .usd), rate: "0.9"), Money(minor: 91, currency: .eur)),
            (try Self.payment(Money(minor: 1_000, currency: yen), rate: "0.006"), Money(minor: 600, currency: .eur)),
            (try Self.payment(Money(minor: 1, currency: .usd)), Money(minor: 10_000, currency: .eur)),
        ]
        for (payment, expected) in table { #expect(try Self.engine.counted(payment) == expected) }
    }

    @Test("nothing for payments that are not the customer's own, or not under the law") func uncounted() throws {
        var merchant: SCAPayment = try Self.payment(Money(minor: 500, currency: .eur))
        merchant.initiation = .merchant(agreementAuthenticated: false, networkTransactionID: nil)
        var away: SCAPayment = try Self.payment(Money(minor: 500, currency: .eur))
        away.customerCountry = "US"
        for payment in [merchant, away, try Self.payment(Money(minor: 500, currency: .usd), merchant: "US")] {
            #expect(try Self.engine.counted(payment) == nil)
        }
    }
}
