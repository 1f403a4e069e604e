import PaymentStripe
import PaymentContract
import BillingCore
import JSON
import PaymentDomain
import TestKit
import Testing

@Suite("Charging at Stripe") struct StripeChargeTests {
    static let asked = request()

    @Test("a captured charge carries its reference and network transaction id") func captured() async throws {
        let charge: JSONValue = [
            "id": "ch_1", "payment_method_details": ["card": ["network_transaction_id": "1234567890"]],
        ]
        let world = StripeWorld(
            .answer(200, intent("succeeded", for: Self.asked, more: [("latest_charge", charge)]).description))
        let answer = try await world.adapter.charge(Self.asked)
        #expect(answer == .captured(ProviderCharge(reference: "pi_1", networkTransactionID: "1234567890")))
        let body: String = world.transport.requests[0].text
        for part in [
            "amount=1999", "currency=usd", "confirm=true", "capture_method=automatic", "payment_method=pm_card_visa",
            "customer=cus_1", "allowed_payment_method_types[0]=card", "expand[0]=latest_charge",
            "metadata[attempt_id]=\(Self.asked.idempotencyKey)", "metadata[payment_id]=\(Self.asked.paymentID)",
            "return_url=https%3A%2F%2Fpay.test%2Fback%2F\(Self.asked.paymentID)",
        ] {
            #expect(body.split(separator: "&").contains(Substring(part)), "\(part)")
        }
    }

    @Test(
        "what Stripe's own 3-D Secure came to is told, and whether the issuer bears fraud",
        arguments: [
            ("authenticated", .authenticated, true), ("attempt_acknowledged", .attempted, true),
            ("exempted", .exempt, false), ("failed", .notAuthenticated, false), ("not_supported", .unavailable, false),
            ("something_new", nil, false),
        ] as [(String, ProviderAuthentication.Result?, Bool)])
    func authenticated(_ word: String, _ result: ProviderAuthentication.Result?, _ isShifted: Bool) async throws {
        let details: JSONValue = [
            "three_d_secure": ["result": .string(word), "electronic_commerce_indicator": "05"]
        ]
        let charge: JSONValue = ["id": "ch_1", "payment_method_details": ["card": details]]
        let world = StripeWorld(
            .answer(200, intent("succeeded", for: Self.asked, more: [("latest_charge", charge)]).description))
        let told = result.map { ProviderAuthentication(result: $0, indicator: "05") }
        #expect(
            try await world.adapter.charge(Self.asked)
                == .captured(ProviderCharge(reference: "pi_1", authentication: told)))
        #expect(told?.isShifted ?? false == isShifted)
    }

    @Test("without the customer it is off session and goes nowhere") func merchant() async throws {
        let asked = request(initiation: .merchant(networkTransactionID: "1"))
        let world = StripeWorld(.answer(200, intent("succeeded", for: asked).description))
        _ = try await world.adapter.charge(asked)
        let body: String = world.transport.requests[0].text
        #expect(body.contains("off_session=true") && !body.contains("return_url"))
    }

    @Test("the same request has the same parameters, authenticated or not") func stable() throws {
        let world = StripeWorld()
        let again = ChargeRequest(
            idempotencyKey: Self.asked.idempotencyKey, paymentID: Self.asked.paymentID, source: Self.asked.source,
            amount: Self.asked.amount, authenticated: true)
        #expect(try world.adapter.chargeForm(Self.asked) == world.adapter.chargeForm(again))
    }

    @Test("an authentication made elsewhere is handed over, and Stripe makes none of its own") func proof() async throws
    {
        let proof = AuthenticationProof(
            status: "Y", indicator: "05", cryptogram: "mK225wGt2bLnnLB0UlRky0oHLnU=",
            directoryTransaction: "1cf815e5-cc85-436f-8e13-9f5e5aea731f", version: "2.2.0", challengeIndicator: "04")
        let asked: ChargeRequest = Self.asked.asking(stepUp: true, claim: nil).proven(by: proof)
        let world = StripeWorld(.answer(200, intent("succeeded", for: asked).description))
        _ = try await world.adapter.charge(asked)
        let body: [Substring] = world.transport.requests[0].text.split(separator: "&")
        let prefix = "payment_method_options[card][three_d_secure]"
        #expect(
            body.filter { $0.hasPrefix("payment_method_options") } == [
                "\(prefix)[ares_trans_status]=Y", "\(prefix)[cryptogram]=mK225wGt2bLnnLB0UlRky0oHLnU%3D",
                "\(prefix)[electronic_commerce_indicator]=05", "\(prefix)[requestor_challenge_indicator]=04",
                "\(prefix)[transaction_id]=1cf815e5-cc85-436f-8e13-9f5e5aea731f", "\(prefix)[version]=2.2.0",
            ])
        #expect(body.contains("error_on_requires_action=true"))
        #expect(!"\(asked)".contains("mK225wGt2bLn"), "a proof is never printed")
        // An indicator that Stripe has no word for is left out.
        let odd = AuthenticationProof(
            status: "A", indicator: "99", cryptogram: proof.cryptogram,
            directoryTransaction: proof.directoryTransaction, version: "2.1.0", challengeIndicator: "01")
        #expect(try !world.adapter.chargeForm(Self.asked.proven(by: odd)).encoded.contains("commerce_indicator"))
    }

    @Test("a charge with which the customer agrees to later ones says so, once; the later ones do not")
    func agreed() throws {
        let world = StripeWorld()
        for (initiation, keeps) in [
            (.customer, true), (.customer, false), (.merchant(networkTransactionID: nil), false),
        ]
            as [(ChargeRequest.Initiation, Bool)]
        {
            let asked = ChargeRequest(
                idempotencyKey: Self.asked.idempotencyKey, paymentID: Self.asked.paymentID, source: Self.asked.source,
                amount: Self.asked.amount, initiation: initiation, mandate: "mdt_1", keepsMethod: keeps)
            let form: String = try world.adapter.chargeForm(asked).encoded
            #expect(form.contains("setup_future_usage=off_session") == keeps)
            #expect(form.contains("metadata[mandate_id]=mdt_1"))
        }
        // A bank account was kept for it, under its mandate.
        let account = ChargeRequest(
            idempotencyKey: Self.asked.idempotencyKey, paymentID: Self.asked.paymentID,
            source: .stored(token: "sepa_debit/pm_1/mandate_1", providerCustomer: "cus_1"),
            amount: Money(minor: 1_999, currency: .eur), mandate: "mdt_1", keepsMethod: true)
        let form: String = try world.adapter.chargeForm(account).encoded
        #expect(form.contains("mandate=mandate_1") && !form.contains("setup_future_usage"))
    }

    @Test(
        "a method that is gone at Stripe, or its customer, or its mandate, is refused for good: it is not asked again",
        arguments: [
            ("resource_missing", "payment_method", "token_gone"),
            ("resource_missing", "mandate", "token_gone"),
            ("resource_missing", "customer", "token_gone"),
            ("payment_intent_mandate_invalid", "payment_method", "mandate_invalid"),
            ("india_recurring_payment_mandate_canceled", "payment_method", "mandate_invalid"),
        ])
    func goneMethod(code: String, parameter: String, reason: String) async throws {
        let said: String = refusal(
            "invalid_request_error", code: code, more: [JSONMember(name: "param", value: .string(parameter))])
        let world = StripeWorld(.answer(400, said))
        guard case .declined(let decline) = try await world.adapter.charge(Self.asked) else {
            Issue.record("not declined")
            return
        }
        let reading: Decline = world.adapter.reading(of: decline).decline
        #expect(reading.code == reason && reading.declineClass == .hard)
    }

    @Test("a step-up asks for a challenge; what is claimed is left to Stripe, which is told of no exemption")
    func stepUp() throws {
        let world = StripeWorld()
        let risky: StripeForm = try world.adapter.chargeForm(Self.asked.asking(stepUp: true, claim: nil))
        #expect(risky.encoded.contains("payment_method_options[card][request_three_d_secure]=challenge"))
        let claiming: ChargeRequest = Self.asked.asking(stepUp: false, claim: .exemption(.lowValue))
        #expect(try world.adapter.chargeForm(claiming) == world.adapter.chargeForm(Self.asked))
        #expect(!world.adapter.capabilities.carries(claiming), "so that nobody believes it was claimed")
        #expect(world.adapter.capabilities.carries(Self.asked))
    }

    private static func secured(
        _ status: String, _ result: String?, for request: ChargeRequest, capturable: Int64? = nil
    ) -> FakeTransport.Step {
        let secure: JSONValue = result.map { ["result": .string($0)] } ?? .null
        let charge: JSONValue = ["payment_method_details": ["type": "card", "card": ["three_d_secure": secure]]]
        let found: JSONValue = intent(status, for: request, capturable: capturable, more: [("latest_charge", charge)])
        return .answer(200, found.description)
    }

    @Test(
        "a stepped-up card is held, and taken or let go by what came of its customer's authentication",
        arguments: [
            ("authenticated", true), ("attempt_acknowledged", true), ("not_supported", false),
            ("processing_error", false), ("exempted", false), ("failed", false), (nil, false),
        ] as [(String?, Bool)])
    func steppedUp(result: String?, isTaken: Bool) async throws {
        let asked: ChargeRequest = Self.asked.asking(stepUp: true, claim: nil)
        let end: FakeTransport.Step = Self.secured(isTaken ? "succeeded" : "canceled", result, for: asked)
        let world = StripeWorld(Self.secured("requires_capture", result, for: asked), end)
        let answer: ChargeAnswer = try await world.adapter.charge(asked)
        #expect(world.transport.requests[0].text.contains("capture_method=manual"))
        #expect(world.paths.last == "/v1/payment_intents/pi_1/\(isTaken ? "capture" : "cancel")")
        switch answer {
        case .captured(let charge): #expect(isTaken && charge.reference == "pi_1")
        case .declined(let decline):
            #expect(!isTaken && world.adapter.reading(of: decline).decline == .authenticationFailed)
        default: Issue.record("\(answer)")
        }
        // One whose capture is the merchant's is held or let go in the same way.
        let held: ChargeRequest = request(capture: false).asking(stepUp: true, claim: nil)
        let manual = StripeWorld(
            Self.secured("requires_capture", result, for: held), Self.secured("canceled", result, for: held))
        guard case .authorized = try await manual.adapter.charge(held) else {
            #expect(!isTaken)
            return
        }
        #expect(isTaken && manual.transport.requests.count == 1)
    }

    @Test("a step that is lost between holding and taking is made up for, and says of the charge nothing certain")
    func steppedUpFaults() async throws {
        let asked: ChargeRequest = Self.asked.asking(stepUp: true, claim: nil)
        let held: FakeTransport.Step = Self.secured("requires_capture", "authenticated", for: asked)
        let taken: FakeTransport.Step = Self.secured("succeeded", "authenticated", for: asked)
        for fault in [
            FakeTransport.Step.fault(.notSent("no route")), .fault(.timedOut),
            .answer(401, refusal("invalid_request_error")), .answer(500, "{}"),
        ] {
            let lost = StripeWorld(steps: [held] + Array(repeating: fault, count: 4))
            do throws(ProviderFault) {
                _ = try await lost.adapter.charge(asked)
                Issue.record("a charge without its capture")
            } catch {
                #expect(error == .timedOut || error == .unavailable(500) || error.refusalCode == nil, "\(error)")
                if case .notSent = error { Issue.record("\(error) would have another provider asked") }
            }
            // The sweeper finds it held, or taken meanwhile.
            let found: FakeTransport.Step = .answer(200, searchResult(intent("requires_capture", for: asked)))
            let again = StripeWorld(found, held, taken)
            guard case .captured = try await again.adapter.outcome(of: asked) else { throw ProviderFault.timedOut }
            let raced = StripeWorld(found, held, .answer(400, refusal("invalid_request_error")), taken)
            guard case .captured = try await raced.adapter.outcome(of: asked) else { throw ProviderFault.timedOut }
        }
    }

    @Test("an authorization asks for manual capture, and for several captures where the account may")
    func authorized() async throws {
        let asked = request(capture: false)
        for multipleCapture in [false, true] {
            let world = StripeWorld(
                .answer(200, intent("requires_capture", for: asked).description), multipleCapture: multipleCapture)
            #expect(try await world.adapter.charge(asked) == .authorized(ProviderCharge(reference: "pi_1")))
            let body: String = world.transport.requests[0].text
            #expect(body.contains("capture_method=manual"))
            #expect(body.contains("[request_multicapture]=if_available") == multipleCapture)
        }
    }

    @Test("an action is a redirect to an https address") func action() async throws {
        let url = "https://hooks.stripe.com/3ds"
        let next: JSONValue = ["type": "redirect_to_url", "redirect_to_url": ["url": .string(url)]]
        let world = StripeWorld(
            .answer(200, intent("requires_action", for: Self.asked, more: [("next_action", next)]).description))
        #expect(
            try await world.adapter.charge(Self.asked) == .actionRequired(reference: "pi_1", .redirect(url: url)))
    }

    @Test("a decline carries the bank's word and the reference") func declined() async throws {
        let failed: JSONValue = intent("requires_payment_method", for: Self.asked)
        let body: String = refusal("card_error", code: "card_declined", decline: "insufficient_funds", intent: failed)
        let world = StripeWorld(.answer(402, body))
        let decline = ProviderDecline(code: "insufficient_funds", reference: "pi_1")
        #expect(try await world.adapter.charge(Self.asked) == .declined(decline))
        #expect(world.waits.list.isEmpty)
    }

    @Test(
        "a decline carries Stripe's advice and the network's; what is never to be repeated is hard",
        arguments: [
            ("do_not_try_again", nil, "do_not_try_again"), (nil, "03", "do_not_try_again"),
            ("try_again_later", "21", "revocation_of_authorization"), ("try_again_later", "24", "insufficient_funds"),
            (nil, "77", "insufficient_funds"), (nil, nil, "insufficient_funds"), (nil, "04", "other_data_required"),
            ("confirm_card_data", nil, "other_data_required"),
        ] as [(String?, String?, String)])
    func advised(_ own: String?, _ network: String?, _ expected: String) async throws {
        let advice: [JSONMember] = [("advice_code", own), ("network_advice_code", network)].map { name, code in
            JSONMember(name: name, value: code.map(JSONValue.string) ?? .null)
        }
        let more: [JSONMember] = advice + [JSONMember(name: "network_decline_code", value: "51")]
        let failed: JSONValue = intent("requires_payment_method", for: Self.asked)
        let body: String = refusal(
            "card_error", code: "card_declined", decline: "insufficient_funds", intent: failed, more: more)
        let world = StripeWorld(.answer(402, body))
        let decline = ProviderDecline(
            code: "insufficient_funds", networkCode: "51", adviceCode: own, networkAdvice: network, reference: "pi_1")
        #expect(try await world.adapter.charge(Self.asked) == .declined(decline))
        #expect(world.adapter.reading(of: decline.of(brand: "mastercard")).decline.code == expected)
    }

    @Test("a network's advice beside a decline is read by the card that is named with it, or the one we know")
    func brands() {
        func code(_ brand: String?, known: String?) -> String {
            let decline = ProviderDecline(code: "insufficient_funds", networkAdvice: "04", brand: brand)
            return StripeWorld(steps: []).adapter.reading(of: decline.of(brand: known)).decline.code
        }
        #expect(code("mastercard", known: "visa") == "other_data_required")
        #expect(code("visa", known: "mastercard") == "insufficient_funds")
        #expect(code(nil, known: "mastercard") == "other_data_required")
        #expect(code(nil, known: nil) == "insufficient_funds")
    }

    @Test("a decline without its payment intent is a decline all the same") func bareDecline() async throws {
        let world = StripeWorld(.answer(402, refusal("card_error", code: "expired_card")))
        #expect(
            try await world.adapter.charge(Self.asked) == .declined(ProviderDecline(code: "expired_card")))
    }

    /// Answers that are not what was asked for, or no answers of Stripe's at all.
    static let hostile: [FakeTransport.Step] = {
        func step(_ value: JSONValue) -> FakeTransport.Step { .answer(200, value.description) }
        let plain: JSONValue = intent("succeeded", for: asked)
        let script: JSONValue = ["type": "redirect_to_url", "redirect_to_url": ["url": "javascript:alert(1)"]]
        let sdk: JSONValue = ["type": "use_stripe_sdk", "use_stripe_sdk": [:]]
        return [
            step(intent("succeeded", for: asked, amount: 1_998)),
            step(intent("succeeded", for: asked, received: 1_998)),
            step(intent("succeeded", for: asked, received: 0)),
            step(intent("succeeded", for: asked, currency: "eur")),
            step(intent("succeeded", for: asked, currency: "USD")),
            step(intent("succeeded", for: asked, currency: "zzz")),
            step(intent("succeeded", for: asked, attempt: "att_another")),
            step(intent("succeeded", for: asked, id: "pi_1/../x")),
            step(intent("succeeded", for: asked, id: "")),
            step(intent("requires_capture", for: asked)),
            step(intent("requires_confirmation", for: asked)),
            step(intent("requires_payment_method", for: asked)),
            step(intent("settled", for: asked)),
            step(intent("requires_action", for: asked)),
            step(intent("requires_action", for: asked, more: [("next_action", script)])),
            step(intent("requires_action", for: asked, more: [("next_action", sdk)])),
            step(["object": "charge", "id": "ch_1"]), step([]), step([:]), step("succeeded"),
            .answer(200, String(plain.description.dropLast(20))), .answer(200, "<html>captive portal</html>"),
            .answer(200, ""), .answer(302, ""), .answer(100, ""), .answer(404, "<html>Not Found</html>"),
            .answer(402, "{}"), .answer(402, "{\"error\":\"declined\"}"), .answer(401, "who are you"),
            .answer(400, refusal("idempotency_error")),
            .answer(402, refusal("card_error", intent: intent("succeeded", for: asked))),
            .answer(402, refusal("card_error", intent: intent("requires_payment_method", for: asked, attempt: "x"))),
        ]
    }()

    @Test("an answer that makes no sense is never applied, and not asked for again", arguments: hostile.indices)
    func unusable(index: Int) async throws {
        let world = StripeWorld(steps: [Self.hostile[index]])
        do throws(ProviderFault) {
            let answer = try await world.adapter.charge(Self.asked)
            Issue.record("applied: \(answer)")
        } catch {
            guard case .unusable = error else {
                Issue.record("\(error)")
                return
            }
        }
        #expect(world.transport.requests.count == 1)
    }

    @Test(
        "what refuses us is a rejection, and of our key one for all calls",
        arguments: [
            (401, refusal("invalid_request_error"), ProviderFault.unauthorized(code: "status_401")),
            (401, refusal("invalid_request_error", code: "api_key_expired"), .unauthorized(code: "api_key_expired")),
            (
                403, refusal("invalid_request_error", code: "secret_key_required"),
                .unauthorized(code: "secret_key_required")
            ),
            (400, refusal("invalid_request_error", code: "parameter_unknown"), .rejected(code: "parameter_unknown")),
            (404, refusal("invalid_request_error", code: "resource_missing"), .rejected(code: "resource_missing")),
        ])
    func rejected(status: Int, body: String, fault: ProviderFault) async throws {
        let world = StripeWorld(.answer(status, body))
        await #expect(throws: fault) { try await world.adapter.charge(Self.asked) }
        #expect(world.transport.requests.count == 1)
    }

    @Test(
        "what Stripe cannot do is refused before anything is sent",
        arguments: [
            (request(minor: 49), "amount_too_small"), (request(token: "card_1"), "token_malformed"),
            (request(currency: .usd, token: "sepa_debit/pm_1"), "currency_unsupported"),
            (request(currency: .eur, token: "sepa_debit/pm_1", capture: false), "capture_unsupported"),
            (request(AttemptID(unchecked: "att_1")), "attempt_id_malformed"),
            (redirect("bitcoin", .usd), "method_unsupported"), (redirect("ideal", .usd), "currency_unsupported"),
            (redirect("klarna", .usd), "payer_country_missing"),
            (redirect("afterpay_clearpay", .usd, payer: ChargePayer(country: "US")), "payer_address_missing"),
            (redirect("ideal", .eur, capture: false), "capture_unsupported"),
            (redirect("ideal", .eur, initiation: .merchant(networkTransactionID: nil)), "off_session_unsupported"),
        ])
    func refusedBefore(asked: ChargeRequest, code: String) async throws {
        let world = StripeWorld()
        await #expect(throws: ProviderFault.rejected(code: code)) { try await world.adapter.charge(asked) }
        #expect(world.transport.requests.isEmpty)
    }

    static func redirect(
        _ method: String, _ currency: Currency, payer: ChargePayer? = nil, capture: Bool = true,
        initiation: ChargeRequest.Initiation = .customer
    ) -> ChargeRequest {
        ChargeRequest(
            idempotencyKey: .made(at: StripeWorld.now), paymentID: .made(at: StripeWorld.now),
            source: .redirect(method: method, returnURL: "https://shop.test/back"),
            amount: Money(minor: 5_000, currency: currency), capture: capture, initiation: initiation, payer: payer)
    }
}
