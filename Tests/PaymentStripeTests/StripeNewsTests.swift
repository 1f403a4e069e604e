import PaymentDomain
import BillingCore
import JSON
import PaymentContract
import PaymentStripe
import Testing

@Suite("News from Stripe") struct StripeNewsTests {
    private static let attempt = AttemptID.new(at: StripeWorld.now)
    private static let refund = RefundID.new(at: StripeWorld.now)

    private func read(_ type: String, _ object: String) throws(ProviderFault) -> ProviderNews {
        try StripeNews().news(
            in: Array(
                #"{"id":"evt_1","object":"event","type":"\#(type)","created":1900000000,"data":{"object":\#(object)}}"#
                    .utf8))
    }

    private static func dispute(_ status: String, _ more: String = "") -> String {
        #"{"id":"dp_1","object":"dispute","status":"\#(status)","reason":"fraudulent","amount":500,"currency":"usd","charge":"ch_1","payment_intent":"pi_1","created":1899990000,"evidence_details":{"due_by":1900600000},"is_charge_refundable":false\#(more)}"#
    }

    private static func refund(_ status: String, _ more: String) -> String {
        #"{"id":"re_1","object":"refund","status":"\#(status)","amount":500,"currency":"usd","charge":"ch_1"\#(more)}"#
    }

    private static func told(_ stage: ProviderDispute.Stage, fee: Int64? = nil) -> ProviderNews {
        .dispute(
            ProviderDispute(
                reference: "dp_1", taken: "pi_1", amount: Money(minor: 500, currency: .usd),
                fee: fee.map { Money(minor: $0, currency: .usd) }, reason: "fraudulent", stage: stage,
                openedAt: Instant(seconds: 1_899_990_000),
                evidenceDueBy: stage.takesEvidence ? Instant(seconds: 1_900_600_000) : nil,
                changedAt: Instant(seconds: fee == nil ? 1_899_990_000 : 1_899_990_060)))
    }

    private static func told(_ state: ProviderRefund.State, taken: String = "ch_1", ours: RefundID? = nil)
        -> ProviderNews
    {
        .refund(
            ProviderRefund(
                reference: "re_1", taken: taken, refundID: ours, amount: Money(minor: 500, currency: .usd),
                state: state))
    }

    @Test("each kind of event is read as what it is about") func kinds() throws {
        let ours = #""metadata":{"attempt_id":"\#(Self.attempt)"}"#
        let movement =
            #"{"object":"balance_transaction","amount":-500,"fee":1500,"currency":"usd","created":1899990060}"#
        let table: [(String, String, ProviderNews)] = [
            (
                "payment_intent.succeeded", #"{"id":"pi_1","object":"payment_intent",\#(ours)}"#,
                .charge(Self.attempt, known: "pi_1")
            ),
            ("payment_intent.canceled", #"{"id":"pi_1","object":"payment_intent","metadata":{}}"#, .taken("pi_1")),
            (
                "payment_intent.created",
                #"{"id":"pi_1","object":"payment_intent","metadata":{"attempt_id":"theirs"}}"#,
                .taken("pi_1")
            ),
            ("charge.succeeded", #"{"id":"ch_1","object":"charge",\#(ours)}"#, .charge(Self.attempt)),
            (
                "charge.succeeded", #"{"id":"ch_1","object":"charge","payment_intent":"pi_1",\#(ours)}"#,
                .charge(Self.attempt, known: "pi_1")
            ),
            ("charge.refunded", #"{"id":"ch_1","object":"charge","payment_intent":"pi_1"}"#, .refunded("pi_1")),
            (
                "charge.refunded", #"{"id":"ch_1","object":"charge","payment_intent":"pi_1",\#(ours)}"#,
                .refunded("pi_1", of: Self.attempt)
            ),
            ("charge.refunded", #"{"id":"ch_1","object":"charge"}"#, .refunded("ch_1")),
            ("charge.expired", #"{"id":"ch_1","object":"charge","payment_intent":null}"#, .taken("ch_1")),
            ("refund.created", Self.refund("succeeded", ""), Self.told(.succeeded)),
            (
                "charge.refund.updated",
                Self.refund("pending", #","payment_intent":"pi_1","metadata":{"refund_id":"\#(Self.refund)"}"#),
                Self.told(.pending, taken: "pi_1", ours: Self.refund)
            ),
            (
                "refund.failed", Self.refund("failed", #","failure_reason":"lost_or_stolen_card""#),
                Self.told(.failed(code: "lost_or_stolen_card"))
            ),
            ("refund.updated", Self.refund("canceled", ""), Self.told(.failed(code: "canceled"))),
            ("charge.dispute.created", Self.dispute("warning_needs_response"), Self.told(.inquiry)),
            (
                "charge.dispute.funds_withdrawn",
                Self.dispute("needs_response", #","balance_transactions":[\#(movement)]"#),
                Self.told(.needsResponse, fee: 1_500)
            ),
            ("charge.dispute.updated", Self.dispute("under_review"), Self.told(.underReview)),
            ("charge.dispute.closed", Self.dispute("won"), Self.told(.won)),
            ("charge.dispute.closed", Self.dispute("lost"), Self.told(.lost)),
            ("charge.dispute.closed", Self.dispute("warning_closed"), Self.told(.closed)),
            ("payout.paid", #"{"id":"po_1","object":"payout","status":"a word of tomorrow"}"#, .nothing("payout.paid")),
            ("customer.created", "{}", .nothing("customer.created")), ("refund", "{}", .nothing("refund")),
            ("v2.core.event", "{}", .nothing("v2.core.event")),
        ]
        for (type, object, news) in table { #expect(try read(type, object) == news, "\(type) \(object)") }
    }

    @Test(
        "a body that is not what its kind promises is unusable",
        arguments: [
            ("payment_intent.succeeded", #"{"id":"ch_1","object":"charge"}"#),
            ("payment_intent.succeeded", #"{"object":"payment_intent"}"#),
            ("payment_intent.succeeded", #"{"id":"../../v1","object":"payment_intent"}"#),
            ("payment_intent.succeeded", #"{"id":"pi_1","object":"payment_intent","metadata":{"attempt_id":7}}"#),
            ("payment_intent.succeeded", "[]"), ("payment_intent.succeeded", "null"),
            ("charge.succeeded", #"{"id":"pi_1","object":"payment_intent"}"#),
            ("charge.refunded", #"{"id":"re_1","object":"refund"}"#),
            ("refund.created", #"{"id":"re_1","object":"refund","status":"succeeded","amount":5,"currency":"usd"}"#),
            ("refund.created", refund("done", "")), ("refund.created", refund("succeeded", #","payment_intent":[]"#)),
            (
                "refund.created",
                #"{"id":"re_1","object":"refund","status":"succeeded","amount":5.5,"currency":"usd","charge":"ch_1"}"#
            ),
            (
                "refund.created",
                #"{"id":"re_1","object":"refund","status":"succeeded","amount":5,"currency":"xxx","charge":"ch_1"}"#
            ),
            ("charge.dispute.created", dispute("perhaps")),
            ("charge.dispute.created", dispute("won", #","balance_transactions":[{"fee":"1"}]"#)),
        ])
    func hostile(type: String, object: String) {
        do throws(ProviderFault) {
            Issue.record("\(try read(type, object)) was believed")
        } catch {
            guard case .unusable = error else {
                Issue.record("\(error)")
                return
            }
        }
    }

    @Test("a refund is read back by its name; another one, or none, is told apart") func readBack() async throws {
        let good = Self.refund("succeeded", #","payment_intent":"pi_1","metadata":{"refund_id":"\#(Self.refund)"}"#)
        let world = StripeWorld(steps: [
            .answer(200, good), .answer(404, refusal("invalid_request_error", code: "resource_missing")),
            .answer(200, good.replacing("re_1", with: "re_2")),
        ])
        #expect(
            try await world.adapter.refund(named: "re_1")
                == ProviderRefund(
                    reference: "re_1", taken: "pi_1", refundID: Self.refund, amount: Money(minor: 500, currency: .usd),
                    state: .succeeded))
        #expect(try await world.adapter.refund(named: "re_1") == nil)
        await #expect(throws: ProviderFault.self) { try await world.adapter.refund(named: "re_1") }
        #expect(try await world.adapter.refund(named: "../balance") == nil)
        #expect(world.transport.left == 0)
        #expect(
            world.transport.requests[0].url.hasSuffix(
                "/v1/refunds/re_1?expand[0]=balance_transaction&expand[1]=charge"))
    }

    @Test(
        "a refund of what a capture left of its authorization gives nothing back; any other does",
        arguments: [
            ("partial_capture_reversal", ProviderRefund.State.failed(code: "partial_capture_reversal")),
            ("refund", ProviderRefund.State.succeeded),
        ])
    func uncaptured(category: String, state: ProviderRefund.State) async throws {
        let movement = #","balance_transaction":{"id":"txn_1","reporting_category":"\#(category)"}"#
        let world = StripeWorld(.answer(200, Self.refund("succeeded", movement)))
        #expect(try await world.adapter.refund(named: "re_1")?.state == state)
    }

    @Test(
        "a refund of a hold that was released gives nothing back; one whose movement is not there yet does",
        arguments: [
            (false, "null", ProviderRefund.State.failed(code: "uncaptured")),
            (true, "null", ProviderRefund.State.succeeded),
            (false, #"{"id":"txn_1","reporting_category":"refund"}"#, ProviderRefund.State.succeeded),
        ])
    func released(isCaptured: Bool, movement: String, state: ProviderRefund.State) async throws {
        let charge = #"{"id":"ch_1","object":"charge","captured":\#(isCaptured)}"#
        let refund: String = Self.refund("succeeded", #","balance_transaction":\#(movement)"#)
            .replacing(#""charge":"ch_1""#, with: #""charge":\#(charge)"#)
        let world = StripeWorld(.answer(200, refund))
        let told: ProviderRefund = try #require(try await world.adapter.refund(named: "re_1"))
        #expect(told.state == state && told.taken == "ch_1")
    }
}
