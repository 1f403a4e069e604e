import PaymentPayPal
import PaymentContract
import BillingCore
import JSON
import PaymentDomain
import Testing

@Suite("Wallets' cards through PayPal") struct WalletCardTests {
    private static let device = CardNumber("4242424242424242")
    private static let printed: JSONValue = ["number": "4242424242424242", "expiry": "2030-03"]
    private static let back: JSONValue = .string("https://pay.test/back/\(Say.payment)")

    private static func plastic(_ method: String) -> JSONValue {
        [
            "google_pay": [
                "decrypted_token": [
                    "payment_method": "CARD", "card": printed, "authentication_method": "PAN_ONLY",
                ], "experience_context": ["return_url": back, "cancel_url": back],
                "attributes": ["verification": ["method": .string(method)]],
            ]
        ]
    }

    @Test(
        "a wallet's card that was opened here is handed over with its cryptogram, and its customer has approved",
        arguments: [
            (
                .applePay, "AgAAAA==", "7", false,
                [
                    "apple_pay": [
                        "decrypted_token": [
                            "tokenized_card": printed, "transaction_amount": Say.amount(),
                            "payment_data_type": "3DSECURE",
                            "payment_data": ["cryptogram": "AgAAAA==", "eci_indicator": "7"],
                        ]
                    ]
                ]
            ),
            (
                .googlePay, "AgAAAA==", nil, false,
                [
                    "google_pay": [
                        "decrypted_token": [
                            "payment_method": "CARD", "card": printed, "authentication_method": "CRYPTOGRAM_3DS",
                            "cryptogram": "AgAAAA==",
                        ]
                    ]
                ]
            ),
            // Nobody has authenticated the holder of a printed card.
            (.googlePay, nil, nil, false, plastic("SCA_WHEN_REQUIRED")),
        ] as [(Wallet, String?, String?, Bool, JSONValue)])
    func walletCard(_ wallet: Wallet, _ cryptogram: String?, _ eci: String?, _ stepUp: Bool, _ source: JSONValue)
        async throws
    {
        let asked: ChargeRequest = try Self.asked(wallet, cryptogram, eci).asking(stepUp: stepUp, claim: nil)
        let done = ChargeAnswer.captured(ProviderCharge(reference: "CAP1"))
        let world = FakeWorld([completed([Say.capture()])])
        #expect(try await world.adapter.charge(asked) == done)
        #expect(world.fake.sent.first?.json?["payment_source"] == source)
        #expect(world.fake.sent.first?.headers["PayPal-Request-Id"] == Say.attempt)
        // Where PayPal leaves the second step to us.
        let stepwise = FakeWorld([.answer(201, Say.order("CREATED", link: nil)), completed([Say.capture()])])
        #expect(try await stepwise.adapter.charge(asked) == done)
        #expect(stepwise.fake.lines.last == "POST /v2/checkout/orders/ORDER1/capture")
        // A lost answer is asked for with the same words under the same key.
        let lost = FakeWorld([completed([Say.capture()]), completed([Say.capture()])])
        #expect(try await lost.adapter.outcome(of: asked) == done)
        #expect(lost.fake.sent.first?.json == world.fake.sent.first?.json)
    }

    @Test("the holder of a printed card who has to authenticate is held first, and let go where they have not")
    func steppedUp() async throws {
        let asked: ChargeRequest = try Self.asked(.googlePay, nil, nil).asking(stepUp: true, claim: nil)
        for (status, end, answer) in [
            ("Y", FakePayPal.Step.answer(201, Say.capture()), "captured"), ("U", .text(204), "declined"),
            (nil, .text(204), "declined"),
        ] as [(String?, FakePayPal.Step, String)] {
            let word: JSONValue = ["three_d_secure": ["authentication_status": status.map(JSONValue.string) ?? .null]]
            let order: JSONValue = Say.order("COMPLETED", intent: "AUTHORIZE", authorizations: [Say.authorization()])
                .setting(["payment_source"], to: ["google_pay": ["card": ["authentication_result": word]]])
            let world = FakeWorld([
                .answer(201, Say.order("CREATED", intent: "AUTHORIZE", link: nil)), .answer(201, order), end,
            ])
            switch try await world.adapter.charge(asked) {
            case .captured: #expect(answer == "captured")
            case .declined: #expect(answer == "declined")
            case let other: Issue.record("\(other)")
            }
            #expect(world.fake.isOver)
            let source: JSONValue? = world.fake.sent.first?.json?["payment_source"]
            #expect(source == Self.plastic("SCA_ALWAYS") && world.fake.sent.first?.json?["intent"] == "AUTHORIZE")
        }
        // The order may stay as it was when its payer is back.
        for (status, isFit) in [("Y", true), ("U", false), ("N", false)] {
            let word: JSONValue = [
                "authentication_result": ["three_d_secure": ["authentication_status": .string(status)]]
            ]
            let standing: JSONValue = Say.order("PAYER_ACTION_REQUIRED", intent: "AUTHORIZE", link: nil)
                .setting(["payment_source"], to: ["google_pay": ["card": word]])
            let world = FakeWorld(
                [.answer(200, standing)] + (isFit ? [held([Say.authorization()]), .answer(201, Say.capture())] : []))
            switch try await world.adapter.outcome(of: asked.known(as: "ORDER1")) {
            case .captured: #expect(isFit)
            case .declined(let decline):
                #expect(!isFit && world.adapter.reading(of: decline).decline == .authenticationFailed)
            case let other: Issue.record("\(other)")
            }
            #expect(world.fake.isOver)
        }
        // What its bank has refused is not taken.
        let no: JSONValue = ["authentication_result": ["three_d_secure": ["authentication_status": "N"]]]
        let refused = FakeWorld([
            .answer(
                201,
                Say.order("CREATED", link: nil).setting(["payment_source"], to: ["google_pay": ["card": no]]))
        ])
        let plain: ChargeRequest = try Self.asked(.googlePay, nil, nil)
        guard case .declined(let decline) = try await refused.adapter.charge(plain) else { throw Surprise() }
        #expect(refused.adapter.reading(of: decline).decline == .authenticationFailed && refused.fake.isOver)
    }

    private struct Surprise: Error {}

    private static func asked(_ wallet: Wallet?, _ cryptogram: String?, _ eci: String?) throws -> ChargeRequest {
        let card = WalletCard(
            wallet: wallet, number: try #require(device), expMonth: 3, expYear: 2030, cryptogram: cryptogram, eci: eci)
        return ChargeRequest(
            idempotencyKey: id(), paymentID: id(), source: .walletCard(card), amount: money(12_34))
    }

    @Test(
        "a card that no wallet gave, and Apple's without a cryptogram, are not sent",
        arguments: [nil, .applePay] as [Wallet?])
    func unsealed(_ wallet: Wallet?) async throws {
        let world = FakeWorld([])
        let asked: ChargeRequest = try Self.asked(wallet, wallet == nil ? "AgAAAA==" : nil, nil)
        await #expect(throws: ProviderFault.rejected(code: "PAYMENT_SOURCE_NOT_SUPPORTED")) {
            try await world.adapter.charge(asked)
        }
        #expect(world.fake.sent.isEmpty)
    }

    @Test("it takes wallets' cards where the account may be charged with them, and no others")
    func walletsTaken() {
        for wallets in [[], [.applePay], [.applePay, .googlePay]] as [Set<Wallet>] {
            let providers = PaymentProviders([FakeWorld([], wallets: wallets).adapter])
            for wallet in Wallet.allCases {
                #expect(providers.opening(wallet).map(\.name) == (wallets.contains(wallet) ? ["paypal"] : []))
            }
        }
    }
}
