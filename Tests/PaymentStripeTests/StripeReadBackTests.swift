import BillingCore
import JSON
import PaymentContract
import PaymentDomain
import PaymentStripe
import TestKit
import Testing

@Suite("A refused repeat of a charge whose answer was lost") struct StripeReadBackTests {
    static let asked = request()
    static let nothing: FakeTransport.Step = .answer(200, searchResult())
    static let gone: FakeTransport.Step = .answer(404, refusal("invalid_request_error", code: "resource_missing"))
    static let mismatch: FakeTransport.Step = .answer(400, refusal("idempotency_error"))
    static let captured: JSONValue = intent("succeeded", for: asked)
    /// Accounts in some countries cannot search.
    static let noSearch: FakeTransport.Step = .answer(400, refusal("invalid_request_error"))

    static func page(_ intents: [JSONValue], hasMore: Bool = false) -> FakeTransport.Step {
        let page: JSONValue = [
            "object": "list", "data": .array(intents), "has_more": hasMore ? true : false,
        ]
        return .answer(200, page.description)
    }

    static func world(_ steps: FakeTransport.Step..., seconds: Int64 = 180) -> StripeWorld {
        let world = StripeWorld(steps: steps)
        world.clock.advance(by: .seconds(seconds))
        return world
    }

    @Test(
        "is answered by the list: a payment intent that is there counts, wherever it stands in it",
        arguments: [gone, mismatch])
    func booked(refused: FakeTransport.Step) async throws {
        let other: JSONValue = intent("succeeded", for: Self.asked, id: "pi_9", attempt: "att_other")
        let world = Self.world(
            Self.nothing, refused, Self.page([other], hasMore: true), Self.page([Self.captured]),
            .answer(200, Self.captured.description))
        #expect(
            try await world.adapter.outcome(of: Self.asked) == .captured(ProviderCharge(reference: "pi_1")))
        #expect(world.methods == ["GET", "POST", "GET", "GET", "GET"])
        let lists: [String] = world.transport.requests[2...3].map(\.url)
        let since: Int64 = StripeWorld.now.seconds - 3_600
        #expect(lists.allSatisfy { $0.contains("/v1/payment_intents?created[gte]=\(since)&") }, "\(lists)")
        #expect(lists[1].contains("starting_after=pi_9"))
        // Whoever the key stands for, all of the account's are looked through.
        let isOfCustomer: Bool = lists.allSatisfy { $0.contains("customer=cus_1") }
        if case .answer(404, _, _) = refused { #expect(isOfCustomer) } else { #expect(!isOfCustomer) }
    }

    @Test("says that nothing was charged once the list has none and nothing can be on its way")
    func neverBooked() async throws {
        let old = Self.world(Self.nothing, Self.gone, Self.page([]))
        #expect(
            try await old.adapter.outcome(of: Self.asked) == .declined(ProviderDecline(code: "resource_missing")))
        let young = Self.world(Self.nothing, Self.gone, Self.page([]), seconds: 60)
        await #expect(throws: ProviderFault.timedOut) { try await young.adapter.outcome(of: Self.asked) }
    }

    @Test("of a key that stands for other parameters says nothing for a day: Stripe may put the first request right")
    func otherParameters() async throws {
        for seconds in [60, 180, 22 * 3_600] as [Int64] {
            let world = Self.world(Self.nothing, Self.mismatch, Self.page([]), seconds: seconds)
            await #expect(throws: ProviderFault.timedOut) { try await world.adapter.outcome(of: Self.asked) }
            #expect(world.methods == ["GET", "POST", "GET"])
        }
        let settled = Self.world(Self.nothing, seconds: 25 * 3_600)
        #expect(
            try await settled.adapter.outcome(of: Self.asked) == .declined(ProviderDecline(code: "never_charged")))
    }

    @Test("of a customer who is gone at Stripe is answered by the whole account's list, and declined for good")
    func goneCustomer() async throws {
        let parameter = JSONMember(name: "param", value: "customer")
        let gone: FakeTransport.Step = .answer(
            400, refusal("invalid_request_error", code: "resource_missing", more: [parameter]))
        let world = Self.world(Self.nothing, gone, Self.page([]))
        let answer: ChargeAnswer = try await world.adapter.outcome(of: Self.asked)
        #expect(answer == .declined(ProviderDecline(code: "resource_missing")))
        #expect(world.transport.requests.last?.url.contains("customer=") == false)
    }

    @Test("is not even sent where Stripe could not do it: what happened before counts, else it is declined")
    func neverSent() async throws {
        let small: ChargeRequest = request(minor: 49)
        let none = Self.world(Self.nothing, Self.page([]))
        #expect(
            try await none.adapter.outcome(of: small) == .declined(ProviderDecline(code: "amount_too_small")))
        #expect(none.methods == ["GET", "GET"])
        let young = Self.world(Self.nothing, Self.page([]), seconds: 60)
        await #expect(throws: ProviderFault.timedOut) { try await young.adapter.outcome(of: small) }
        let taken: JSONValue = intent("succeeded", for: small, amount: 49)
        let found = Self.world(.answer(200, searchResult(taken)), .answer(200, taken.description))
        #expect(try await found.adapter.outcome(of: small) == .captured(ProviderCharge(reference: "pi_1")))
        let known = Self.world(.answer(200, taken.description))
        #expect(
            try await known.adapter.outcome(of: small.known(as: "pi_1"))
                == .captured(ProviderCharge(reference: "pi_1")))
    }

    @Test("is declined from the 25th hour on where the connector refuses it, however much the account has made since")
    func neverSentForADay() async throws {
        let small: ChargeRequest = request(minor: 49)
        let declined = ChargeAnswer.declined(ProviderDecline(code: "amount_too_small"))
        let old = Self.world(Self.nothing, seconds: 25 * 3_600)
        #expect(try await old.adapter.outcome(of: small) == declined)
        #expect(old.methods == ["GET"], "the search has found none by then")
        let blind = Self.world(Self.noSearch, Self.page([]), seconds: 90 * 86_400)
        #expect(try await blind.adapter.outcome(of: small) == declined)
        let until: Int64 = StripeWorld.now.seconds + 25 * 3_600
        #expect(blind.transport.requests.last?.url.contains("created[lte]=\(until)&") == true)
    }

    @Test(
        "where Stripe does not search, the repeat under the key answers; once it has run out, the account's list does")
    func unsearched() async throws {
        let captured = ChargeAnswer.captured(ProviderCharge(reference: "pi_1"))
        let read: FakeTransport.Step = .answer(200, Self.captured.description)
        let repeated = Self.world(
            Self.noSearch, .answer(200, Self.captured.description, ["Idempotent-Replayed": "true"]), read)
        #expect(try await repeated.adapter.outcome(of: Self.asked) == captured)
        #expect(repeated.methods == ["GET", "POST", "GET"])
        let listed = Self.world(Self.noSearch, Self.page([Self.captured]), read, seconds: 24 * 3_600)
        #expect(try await listed.adapter.outcome(of: Self.asked) == captured)
        #expect(listed.methods == ["GET", "GET", "GET"])
        let young = Self.world(Self.noSearch, Self.page([]), seconds: 24 * 3_600)
        await #expect(throws: ProviderFault.timedOut) { try await young.adapter.outcome(of: Self.asked) }
        let never = Self.world(Self.noSearch, Self.page([]), seconds: 25 * 3_600)
        #expect(try await never.adapter.outcome(of: Self.asked) == .declined(ProviderDecline(code: "never_charged")))
        let unread = Self.world(Self.noSearch, Self.noSearch, seconds: 25 * 3_600)
        await #expect(throws: ProviderFault.self) { try await unread.adapter.outcome(of: Self.asked) }
        let stuck = Self.world(StripeFaultTests.stored, Self.noSearch)
        await #expect(throws: ProviderFault.unavailable(500)) { try await stuck.adapter.charge(Self.asked) }
    }

    @Test(
        "what the connector itself refuses is a fault of the configuration, not of the customer's",
        arguments: ["currency_unsupported", "capture_unsupported", "invalid_charge_amount"])
    func ownRefusal(code: String) {
        let reading: DeclineReading = StripeWorld().adapter.reading(of: ProviderDecline(code: code))
        #expect(reading.decline == Decline(code: "provider_configuration"))
    }

    @Test("says nothing where the list cannot be read; one that was never confirmed is canceled first") func open()
        async throws
    {
        let locked = Self.world(Self.nothing, Self.gone, .answer(403, refusal("invalid_request_error")))
        await #expect(throws: ProviderFault.self) { try await locked.adapter.outcome(of: Self.asked) }
        let made: JSONValue = intent("requires_confirmation", for: Self.asked)
        let canceled: JSONValue = intent("canceled", for: Self.asked)
        let left = Self.world(
            Self.nothing, Self.gone, Self.page([made]), .answer(200, made.description),
            .answer(200, canceled.description))
        #expect(
            try await left.adapter.outcome(of: Self.asked) == .declined(ProviderDecline(code: "resource_missing")))
        #expect(left.paths.last == "/v1/payment_intents/pi_1/cancel")
        let open = Self.world(
            Self.nothing, Self.gone, Self.page([made]), .answer(200, made.description),
            .answer(400, refusal("invalid_request_error", code: "payment_intent_unexpected_state")),
            .answer(200, made.description))
        await #expect(throws: ProviderFault.unusable("pi_1 was never confirmed")) {
            try await open.adapter.outcome(of: Self.asked)
        }
        let endless = StripeWorld(
            steps: [Self.nothing, Self.gone]
                + Array(
                    repeating: Self.page([intent("succeeded", for: Self.asked, attempt: "att_other")], hasMore: true),
                    count: 60))
        await #expect(throws: ProviderFault.unusable("the account has too many payment intents")) {
            try await endless.adapter.outcome(of: Self.asked)
        }
    }

    @Test("is no rejection within one call either: a try before it got no answer") func sameCall() async throws {
        let lost = Self.world(
            .fault(.timedOut), Self.gone, Self.page([Self.captured]),
            .answer(200, Self.captured.description))
        #expect(try await lost.adapter.charge(Self.asked) == .captured(ProviderCharge(reference: "pi_1")))
        let first = Self.world(Self.gone)
        await #expect(throws: ProviderFault.rejected(code: "resource_missing")) {
            try await first.adapter.charge(Self.asked)
        }
    }

    @Test("a charge is looked up by its payment intent alone: read, never asked for") func lookUp() async throws {
        let named: ChargeRequest = Self.asked.known(as: "pi_1")
        let paid = Self.world(.answer(200, Self.captured.description), seconds: 90 * 86_400)
        #expect(try await paid.adapter.lookUp(named) == .captured(ProviderCharge(reference: "pi_1")))
        let gone = Self.world(Self.gone)
        #expect(try await gone.adapter.lookUp(named) == nil)
        let silent = Self.world()
        #expect(try await silent.adapter.lookUp(Self.asked) == nil)
        let other = Self.world(.answer(200, intent("succeeded", for: Self.asked, attempt: "att_other").description))
        await #expect(throws: ProviderFault.self) { try await other.adapter.lookUp(named) }
        #expect(paid.methods + gone.methods + silent.methods + other.methods == ["GET", "GET", "GET"])
    }
}
