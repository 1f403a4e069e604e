import PaymentPayPal
import PaymentContract
import BillingCore
import JSON
import PaymentDomain
import Testing

private typealias Step = FakePayPal.Step

@Suite("Charging through PayPal") struct ChargeTests {
    @Test("on the payer's page sends one order and the way there") func redirect() async throws {
        let world = FakeWorld([waiting])
        let answer = try await world.adapter.charge(Ask.charge(descriptor: "REFRAIN"))
        #expect(answer == .actionRequired(reference: "ORDER1", page))
        let sent = try #require(world.fake.sent.first)
        #expect(sent.line == "POST /v2/checkout/orders")
        #expect(sent.headers["PayPal-Request-Id"] == Say.attempt)
        #expect(sent.headers["Prefer"] == "return=representation")
        #expect(sent.headers["Content-Type"] == "application/json")
        let expected: JSONValue = [
            "intent": "CAPTURE",
            "purchase_units": [
                [
                    "amount": Say.amount(), "custom_id": .string(Say.payment), "invoice_id": .string(Say.attempt),
                    "soft_descriptor": "REFRAIN",
                ]
            ],
            "payment_source": [
                "paypal": [
                    "experience_context": [
                        "shipping_preference": "NO_SHIPPING", "return_url": "https://shop.example/back",
                        "cancel_url": "https://shop.example/back", "user_action": "PAY_NOW",
                        "payment_method_preference": "IMMEDIATE_PAYMENT_REQUIRED",
                    ]
                ]
            ],
        ]
        #expect(sent.json == expected)
    }

    @Test(
        "from stored methods names the token",
        arguments: [
            ("abc", ["paypal": ["vault_id": "abc"]]), ("paypal:a-b_c", ["paypal": ["vault_id": "a-b_c"]]),
            ("venmo:abc", ["venmo": ["vault_id": "abc"]]),
            ("billing_agreement:B-1", ["paypal": ["billing_agreement_id": "B-1"]]),
        ] as [(String, JSONValue)])
    func stored(token: String, source: JSONValue) async throws {
        let world = FakeWorld([completed([Say.capture()])])
        let answer = try await world.adapter.charge(Ask.stored(token))
        #expect(answer == .captured(ProviderCharge(reference: "CAP1")))
        #expect(world.fake.sent.first?.json?["payment_source"] == source)
    }

    @Test(
        "from a stored card says who asks and on what ground",
        arguments: [
            (.customer, ["payment_initiator": "CUSTOMER", "payment_type": "ONE_TIME", "usage": "SUBSEQUENT"]),
            (
                .merchant(networkTransactionID: nil),
                ["payment_initiator": "MERCHANT", "payment_type": "RECURRING", "usage": "SUBSEQUENT"]
            ),
            (
                .merchant(networkTransactionID: "short"),
                ["payment_initiator": "MERCHANT", "payment_type": "RECURRING", "usage": "SUBSEQUENT"]
            ),
            (
                .merchant(networkTransactionID: "123456789012345"),
                [
                    "payment_initiator": "MERCHANT", "payment_type": "RECURRING", "usage": "SUBSEQUENT",
                    "previous_network_transaction_reference": ["id": "123456789012345"],
                ]
            ),
        ] as [(ChargeRequest.Initiation, JSONValue)])
    func storedCard(initiation: ChargeRequest.Initiation, credential: JSONValue) async throws {
        let reference = JSONMember(name: "network_transaction_reference", value: ["id": "MCC123456789"])
        let world = FakeWorld([completed([Say.capture(more: [reference])])])
        let answer = try await world.adapter.charge(Ask.stored("card:abc", initiation: initiation))
        #expect(answer == .captured(ProviderCharge(reference: "CAP1", networkTransactionID: "MCC123456789")))
        let card: JSONValue? = world.fake.sent.first?.json?["payment_source"]?["card"]
        #expect(card?["vault_id"] == "abc" && card?["stored_credential"] == credential)
        // Only who is there can come back from anywhere.
        let back: JSONValue = .string("https://pay.test/back/\(Say.payment)")
        #expect(
            card?["experience_context"]
                == (initiation == .customer ? ["return_url": back, "cancel_url": back] : nil))
        #expect(card?["attributes"] == nil)
    }

    @Test("a card's first charge, with which the customer agrees to later ones, says that it is the first")
    func firstUse() async throws {
        let world = FakeWorld([completed([Say.capture()])])
        let plain: ChargeRequest = Ask.stored("card:abc", initiation: .customer)
        _ = try await world.adapter.charge(
            ChargeRequest(
                idempotencyKey: plain.idempotencyKey, paymentID: plain.paymentID, source: plain.source,
                amount: plain.amount, keepsMethod: true))
        #expect(
            world.fake.sent.first?.json?["payment_source"]?["card"]?["stored_credential"]
                == ["payment_initiator": "CUSTOMER", "payment_type": "RECURRING", "usage": "FIRST"])
    }

    @Test("a step-up asks that the card's customer be authenticated, and sends them to their bank") func stepUp()
        async throws
    {
        let world = FakeWorld([.answer(201, Say.order("PAYER_ACTION_REQUIRED", intent: "AUTHORIZE"))])
        let asked: ChargeRequest = Ask.stored("card:abc", initiation: .customer).asking(stepUp: true, claim: nil)
        #expect(try await world.adapter.charge(asked) == .actionRequired(reference: "ORDER1", page))
        let card: JSONValue? = world.fake.sent.first?.json?["payment_source"]?["card"]
        #expect(card?["attributes"] == ["verification": ["method": "SCA_ALWAYS"]])
        // A wallet's page is PayPal's own affair, and without the customer there is nobody to ask.
        for other in [Ask.stored("paypal:abc", initiation: .customer), Ask.stored("card:abc")] {
            let world = FakeWorld([completed([Say.capture()])])
            _ = try await world.adapter.charge(other.asking(stepUp: true, claim: nil))
            let sent: JSONValue? = world.fake.sent.first?.json?["payment_source"]
            #expect(sent?["card"]?["attributes"] == nil && sent?["paypal"]?["attributes"] == nil)
        }
    }

    /// PayPal's words on an authentication, ours, who bears fraud, and whether the charge goes on: as it comes, and where the
    /// customer was to authenticate.
    private static let words: [(String, String, ProviderAuthentication.Result, Bool, Bool, Bool)] = [
        ("Y", "POSSIBLE", .authenticated, true, true, true), ("Y", "YES", .authenticated, true, true, true),
        ("A", "POSSIBLE", .attempted, true, true, true), ("Y", "NO", .authenticated, false, true, true),
        ("U", "UNKNOWN", .unavailable, false, true, false), ("U", "NO", .unavailable, false, true, false),
        ("C", "UNKNOWN", .unavailable, false, true, false), ("N", "NO", .notAuthenticated, false, false, false),
        ("R", "NO", .notAuthenticated, false, false, false), ("N", "POSSIBLE", .notAuthenticated, true, false, false),
    ]

    @Test("what PayPal's authentication came to is told; a no is not charged", arguments: words)
    func authenticated(
        _ status: String, _ shift: String, _ result: ProviderAuthentication.Result, _ isShifted: Bool, _ goesOn: Bool,
        _ goesOnSteppedUp: Bool
    ) async throws {
        let told: JSONValue = [
            "card": [
                "authentication_result": [
                    "liability_shift": .string(shift),
                    "three_d_secure": ["enrollment_status": "Y", "authentication_status": .string(status)],
                ]
            ]
        ]
        // An order of a stored card may stay as it was made when its payer is back.
        for (stepUp, capture, isExpected, standing) in [
            (false, true, goesOn, "APPROVED"), (true, true, goesOnSteppedUp, "APPROVED"),
            (true, false, goesOnSteppedUp, "APPROVED"), (false, true, goesOn, "CREATED"),
            (true, false, goesOnSteppedUp, "CREATED"), (true, true, goesOnSteppedUp, "PAYER_ACTION_REQUIRED"),
        ] {
            let asked: ChargeRequest = Ask.stored("card:abc", capture: capture, initiation: .customer)
                .asking(stepUp: stepUp, claim: nil).known(as: "ORDER1")
            // Who has to authenticate is held first.
            let intent: String = capture && !stepUp ? "CAPTURE" : "AUTHORIZE"
            let approved: JSONValue = Say.order(standing, intent: intent, link: nil)
                .setting(["payment_source"], to: told)
            // The order may come back without it.
            let world = FakeWorld([
                .answer(200, approved),
                intent == "CAPTURE" ? completed([Say.capture()]) : held([Say.authorization()]),
                .answer(201, Say.capture()),
            ])
            let answer = try await world.adapter.outcome(of: asked)
            let word = ProviderAuthentication(result: result, indicator: nil, isShifted: isShifted)
            switch answer {
            case .captured(let charge), .authorized(let charge):
                #expect(isExpected && charge.authentication == word)
                #expect(charge.authentication?.isShifted == isShifted)
            case .declined(let decline):
                #expect(!isExpected && world.fake.sent.count == 1, "nothing is taken")
                #expect(world.adapter.reading(of: decline).decline == .authenticationFailed)
            case .actionRequired, .pending: Issue.record("\(answer)")
            }
        }
    }

    @Test("a method is removed from the vault; one that is gone is as good, and an old agreement is the payer's to end")
    func forgotten() async throws {
        let gone = Step.refusal(404, "TOKEN_NOT_FOUND", name: "RESOURCE_NOT_FOUND")
        for (token, step, expected, path) in [
            ("card:abc", .text(204), .forgotten, "abc"), ("a-b_c", .text(204), .forgotten, "a-b_c"),
            ("paypal:abc", gone, .forgotten, "abc"),
            ("venmo:abc", .refusal(422, "TOKEN_IN_USE"), .refused(code: "TOKEN_IN_USE"), "abc"),
        ] as [(String, Step, ForgetMethodAnswer, String)] {
            let world = FakeWorld([step])
            #expect(try await world.adapter.forget(ForgetMethodRequest(methodID: id(), token: token)) == expected)
            #expect(world.fake.lines == ["DELETE /v3/vault/payment-tokens/\(path)"])
            #expect(world.fake.sent.first?.body.isEmpty == true)
            #expect(world.adapter.name(of: token) == path)
        }
        let silent = FakeWorld(Array(repeating: .text(503), count: 4))
        await #expect(throws: ProviderFault.unavailable(503)) {
            try await silent.adapter.forget(ForgetMethodRequest(methodID: id(), token: "card:abc"))
        }
        for (token, code) in [("billing_agreement:B-1", "billing_agreement"), ("card:a/b", "token_malformed")] {
            let world = FakeWorld([])
            #expect(
                try await world.adapter.forget(ForgetMethodRequest(methodID: id(), token: token))
                    == .refused(code: code))
            #expect(world.fake.sent.isEmpty)
        }
    }

    @Test(
        "is refused before sending for what PayPal cannot be asked",
        arguments: [
            (Ask.charge(money(150, "HUF")), "DECIMAL_PRECISION"),
            (Ask.charge(money(1, "KWD")), "INVALID_CURRENCY_CODE"),
            (Ask.charge(money(0)), "CANNOT_BE_ZERO_OR_NEGATIVE"),
            (Ask.charge(method: "klarna"), "PAYMENT_SOURCE_NOT_SUPPORTED"),
            (Ask.stored("klarna:abc"), "PAYMENT_SOURCE_NOT_SUPPORTED"), (Ask.stored(""), "TOKEN_ID_NOT_FOUND"),
            (Ask.stored("paypal:a/b"), "TOKEN_ID_NOT_FOUND"),
            (Ask.charge(descriptor: String(repeating: "x", count: 23)), "INVALID_STRING_LENGTH"),
        ] as [(ChargeRequest, String)])
    func unaskable(request: ChargeRequest, code: String) async {
        let world = FakeWorld([])
        await #expect(throws: ProviderFault.rejected(code: code)) { try await world.adapter.charge(request) }
        #expect(world.fake.sent.isEmpty && world.fake.tokenRequests.isEmpty)
    }

    @Test(
        "reads each state of a capture",
        arguments: [
            ("COMPLETED", .captured(ProviderCharge(reference: "CAP1"))),
            ("PARTIALLY_REFUNDED", .captured(ProviderCharge(reference: "CAP1"))),
            ("REFUNDED", .captured(ProviderCharge(reference: "CAP1"))), ("PENDING", .pending(reference: "ORDER1")),
            ("DECLINED", .declined(ProviderDecline(code: "DECLINED", networkCode: "5120", reference: "CAP1"))),
            ("FAILED", .declined(ProviderDecline(code: "FAILED", networkCode: "5120", reference: "CAP1"))),
        ] as [(String, ChargeAnswer)])
    func captureStates(status: String, answer: ChargeAnswer) async throws {
        let processor = JSONMember(name: "processor_response", value: ["response_code": "5120"])
        let world = FakeWorld([completed([Say.capture(status, more: [processor])])])
        #expect(try await world.adapter.charge(Ask.stored()) == answer)
    }

    @Test("a decline carries the network's advice; what is never to be repeated is hard", arguments: [true, false])
    func advised(capture: Bool) async throws {
        for (brand, advice, expected) in [
            ("MASTERCARD", "03", "do_not_try_again"), ("MASTERCARD", "21", "revocation_of_authorization"),
            ("MASTERCARD", "02", "insufficient_funds"), ("MASTERCARD", "04", "other_data_required"),
            ("VISA", "02", "stop_payment_order"), ("VISA", "04", "insufficient_funds"),
            ("MASTERCARD", nil, "insufficient_funds"),
        ] as [(String, String?, String)] {
            let source: JSONValue = ["card": ["brand": .string(brand), "last_digits": "1234"]]
            let processor: JSONValue = [
                "response_code": "5120", "payment_advice_code": advice.map(JSONValue.string) ?? .null,
            ]
            let order: JSONValue =
                capture
                ? Say.order(
                    "COMPLETED", captures: [Say.capture("DECLINED").setting(["processor_response"], to: processor)])
                : Say.order(
                    "COMPLETED", intent: "AUTHORIZE",
                    authorizations: [Say.authorization("DENIED").setting(["processor_response"], to: processor)])
            let world = FakeWorld([.answer(200, order.setting(["payment_source"], to: source))])
            let decline = ProviderDecline(
                code: capture ? "DECLINED" : "DENIED", networkCode: "5120", networkAdvice: advice,
                brand: brand.lowercased(), reference: capture ? "CAP1" : "AUTH1")
            #expect(try await world.adapter.charge(Ask.stored(capture: capture)) == .declined(decline))
            #expect(world.adapter.reading(of: decline).decline.code == expected)
        }
    }

    @Test("a reason counts where it is known to say why, and hides no state where it is not", arguments: [true, false])
    func reasons(capture: Bool) async throws {
        let state: String = capture ? "DECLINED" : "DENIED"
        for (reason, code, expected) in [
            ("DECLINED_BY_RISK_FRAUD_FILTERS", "DECLINED_BY_RISK_FRAUD_FILTERS", Decline.blockedByRisk),
            ("OTHER", state, .genericDecline), ("INVENTED_TOMORROW", state, .genericDecline),
        ] {
            let details: JSONValue = ["reason": .string(reason)]
            let step: FakePayPal.Step =
                capture
                ? completed([Say.capture(state).setting(["status_details"], to: details)])
                : held([Say.authorization(state).setting(["status_details"], to: details)])
            let world = FakeWorld([step])
            let decline = ProviderDecline(code: code, reference: capture ? "CAP1" : "AUTH1")
            #expect(try await world.adapter.charge(Ask.stored(capture: capture)) == .declined(decline))
            #expect(world.adapter.reading(of: decline).decline == expected)
        }
    }

    @Test(
        "reads each state of an authorization",
        arguments: [
            ("CREATED", true), ("CAPTURED", true), ("PARTIALLY_CAPTURED", true), ("PENDING", nil), ("DENIED", false),
            ("VOIDED", false),
        ] as [(String, Bool?)])
    func authorizationStates(status: String, isHeld: Bool?) async throws {
        let world = FakeWorld([held([Say.authorization(status)])])
        let answer = try await world.adapter.charge(Ask.stored(capture: false))
        let charge = ProviderCharge(
            reference: "AUTH1", networkTransactionID: "123456789012345", expiresAt: Say.heldUntil)
        switch isHeld {
        case true?: #expect(answer == .authorized(charge))
        case false?:
            let decline = ProviderDecline(code: status, reference: "AUTH1")
            #expect(answer == .declined(decline))
            let expected: Decline = status == "VOIDED" ? .holdReleased : .genericDecline
            #expect(world.adapter.reading(of: decline).decline == expected)
        case nil: #expect(answer == .pending(reference: "ORDER1"))
        }
        #expect(world.fake.sent.first?.json?["intent"] == "AUTHORIZE")
    }

    @Test(
        "reads the other states of an order",
        arguments: [
            ("CREATED", .actionRequired(reference: "ORDER1", page)),
            ("VOIDED", .declined(ProviderDecline(code: "ORDER_VOIDED", reference: "ORDER1"))),
        ] as [(String, ChargeAnswer)])
    func orderStates(status: String, answer: ChargeAnswer) async throws {
        let world = FakeWorld([.answer(201, Say.order(status, link: "approve"))])
        #expect(try await world.adapter.charge(Ask.charge()) == answer)
        guard case .declined(let decline) = answer else { return }
        #expect(world.adapter.reading(of: decline).decline == .holdReleased)
    }

    @Test(
        "is declined in PayPal's words, which are read",
        arguments: [
            "INSTRUMENT_DECLINED", "PAYER_CANNOT_PAY", "TRANSACTION_REFUSED", "CARD_EXPIRED", "COMPLIANCE_VIOLATION",
            "TOKEN_ID_NOT_FOUND", "PAYER_ACCOUNT_RESTRICTED", "AGREEMENT_ALREADY_CANCELLED",
            "PREVIOUS_TRANSACTION_REFERENCE_HAS_CHARGEBACK", "PREVIOUS_TRANSACTION_REFERENCE_VOIDED",
            "INVALID_EXPIRY_DATE", "BILLING_ADDRESS_INVALID", "CARD_TYPE_NOT_SUPPORTED",
        ])
    func declines(code: String) async throws {
        let world = FakeWorld([.refusal(422, code)])
        let decline = ProviderDecline(code: code)
        #expect(try await world.adapter.charge(Ask.stored()) == .declined(decline))
        #expect(world.adapter.reading(of: decline).decline != .unknown)
    }

    @Test("takes every issue as a decline that the table reads as one, but for holds, ourselves, and a page to visit")
    func tables() async {
        let others: Set<String> = [
            "AUTHORIZATION_DENIED", "AUTHORIZATION_EXPIRED", "AUTHORIZATION_VOIDED", "NOT_ENABLED_FOR_CARD_PROCESSING",
            "PAYEE_ACCOUNT_LOCKED_OR_CLOSED", "PAYEE_ACCOUNT_RESTRICTED", "PAYER_ACTION_REQUIRED",
            "TRANSACTION_RECEIVING_LIMIT_EXCEEDED",
        ]
        for code in PayPalDeclines.issues.keys {
            let world = FakeWorld([.refusal(422, code)])
            let answer: ChargeAnswer? = try? await world.adapter.charge(Ask.stored())
            let expected: ChargeAnswer? = others.contains(code) ? nil : .declined(ProviderDecline(code: code))
            #expect(answer == expected, "\(code)")
        }
    }

    @Test("waits for a payer whose consent PayPal wants, which is no fault of our credentials") func consent()
        async throws
    {
        let world = FakeWorld([.refusal(403, "CONSENT_NEEDED", name: "NOT_AUTHORIZED")])
        let decline = ProviderDecline(code: "CONSENT_NEEDED")
        #expect(try await world.adapter.charge(Ask.stored()) == .declined(decline))
        #expect(world.adapter.reading(of: decline).decline == Decline(code: "approval_needed"))
    }

    @Test(
        "tells our own faults from declines",
        arguments: [
            (.refusal(422, "PAYEE_ACCOUNT_RESTRICTED"), .unauthorized(code: "PAYEE_ACCOUNT_RESTRICTED")),
            (.refusal(422, "SOMETHING_NEW"), .rejected(code: "SOMETHING_NEW")),
            (.refusal(404, nil, name: "RESOURCE_NOT_FOUND"), .rejected(code: "RESOURCE_NOT_FOUND")),
            (.refusal(403, "PERMISSION_DENIED", name: "NOT_AUTHORIZED"), .unauthorized(code: "PERMISSION_DENIED")),
            (.refusal(415, nil, name: "UNSUPPORTED_MEDIA_TYPE"), .rejected(code: "UNSUPPORTED_MEDIA_TYPE")),
            (.refusal(422, "DUPLICATE_INVOICE_ID"), .unusable("this attempt was captured by another order")),
            (.refusal(422, "ORDER_COMPLETION_IN_PROGRESS"), .timedOut),
        ] as [(FakePayPal.Step, ProviderFault)])
    func faults(step: FakePayPal.Step, fault: ProviderFault) async {
        let world = FakeWorld([step])
        await #expect(throws: fault) { try await world.adapter.charge(Ask.stored()) }
    }
}
