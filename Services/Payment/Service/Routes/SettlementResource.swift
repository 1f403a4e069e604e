import BillingCore
import JSON
import PaymentRecords

/// What the provider makes of a payment, a capture or a refund, as callers see it.
struct SettlementResource: JSONOutput {
    let settlement: PaymentSettlement

    func write(to o: inout ObjectWriter) {
        o.money("amount", settlement.amount, doc: "Minor units of the settlement currency, before fees")
        o.field("rate", settlement.rate, doc: "Settlement currency for one unit of the payment's; null: not exchanged")
        o.field("fee", settlement.fee?.minor, doc: "What the provider keeps, minor units; null until it has reported")
        o.field(
            "fee_currency", settlement.fee?.currency.code,
            doc: "ISO 4217, where the fee is not in the same currency too")
    }

    static var sample: Self {
        Self(
            settlement: PaymentSettlement(
                amount: Money(minor: 925, currency: .eur), rate: "0.9259",
                fee: Money(minor: 57, currency: .eur)))
    }
}
