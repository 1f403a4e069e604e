import BillingCore
package import JSON
import PaymentDomain

extension ReconciliationRunRecord: JSONOutput {
    package func write(to o: inout ObjectWriter) {
        o.field("object", "reconciliation")
        o.field("id", id)
        o.field("provider", provider)
        o.field("source", source, doc: "provider: read from it; file: imported")
        o.field("started_at", startedAt)
        o.field("lines", lines, doc: "New lines; those known before belong to the import that brought them")
        o.field("matched", matched)
        o.field("different", different, doc: "Matched with another amount, currency or fee")
        o.field("unmatched", unmatched, doc: "Without a partner for too long")
        o.field("open", open, doc: "Without a partner so far")
        o.field("written_off", writtenOff)
    }

    package static var sample: Self { Self(id: .sample, provider: "stripe", startedAt: .sample, lines: 12) }
}

extension ReconciliationCaseRecord: JSONOutput {
    package func write(to o: inout ObjectWriter) {
        o.field("object", "reconciliation_case")
        o.field("id", id)
        o.field("provider", provider)
        o.field("reason", reason)
        o.money("amount", amount, doc: "Minor units; what the provider's account has beyond our books")
        o.field("state", state)
        o.field("line_id", lineID, doc: "The provider's line")
        o.field("entry_id", entryID, doc: "The journal entry; of an ambiguous case the one that was chosen")
        o.field("candidates", candidates, doc: "The journal entries that an ambiguous line may be")
        o.field("opened_at", openedAt)
        o.field("closed_at", closedAt)
        o.field("note", note)
        o.field("actor", actor, doc: "Who took the last step; reconciliation when a partner was found")
        o.field("write_off_entry_id", writeOffEntryID)
    }

    package static var sample: Self {
        Self(
            id: .sample, provider: "stripe", reason: .notBooked, lineID: "txn_1PgafyB7WZ01zgkWUEdz2mrH",
            amount: Money(minor: 999, currency: .usd), openedAt: .sample)
    }
}

/// Counts and sums as callers see them.
struct SettlementTallyResource: JSONOutput {
    let tally: SettlementTally?

    func write(to o: inout ObjectWriter) {
        o.field("count", tally?.count ?? 0)
        o.sum("gross", tally?.gross ?? 0, doc: "Minor units, as the others")
        o.sum("fee", tally?.fee ?? 0)
        o.sum("net", tally?.net ?? 0)
    }

    static var sample: Self { Self(tally: SettlementTally(count: 12, gross: 11_988, fee: 708, net: 11_280)) }
}

/// A payout as callers see it.
struct PayoutResource: JSONOutput {
    let payout: SettlementPayout

    func write(to o: inout ObjectWriter) {
        o.field("line_id", payout.lineID, doc: "The provider's line")
        o.field("reference", payout.reference, doc: "The provider's name of the payout")
        o.sum("amount", payout.amount, doc: "Minor units; negative for one that came back")
        o.field("occurred_at", payout.occurredAt)
        o.field("arrives_at", payout.arrivesAt, doc: "null where the provider does not tell: booked at once")
        o.field("arrival", payout.arrival, doc: "awaited, booked, or failed; null before it is booked, or back")
    }

    static var sample: Self { Self(payout: .sample) }
}

/// Cases of one age.
struct CaseAgeResource: JSONOutput {
    let age: ReconciliationAge
    let count: Int64
    let amount: Int128

    func write(to o: inout ObjectWriter) {
        o.field("age", age)
        o.field("count", count)
        o.sum("amount", amount, doc: "Minor units")
    }

    static var sample: Self { Self(age: .upToOneWeek, count: 1, amount: 999) }
}

extension ReconciliationReport: JSONOutput {
    package func write(to o: inout ObjectWriter) {
        o.field("object", "reconciliation_report")
        o.field("provider", provider)
        o.field("currency", currency.code)
        o.text("date", date.description, schema: JSONSchema.string(format: "date"))
        o.field("matched", SettlementTallyResource(tally: tallies[.matched]))
        o.field("different", SettlementTallyResource(tally: tallies[.different]))
        o.field("unmatched", SettlementTallyResource(tally: tallies[.unmatched]))
        o.field("open", SettlementTallyResource(tally: tallies[.open]))
        o.field("written_off", SettlementTallyResource(tally: tallies[.writtenOff]))
        o.sum("paid_out", paidOut, doc: "Minor units")
        o.field(
            "payouts", payouts.map(PayoutResource.init),
            doc: "Payouts, and those that came back; the first \(ReconciliationReportStore.payoutLimit) of the day")
        o.field(
            "open_cases",
            ReconciliationAge.allCases.map { age in
                CaseAgeResource(age: age, count: openCases[age]?.count ?? 0, amount: openCases[age]?.amount ?? 0)
            }, doc: "Not closed at the day's end")
    }

    package static var sample: Self {
        Self(
            provider: "stripe", currency: .usd, date: .sample, payouts: [.sample],
            tallies: [.matched: SettlementTally(count: 12, gross: 11_988, fee: 708, net: 11_280)], paidOut: 0,
            openCases: [:])
    }
}

extension SettlementBalance: JSONOutput {
    package func write(to o: inout ObjectWriter) {
        o.field("object", "settlement_balance")
        o.field("provider", provider)
        o.field("currency", currency)
        o.text("date", date.description, schema: JSONSchema.string(format: "date"), doc: "At its end, UTC")
        o.sum("ledger", ledger, doc: "By our books; minor units, as the others")
        o.sum("reported", reported, doc: "By all that the provider has reported")
        o.sum("difference", difference, doc: "reported less ledger: not_booked - not_reported + differing")
        o.sum("not_booked", notBooked, doc: "Reported and not in our books")
        o.sum("not_reported", notReported, doc: "In our books and not reported")
        o.sum("differing", differing, doc: "Known to both with another amount, or on another day")
    }

    package static var sample: Self {
        Self(
            provider: "stripe", currency: "USD", date: .sample, ledger: 11_280, reported: 11_280, notBooked: 0,
            notReported: 0)
    }
}
