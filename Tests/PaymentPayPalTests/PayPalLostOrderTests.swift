import BillingCore
import JSON
import PaymentContract
import PaymentDomain
import PaymentPayPal
import TestKit
import Testing

private let gone = FakePayPal.Step.refusal(404, "INVALID_RESOURCE_ID", name: "RESOURCE_NOT_FOUND")
private let stale = ProviderFault.unusable("the key is too old to be repeated safely")
private let paid = ChargeAnswer.captured(ProviderCharge(reference: "CAP1"))
private let completed = FakePayPal.Step.answer(200, Say.order("COMPLETED", captures: [Say.capture()]))

/// A world so long after the attempt.
private func later(_ hours: Double, _ script: [FakePayPal.Step]) -> FakeWorld {
    let world = FakeWorld(script)
    world.clock.advance(by: .seconds(Int64(hours * 3_600)))
    return world
}

@Suite("Orders that PayPal has dropped") struct DroppedOrderTests {
    private let read = "GET /v2/checkout/orders/ORDER1"

    @Test("are a refusal that the customer can cure by coming back", arguments: [true, false])
    func expired(capture: Bool) async throws {
        let world = later(6, [gone, gone])
        let asked: ChargeRequest = Ask.charge(capture: capture).known(as: "ORDER1")
        let declined = ProviderDecline(code: "ORDER_EXPIRED", reference: "ORDER1")
        #expect(try await world.adapter.outcome(of: asked) == .declined(declined))
        #expect(world.adapter.reading(of: declined).decline == Decline(code: "action_expired"))
        #expect(world.fake.lines == [read, "POST /v2/checkout/orders/ORDER1/\(capture ? "capture" : "authorize")"])
        #expect(world.fake.sent.last?.headers["PayPal-Request-Id"] == Say.attempt + "-take")
    }

    @Test("are a riddle while they should be there, and where the taking of them may have gone through")
    func unknown() async {
        let asked: ChargeRequest = Ask.charge().known(as: "ORDER1")
        let missing = ProviderFault.unusable("not readable: INVALID_RESOURCE_ID")
        let table: [(Double, [FakePayPal.Step], ProviderFault)] = [
            (5.99, [gone], missing),
            (6, [gone, .refusal(422, "ORDER_ALREADY_CAPTURED"), gone], missing),
            (6, [gone, .fault(.timedOut), gone], .unusable("no such order")),
            (6, [gone, .refusal(422, "ORDER_COMPLETION_IN_PROGRESS")], .timedOut),
            (6, [.text(404, "not PayPal's")], .unusable("not JSON: invalid")),
        ]
        for (hours, script, fault) in table {
            let world = later(hours, script)
            do throws(ProviderFault) {
                Issue.record("\(try await world.adapter.outcome(of: asked))")
            } catch {
                if case .unusable(let reason) = fault, reason.hasPrefix("not JSON") {
                    #expect(error.isUnusable)
                } else {
                    #expect(error == fault, "\(hours) \(script)")
                }
            }
            #expect(world.fake.isOver)
        }
    }

    @Test("and were taken answer as they did before") func taken() async throws {
        let world = later(6, [gone, completed])
        #expect(try await world.adapter.outcome(of: Ask.charge().known(as: "ORDER1")) == paid)
        let late = later(6, [gone, .refusal(422, "ORDER_ALREADY_CAPTURED"), completed])
        #expect(try await late.adapter.outcome(of: Ask.charge().known(as: "ORDER1")) == paid)
    }

    @Test("are released, once nobody can have taken them") func released() async throws {
        let release = ReleaseRequest(idempotencyKey: id(), reference: "ORDER1")
        let over = later(6, [gone, gone, gone, gone])
        #expect(try await over.adapter.release(release) == .released)
        #expect(
            over.fake.lines.suffix(3) == [
                read, "POST /v2/checkout/orders/ORDER1/capture", "POST /v2/checkout/orders/ORDER1/authorize",
            ])
        let young = later(5.99, [gone, gone])
        #expect(try await young.adapter.release(release) == .refused(code: "INVALID_RESOURCE_ID"))
        let taken = later(6, [gone, gone, completed])
        #expect(try await taken.adapter.release(release) == .refused(code: "INVALID_RESOURCE_ID"))
        let doubtful = later(6, [gone, gone, .fault(.timedOut), gone])
        await #expect(throws: ProviderFault.timedOut) { try await doubtful.adapter.release(release) }
    }
}

@Suite("Letting orders go") struct OrderReleaseTests {
    private let release = ReleaseRequest(idempotencyKey: id(), reference: "ORDER1")

    @Test(
        "what waits for its payer holds nothing; what the payer has approved is not let go",
        arguments: [
            ("CREATED", .released), ("PAYER_ACTION_REQUIRED", .released), ("SAVED", .released), ("VOIDED", .released),
            ("APPROVED", .refused(code: "ORDER_APPROVED")), ("COMPLETED", .refused(code: "INVALID_RESOURCE_ID")),
        ] as [(String, ReleaseAnswer)])
    func states(status: String, answer: ReleaseAnswer) async throws {
        let world = FakeWorld([gone, .answer(200, Say.order(status))])
        #expect(try await world.adapter.release(release) == answer)
    }

    @Test("what the payer has approved meanwhile is taken by whoever asks next, and can be given back")
    func approved() async throws {
        let approved = FakePayPal.Step.answer(200, Say.order("APPROVED", link: nil))
        let world = FakeWorld([gone, approved, approved, completed, .answer(201, Say.refund())])
        #expect(try await world.adapter.release(release) == .refused(code: "ORDER_APPROVED"))
        #expect(try await world.adapter.outcome(of: Ask.charge().known(as: "ORDER1")) == paid)
        #expect(try await world.adapter.refund(Ask.refund()) == .refunded(reference: "REF1"))
    }

    @Test("an order that makes no sense is not let go") func hostile() async {
        let world = FakeWorld([gone, .answer(200, Say.order("DONE"))])
        await #expect(throws: ProviderFault.unusable("order.status")) { try await world.adapter.release(release) }
    }
}

@Suite("Charges that no answer has told of") struct UntoldChargeTests {
    @Test("a payer who was never sent to PayPal has paid nothing, once the key is forgotten") func forsaken()
        async throws
    {
        let world = later(5, [])
        let declined = ProviderDecline(code: "never_charged")
        #expect(try await world.adapter.outcome(of: Ask.charge()) == .declined(declined))
        #expect(world.adapter.reading(of: declined).decline == Decline(code: "processing_error"))
        await #expect(throws: stale) { try await world.adapter.outcome(of: Ask.stored()) }
        #expect(world.fake.sent.isEmpty)
    }

    private static func told(_ json: JSONValue, by link: Bool = false) -> JSONValue {
        link
            ? json.setting(["links"], to: [["rel": "up", "href": "https://api.paypal.com/v2/checkout/orders/ORDER1"]])
            : json.setting(["supplementary_data"], to: ["related_ids": ["order_id": "ORDER1"]])
    }

    @Test("are found by what news says was taken, at any age", arguments: [true, false])
    func found(byLink: Bool) async throws {
        let captured = later(100, [.answer(200, Self.told(Say.capture(), by: byLink)), completed])
        #expect(try await captured.adapter.outcome(of: Ask.stored().known(as: "captures/CAP1")) == paid)
        #expect(captured.fake.lines == ["GET /v2/payments/captures/CAP1", "GET /v2/checkout/orders/ORDER1"])

        let held = Say.order("COMPLETED", intent: "AUTHORIZE", authorizations: [Say.authorization()])
        let authorized = later(100, [.answer(200, Self.told(Say.authorization(), by: byLink)), .answer(200, held)])
        let asked: ChargeRequest = Ask.stored(capture: false).known(as: "authorizations/AUTH1")
        let charge = ProviderCharge(
            reference: "AUTH1", networkTransactionID: "123456789012345", expiresAt: Say.heldUntil)
        #expect(try await authorized.adapter.outcome(of: asked) == .authorized(charge))
    }

    @Test("are not found by another charge, or by what does not say where it came from") func strangers() async {
        for (twist, fault) in [
            (Twist("invoice_id", "att_other"), .unusable("another attempt id")),
            (Twist("custom_id", "pay_other"), .unusable("another payment id")),
            (Twist("amount.value", "12.35"), .unusable("another amount of the capture")),
            (Twist("id", "CAP2"), .unusable("another capture")),
            (Twist("supplementary_data", nil), stale),
            (Twist("supplementary_data.related_ids.order_id", "../x"), stale),
        ] as [(Twist, ProviderFault)] {
            for asked in [Ask.stored(), Ask.charge()] {
                let world = later(100, [.answer(200, twist.applied(to: Self.told(Say.capture())))])
                await #expect(throws: fault, "\(twist)") {
                    try await world.adapter.outcome(of: asked.known(as: "captures/CAP1"))
                }
            }
        }
        // A name of news proves nothing by not being there.
        let missing = later(100, [gone])
        await #expect(throws: ProviderFault.unusable("not readable: INVALID_RESOURCE_ID")) {
            try await missing.adapter.outcome(of: Ask.charge().known(as: "captures/CAP1"))
        }
        let strange = later(100, [])
        await #expect(throws: ProviderFault.unusable("no id of PayPal's")) {
            try await strange.adapter.outcome(of: Ask.charge().known(as: "captures/../x"))
        }
    }
}

@Suite("Looking up a charge at PayPal") struct PayPalLookUpTests {
    @Test("reads what news has named, at any age, and posts nothing") func reads() async throws {
        let table: [(String, ChargeRequest, FakePayPal.Step, ChargeAnswer?, String)] = [
            ("captures/CAP1", Ask.stored(), .answer(200, Say.capture()), paid, "payments/captures/CAP1"),
            ("captures/CAP1", Ask.stored(), .answer(200, Say.capture("PENDING")), nil, "payments/captures/CAP1"),
            ("captures/CAP1", Ask.stored(), .answer(200, Say.capture("DECLINED")), nil, "payments/captures/CAP1"),
            (
                "authorizations/AUTH1", Ask.stored(capture: false), .answer(200, Say.authorization("VOIDED")), nil,
                "payments/authorizations/AUTH1"
            ),
            ("ORDER1", Ask.stored(), completed, paid, "checkout/orders/ORDER1"),
            ("ORDER1", Ask.stored(), .answer(200, Say.order("APPROVED")), nil, "checkout/orders/ORDER1"),
            ("ORDER1", Ask.charge(), gone, nil, "checkout/orders/ORDER1"),
        ]
        for (name, request, step, answer, path) in table {
            let world = later(1_000, [step])
            #expect(try await world.adapter.lookUp(request.known(as: name)) == answer, "\(name)")
            #expect(world.fake.lines == ["GET /v2/\(path)"])
        }
        let held = later(1, [.answer(200, Say.authorization())])
        let answer = try await held.adapter.lookUp(Ask.stored(capture: false).known(as: "authorizations/AUTH1"))
        guard case .authorized(let charge)? = answer else {
            Issue.record("\(String(describing: answer))")
            return
        }
        #expect(charge.reference == "AUTH1")
    }

    @Test("says nothing where nothing is named, and believes no other amount or attempt") func strict() async throws {
        let silent = later(1, [])
        #expect(try await silent.adapter.lookUp(Ask.stored()) == nil)
        #expect(silent.fake.lines.isEmpty)
        for other in [Say.capture(amount: Say.amount("1.00")), Say.capture(invoice: "att_other")] {
            let world = later(1, [.answer(200, other)])
            await #expect(throws: ProviderFault.self) {
                try await world.adapter.lookUp(Ask.stored().known(as: "captures/CAP1"))
            }
        }
    }
}
