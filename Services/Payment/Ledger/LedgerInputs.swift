import BillingCore
package import JSON
import PaymentDomain

/// `POST /v1/ledger/adjustments`.
package struct AdjustmentInput: JSONInput {
    /// 2000-01-01T00:00:00Z: what is dated before has a slip in its year.
    private static let earliest = Instant(seconds: 946_684_800)

    let reason: String
    let occurredAt: Instant?
    let paymentID: PaymentID?
    let lines: [AdjustmentLine]

    package init(_ f: inout InputFields) {
        reason = f.string("reason", min: 1, max: 500, doc: "Why; kept with the entry")
        occurredAt = f.optionalInstant("occurred_at", doc: "When it happened; now when left out, never in the future")
        paymentID = f.optionalID("payment_id", as: PaymentID.self, doc: "The payment it concerns")
        lines = f.list("lines", of: AdjustmentLine.self, count: 2...100, doc: "Sum to zero in every currency")
        if let occurredAt, occurredAt < Self.earliest {
            f.refuse("occurred_at", code: "too_early", message: "must not be before \(Self.earliest.rfc3339)")
        }
        if f.isDescribing || f.isFaulty("lines") { return }
        var sums: [Currency: Int128] = [:]
        for line in lines { sums[line.amount.currency, default: 0] += Int128(line.amount.minor) }
        for (currency, sum) in sums.sorted(by: { $0.key.code < $1.key.code }) where sum != 0 {
            f.refuse("lines", code: "unbalanced", message: "sum to \(sum) in \(currency.code) and not to zero")
        }
        // One line of one provider confirms an entry: of what is beside it nobody would hear.
        let atProviders: [AdjustmentLine] = lines.filter { $0.account.hasPrefix(Ledger.providerBalance("")) }
        if Set(atProviders.map { [$0.account, $0.amount.currency.code] }).count > 1 {
            f.refuse(
                "lines", code: "conflicting_fields",
                message: "are on more than one balance at providers: book each by an adjustment of its own")
        }
    }
}

/// One line of an adjustment.
package struct AdjustmentLine: JSONInput {
    let account: String
    let amount: Money

    package init(_ f: inout InputFields) {
        account = f.string("account", min: 1, max: 56, doc: "An account of the chart: assets:provider:stripe")
        let limit: Int64 = InputFields.largestAmount
        let minor: Int64 = f.int("amount", range: -limit...limit, doc: "Minor units; debits positive")
        amount = Money(minor: minor, currency: f.currency("currency", doc: "ISO 4217 code"))
        if minor == 0 { f.refuse("amount", code: "zero", message: "must not be zero") }
    }
}

/// `POST /v1/ledger/entries/{id}/reverse`.
package struct ReversalInput: JSONInput {
    let reason: String

    package init(_ f: inout InputFields) {
        reason = f.string("reason", min: 1, max: 500, doc: "Why; kept with the reversal")
    }
}
