import BillingCore
import JSON
import PaymentContract
import PaymentStripe
import Testing

@Suite("What others have done with a charge at Stripe") struct StripeTakingsTests {
    private static let asked = request(capture: false)
    private static let missing: FakeTransport.Step = .answer(
        404, refusal("invalid_request_error", code: "resource_missing"))

    private static func taking(_ minor: Int64, _ capture: CaptureID? = nil) -> ProviderTakings.Taking {
        ProviderTakings.Taking(reference: "pi_1", captureID: capture, amount: Money(minor: minor, currency: .usd))
    }

    @Test("all that was captured goes by the payment intent's name, with the last capture of ours") func takings()
        async throws
    {
        let ours = CaptureID.new(at: StripeWorld.now)
        let table: [(JSONValue, ProviderTakings?)] = [
            (intent("requires_capture", for: Self.asked), ProviderTakings(taken: [], isHeld: true)),
            (
                intent("requires_capture", for: Self.asked, received: 500, capturable: 1_499, capture: ours.rawValue),
                ProviderTakings(taken: [Self.taking(500, ours)], isHeld: true)
            ),
            (
                intent("succeeded", for: Self.asked, received: 400),
                ProviderTakings(taken: [Self.taking(400)], isHeld: false)
            ),
            (
                intent("succeeded", for: Self.asked, capture: "somebody's"),
                ProviderTakings(taken: [Self.taking(1_999)], isHeld: false)
            ),
            (intent("canceled", for: Self.asked), ProviderTakings(taken: [], isHeld: false)),
            (intent("requires_action", for: Self.asked), nil), (intent("processing", for: Self.asked), nil),
        ]
        for (value, expected) in table {
            let world = StripeWorld(.answer(200, value.description))
            #expect(try await world.adapter.takings(of: "pi_1") == expected, "\(value)")
            #expect(world.paths == ["/v1/payment_intents/pi_1"])
        }
        let gone = StripeWorld(Self.missing)
        #expect(try await gone.adapter.takings(of: "pi_1") == nil)
        #expect(try await gone.adapter.takings(of: "pi/1") == nil)
        #expect(gone.transport.requests.count == 1)
    }

    private static func refund(_ id: String, _ status: String, _ category: String = "refund") -> String {
        #"{"id":"\#(id)","object":"refund","status":"\#(status)","amount":500,"currency":"usd","charge":"ch_1","#
            + #""payment_intent":"pi_1","balance_transaction":{"id":"txn_1","reporting_category":"\#(category)"}}"#
    }

    private static func page(_ refunds: [String], hasMore: Bool) -> FakeTransport.Step {
        .answer(200, #"{"object":"list","data":[\#(refunds.joined(separator: ","))],"has_more":\#(hasMore)}"#)
    }

    @Test("the refunds of a charge are read page by page, each as it stands") func refunds() async throws {
        let world = StripeWorld(
            Self.page([Self.refund("re_1", "succeeded"), Self.refund("re_2", "pending")], hasMore: true),
            Self.page([Self.refund("re_3", "succeeded", "partial_capture_reversal")], hasMore: false))
        let all: [ProviderRefund] = try await world.adapter.refunds(of: "pi_1")
        #expect(all.map(\.reference) == ["re_1", "re_2", "re_3"])
        #expect(all.map(\.state) == [.succeeded, .pending, .failed(code: "partial_capture_reversal")])
        #expect(all.allSatisfy { $0.taken == "pi_1" })
        #expect(world.transport.requests[0].url.contains("payment_intent=pi_1"))
        #expect(world.transport.requests[1].url.contains("starting_after=re_2"))
        let ofCharge = StripeWorld(Self.page([], hasMore: false))
        #expect(try await ofCharge.adapter.refunds(of: "ch_1").isEmpty)
        #expect(ofCharge.transport.requests[0].url.contains("charge=ch_1"))
        #expect(try await ofCharge.adapter.refunds(of: "../balance").isEmpty)
    }
}
