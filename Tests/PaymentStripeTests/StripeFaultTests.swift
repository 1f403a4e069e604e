import PaymentStripe
import PaymentContract
import BillingCore
import JSON
import PaymentDomain
import TestKit
import Testing

@Suite("Stripe does not answer") struct StripeFaultTests {
    static let asked = request()
    static let captured: FakeTransport.Step = .answer(200, intent("succeeded", for: asked).description)
    static let charge: ChargeAnswer = .captured(ProviderCharge(reference: "pi_1"))
    static let busy: FakeTransport.Step = .answer(429, refusal("invalid_request_error", code: "rate_limit"))
    static let locked: FakeTransport.Step = .answer(429, refusal("invalid_request_error", code: "lock_timeout"))
    static let twin: FakeTransport.Step = .answer(409, refusal("idempotency_error", code: "idempotency_key_in_use"))
    static let broken: FakeTransport.Step = .answer(500, refusal("api_error"))
    static let stored: FakeTransport.Step = .answer(500, refusal("api_error"), ["Idempotent-Replayed": "true"])
    static let keyless: FakeTransport.Step = .answer(401, refusal("invalid_request_error"))

    @Test(
        "it is asked again under the same key",
        arguments: [
            busy, locked, twin, broken, .answer(502, "<html>"), .answer(503, ""), .answer(429, "slow down"),
            .fault(.timedOut), .fault(.notSent("refused")),
        ] as [FakeTransport.Step])
    func again(step: FakeTransport.Step) async throws {
        let world = StripeWorld(step, step, step, Self.captured)
        #expect(try await world.adapter.charge(Self.asked) == Self.charge)
        #expect(world.waits.list == [.milliseconds(500), .seconds(1), .seconds(2)])
        let sent = world.transport.requests
        #expect(Set(sent.map { $0.header("Idempotency-Key") }) == ["\(Self.asked.idempotencyKey):charge"])
        #expect(Set(sent.map(\.text)).count == 1)
    }

    @Test(
        "after three repeats the fault says what is known",
        arguments: [
            ([busy, busy, busy, busy], .rateLimited(retryAfter: nil)),
            ([locked, locked, locked, locked], .unavailable(429)),
            ([twin, twin, twin, twin], .unavailable(409)),
            ([broken, broken, broken, broken], .unavailable(500)),
            (Array(repeating: .fault(.timedOut), count: 4), .timedOut),
            (Array(repeating: .fault(.notSent("down")), count: 4), .notSent("down")),
            // One try that may have happened makes the whole call uncertain.
            ([.fault(.timedOut), busy, busy, busy], .timedOut),
            ([.fault(.timedOut), .fault(.notSent("down")), busy, .fault(.notSent("down"))], .timedOut),
            ([busy, broken, busy, .fault(.notSent("down"))], .unavailable(500)),
            ([.fault(.timedOut), keyless], .unusable("refused after an unanswered try: status_401")),
            ([busy, keyless], .unauthorized(code: "status_401")),
        ] as [([FakeTransport.Step], ProviderFault)])
    func exhausted(steps: [FakeTransport.Step], fault: ProviderFault) async throws {
        let world = StripeWorld(steps: steps)
        await #expect(throws: fault) { try await world.adapter.charge(Self.asked) }
        #expect(world.transport.left == 0)
    }

    @Test("Stripe's advice not to repeat is heeded, and so is a wait that is too long") func advice() async throws {
        let steady = StripeWorld(.answer(500, refusal("api_error"), ["Stripe-Should-Retry": "false"]))
        await #expect(throws: ProviderFault.unavailable(500)) { try await steady.adapter.charge(Self.asked) }
        let patient = StripeWorld(.answer(429, refusal("x", code: "rate_limit"), ["Retry-After": "60"]))
        await #expect(throws: ProviderFault.rateLimited(retryAfter: 60)) {
            try await patient.adapter.charge(Self.asked)
        }
        #expect(steady.waits.list.isEmpty && patient.waits.list.isEmpty)
    }

    @Test("a stored failure is not asked for again: the payment intent is looked for") func stuck() async throws {
        let found: JSONValue = intent("succeeded", for: Self.asked)
        let world = StripeWorld(Self.broken, Self.stored, .answer(200, searchResult(found)), Self.captured)
        #expect(try await world.adapter.charge(Self.asked) == Self.charge)
        #expect(
            world.paths == [
                "/v1/payment_intents", "/v1/payment_intents", "/v1/payment_intents/search", "/v1/payment_intents/pi_1",
            ])
        let absent = StripeWorld(Self.stored, .answer(200, searchResult()))
        await #expect(throws: ProviderFault.unavailable(500)) { try await absent.adapter.charge(Self.asked) }
    }

    @Test("a canceled task gets no more tries") func canceled() async throws {
        let transport = FakeTransport([.fault(.timedOut), Self.captured])
        let configuration = StripeWorld().adapter.configuration
        var retries = ProviderRetryPolicy()
        retries.sleep = { _ in throw CancellationError() }
        let impatient = StripeConfiguration(
            secretKey: configuration.secretKey, returnURL: "", retries: retries, clock: configuration.clock)
        let adapter = StripeAdapter(configuration: impatient, transport: transport)
        await #expect(throws: ProviderFault.timedOut) { try await adapter.charge(Self.asked) }
        #expect(transport.requests.count == 1)
    }
}

@Suite("Reading a charge back") struct StripeOutcomeTests {
    static let asked = request()
    static let nothing: FakeTransport.Step = .answer(200, searchResult())
    static let decline = ProviderDecline(code: StripeAdapter.DeclineCode.neverCharged)

    @Test(
        "what is found is answered as it is now, and nothing is written",
        arguments: [
            ("succeeded", ChargeAnswer.captured(ProviderCharge(reference: "pi_1"))),
            ("processing", .pending(reference: "pi_1")),
            ("canceled", .declined(ProviderDecline(code: "canceled", reference: "pi_1"))),
            ("requires_payment_method", .declined(ProviderDecline(code: "stolen_card", reference: "pi_1"))),
        ])
    func found(status: String, answer: ChargeAnswer) async throws {
        let error: JSONValue = ["type": "card_error", "code": "card_declined", "decline_code": "stolen_card"]
        let more: [(String, JSONValue)] = status == "requires_payment_method" ? [("last_payment_error", error)] : []
        let world = StripeWorld(
            .answer(200, searchResult(intent("requires_confirmation", for: Self.asked))),
            .answer(200, intent(status, for: Self.asked, more: more).description))
        #expect(try await world.adapter.outcome(of: Self.asked) == answer)
        #expect(world.methods == ["GET", "GET"])
        let query = "query=metadata%5B%27attempt_id%27%5D%3A%27\(Self.asked.idempotencyKey)%27"
        #expect(world.transport.requests[0].url.hasSuffix(query))
    }

    @Test("an authorization that was captured since is still one") func capturedSince() async throws {
        let asked = request(capture: false)
        let captured: JSONValue = intent("succeeded", for: asked, received: 500)
        let world = StripeWorld(.answer(200, searchResult(captured)), .answer(200, captured.description))
        #expect(try await world.adapter.outcome(of: asked) == .authorized(ProviderCharge(reference: "pi_1")))
        let fresh = StripeWorld(.answer(200, captured.description))
        await #expect(throws: ProviderFault.unusable("pi_1 is captured")) { try await fresh.adapter.charge(asked) }
    }

    @Test("what is not found is asked for again under the key, and the stored answer is read anew")
    func repeated() async throws {
        let stored: JSONValue = intent("processing", for: Self.asked)
        let now: JSONValue = intent("succeeded", for: Self.asked)
        let world = StripeWorld(
            Self.nothing, .answer(200, stored.description, ["Idempotent-Replayed": "true"]),
            .answer(200, now.description))
        let answer = try await world.adapter.outcome(of: Self.asked)
        #expect(answer == .captured(ProviderCharge(reference: "pi_1")))
        #expect(world.methods == ["GET", "POST", "GET"])
    }

    @Test("an unconfirmed payment intent is asked for again, not concluded from") func unconfirmed() async throws {
        let open: JSONValue = intent("requires_confirmation", for: Self.asked)
        let world = StripeWorld(
            .answer(200, searchResult(open)), .answer(200, open.description),
            .answer(409, refusal("idempotency_error"), ["Stripe-Should-Retry": "false"]))
        await #expect(throws: ProviderFault.unavailable(409)) { try await world.adapter.outcome(of: Self.asked) }
    }

    @Test(
        "with the age of the attempt the key runs out, then the doubt",
        arguments: [(22, "POST"), (23, "unknown"), (24, "unknown"), (25, "never"), (9_999, "never")])
    func ages(hours: Int64, expected: String) async throws {
        for isCharge in [false, true] where !isCharge || hours >= 23 {
            let world = StripeWorld(
                Self.nothing, .answer(200, intent("succeeded", for: Self.asked).description))
            world.clock.advance(by: .seconds(hours * 3_600 + 60))
            do throws(ProviderFault) {
                let adapter: StripeAdapter = world.adapter
                let answer = isCharge ? try await adapter.charge(Self.asked) : try await adapter.outcome(of: Self.asked)
                #expect(expected == (answer == .declined(Self.decline) ? "never" : "POST"))
            } catch {
                #expect(error == .timedOut && expected == "unknown")
            }
            #expect(world.methods == (expected == "POST" ? ["GET", "POST"] : ["GET"]))
        }
    }

    @Test("an attempt from the future is looked for first") func future() async throws {
        let world = StripeWorld(Self.nothing, .answer(200, intent("succeeded", for: Self.asked).description))
        world.clock.advance(by: .seconds(-7_200))
        #expect(try await world.adapter.charge(Self.asked) == .captured(ProviderCharge(reference: "pi_1")))
        #expect(world.methods == ["GET", "POST"])
    }

    @Test("a refused read says nothing about the charge") func refusedRead() async throws {
        for hours in [1, 30] as [Int64] {
            for body in [refusal("invalid_request_error"), refusal("invalid_request_error", code: "x")] {
                for status in [400, 401, 403] {
                    let world = StripeWorld(.answer(status, body))
                    world.clock.advance(by: .seconds(hours * 3_600))
                    do throws(ProviderFault) {
                        Issue.record("\(try await world.adapter.outcome(of: Self.asked))")
                    } catch {
                        guard case .unusable = error else {
                            Issue.record("\(error)")
                            return
                        }
                    }
                }
            }
        }
    }

    @Test("a repeat that our key refuses does not say that nothing happened") func refusedRepeat() async throws {
        let world = StripeWorld(Self.nothing, StripeFaultTests.keyless)
        let fault = ProviderFault.unusable("refused after an unanswered try: status_401")
        await #expect(throws: fault) { try await world.adapter.outcome(of: Self.asked) }
    }

    @Test("two payment intents of one attempt raise an alarm") func twice() async throws {
        let first: JSONValue = intent("succeeded", for: Self.asked)
        let second: JSONValue = intent("succeeded", for: Self.asked, id: "pi_2")
        let world = StripeWorld(
            .answer(200, searchResult(first, second)), .answer(200, first.description),
            .answer(200, second.description))
        await #expect(throws: ProviderFault.unusable("the attempt has 2 payment intents")) {
            try await world.adapter.outcome(of: Self.asked)
        }
    }
}
