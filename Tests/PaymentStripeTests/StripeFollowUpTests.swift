import PaymentStripe
import PaymentContract
import BillingCore
import JSON
import TestKit
import Testing

@Suite("Captures, releases and refunds at Stripe") struct StripeFollowUpTests {
    static let asked = request(capture: false)
    static let held: JSONValue = intent("requires_capture", for: asked)
    static let partly: JSONValue = intent("succeeded", for: asked, received: 500)
    static let canceled: JSONValue = intent("canceled", for: asked)
    static let illegal: FakeTransport.Step = .answer(
        400, refusal("invalid_request_error", code: "payment_intent_unexpected_state"))
    static let missing: FakeTransport.Step = .answer(404, refusal("invalid_request_error", code: "resource_missing"))

    static func capture(_ minor: Int64 = 500, isFinal: Bool = true, reference: String = "pi_1") -> CaptureRequest {
        CaptureRequest(
            idempotencyKey: .made(at: StripeWorld.now), reference: reference,
            amount: Money(minor: minor, currency: .usd), isFinal: isFinal)
    }

    static func ok(_ value: JSONValue, replayed: Bool = false) -> FakeTransport.Step {
        .answer(200, value.description, replayed ? ["Idempotent-Replayed": "true"] : [:])
    }

    @Test(
        "a capture ends as its payment intent shows",
        arguments: [
            ([ok(partly)], .captured(reference: "pi_1")),
            ([illegal, ok(held)], .refused(code: "payment_intent_unexpected_state")),
            ([illegal, ok(canceled)], .refused(code: "payment_intent_unexpected_state")),
            // The key ran out after the capture succeeded under it.
            ([illegal, ok(partly)], .captured(reference: "pi_1")),
            ([missing, missing], .refused(code: "resource_missing")),
            ([StripeFaultTests.stored, ok(partly)], .captured(reference: "pi_1")),
            ([StripeFaultTests.stored, ok(held), ok(partly)], .captured(reference: "pi_1")),
            ([StripeFaultTests.stored, ok(held), illegal, ok(partly)], .captured(reference: "pi_1")),
        ] as [([FakeTransport.Step], CaptureAnswer)])
    func captures(steps: [FakeTransport.Step], answer: CaptureAnswer) async throws {
        let world = StripeWorld(steps: steps)
        #expect(try await world.adapter.capture(Self.capture()) == answer)
        #expect(world.transport.left == 0)
        #expect(world.transport.requests[0].text.hasPrefix("amount_to_capture=500&metadata[capture_id]=cap_"))
    }

    @Test("an intent that another capture has taken shows nothing of this one, though the amounts are the same")
    func another() async throws {
        let request = Self.capture()
        let theirs: JSONValue = intent("succeeded", for: Self.asked, received: 500, capture: "cap_other")
        let world = StripeWorld(Self.illegal, Self.ok(theirs))
        #expect(try await world.adapter.capture(request) == .refused(code: "payment_intent_unexpected_state"))
        let named: JSONValue = intent(
            "succeeded", for: Self.asked, received: 500, capture: request.idempotencyKey.rawValue)
        let ours = StripeWorld(Self.illegal, Self.ok(named))
        #expect(try await ours.adapter.capture(request) == .captured(reference: "pi_1"))
    }

    @Test(
        "a capture of another amount, currency or intent is unusable",
        arguments: [
            intent("succeeded", for: asked, received: 501), intent("succeeded", for: asked, received: 0),
            intent("succeeded", for: asked, id: "pi_2", received: 500), held,
            intent("succeeded", for: asked, received: 500, currency: "eur"), canceled,
        ])
    func wrongCaptures(value: JSONValue) async throws {
        let world = StripeWorld(Self.ok(value))
        do throws(ProviderFault) {
            Issue.record("\(try await world.adapter.capture(Self.capture()))")
        } catch {
            guard case .unusable = error else {
                Issue.record("\(error)")
                return
            }
        }
    }

    @Test("captures that cannot be are refused before anything is sent") func refusedCaptures() async throws {
        let world = StripeWorld()
        let adapter = world.adapter
        #expect(
            try await adapter.capture(Self.capture(isFinal: false)) == .refused(code: "multiple_capture_unsupported"))
        #expect(try await adapter.capture(Self.capture(reference: "pi/1")) == .refused(code: "reference_malformed"))
        let dinar = Money(minor: 1_001, currency: try #require(Currency("KWD")))
        let fine = CaptureRequest(
            idempotencyKey: .made(at: StripeWorld.now), reference: "pi_1", amount: dinar, isFinal: true)
        #expect(try await adapter.capture(fine) == .refused(code: "invalid_charge_amount"))
        #expect(world.transport.requests.isEmpty)
    }

    @Test("of several captures each is known by its id alone") func several() async throws {
        let first = Self.capture(500, isFinal: false)
        let more: JSONValue = intent("requires_capture", for: Self.asked, received: 500, capturable: 1_499)
        let named: JSONValue = intent(
            "requires_capture", for: Self.asked, received: 500, capturable: 1_499,
            capture: first.idempotencyKey.rawValue)
        let world = StripeWorld(Self.ok(named), multipleCapture: true)
        #expect(try await world.adapter.capture(first) == .captured(reference: "pi_1"))
        #expect(world.transport.requests[0].text.contains("final_capture=false"))
        let other: JSONValue = intent(
            "requires_capture", for: Self.asked, received: 500, capturable: 1_499,
            capture: CaptureID.made(at: StripeWorld.now).rawValue)
        for unlike in [more, other] {
            let unclear = StripeWorld(Self.ok(unlike), multipleCapture: true)
            await #expect(throws: ProviderFault.unusable("$.amount_received is not what was captured")) {
                try await unclear.adapter.capture(first)
            }
        }
        // The amount fits, but the capture may be another one.
        let refused = StripeWorld(Self.illegal, Self.ok(more), multipleCapture: true)
        #expect(try await refused.adapter.capture(first) == .refused(code: "payment_intent_unexpected_state"))
        let stuck = StripeWorld(StripeFaultTests.stored, Self.ok(more), Self.ok(more), multipleCapture: true)
        await #expect(throws: ProviderFault.unavailable(500)) { try await stuck.adapter.capture(first) }
    }

    @Test("of several captures an older one is looked for before it is asked for: its key may have run out")
    func olderOfSeveral() async throws {
        let asked = Self.capture(500, isFinal: false)
        let taken: JSONValue = intent(
            "requires_capture", for: Self.asked, received: 500, capturable: 1_499,
            capture: asked.idempotencyKey.rawValue)
        for age in [61, 25 * 3_600] as [Int64] {
            let known = StripeWorld(Self.ok(taken), multipleCapture: true)
            known.clock.advance(by: .seconds(age))
            #expect(try await known.adapter.capture(asked) == .captured(reference: "pi_1"))
            #expect(known.methods == ["GET"], "\(age) seconds")
            let new = StripeWorld(Self.ok(Self.held), Self.ok(taken), multipleCapture: true)
            new.clock.advance(by: .seconds(age))
            #expect(try await new.adapter.capture(asked) == .captured(reference: "pi_1"))
            #expect(new.methods == ["GET", "POST"], "\(age) seconds")
        }
    }

    @Test(
        "a release ends as its payment intent shows",
        arguments: [
            ([ok(canceled)], .released), ([illegal, ok(canceled)], .released),
            ([illegal, ok(partly)], .refused(code: "payment_intent_unexpected_state")),
            ([missing, missing], .refused(code: "resource_missing")),
            ([StripeFaultTests.stored, ok(canceled)], .released),
        ] as [([FakeTransport.Step], ReleaseAnswer)])
    func releases(steps: [FakeTransport.Step], answer: ReleaseAnswer) async throws {
        let world = StripeWorld(steps: steps)
        let asked = ReleaseRequest(idempotencyKey: Self.asked.idempotencyKey, reference: "pi_1")
        #expect(try await world.adapter.release(asked) == answer)
        #expect(world.transport.left == 0)
        #expect(world.transport.requests[0].header("Idempotency-Key") == "\(Self.asked.idempotencyKey):release:0")
    }

    @Test(
        "a release that failed is asked for again a minute later, under a key that has not kept the failure",
        arguments: [illegal, StripeFaultTests.stored])
    func releasedLater(failure: FakeTransport.Step) async throws {
        let world = StripeWorld(failure, Self.ok(Self.held), Self.ok(Self.canceled))
        let asked = ReleaseRequest(idempotencyKey: Self.asked.idempotencyKey, reference: "pi_1")
        let first: ReleaseAnswer? = try? await world.adapter.release(asked)
        #expect(first != .released)
        world.clock.advance(by: .seconds(61))
        #expect(try await world.adapter.release(asked) == .released)
        let keys: [String?] = world.transport.requests.map { $0.header("Idempotency-Key") }
        let key = "\(Self.asked.idempotencyKey):release"
        #expect(keys == ["\(key):0", nil, "\(key):1"])
    }

    @Test("a release that leaves something held is unusable") func stillHeld() async throws {
        let world = StripeWorld(Self.ok(Self.held))
        let asked = ReleaseRequest(idempotencyKey: Self.asked.idempotencyKey, reference: "pi_1")
        await #expect(throws: ProviderFault.unusable("$.status is requires_capture after the release")) {
            try await world.adapter.release(asked)
        }
    }

    static let refund = RefundRequest(
        idempotencyKey: .made(at: StripeWorld.now), reference: "pi_1", amount: Money(minor: 700, currency: .usd))

    static func refunded(
        _ status: String, amount: Int64 = 700, id: String? = nil, intent: String = "pi_1"
    ) -> JSONValue {
        [
            "id": "re_1", "object": "refund", "status": .string(status), "amount": .number("\(amount)"),
            "currency": "usd", "payment_intent": .string(intent), "failure_reason": "lost_or_stolen_card",
            "metadata": ["refund_id": .string(id ?? refund.idempotencyKey.rawValue)],
        ]
    }

    static func page(_ refunds: JSONValue..., hasMore: Bool = false) -> FakeTransport.Step {
        let value: JSONValue = ["object": "list", "data": .array(refunds), "has_more": .bool(hasMore)]
        return .answer(200, value.description)
    }

    static let spent: FakeTransport.Step = .answer(
        400, refusal("invalid_request_error", code: "charge_already_refunded"))

    @Test(
        "a refund ends as Stripe says",
        arguments: [
            ([ok(refunded("succeeded"))], .refunded(reference: "re_1")),
            ([ok(refunded("pending"))], .pending(reference: "re_1")),
            ([ok(refunded("requires_action"))], .pending(reference: "re_1")),
            ([ok(refunded("failed"))], .refused(code: "lost_or_stolen_card")),
            ([ok(refunded("canceled"))], .refused(code: "canceled")),
            ([spent, page()], .refused(code: "charge_already_refunded")),
            // It is this very refund that has been made already.
            ([spent, page(refunded("succeeded"))], .refunded(reference: "re_1")),
            ([StripeFaultTests.stored, page(refunded("pending"))], .pending(reference: "re_1")),
            (
                [ok(refunded("succeeded"), replayed: true), page(refunded("failed"))],
                .refused(code: "lost_or_stolen_card")
            ),
            (
                [spent, page(refunded("succeeded", id: "re_other"), hasMore: true), page(refunded("pending"))],
                .pending(reference: "re_1")
            ),
        ] as [([FakeTransport.Step], RefundAnswer)])
    func refunds(steps: [FakeTransport.Step], answer: RefundAnswer) async throws {
        let world = StripeWorld(steps: steps)
        #expect(try await world.adapter.refund(Self.refund) == answer)
        #expect(world.transport.left == 0)
    }

    @Test("an older refund is looked for before it is asked for") func older() async throws {
        let known = StripeWorld(Self.page(Self.refunded("succeeded")))
        known.clock.advance(by: .seconds(61))
        #expect(try await known.adapter.refund(Self.refund) == .refunded(reference: "re_1"))
        #expect(known.methods == ["GET"])
        let new = StripeWorld(Self.page(), Self.ok(Self.refunded("succeeded")))
        new.clock.advance(by: .seconds(48 * 3_600))
        #expect(try await new.adapter.refund(Self.refund) == .refunded(reference: "re_1"))
        #expect(new.methods == ["GET", "POST"])
    }

    @Test(
        "a refund of another amount, charge or id is unusable",
        arguments: [
            refunded("succeeded", amount: 699), refunded("succeeded", id: "re_other"), refunded("done"),
            refunded("succeeded", intent: "pi_2"),
        ])
    func wrongRefunds(value: JSONValue) async throws {
        let world = StripeWorld(Self.ok(value))
        do throws(ProviderFault) {
            Issue.record("\(try await world.adapter.refund(Self.refund))")
        } catch {
            guard case .unusable = error else {
                Issue.record("\(error)")
                return
            }
        }
    }
}

@Suite("The balance at Stripe") struct StripeBalanceTests {
    static func entry(net: Int64 = 1_911, rate: String = "null") -> String {
        """
        {"object":"list","has_more":true,"data":[{"id":"txn_1","object":"balance_transaction","type":"charge",
        "reporting_category":"charge","source":"ch_1","amount":1999,"fee":88,"net":\(net),"currency":"usd",
        "created":1795000000,"available_on":1795172800,"status":"pending","exchange_rate":\(rate)}]}
        """
    }

    @Test("an entry is read exactly, its rate digit by digit") func entries() async throws {
        for (rate, exact) in [("null", nil), ("1.08231", "1.08231"), ("3.9e-05", "0.000039")] as [(String, String?)] {
            let world = StripeWorld(.answer(200, Self.entry(rate: rate)))
            let page = try await world.adapter.balance(since: StripeWorld.now, before: StripeWorld.now, limit: 500)
            #expect(page.next == "txn_1")
            #expect(page.entries.first?.net == Money(minor: 1_911, currency: .usd))
            #expect(page.entries.first?.exchangeRate?.description == exact)
            let query = "created[gte]=1900000000&created[lt]=1900000000&limit=100"
            #expect(world.transport.requests[0].url.hasSuffix(query))
        }
    }

    @Test("an entry that does not add up makes the page unusable") func sum() async throws {
        let world = StripeWorld(.answer(200, Self.entry(net: 1_912)))
        await #expect(throws: ProviderFault.unusable("$.data[].net does not add up")) {
            try await world.adapter.balance()
        }
    }
}
