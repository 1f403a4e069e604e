import BillingCore
import JSON
import PaymentContract
import PaymentDomain
import PaymentPayPal
import Testing

@Suite("Stepped-up cards at PayPal") struct PayPalStepUpTests {
    private static let asked: ChargeRequest = Ask.stored("card:abc", initiation: .customer)
        .asking(stepUp: true, claim: nil)
    private static let taking = "POST /v2/payments/authorizations/AUTH1/capture"
    private static let release = "POST /v2/payments/authorizations/AUTH1/void"

    /// An order that PayPal has completed, with its word on the authentication.
    private static func order(
        _ word: String?, _ authorization: String = "CREATED", captures: [JSONValue]? = nil
    ) -> JSONValue {
        let source: JSONValue? = word.map { word in
            ["card": ["authentication_result": ["three_d_secure": ["authentication_status": .string(word)]]]]
        }
        return Say.order(
            "COMPLETED", intent: "AUTHORIZE", captures: captures, authorizations: [Say.authorization(authorization)]
        )
        .setting(["payment_source"], to: source)
    }

    @Test(
        "an order that PayPal completes as it is made is taken after an authentication only, and let go without one",
        arguments: ["Y", "A", "U", "C", "N", "R", nil])
    func completedAtOnce(_ word: String?) async throws {
        let isFit: Bool = word == "Y" || word == "A"
        let end: FakePayPal.Step = isFit ? .answer(201, Say.capture()) : .text(204)
        let world = FakeWorld([.answer(201, Self.order(word)), end])
        let answer: ChargeAnswer = try await world.adapter.charge(Self.asked)
        #expect(world.fake.lines == ["POST /v2/checkout/orders", isFit ? Self.taking : Self.release])
        #expect(world.fake.sent.first?.json?["intent"] == "AUTHORIZE")
        switch answer {
        case .captured(let charge):
            #expect(isFit && charge.reference == "CAP1")
            #expect(charge.authentication?.result == (word == "Y" ? .authenticated : .attempted))
            let body: JSONValue? = world.fake.sent.last?.json
            #expect(body?["amount"] == Say.amount() && body?["final_capture"] == true)
            #expect(body?["invoice_id"] == .string(Say.attempt))
        case .declined(let decline):
            #expect(!isFit && world.adapter.reading(of: decline).decline == .authenticationFailed)
        default: Issue.record("\(answer)")
        }
        let key: String? = world.fake.sent.last?.headers["PayPal-Request-Id"]
        #expect(key.map { $0.hasPrefix(Say.attempt) && $0 != Say.attempt && $0.utf8.count <= 38 } == true)
    }

    @Test("what was held goes on where it stopped, by what PayPal has of it")
    func afterCrash() async throws {
        let known: ChargeRequest = Self.asked.known(as: "ORDER1")
        for (order, steps, expected) in [
            (Self.order("Y", "CAPTURED", captures: [Say.capture()]), [], "captured"),
            (Self.order("Y"), [.answer(201, Say.capture())], "captured"),
            (Self.order("Y"), [.answer(201, Say.capture("PENDING"))], "pending"),
            (Self.order("Y", "CAPTURED", captures: [Say.capture("PENDING")]), [], "pending"),
            (Self.order("Y", "VOIDED"), [], "VOIDED"), (Self.order("U", "VOIDED"), [], "not_authenticated"),
            (Self.order("U"), [.refusal(422, "PREVIOUSLY_VOIDED")], "not_authenticated"),
            (
                Self.order("Y"), [.refusal(422, "INSTRUMENT_DECLINED"), .answer(200, Self.order("Y")), .text(204)],
                "INSTRUMENT_DECLINED"
            ),
            // What can never be taken is not held on to.
            (
                Self.order("Y"), [.refusal(422, "AUTHORIZATION_EXPIRED"), .answer(200, Self.order("Y")), .text(204)],
                "AUTHORIZATION_EXPIRED"
            ),
            (Self.order("Y"), [.answer(201, Say.capture("DECLINED")), .text(204)], "DECLINED"),
            (Self.order("Y", captures: [Say.capture("DECLINED")]), [.text(204)], "DECLINED"),
            (Self.order("Y", "CAPTURED", captures: [Say.capture("DECLINED")]), [], "DECLINED"),
            (
                Self.order("Y"),
                [
                    .refusal(422, "AUTHORIZATION_ALREADY_CAPTURED"),
                    .answer(200, Self.order("Y", "CAPTURED", captures: [Say.capture()])),
                ], "captured"
            ),
            (
                Self.order("Y"),
                [.refusal(422, "AUTHORIZATION_VOIDED"), .answer(200, Self.order("Y", "VOIDED"))], "VOIDED"
            ),
        ] as [(JSONValue, [FakePayPal.Step], String)] {
            let world = FakeWorld([.answer(200, order)] + steps)
            let answer: ChargeAnswer = try await world.adapter.outcome(of: known)
            switch answer {
            case .captured(let charge): #expect(expected == "captured" && charge.reference == "CAP1")
            case .pending(let reference): #expect(expected == "pending" && reference == "ORDER1")
            case .declined(let decline): #expect(decline.code == expected)
            case .authorized, .actionRequired: Issue.record("\(answer)")
            }
            #expect(world.fake.isOver, "\(expected)")
        }
    }

    @Test("while the money is held, no fault says that nothing happened", arguments: ["capture", "void"])
    func uncertain(_ step: String) async throws {
        let order: JSONValue = Self.order(step == "capture" ? "Y" : "U")
        for (answers, reread) in [
            ([.refusal(422, "AUTHORIZATION_ALREADY_CAPTURED")], true), ([.text(429)], false),
            ([.answer(403, ["name": "NOT_AUTHORIZED"])], false), ([.fault(.notSent("no route"))], false),
        ] as [([FakePayPal.Step], Bool)] {
            let again: [FakePayPal.Step] = step == "capture" && reread ? [.answer(200, order)] : []
            let world = FakeWorld([.answer(201, order)] + answers + again, retry: ProviderRetryPolicy(retries: 0))
            do throws(ProviderFault) {
                let answer: ChargeAnswer = try await world.adapter.charge(Self.asked)
                Issue.record("\(answer)")
            } catch {
                switch error {
                case .unusable, .timedOut: break
                default: Issue.record("\(error)")
                }
            }
        }
    }

    @Test("an order that was begun to be taken at once is finished so") func begunOtherwise() async throws {
        let known: ChargeRequest = Self.asked.known(as: "ORDER1")
        let done = FakeWorld([completed([Say.capture()])])
        #expect(try await done.adapter.outcome(of: known) == .captured(ProviderCharge(reference: "CAP1")))
        let word: JSONValue = ["card": ["authentication_result": ["three_d_secure": ["authentication_status": "Y"]]]]
        let approved: JSONValue = Say.order("APPROVED", link: nil).setting(["payment_source"], to: word)
        let world = FakeWorld([.answer(200, approved), completed([Say.capture()])])
        guard case .captured = try await world.adapter.outcome(of: known) else { throw Surprise() }
        #expect(world.fake.lines.last == "POST /v2/checkout/orders/ORDER1/capture")
    }

    private struct Surprise: Error {}

    @Test("news of what is held is read without taking it", arguments: [true, false])
    func lookedUp(_ isNamedByOrder: Bool) async throws {
        let name: String = isNamedByOrder ? "ORDER1" : "authorizations/AUTH1"
        let world = FakeWorld([.answer(200, isNamedByOrder ? Self.order("Y") : Say.authorization())])
        let answer: ChargeAnswer? = try await world.adapter.lookUp(Self.asked.known(as: name))
        guard case .authorized(let charge) = answer else { Issue.record("\(String(describing: answer))"); return }
        #expect(charge.reference == "AUTH1" && world.fake.isOver)
    }
}
