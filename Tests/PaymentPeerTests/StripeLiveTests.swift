import PaymentStripe
import PaymentContract
import BillingCore
import JSON
import PaymentDomain
import TestKit
import Testing

/// What a charge comes to, without its references.
enum Outline: Equatable { case captured, declined(String), action, pending }

func outline(_ answer: ChargeAnswer) -> Outline? {
    switch answer {
    case .captured: .captured
    case .declined(let decline): .declined(decline.code)
    case .actionRequired: .action
    case .pending: .pending
    case .authorized: nil
    }
}

extension ChargeAnswer {
    private var charge: ProviderCharge? {
        switch self {
        case .captured(let charge), .authorized(let charge): charge
        case .declined, .actionRequired, .pending: nil
        }
    }

    /// What the provider's own authentication came to.
    fileprivate var authentication: ProviderAuthentication.Result? { charge?.authentication?.result }

    /// The answer without it.
    fileprivate var unauthenticated: ChargeAnswer {
        switch self {
        case .captured(let charge): .captured(ProviderCharge(reference: charge.reference))
        case .authorized(let charge): .authorized(ProviderCharge(reference: charge.reference))
        case .declined, .actionRequired, .pending: self
        }
    }
}

@Suite("Against the Stripe double", .serialized) struct StripeLiveTests {
    static let cards: [(token: String, present: Outline, absent: Outline)] = [
        ("pm_card_visa", .captured, .captured), ("pm_card_mastercard", .captured, .captured),
        ("pm_card_amex", .captured, .captured), ("pm_card_visa_debit", .captured, .captured),
        ("pm_card_createDispute", .captured, .captured), ("pm_card_createDisputeInquiry", .captured, .captured),
        ("pm_card_pendingRefund", .captured, .captured), ("pm_card_refundFail", .captured, .captured),
        ("pm_card_bypassPending", .captured, .captured), ("pm_card_threeDSecureOptional", .captured, .captured),
        ("pm_card_authenticationRequiredSetupForOffSession", .action, .captured),
        ("pm_card_authenticationRequired", .action, .declined("authentication_required")),
        ("pm_card_authenticationRequiredOnSetup", .action, .declined("authentication_required")),
        ("pm_card_threeDSecure2Required", .action, .declined("authentication_required")),
        ("pm_card_threeDSecureRequiredChargeDeclined", .action, .declined("authentication_required")),
        (
            "pm_card_authenticationRequiredChargeDeclinedInsufficientFunds", .action,
            .declined("authentication_required")
        ),
        ("pm_card_visa_chargeDeclined", .declined("generic_decline"), .declined("generic_decline")),
        ("pm_card_chargeDeclined", .declined("generic_decline"), .declined("generic_decline")),
        ("pm_card_chargeCustomerFail", .declined("generic_decline"), .declined("generic_decline")),
        (
            "pm_card_chargeDeclinedInsufficientFunds", .declined("insufficient_funds"),
            .declined("insufficient_funds")
        ),
        (
            "pm_card_visa_chargeDeclinedInsufficientFunds", .declined("insufficient_funds"),
            .declined("insufficient_funds")
        ),
        ("pm_card_visa_chargeDeclinedLostCard", .declined("lost_card"), .declined("lost_card")),
        ("pm_card_visa_chargeDeclinedStolenCard", .declined("stolen_card"), .declined("stolen_card")),
        ("pm_card_chargeDeclinedExpiredCard", .declined("expired_card"), .declined("expired_card")),
        ("pm_card_chargeDeclinedIncorrectCvc", .declined("incorrect_cvc"), .declined("incorrect_cvc")),
        ("pm_card_chargeDeclinedProcessingError", .declined("processing_error"), .declined("processing_error")),
        (
            "pm_card_visa_chargeDeclinedVelocityLimitExceeded", .declined("card_velocity_exceeded"),
            .declined("card_velocity_exceeded")
        ),
        ("pm_card_radarBlock", .declined("fraudulent"), .declined("fraudulent")),
    ]

    @Test("every card answers as Stripe documents it, and reads back the same") func everyCard() async throws {
        try await withStripe { double in
            let adapter = double.adapter()
            for card in Self.cards {
                for offSession in [false, true] {
                    let asked = double.request(card.token, offSession: offSession)
                    let answer = try await adapter.charge(asked)
                    #expect(outline(answer) == (offSession ? card.absent : card.present), "\(card.token) \(offSession)")
                    #expect(try await adapter.outcome(of: asked) == answer)
                    #expect(try await adapter.charge(asked) == answer)
                }
            }
            #expect(try await double.charged().values.allSatisfy { $0.count == 1 })
            #expect(try await double.complaints().isEmpty)
        }
    }

    @Test("3-D Secure goes on at Stripe and is read back", arguments: ["success", "failure"])
    func challenge(result: String) async throws {
        try await withStripe { double in
            let adapter = double.adapter()
            for capture in [true, false] {
                let asked = double.request("pm_card_threeDSecure2Required", capture: capture)
                guard case .actionRequired(let reference, _) = try await adapter.charge(asked) else {
                    Issue.record("no action")
                    return
                }
                try await double.control("authenticate/\(reference)", ["result": .string(result)])
                let done = ProviderCharge(reference: reference)
                let failed = ProviderDecline(code: "payment_intent_authentication_failure", reference: reference)
                let expected: ChargeAnswer =
                    result == "failure" ? .declined(failed) : capture ? .captured(done) : .authorized(done)
                for answer in [try await adapter.outcome(of: asked), try await adapter.charge(asked)] {
                    #expect(answer.unauthenticated == expected)
                    #expect(answer.authentication == (result == "failure" ? nil : .authenticated))
                }
            }
            #expect(try await double.complaints().isEmpty)
        }
    }

    @Test("an authentication made elsewhere is taken in Stripe's terms; a bank that asks all the same has declined")
    func proof() async throws {
        try await withStripe { double in
            let adapter = double.adapter()
            let proof = AuthenticationProof(
                status: "Y", indicator: "05", cryptogram: "mK225wGt2bLnnLB0UlRky0oHLnU=",
                directoryTransaction: "1cf815e5-cc85-436f-8e13-9f5e5aea731f", version: "2.2.0",
                challengeIndicator: "04")
            for (token, expected) in [
                ("pm_card_threeDSecureOptional", .captured),
                ("pm_card_authenticationRequired", .declined("authentication_required")),
            ] as [(String, Outline)] {
                let asked: ChargeRequest = double.request(token).proven(by: proof)
                let answer = try await adapter.charge(asked)
                #expect(outline(answer) == expected, "\(token)")
                #expect(try await adapter.charge(asked) == answer)
                #expect(try await adapter.outcome(of: asked) == answer)
            }
            let stepUp: ChargeRequest = double.request("pm_card_threeDSecureOptional").asking(stepUp: true, claim: nil)
            guard case .actionRequired(let reference, _) = try await adapter.charge(stepUp) else {
                Issue.record("nobody was asked")
                return
            }
            try await double.control("authenticate/\(reference)", [:])
            for _ in 1...2 { #expect(outline(try await adapter.outcome(of: stepUp)) == .captured) }
            // A bank that asks nobody has authenticated nobody.
            let unasked: ChargeRequest = double.request("pm_card_visa").asking(stepUp: true, claim: nil)
            #expect(outline(try await adapter.charge(unasked)) == .declined("not_authenticated"))
            #expect(try await double.complaints().isEmpty)
        }
    }

    @Test(
        "lenders and banks send the customer away and back",
        arguments: [
            ("klarna", "SEK", "SE"), ("afterpay_clearpay", "AUD", "AU"), ("affirm", "USD", "US"),
            ("ideal", "EUR", "NL"),
        ])
    func redirects(method: String, currency: String, country: String) async throws {
        try await withStripe { double in
            let adapter = double.adapter()
            let payer = ChargePayer(
                name: "Ada Ek", email: "ada@shop.test", country: country, line1: "1 Hill", city: "Ås", postalCode: "1")
            let asked = ChargeRequest(
                idempotencyKey: .made(at: double.clock.now), paymentID: .new(at: double.clock.now),
                source: .redirect(method: method, returnURL: "https://shop.test/back"),
                amount: Money(minor: 12_000, currency: try #require(Currency(currency))), payer: payer)
            guard case .actionRequired(let reference, .redirect(let url)) = try await adapter.charge(asked) else {
                Issue.record("no redirect")
                return
            }
            #expect(url.hasPrefix("https://pm-redirects.stripe.com/"))
            try await double.control("authenticate/\(reference)", [:])
            #expect(try await adapter.outcome(of: asked) == .captured(ProviderCharge(reference: reference)))
            #expect(try await double.complaints().isEmpty)
        }
    }

    @Test("a bank debit is pending until the bank says so", arguments: ["success", "failure"])
    func debit(result: String) async throws {
        try await withStripe { double in
            let adapter = double.adapter()
            let method: String = try await double.bankAccount("DE89370400440532013000")
            let token = StripeToken.sepaDebit(method, mandate: "mandate_1")
            let asked = double.request(token.description, currency: .eur, offSession: true)
            guard case .pending(let reference) = try await adapter.charge(asked) else {
                Issue.record("not pending")
                return
            }
            #expect(try await adapter.outcome(of: asked) == .pending(reference: reference))
            try await double.control("settle/\(reference)", ["result": .string(result)])
            let failed = ProviderDecline(code: "payment_intent_payment_attempt_failed", reference: reference)
            let done: ChargeAnswer = .captured(ProviderCharge(reference: reference))
            #expect(try await adapter.outcome(of: asked) == (result == "success" ? done : .declined(failed)))
            #expect(adapter.reading(of: failed).decline == .genericDecline)
            #expect(try await double.complaints().isEmpty)
        }
    }

    @Test("captures, releases and refunds are what the double's books show") func followUps() async throws {
        try await withStripe { double in
            let adapter = double.adapter()
            let asked = double.request(minor: 10_000, capture: false)
            guard case .authorized(let charge) = try await adapter.charge(asked) else {
                throw MissingInfrastructure("the double answered otherwise")
            }
            let usd = { (minor: Int64) in Money(minor: minor, currency: .usd) }
            let capture = { (minor: Int64) in
                CaptureRequest(
                    idempotencyKey: .made(at: double.clock.now), reference: charge.reference, amount: usd(minor),
                    isFinal: true)
            }
            #expect(try await adapter.capture(capture(10_001)) == .refused(code: "amount_too_large"))
            let taken = capture(7_500)
            for _ in 0..<2 { #expect(try await adapter.capture(taken) == .captured(reference: charge.reference)) }
            #expect(try await adapter.capture(capture(100)) == .refused(code: "payment_intent_unexpected_state"))
            let refund = { (minor: Int64) in
                RefundRequest(
                    idempotencyKey: .made(at: double.clock.now), reference: charge.reference, amount: usd(minor))
            }
            for minor: Int64 in [2_500, 1, 4_999] {
                let asked = refund(minor)
                let first = try await adapter.refund(asked)
                #expect(try await adapter.refund(asked) == first)
            }
            #expect(try await adapter.refund(refund(1)) == .refused(code: "charge_already_refunded"))
            let books: JSONValue? = try await double.objects("charge").first
            #expect(books?["amount_captured"] == 7_500 && books?["amount_refunded"] == 7_500)
            let release = ReleaseRequest(idempotencyKey: asked.idempotencyKey, reference: charge.reference)
            #expect(try await adapter.release(release) == .refused(code: "payment_intent_unexpected_state"))
            let other = double.request(capture: false)
            guard case .authorized(let held) = try await adapter.charge(other) else {
                throw MissingInfrastructure("the double answered otherwise")
            }
            let letGo = ReleaseRequest(idempotencyKey: other.idempotencyKey, reference: held.reference)
            for _ in 0..<2 { #expect(try await adapter.release(letGo) == .released) }
            let unknown = ReleaseRequest(idempotencyKey: .made(at: double.clock.now), reference: "pi_unknown")
            #expect(try await adapter.release(unknown) == .refused(code: "resource_missing"))
            #expect(try await double.complaints().isEmpty)
        }
    }

    @Test("refunds may stay pending or fail") func refundCards() async throws {
        try await withStripe { double in
            let adapter = double.adapter()
            for token in ["pm_card_pendingRefund", "pm_card_refundFail"] {
                let asked = double.request(token)
                guard case .captured(let charge) = try await adapter.charge(asked) else {
                    throw MissingInfrastructure("the double answered otherwise")
                }
                let answer = try await adapter.refund(
                    RefundRequest(
                        idempotencyKey: .made(at: double.clock.now), reference: charge.reference, amount: asked.amount))
                switch answer {
                case .pending: #expect(token == "pm_card_pendingRefund")
                case .refused(let code): #expect(code == "expired_or_canceled_card" && token == "pm_card_refundFail")
                case .refunded: Issue.record("refunded")
                }
            }
        }
    }

    @Test("every currency is charged in its unit") func currencies() async throws {
        try await withStripe { double in
            let adapter = double.adapter()
            var count = 0
            for currency in StripeAmount.currencies {
                let asked = double.request(minor: 20_000, currency: currency)
                let answer = try await adapter.charge(asked)
                #expect(outline(answer) == .captured, "\(currency)")
                count += 1
            }
            print("currencies charged: \(count)")
            #expect(try await double.complaints().isEmpty)
        }
    }

    @Test("the largest amount is charged, and one more is not sent", arguments: ["USD", "KWD", "ISK", "JPY", "IDR"])
    func largest(code: String) async throws {
        let most: Money = try StripeAmount.maximumCharge(try #require(Currency(code)))
        try await withStripe { double in
            let adapter = double.adapter()
            let asked = double.request(minor: most.minor, currency: most.currency)
            let answer: ChargeAnswer = try await adapter.charge(asked)
            #expect(outline(answer) == .captured)
            let more = double.request(minor: most.minor + 10, currency: most.currency)
            await #expect(throws: ProviderFault.rejected(code: "amount_too_large")) { try await adapter.charge(more) }
            let made: [JSONValue] = try await double.objects("payment_intent")
            #expect(made.count == 1)
            #expect(try await double.complaints().isEmpty)
        }
    }

    @Test("a key that ran out by the provider's clock charges nothing twice") func clocksApart() async throws {
        try await withStripe { double in
            let adapter = double.adapter()
            let asked = double.request()
            let answer = try await adapter.charge(asked)
            guard case .captured(let charge) = answer else {
                throw MissingInfrastructure("the double answered otherwise")
            }
            let refund = RefundRequest(
                idempotencyKey: .made(at: double.clock.now), reference: charge.reference,
                amount: Money(minor: 100, currency: .usd))
            let refunded = try await adapter.refund(refund)
            try await double.control("clock", ["advance": 100_000])
            double.clock.advance(by: .seconds(120))
            #expect(try await adapter.outcome(of: asked) == answer)
            #expect(try await adapter.refund(refund) == refunded)
            #expect(try await double.charged()[asked.idempotencyKey.rawValue]?.count == 1)
            #expect(try await double.objects("refund").count == 1)
        }
    }
}
