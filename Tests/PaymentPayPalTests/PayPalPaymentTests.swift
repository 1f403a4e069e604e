import PaymentPayPal
import PaymentContract
import BillingCore
import JSON
import TestKit
import Testing

@Suite("Capturing an authorization at PayPal") struct PayPalCaptureTests {
    @Test("sends the amount, our id and whether it is the last", arguments: [true, false])
    func sends(isFinal: Bool) async throws {
        let world = FakeWorld([.answer(201, Say.part())])
        let answer = try await world.adapter.capture(Ask.capture(isFinal: isFinal))
        #expect(answer == .captured(reference: "CAP9"))
        let sent = try #require(world.fake.sent.first)
        #expect(sent.line == "POST /v2/payments/authorizations/AUTH1/capture")
        let key: CaptureID = id()
        #expect(sent.headers["PayPal-Request-Id"] == key.rawValue)
        let expected: JSONValue = [
            "amount": Say.amount("5.00"), "invoice_id": .string(key.rawValue), "final_capture": .bool(isFinal),
        ]
        #expect(sent.json == expected)
    }

    @Test("under review is looked up, and pending until it is decided") func review() async throws {
        let pending = Say.part("PENDING")
        let settled = FakeWorld([.answer(200, pending), .answer(200, Say.part())])
        #expect(try await settled.adapter.capture(Ask.capture()) == .captured(reference: "CAP9"))
        #expect(settled.fake.lines.last == "GET /v2/payments/captures/CAP9")
        let denied = FakeWorld([.answer(200, pending), .answer(200, Say.part("DECLINED"))])
        #expect(try await denied.adapter.capture(Ask.capture()) == .refused(code: "DECLINED"))
        let open = FakeWorld([.answer(200, pending), .answer(200, pending)])
        #expect(try await open.adapter.capture(Ask.capture()) == .pending(reference: "CAP9"))
    }

    @Test("that PayPal has looked at for longer than its key is read by its id") func outlivesItsKey() async throws {
        for (status, expected) in [
            ("PENDING", CaptureAnswer.pending(reference: "CAP9")), ("COMPLETED", .captured(reference: "CAP9")),
            ("DECLINED", .refused(code: "DECLINED")),
        ] {
            let world = FakeWorld([.answer(200, Say.part(status))])
            world.clock.advance(by: .seconds(60 * 86_400))
            #expect(try await world.adapter.capture(Ask.capture(known: "CAP9")) == expected)
            #expect(world.fake.lines == ["GET /v2/payments/captures/CAP9"])
        }
        let other = FakeWorld([.answer(200, Say.part(amount: "6.00"))])
        await #expect(throws: ProviderFault.self) { try await other.adapter.capture(Ask.capture(known: "CAP9")) }
    }

    @Test(
        "is refused in PayPal's words",
        arguments: [
            "AUTHORIZATION_VOIDED", "AUTHORIZATION_EXPIRED", "AUTHORIZATION_ALREADY_CAPTURED",
            "MAX_CAPTURE_AMOUNT_EXCEEDED", "MAX_CAPTURE_COUNT_EXCEEDED", "AUTH_CAPTURE_CURRENCY_MISMATCH",
            "TRANSACTION_REFUSED", "PAYER_CANNOT_PAY",
        ])
    func refused(code: String) async throws {
        let world = FakeWorld([.refusal(422, code)])
        #expect(try await world.adapter.capture(Ask.capture()) == .refused(code: code))
        let missing = FakeWorld([.refusal(404, "INVALID_RESOURCE_ID")])
        #expect(try await missing.adapter.capture(Ask.capture()) == .refused(code: "INVALID_RESOURCE_ID"))
    }

    @Test("is refused for good when PayPal says that the request is wrong, and nothing is in doubt")
    func malformed() async throws {
        let wrong = FakePayPal.Step.refusal(400, "INVALID_PARAMETER_VALUE", name: "INVALID_REQUEST")
        let world = FakeWorld([wrong, wrong, wrong])
        #expect(try await world.adapter.capture(Ask.capture()) == .refused(code: "INVALID_PARAMETER_VALUE"))
        #expect(try await world.adapter.refund(Ask.refund()) == .refused(code: "INVALID_PARAMETER_VALUE"))
        #expect(try await world.adapter.release(Ask.release) == .refused(code: "INVALID_PARAMETER_VALUE"))
        #expect(world.fake.isOver)
    }

    @Test("of a fraction that PayPal does not count is refused for good, as a refund is", arguments: ["TWD", "HUF"])
    func fraction(currency: String) async throws {
        let world = FakeWorld([])
        let amount: Money = money(1, currency)
        #expect(try await world.adapter.capture(Ask.capture(amount)) == .refused(code: "DECIMAL_PRECISION"))
        #expect(try await world.adapter.refund(Ask.refund(amount)) == .refused(code: "DECIMAL_PRECISION"))
        #expect(world.fake.sent.isEmpty)
    }

    @Test(
        "is not settled by a refusal that our own earlier try may have caused, or our account",
        arguments: [
            ([.fault(.timedOut), .refusal(422, "AUTHORIZATION_ALREADY_CAPTURED")], .timedOut),
            ([.text(500), .refusal(422, "MAX_CAPTURE_AMOUNT_EXCEEDED")], .unavailable(500)),
            (
                [.refusal(422, "DUPLICATE_INVOICE_ID")],
                .unusable("another capture or refund carries our id: DUPLICATE_INVOICE_ID")
            ),
            ([.refusal(422, "PAYEE_ACCOUNT_RESTRICTED")], .unauthorized(code: "PAYEE_ACCOUNT_RESTRICTED")),
            ([.fault(.timedOut), .refusal(422, "PAYEE_ACCOUNT_RESTRICTED")], .timedOut),
            ([.refusal(422, "PREVIOUS_REQUEST_IN_PROGRESS")], .timedOut),
            ([.refusal(403, "PERMISSION_DENIED")], .unauthorized(code: "PERMISSION_DENIED")),
            ([.fault(.timedOut), .refusal(400, "INVALID_PARAMETER_VALUE", name: "INVALID_REQUEST")], .timedOut),
        ] as [([FakePayPal.Step], ProviderFault)])
    func unsettled(script: [FakePayPal.Step], fault: ProviderFault) async {
        let world = FakeWorld(script)
        await #expect(throws: fault) { try await world.adapter.capture(Ask.capture()) }
        #expect(world.fake.isOver)
    }

    @Test("is not sent with a strange reference or an old key") func unsent() async {
        let world = FakeWorld([])
        let strange = CaptureRequest(idempotencyKey: id(), reference: "A/../B", amount: money(1), isFinal: true)
        await #expect(throws: ProviderFault.rejected(code: "INVALID_RESOURCE_ID")) {
            try await world.adapter.capture(strange)
        }
        world.clock.advance(by: .seconds(44 * 86_400))
        await #expect(throws: ProviderFault.unusable("the key is too old to be repeated safely")) {
            try await world.adapter.capture(Ask.capture())
        }
        await #expect(throws: ProviderFault.unusable("the key is too old to be repeated safely")) {
            try await world.adapter.refund(Ask.refund())
        }
        #expect(world.fake.sent.isEmpty)
    }
}

@Suite("Releasing an authorization at PayPal") struct ReleaseTests {
    @Test("is done once, however it is answered") func released() async throws {
        let voided = Say.authorization("VOIDED")
        for step: FakePayPal.Step in [.text(204), .answer(200, voided), .refusal(422, "PREVIOUSLY_VOIDED")] {
            let world = FakeWorld([step])
            #expect(try await world.adapter.release(Ask.release) == .released)
            #expect(world.fake.lines == ["POST /v2/payments/authorizations/AUTH1/void"])
            #expect(world.fake.sent.first?.headers["PayPal-Request-Id"] == Say.attempt + "-void")
        }
    }

    @Test("is refused in PayPal's words", arguments: ["PREVIOUSLY_CAPTURED", "CANNOT_BE_VOIDED"])
    func refused(code: String) async throws {
        let world = FakeWorld([.refusal(422, code)])
        #expect(try await world.adapter.release(Ask.release) == .refused(code: code))
    }

    @Test("is not believed of another authorization, or without its status") func unusable() async {
        for answer in [Say.authorization("VOIDED", id: "AUTH2"), Say.authorization("CREATED")] {
            let world = FakeWorld([.answer(200, answer)])
            do throws(ProviderFault) {
                _ = try await world.adapter.release(Ask.release)
                Issue.record("believed")
            } catch {
                #expect(error.isUnusable)
            }
        }
    }
}

@Suite("Refunding at PayPal") struct PayPalRefundTests {
    @Test(
        "reads each state",
        arguments: [
            ("COMPLETED", .refunded(reference: "REF1")), ("PENDING", .pending(reference: "REF1")),
            ("FAILED", .refused(code: "FAILED")), ("CANCELLED", .refused(code: "CANCELLED")),
        ] as [(String, RefundAnswer)])
    func states(status: String, answer: RefundAnswer) async throws {
        let isRead: Bool = status == "PENDING"
        let world = FakeWorld(
            [.answer(201, Say.refund(status))] + (isRead ? [.answer(200, Say.refund(status))] : []))
        #expect(try await world.adapter.refund(Ask.refund()) == answer)
        let sent = try #require(world.fake.sent.first)
        let key: RefundID = id()
        #expect(sent.line == "POST /v2/payments/captures/CAP1/refund")
        #expect(sent.headers["PayPal-Request-Id"] == key.rawValue)
        #expect(sent.json == ["amount": Say.amount("5.00"), "invoice_id": .string(key.rawValue)])
    }

    @Test(
        "is refused in PayPal's words",
        arguments: ["REFUND_AMOUNT_EXCEEDED", "CAPTURE_FULLY_REFUNDED", "PENDING_CAPTURE"])
    func refused(code: String) async throws {
        let world = FakeWorld([.refusal(422, code)])
        #expect(try await world.adapter.refund(Ask.refund()) == .refused(code: code))
    }

    @Test("one that a repeat still calls pending is read back as it is now") func failedSince() async throws {
        let world = FakeWorld([.answer(201, Say.refund("PENDING")), .answer(200, Say.refund("FAILED"))])
        #expect(try await world.adapter.refund(Ask.refund()) == .refused(code: "FAILED"))
    }

    @Test("a reversal that goes by its capture's name counts once PayPal says that all of it went back")
    func reversal() async throws {
        for (status, counts) in [("REFUNDED", true), ("COMPLETED", false), ("PARTIALLY_REFUNDED", false)] {
            let world = FakeWorld([
                .refusal(404, nil, name: "RESOURCE_NOT_FOUND"),
                .answer(200, Say.capture(status, amount: Say.amount("5.00"))),
            ])
            let told: ProviderRefund? = try await world.adapter.refund(named: "CAP1")
            let whole = ProviderRefund(
                reference: "CAP1", taken: "CAP1", refundID: nil, amount: Money(minor: 500, currency: .usd),
                state: .succeeded)
            #expect(told == (counts ? whole : nil), "\(status)")
        }
    }

    @Test("an authorization holds money until it is captured, voided or denied") func holds() async throws {
        let table: [(String, Bool?)] = [
            ("CREATED", true), ("PARTIALLY_CAPTURED", true), ("VOIDED", false), ("DENIED", false), ("CAPTURED", nil),
        ]
        let end: Instant = try #require(Instant(rfc3339: "2027-01-15T08:00:00Z"))
        for (status, isHeld) in table {
            // PayPal voids none of which a part was captured: when its time is over nothing is left to capture.
            let isHeldAfter: Bool? = status == "PARTIALLY_CAPTURED" ? false : isHeld
            for (now, expected) in [(end - .seconds(1), isHeld), (end, isHeldAfter)] {
                let world = FakeWorld([.answer(200, Say.authorization(status))])
                world.clock.set(now)
                #expect(try await world.adapter.holds("AUTH1") == expected, "\(status)")
            }
        }
    }

    /// An authorization whose order PayPal names.
    private static func ordered(_ status: String) -> JSONValue {
        Say.authorization(status).setting(["supplementary_data"], to: ["related_ids": ["order_id": "ORDER1"]])
    }

    @Test("what was captured of an authorization is what its order shows, whoever had it captured") func takings()
        async throws
    {
        let ours: CaptureID = id()
        let captures: [JSONValue] = [
            Say.capture("COMPLETED", id: "CAP1", amount: Say.amount("5.00"), invoice: ours.rawValue),
            Say.capture("PARTIALLY_REFUNDED", id: "CAP2", amount: Say.amount("1.00"), invoice: "by hand"),
            Say.capture("DECLINED", id: "CAP3", amount: Say.amount("2.00")),
        ]
        let taken: [ProviderTakings.Taking] = [
            ProviderTakings.Taking(reference: "CAP1", captureID: ours, amount: money(5_00)),
            ProviderTakings.Taking(reference: "CAP2", amount: money(1_00)),
        ]
        let end: Instant = try #require(Instant(rfc3339: "2027-01-15T08:00:00Z"))
        let table: [(String, Instant, Bool)] = [
            ("CAPTURED", end - .seconds(1), false), ("PARTIALLY_CAPTURED", end - .seconds(1), true),
            ("PARTIALLY_CAPTURED", end, false), ("VOIDED", end - .seconds(1), false),
        ]
        for (status, now, isHeld) in table {
            for isPending in [false, true] {
                let more: [JSONValue] = isPending ? [Say.capture("PENDING", id: "CAP4")] : []
                let order: JSONValue = Say.order("COMPLETED", intent: "AUTHORIZE", captures: captures + more)
                let world = FakeWorld([.answer(200, Self.ordered(status)), .answer(200, order)])
                world.clock.set(now)
                #expect(
                    try await world.adapter.takings(of: "AUTH1")
                        == ProviderTakings(taken: taken, isHeld: isHeld, isPending: isPending), "\(status)")
                #expect(
                    world.fake.lines == ["GET /v2/payments/authorizations/AUTH1", "GET /v2/checkout/orders/ORDER1"])
            }
        }
    }

    @Test("nothing was captured of an authorization that is whole or gone; one whose captures are not shown is told of")
    func noTakings() async throws {
        for (status, isHeld) in [("CREATED", true), ("PENDING", true), ("DENIED", false)] {
            let world = FakeWorld([.answer(200, Self.ordered(status))])
            #expect(try await world.adapter.takings(of: "AUTH1") == ProviderTakings(taken: [], isHeld: isHeld))
        }
        let nothing = ProviderTakings(taken: [], isHeld: false)
        let dropped = FakeWorld([.answer(200, Self.ordered("VOIDED")), .refusal(404, "RESOURCE_NOT_FOUND")])
        #expect(try await dropped.adapter.takings(of: "AUTH1") == nothing)
        let unnamed = FakeWorld([.answer(200, Say.authorization("VOIDED"))])
        #expect(try await unnamed.adapter.takings(of: "AUTH1") == nothing)
        let unknown = FakeWorld([.refusal(404, "INVALID_RESOURCE_ID")])
        #expect(try await unknown.adapter.takings(of: "AUTH1") == nil)
        #expect(try await unknown.adapter.takings(of: "../orders") == nil)
        for script in [
            [.answer(200, Say.authorization("CAPTURED"))],
            [.answer(200, Self.ordered("CAPTURED")), .refusal(404, "RESOURCE_NOT_FOUND")],
        ] as [[FakePayPal.Step]] {
            let world = FakeWorld(script)
            do throws(ProviderFault) {
                Issue.record("\(String(describing: try await world.adapter.takings(of: "AUTH1")))")
            } catch {
                #expect(error.isUnusable)
            }
        }
    }

    @Test("is not settled by a conflict after doubt") func conflict() async {
        let world = FakeWorld([.fault(.timedOut), .refusal(422, "REFUND_AMOUNT_EXCEEDED")])
        await #expect(throws: ProviderFault.timedOut) { try await world.adapter.refund(Ask.refund()) }
    }
}

@Suite("Reading PayPal's resources") struct ReadTests {
    @Test("gives what PayPal has") func reads() async throws {
        let breakdown: JSONValue = ["paypal_fee": Say.amount("0.92")]
        let more = [JSONMember(name: "seller_receivable_breakdown", value: breakdown)]
        let world = FakeWorld([
            .answer(200, Say.order("COMPLETED", captures: [Say.capture()])), .answer(200, Say.authorization()),
            .answer(200, Say.capture(more: more)), .answer(200, Say.refund()),
        ])
        #expect(try await world.adapter.order("ORDER1").captures.map(\.id) == ["CAP1"])
        let held = try await world.adapter.authorization("AUTH1")
        #expect(held.amount == money(12_34) && held.expiresAt == Instant(seconds: 1_800_000_000))
        let capture = try await world.adapter.capture("CAP1")
        #expect(capture.fee == money(92) && capture.ours.customID == Say.payment)
        #expect(try await world.adapter.refund("REF1").status == .completed)
        #expect(
            world.fake.lines.map { $0.split(separator: "/").suffix(2).joined(separator: "/") }
                == ["orders/ORDER1", "authorizations/AUTH1", "captures/CAP1", "refunds/REF1"])
    }

    @Test("believes no other id") func otherID() async {
        let order = FakeWorld([.answer(200, Say.order("COMPLETED"))])
        await #expect(throws: ProviderFault.unusable("another order")) { try await order.adapter.order("ORDER2") }
        let held = FakeWorld([.answer(200, Say.authorization())])
        await #expect(throws: ProviderFault.unusable("another authorization")) {
            try await held.adapter.authorization("AUTH2")
        }
        let taken = FakeWorld([.answer(200, Say.capture(id: "CAP2"))])
        await #expect(throws: ProviderFault.unusable("another capture")) { try await taken.adapter.capture("CAP1") }
        let back = FakeWorld([.answer(200, Say.refund())])
        await #expect(throws: ProviderFault.unusable("another refund")) { try await back.adapter.refund("REF2") }
        let completed = Say.order("COMPLETED", captures: [Say.capture()]).setting(["id"], to: "ORDER2")
        let swapped = FakeWorld([.answer(200, Say.order("APPROVED")), .answer(201, completed)])
        await #expect(throws: ProviderFault.unusable("another order")) {
            try await swapped.adapter.outcome(of: Ask.charge().known(as: "ORDER1"))
        }
    }

    @Test("knows what PayPal can do") func capabilities() {
        let matrix: ProviderCapabilities = FakeWorld([]).adapter.capabilities
        #expect(matrix.methods.map(\.type) == ["paypal", "venmo", "card"])
        #expect(matrix.currencies.count == 24 && !matrix.currencies.contains("KWD"))
        #expect(matrix.methods.first?.multipleCapture == true && matrix.methods.first?.partialRefund == true)
    }
}
