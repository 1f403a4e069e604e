import AnalyticsDomain
import AnalyticsService
import BillingCore
import BillingEvents
import JSON
import Postgres
import TestKit
import Testing

/// A payment whose events are told by hand.
struct Paying {
    let id: PaymentID
    var amount = Money(minor: 999, currency: .usd)

    init() { id = PaymentID.new(at: .sample) }

    let customer = CustomerID(unchecked: "cus_a")

    func created(_ attempt: Int64, at time: String) -> RawEvent {
        event(
            PaymentCreatedV1(
                paymentID: id, attemptID: .sample, attempt: attempt, customerID: customer, paymentMethodID: .sample,
                fingerprint: "f", amount: amount, invoiceID: nil, subscriptionID: nil, offSession: true,
                createdAt: instant(time)), key: customer.rawValue, at: instant(time))
    }

    func failed(_ attempt: Int64, at time: String) -> RawEvent {
        event(
            PaymentFailedV1(
                paymentID: id, attempt: attempt, customerID: customer, amount: amount, invoiceID: nil,
                subscriptionID: nil,
                declineCode: "insufficient_funds", declineClass: "soft", failedAt: instant(time)),
            key: customer.rawValue, at: instant(time))
    }

    func succeeded(_ attempt: Int64, at time: String) -> RawEvent {
        event(
            PaymentSucceededV1(
                paymentID: id, attempt: attempt, customerID: customer, paymentMethodID: .sample, amount: amount,
                invoiceID: nil, subscriptionID: nil, provider: "sandbox", succeededAt: instant(time)),
            key: customer.rawValue, at: instant(time))
    }

    func canceled(at time: String) -> RawEvent {
        event(
            PaymentCanceledV1(
                paymentID: id, customerID: customer, amount: amount, invoiceID: nil, subscriptionID: nil,
                reason: "voided"),
            key: customer.rawValue, at: instant(time))
    }

    func refunded(_ minor: Int64, at time: String, id refund: RefundID = .new(at: .sample)) -> RawEvent {
        event(
            PaymentRefundedV1(
                refundID: refund, paymentID: id, customerID: customer,
                amount: Money(minor: minor, currency: amount.currency), refundedTotal: minor, invoiceID: nil,
                reason: nil,
                refundedAt: instant(time)), key: customer.rawValue, at: instant(time))
    }
}

extension Paying {
    func refundFailed(_ refund: RefundID, _ minor: Int64, at time: String) -> RawEvent {
        event(
            PaymentRefundFailedV1(
                refundID: refund, paymentID: id, customerID: customer,
                amount: Money(minor: minor, currency: amount.currency), refundedTotal: 0, invoiceID: nil,
                failureCode: "account_closed", failedAt: instant(time)), key: customer.rawValue, at: instant(time))
    }
}

@Suite("Payments as Analytics sees them") struct PaymentFiguresTests {
    @Test("success is told for the first attempt and after retries, as of an instant") func rates() async throws {
        try await withAnalytics { world in
            let good = Paying(), recovers = Paying(), lost = Paying(), waiting = Paying()
            let abandoned = Paying()
            try await world.record([
                good.created(1, at: "2027-01-01T00:00:00Z"), good.succeeded(1, at: "2027-01-01T00:00:01Z"),
                recovers.created(1, at: "2027-01-01T00:00:00Z"), recovers.failed(1, at: "2027-01-01T00:00:01Z"),
                lost.failed(1, at: "2027-01-01T00:00:01Z"), waiting.created(1, at: "2027-01-01T00:00:00Z"),
                abandoned.created(1, at: "2027-01-01T00:00:00Z"), abandoned.canceled(at: "2027-01-02T00:00:00Z"),
            ])
            try await world.record([
                recovers.created(2, at: "2027-01-04T00:00:00Z"), recovers.succeeded(2, at: "2027-01-04T00:00:01Z"),
                lost.canceled(at: "2027-01-15T00:00:00Z"),
            ])
            let early = try await world.summary(at: "2027-01-03T00:00:00Z").successRate
            #expect((early.payments, early.firstAttempt, early.afterRetries) == (3, "0.3333", "0.3333"))
            let late = try await world.summary(at: "2027-02-01T00:00:00Z").successRate
            #expect((late.payments, late.firstAttempt, late.afterRetries) == (3, "0.3333", "0.6667"))
            #expect((late.succeeded, late.failed) == (2, 1))
            let before = try await world.summary(at: "2026-12-31T00:00:00Z").successRate
            #expect((before.payments, before.firstAttempt, before.afterRetries) == (0, nil, nil))
        }
    }

    @Test("a refund that failed counts until then, whichever is heard of first") func failedRefunds() async throws {
        try await withAnalytics { world in
            let pay = Paying()
            let (stays, late, early): (RefundID, RefundID, RefundID) = (
                .new(at: .sample), .new(at: .sample), .new(at: .sample)
            )
            try await world.record([
                pay.created(1, at: "2027-01-01T00:00:00Z"), pay.succeeded(1, at: "2027-01-01T00:00:01Z"),
                pay.refundFailed(early, 40, at: "2027-01-04T00:00:00Z"),
                pay.refunded(100, at: "2027-01-02T00:00:00Z", id: stays),
                pay.refunded(60, at: "2027-01-02T00:00:00Z", id: late),
            ])
            try await world.record([
                pay.refunded(40, at: "2027-01-02T00:00:00Z", id: early),
                pay.refundFailed(late, 60, at: "2027-01-03T00:00:00Z"),
            ])
            try await world.record([pay.refundFailed(late, 60, at: "2027-01-05T00:00:00Z")])
            let before = try await world.summary(at: "2027-01-02T12:00:00Z").revenue
            #expect(before.map(\.refunded.minor) == [200])
            let after = try await world.summary(at: "2027-02-01T00:00:00Z").revenue
            #expect(after.map(\.refunded.minor) == [100])
            let between = try await world.summary(at: "2027-01-03T12:00:00Z").revenue
            #expect(between.map(\.refunded.minor) == [140])
        }
    }

    @Test("a payment ends the same in whatever order and batches its events come") func anyOrder() async throws {
        var random = Seeded()
        let pay = Paying()
        let events: [RawEvent] = [
            pay.created(1, at: "2027-01-01T00:00:00Z"), pay.failed(1, at: "2027-01-01T00:00:01Z"),
            pay.created(2, at: "2027-01-02T00:00:00Z"), pay.failed(2, at: "2027-01-02T00:00:01Z"),
            pay.created(3, at: "2027-01-03T00:00:00Z"), pay.succeeded(3, at: "2027-01-03T00:00:01Z"),
        ]
        for _ in 0..<3 {
            let shuffled: [RawEvent] = events.shuffled(using: &random)
            try await withAnalytics { world in
                for event in shuffled { try await world.record([event]) }
                let row: String? = try await world.pool.transaction { db in
                    try db.first(
                        """
                        SELECT concat_ws(' ', status, attempts, first_attempt, first_outcome_at AT TIME ZONE 'UTC',
                                         succeeded_at AT TIME ZONE 'UTC') FROM payments
                        """
                    ) { try $0.next() }
                }
                #expect(row == "succeeded 3 failed 2027-01-01 00:00:01 2027-01-03 00:00:01")
            }
        }
    }

    @Test("of a payment that was captured in part, what was captured counts", arguments: [false, true])
    func part(_ isLate: Bool) async throws {
        try await withAnalytics { world in
            let whole = Paying()
            var captured = whole
            captured.amount = Money(minor: 500, currency: .usd)
            var events: [RawEvent] = [
                whole.created(1, at: "2027-01-01T00:00:00Z"), captured.succeeded(1, at: "2027-01-01T00:00:01Z"),
            ]
            if isLate { events.reverse() }
            for event in events { try await world.record([event]) }
            #expect(try await world.summary(at: "2027-01-02T00:00:00Z").revenue.map { "\($0.paid)" } == ["5.00 USD"])
        }
    }

    @Test("revenue is what came in and what went back, by currency") func revenue() async throws {
        try await withAnalytics { world in
            let dollars = Paying()
            var yen = Paying()
            yen.amount = Money(minor: 1_200, currency: .jpy)
            try await world.record([
                dollars.succeeded(1, at: "2027-01-01T00:00:00Z"), yen.succeeded(1, at: "2027-01-01T00:00:00Z"),
                dollars.refunded(300, at: "2027-01-05T00:00:00Z"),
            ])
            try await world.record([dollars.refunded(100, at: "2027-01-07T00:00:00Z")])
            func revenue(_ time: String) async throws -> [String] {
                try await world.summary(at: time).revenue.map { "\($0.paid) \($0.refunded)" }
            }
            #expect(try await revenue("2027-01-06T00:00:00Z") == ["1200 JPY 0 JPY", "9.99 USD 3.00 USD"])
            #expect(try await revenue("2027-01-08T00:00:00Z") == ["1200 JPY 0 JPY", "9.99 USD 4.00 USD"])
        }
    }
}
