import PaymentDomain
import BillingCore
import JSON
import PaymentContract
import PaymentPayPal
import Testing

@Suite("News from PayPal") struct PayPalNewsTests {
    private static let now = Instant(seconds: 1_800_000_000)
    private static let attempt = AttemptID.new(at: now)
    private static let capture = CaptureID.new(at: now)
    private static let refund = RefundID.new(at: now)
    private static let price = #""amount":{"currency_code":"USD","value":"5.00"}"#
    private static let up = #""links":[{"rel":"up","href":"https://api.paypal.com/v2/payments/captures/CAP1"}]"#

    private func read(_ type: String, _ resource: String) throws(ProviderFault) -> ProviderNews {
        try PayPalNews().news(
            in: Array(
                #"{"id":"WH-1","event_type":"\#(type)","create_time":"2027-01-01T00:00:00Z","resource":\#(resource)}"#
                    .utf8))
    }

    private static let held =
        #""links":[{"rel":"up","href":"https://api.paypal.com/v2/payments/authorizations/AUT1"}]"#

    private static func refunded(_ status: String, _ more: String = "") -> String {
        #"{"id":"REF1","status":"\#(status)",\#(price),\#(up)\#(more)}"#
    }

    private static func told(
        _ state: ProviderRefund.State, ours: RefundID? = nil, reversedAt: Instant? = nil
    ) -> ProviderNews {
        .refund(
            ProviderRefund(
                reference: "REF1", taken: "CAP1", refundID: ours, amount: Money(minor: 500, currency: .usd),
                state: state, reversedAt: reversedAt))
    }

    /// When the events were made.
    private static let told = Instant(seconds: 1_798_761_600)

    private static func dispute(_ status: String, _ cycle: String, _ more: String = "") -> String {
        #"{"dispute_id":"PP-D-1","create_time":"2027-01-01T00:00:00.000Z","update_time":"2027-01-02T00:00:00.000Z","disputed_transactions":[{"seller_transaction_id":"CAP1"}],"reason":"MERCHANDISE_OR_SERVICE_NOT_RECEIVED","status":"\#(status)","dispute_life_cycle_stage":"\#(cycle)","dispute_amount":{"currency_code":"USD","value":"5.00"}\#(more)}"#
    }

    private static func told(_ stage: ProviderDispute.Stage, due: Instant? = nil) -> ProviderNews {
        .dispute(
            ProviderDispute(
                reference: "PP-D-1", taken: "CAP1", amount: Money(minor: 500, currency: .usd), fee: nil,
                reason: "product_not_received", stage: stage, openedAt: Instant(seconds: 1_798_761_600),
                evidenceDueBy: due,
                changedAt: Instant(seconds: 1_798_848_000)))
    }

    @Test("each kind of event is read as what it is about") func kinds() throws {
        func outcome(_ code: String) -> String { #","dispute_outcome":{"outcome_code":"\#(code)"}"# }
        let table: [(String, String, ProviderNews)] = [
            (
                "CHECKOUT.ORDER.APPROVED", #"{"id":"ORD1","purchase_units":[{"invoice_id":"\#(Self.attempt)"}]}"#,
                .charge(Self.attempt, known: "ORD1")
            ),
            ("CHECKOUT.ORDER.COMPLETED", #"{"id":"ORD1","purchase_units":[]}"#, .taken("ORD1")),
            ("CHECKOUT.ORDER.VOIDED", #"{"id":"ORD1","purchase_units":[{"invoice_id":"INV-7"}]}"#, .taken("ORD1")),
            (
                "PAYMENT.CAPTURE.COMPLETED", #"{"id":"CAP1","invoice_id":"\#(Self.attempt)"}"#,
                .charge(Self.attempt, known: "captures/CAP1")
            ),
            ("PAYMENT.CAPTURE.DENIED", #"{"id":"CAP1","invoice_id":"\#(Self.capture)"}"#, .capture(Self.capture)),
            ("PAYMENT.CAPTURE.PENDING", #"{"id":"CAP1"}"#, .taken("CAP1")),
            ("PAYMENT.CAPTURE.COMPLETED", #"{"id":"CAP1",\#(Self.held)}"#, .taken("CAP1", of: "AUT1")),
            (
                "PAYMENT.CAPTURE.COMPLETED", #"{"id":"CAP1","invoice_id":"\#(Self.capture)",\#(Self.held)}"#,
                .capture(Self.capture, of: "AUT1")
            ),
            (
                "PAYMENT.CAPTURE.COMPLETED",
                #"{"id":"CAP1","supplementary_data":{"related_ids":{"order_id":"ORD1","authorization_id":"AUT1"}}}"#,
                .taken("CAP1", of: "AUT1")
            ),
            (
                "PAYMENT.AUTHORIZATION.VOIDED", #"{"id":"AUT1","invoice_id":"\#(Self.attempt)"}"#,
                .charge(Self.attempt, known: "authorizations/AUT1")
            ),
            ("PAYMENT.CAPTURE.REFUNDED", Self.refunded("COMPLETED"), Self.told(.succeeded)),
            ("PAYMENT.CAPTURE.REVERSED", Self.refunded("COMPLETED"), Self.told(.succeeded, reversedAt: Self.told)),
            (
                "PAYMENT.CAPTURE.REVERSED",
                #"{"id":"CAP1","status":"COMPLETED","amount":{"currency_code":"USD","value":"5.00"},"links":[{"rel":"self","href":"https://api.paypal.com/v2/payments/captures/CAP1"}]}"#,
                .refund(
                    ProviderRefund(
                        reference: "CAP1", taken: "CAP1", refundID: nil, amount: Money(minor: 500, currency: .usd),
                        state: .succeeded, reversedAt: Self.told))
            ),
            (
                "PAYMENT.REFUND.PENDING", Self.refunded("PENDING", #","invoice_id":"\#(Self.refund)""#),
                Self.told(.pending, ours: Self.refund)
            ),
            ("PAYMENT.REFUND.FAILED", Self.refunded("FAILED"), Self.told(.failed(code: "FAILED"))),
            ("CUSTOMER.DISPUTE.CREATED", Self.dispute("OPEN", "INQUIRY"), Self.told(.inquiry)),
            (
                "CUSTOMER.DISPUTE.UPDATED",
                Self.dispute(
                    "WAITING_FOR_SELLER_RESPONSE", "CHARGEBACK", #","seller_response_due_date":"2027-01-11T00:00:00Z""#),
                Self.told(.needsResponse, due: Instant(seconds: 1_799_625_600))
            ),
            ("CUSTOMER.DISPUTE.UPDATED", Self.dispute("UNDER_REVIEW", "ARBITRATION"), Self.told(.underReview)),
            (
                "CUSTOMER.DISPUTE.RESOLVED", Self.dispute("RESOLVED", "CHARGEBACK", outcome("RESOLVED_BUYER_FAVOUR")),
                Self.told(.lost)
            ),
            (
                "CUSTOMER.DISPUTE.RESOLVED", Self.dispute("RESOLVED", "CHARGEBACK", outcome("RESOLVED_SELLER_FAVOUR")),
                Self.told(.won)
            ),
            (
                "CUSTOMER.DISPUTE.RESOLVED", Self.dispute("RESOLVED", "INQUIRY", outcome("CANCELED_BY_BUYER")),
                Self.told(.closed)
            ),
            (
                "CUSTOMER.DISPUTE.RESOLVED", Self.dispute("RESOLVED", "INQUIRY", outcome("RESOLVED_BUYER_FAVOUR")),
                Self.told(.closed)
            ),
            ("BILLING.PLAN.CREATED", "{}", .nothing("BILLING.PLAN.CREATED")),
            ("PAYMENT.PAYOUTSBATCH.SUCCESS", "{}", .nothing("PAYMENT.PAYOUTSBATCH.SUCCESS")),
        ]
        for (type, resource, news) in table { #expect(try read(type, resource) == news, "\(type) \(resource)") }
    }

    @Test(
        "a body that is not what its kind promises is unusable",
        arguments: [
            ("CHECKOUT.ORDER.APPROVED", "[]"), ("CHECKOUT.ORDER.APPROVED", "{}"),
            ("CHECKOUT.ORDER.APPROVED", #"{"id":"../x","purchase_units":[]}"#),
            ("PAYMENT.CAPTURE.COMPLETED", #"{"id":7}"#), ("PAYMENT.CAPTURE.COMPLETED", "null"),
            ("PAYMENT.CAPTURE.REFUNDED", #"{"id":"REF1","status":"COMPLETED",\#(price)}"#),
            ("PAYMENT.CAPTURE.REFUNDED", #"{"id":"REF1","status":"DONE",\#(price),\#(up)}"#),
            (
                "PAYMENT.CAPTURE.REFUNDED",
                #"{"id":"REF1","status":"COMPLETED","amount":{"currency_code":"USD","value":5},\#(up)}"#
            ),
            (
                "PAYMENT.CAPTURE.REFUNDED",
                #"{"id":"REF1","status":"COMPLETED","amount":{"currency_code":"USD","value":"5.001"},\#(up)}"#
            ),
            ("CUSTOMER.DISPUTE.CREATED", dispute("OPEN", "COURT")),
            ("CUSTOMER.DISPUTE.CREATED", dispute("LOST", "INQUIRY")),
            (
                "CUSTOMER.DISPUTE.RESOLVED",
                dispute("RESOLVED", "CHARGEBACK", #","dispute_outcome":{"outcome_code":"DRAW"}"#)
            ),
            ("CUSTOMER.DISPUTE.CREATED", #"{"dispute_id":"PP-D-1"}"#),
        ])
    func hostile(type: String, resource: String) {
        do throws(ProviderFault) {
            Issue.record("\(try read(type, resource)) was believed")
        } catch {
            guard case .unusable = error else {
                Issue.record("\(error)")
                return
            }
        }
    }
}
