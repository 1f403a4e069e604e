import AnalyticsService
import BillingCore
import BillingEvents
import JSON
import Messaging
import Postgres
import TestKit
import Testing

@Suite("What Analytics answers for") struct ConsistencyTests {
    private func invoice(_ name: String, at time: String) -> (finalized: RawEvent, paid: RawEvent, voided: RawEvent) {
        let id = InvoiceID.new(at: .sample)
        let amount = Money(minor: 999, currency: .usd)
        return (
            event(
                InvoiceFinalizedV1(
                    invoiceID: id, number: "INV-\(name)", billingID: .sample, subscriptionID: .sample,
                    customerID: .sample,
                    amount: amount, periodStart: .sample, periodEnd: .sample, issuedAt: instant(time)),
                key: "cus_a", at: instant(time)),
            event(
                InvoicePaidV1(
                    invoiceID: id, billingID: .sample, subscriptionID: .sample, customerID: .sample, amount: amount,
                    paymentID: .sample, paidAt: instant(time)), key: "cus_a", at: instant(time)),
            event(
                InvoiceVoidedV1(
                    invoiceID: id, billingID: .sample, subscriptionID: .sample, customerID: .sample, amount: amount,
                    reason: "upgrade_failed"), key: "cus_a", at: instant(time))
        )
    }

    @Test("its facts are the totals the owners can be held against") func totals() async throws {
        try await withAnalytics { world in
            let open = invoice("open", at: "2027-01-01T00:00:00Z"), paid = invoice("paid", at: "2027-01-01T00:00:00Z")
            let void = invoice("void", at: "2027-01-01T00:00:00Z")
            let payment = Paying()
            var active = Told("a"), pastDue = Told("b", amount: 12_000, interval: "year"), gone = Told("c")
            try await world.record([
                open.finalized, paid.finalized, paid.paid, void.finalized, void.voided,
                payment.succeeded(1, at: "2027-01-01T00:00:00Z"), payment.refunded(300, at: "2027-01-02T00:00:00Z"),
                active.created("active", at: "2027-01-01T00:00:00Z"),
                pastDue.created("active", at: "2027-01-01T00:00:00Z"),
                pastDue.moved("past_due", at: "2027-01-02T00:00:00Z"),
                gone.created("active", at: "2027-01-01T00:00:00Z"),
                gone.moved("canceled", at: "2027-01-02T00:00:00Z"),
            ])
            let (facts, violations) = try await world.facts()
            #expect(violations == [])
            #expect(facts["active_subscriptions"] == "1")
            #expect(facts["past_due_subscriptions"] == "1")
            #expect(facts["mrr"] == #"{"USD":1999}"#)
            #expect(facts["finalized_invoices"]?.hasPrefix(#"{"count":3,"#) == true)
            #expect(facts["finalized_invoices"]?.hasSuffix(#""amount":{"USD":2997}}"#) == true)
            #expect(facts["paid_invoices"]?.hasPrefix(#"{"count":1,"#) == true)
            #expect(facts["succeeded_payments"]?.hasSuffix(#""amount":{"USD":999}}"#) == true)
            #expect(facts["refunds"]?.hasSuffix(#""amount":{"USD":300}}"#) == true)
            #expect(facts["event_history"]?.contains(#""invoice.finalized.v1":{"count":3,"#) == true)
        }
    }

    @Test("captures and lost disputes are told by their ids and amounts, disputes by the last word on them")
    func movements() async throws {
        try await withAnalytics { world in
            let pay = Paying()
            let (lost, won): (DisputeID, DisputeID) = (.new(at: .sample), .new(at: .sample))
            try await world.record([
                pay.captured(400, at: "2027-01-30T00:00:00Z"), pay.captured(599, at: "2027-02-04T00:00:00Z"),
                pay.closed(won, "won", 100, at: "2027-03-02T00:00:00Z"),
                pay.closed(won, "lost", 100, at: "2027-03-01T00:00:00Z"),
                pay.closed(lost, "won", 200, at: "2027-03-01T00:00:00Z"),
                pay.closed(lost, "lost", 150, at: "2027-03-03T00:00:00Z"),
            ])
            let facts = try await world.facts().facts
            #expect(facts["captures"]?.hasPrefix(#"{"count":2,"#) == true)
            #expect(facts["captures"]?.hasSuffix(#""amount":{"USD":999}}"#) == true)
            #expect(facts["lost_disputes"]?.hasPrefix(#"{"count":1,"#) == true)
            #expect(facts["lost_disputes"]?.hasSuffix(#""amount":{"USD":150}}"#) == true)
        }
    }

    @Test("it still agrees when the claims of old events are deleted") func pruned() async throws {
        try await withAnalytics { world in
            let pay = Paying()
            let events: [RawEvent] = [
                pay.created(1, at: "2027-01-01T00:00:00Z"), pay.succeeded(1, at: "2027-01-01T00:00:01Z"),
                pay.refunded(300, at: "2027-01-02T00:00:00Z"),
            ]
            try await world.record(events)
            let before: [String: String] = try await world.facts().facts
            _ = try await world.pool.transaction { db in
                try db.execute("UPDATE inbox SET handled_at = handled_at - interval '41 days'")
            }
            #expect(try await Pruning(keepDays: 30, pool: world.pool).prune() == events.count)
            let (facts, violations) = try await world.facts()
            #expect(violations == [])
            #expect(facts == before)
            let handled: [EventTally] = try await world.pool.transaction { db in
                try EventTally.handled(withSums: true, in: db)
            }
            for tally in handled {
                let told = #""\#(tally.type)":{"count":\#(tally.count),"id_sum":"\#(tally.idSum ?? "")"}"#
                #expect(facts["event_history"]?.contains(told) == true, "\(told)")
            }
            #expect(handled.count == events.count)
        }
    }

    @Test("a handled event that is missing from the history is a violation, unless it is parked") func missing()
        async throws
    {
        try await withAnalytics { world in
            _ = try await world.pool.transaction { db in
                try db.pipeline([
                    "INSERT INTO inbox (event_id, consumer, type) VALUES ('evt_lost', 'analytics', 'x'), ('evt_parked', 'analytics', 'x')",
                    """
                    INSERT INTO parked_events (consumer, fingerprint, event_id, topic, body, reason)
                    VALUES ('analytics', 'f', 'evt_parked', 't', '', 'r')
                    """,
                ])
            }
            #expect(try await world.facts().violations == ["1 handled events are missing from the history"])
        }
    }

    @Test("values that do not join up are a violation") func gap() async throws {
        try await withAnalytics { world in
            var sub = Told("a")
            try await world.record([
                sub.created("active", at: "2027-01-01T00:00:00Z"), sub.moved("canceled", at: "2027-02-01T00:00:00Z"),
            ])
            try await world.pool.transaction { db in
                _ = try db.execute(
                    "UPDATE subscription_values SET valid_to = '2027-01-15T00:00:00Z' WHERE valid_to IS NOT NULL")
            }
            #expect(try await world.facts().violations.count == 1)
        }
    }
}
