import PaymentPayPal
import PaymentContract
import BillingCore
import JSON
import PaymentDomain
import Testing

private typealias Step = FakePayPal.Step

@Suite("The outcome of a charge through PayPal") struct OutcomeTests {
    private let done = ChargeAnswer.captured(ProviderCharge(reference: "CAP1"))

    @Test("is found under the same key and read as it is now") func read() async throws {
        let world = FakeWorld([waiting, .answer(200, Say.order("COMPLETED", captures: [Say.capture()]))])
        #expect(try await world.adapter.outcome(of: Ask.charge()) == done)
        #expect(world.fake.lines == ["POST /v2/checkout/orders", "GET /v2/checkout/orders/ORDER1"])
        #expect(world.fake.sent.first?.headers["PayPal-Request-Id"] == Say.attempt)
        #expect(world.fake.sent.last?.headers["PayPal-Request-Id"] == nil)
    }

    @Test("of an approved order is its capture", arguments: [true, false]) func completes(capture: Bool) async throws {
        let intent: String = capture ? "CAPTURE" : "AUTHORIZE"
        let taken = capture ? completed([Say.capture()]) : held([Say.authorization()])
        let world = FakeWorld([.answer(200, Say.order("APPROVED", intent: intent, link: nil)), taken])
        let answer = try await world.adapter.outcome(of: Ask.charge(capture: capture).known(as: "ORDER1"))
        let charge = ProviderCharge(
            reference: "AUTH1", networkTransactionID: "123456789012345", expiresAt: Say.heldUntil)
        #expect(answer == (capture ? done : .authorized(charge)))
        let action: String = capture ? "capture" : "authorize"
        #expect(world.fake.lines == ["GET /v2/checkout/orders/ORDER1", "POST /v2/checkout/orders/ORDER1/\(action)"])
        let key = try #require(world.fake.sent.last?.headers["PayPal-Request-Id"])
        #expect(key == Say.attempt + "-take" && key.utf8.count <= 38)
        #expect(world.fake.sent.last?.json == [:])
    }

    @Test("is read when somebody was faster", arguments: ["ORDER_ALREADY_CAPTURED", "ORDER_COMPLETED_OR_VOIDED"])
    func raced(code: String) async throws {
        let world = FakeWorld([approved, .refusal(422, code), completed([Say.capture()])])
        #expect(try await world.adapter.outcome(of: Ask.charge().known(as: "ORDER1")) == done)
        #expect(world.fake.isOver)
    }

    @Test("is the payer's turn when PayPal says so", arguments: ["ORDER_NOT_APPROVED", "PAYER_ACTION_REQUIRED"])
    func payersTurn(code: String) async throws {
        let world = FakeWorld([approved, .refusal(422, code), waiting])
        let answer = try await world.adapter.outcome(of: Ask.charge().known(as: "ORDER1"))
        #expect(answer == .actionRequired(reference: "ORDER1", page))
        let link: JSONValue = ["rel": "payer-action", "href": "https://www.paypal.com/again"]
        let refusal: JSONValue = [
            "name": "UNPROCESSABLE_ENTITY", "details": [["issue": .string(code)]], "links": [link],
        ]
        let direct = FakeWorld([approved, .answer(422, refusal)])
        let again = try await direct.adapter.outcome(of: Ask.charge().known(as: "ORDER1"))
        #expect(again == .actionRequired(reference: "ORDER1", .redirect(url: "https://www.paypal.com/again")))
    }

    @Test("is a decline when the capture is declined") func declined() async throws {
        let world = FakeWorld([approved, .refusal(422, "INSTRUMENT_DECLINED")])
        let answer = try await world.adapter.outcome(of: Ask.charge().known(as: "ORDER1"))
        #expect(answer == .declined(ProviderDecline(code: "INSTRUMENT_DECLINED", reference: "ORDER1")))
    }

    @Test(
        "is unknown, never certain, whatever befalls the question",
        arguments: [
            ([.refusal(403, "PERMISSION_DENIED")], .unusable("the question is rejected: PERMISSION_DENIED")),
            (
                [.refusal(404, "INVALID_RESOURCE_ID", name: "RESOURCE_NOT_FOUND")],
                .unusable("not readable: INVALID_RESOURCE_ID")
            ),
            (Array(repeating: .fault(.notSent("refused")), count: 4), .timedOut),
            (Array(repeating: .text(503), count: 4), .unavailable(503)),
            ([.answer(200, Say.order("SAVED"))], .unusable("order.status")),
            ([approved, approved], .unusable("order.status")),
            (
                [approved, .refusal(422, "PAYEE_ACCOUNT_RESTRICTED")],
                .unusable("the question is rejected: PAYEE_ACCOUNT_RESTRICTED")
            ),
            ([approved, .refusal(404, "INVALID_RESOURCE_ID")], .unusable("no such order")),
            ([approved, .refusal(422, "ORDER_COMPLETION_IN_PROGRESS")], .timedOut),
            (
                [approved, .refusal(422, "DUPLICATE_INVOICE_ID")],
                .unusable("this attempt was captured by another order")
            ),
            ([approved, .refusal(422, "ORDER_ALREADY_CAPTURED"), approved], .unusable("order.status")),
        ] as [([FakePayPal.Step], ProviderFault)])
    func unknown(script: [FakePayPal.Step], fault: ProviderFault) async {
        let world = FakeWorld(script)
        await #expect(throws: fault) { try await world.adapter.outcome(of: Ask.charge().known(as: "ORDER1")) }
        #expect(world.fake.isOver)
    }

    @Test("is not asked for with references that are no ids", arguments: ["", "../x", "a b", "ORDER1?x", "ordEr"])
    func strangeReference(reference: String) async {
        let world = FakeWorld([])
        await #expect(throws: ProviderFault.unusable("no id of PayPal's")) {
            try await world.adapter.outcome(of: Ask.charge().known(as: reference))
        }
    }

    @Test("is not asked for under a key that PayPal has forgotten") func oldKey() async throws {
        let stale = ProviderFault.unusable("the key is too old to be repeated safely")
        let now = Instant(seconds: 1_800_000_000)
        let old: AttemptID = id(at: now - .seconds(5 * 3_600))
        let world = FakeWorld([])
        await #expect(throws: stale) { try await world.adapter.outcome(of: Ask.stored(attempt: old)) }
        await #expect(throws: stale) { try await world.adapter.charge(Ask.charge(attempt: old)) }
        let foreign = AttemptID(unchecked: "att_1")
        await #expect(throws: stale) { try await world.adapter.charge(Ask.charge(attempt: foreign)) }
        #expect(world.fake.sent.isEmpty)
        let young: AttemptID = id(at: now - .seconds(5 * 3_600 - 1))
        let sent = Say.order("PAYER_ACTION_REQUIRED")
            .setting(["purchase_units", "0", "invoice_id"], to: .string(young.rawValue))
        let fresh = FakeWorld([.answer(201, sent)])
        _ = try await fresh.adapter.charge(Ask.charge(attempt: young))
    }
}
