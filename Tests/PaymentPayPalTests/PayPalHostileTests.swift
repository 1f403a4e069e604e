import PaymentPayPal
import PaymentContract
import BillingCore
import JSON
import PaymentDomain
import Testing

/// One member put in place or taken away in an otherwise good answer.
struct Twist: Sendable, CustomTestStringConvertible {
    let path: String
    let value: JSONValue?
    var testDescription: String { "\(path) = \(value?.description ?? "nothing")" }

    init(_ path: String, _ value: JSONValue?) {
        self.path = path
        self.value = value
    }

    func applied(to json: JSONValue) -> JSONValue {
        json.setting(path.split(separator: ".").map(String.init), to: value)
    }
}

private func expectUnusable(_ twist: Twist, _ call: () async throws(ProviderFault) -> some Sendable) async {
    do throws(ProviderFault) {
        let answer = try await call()
        Issue.record("\(twist.testDescription) was believed: \(answer)")
    } catch {
        if case .unusable = error { return }
        Issue.record("\(twist.testDescription): \(error)")
    }
}

@Suite("Answers of PayPal that cannot be") struct HostileTests {
    private static let unit: String = "purchase_units.0"
    private static let orderTwists: [Twist] = [
        Twist("id", nil), Twist("id", ""), Twist("id", "../../v1"), Twist("id", 7), Twist("intent", "AUTHORIZE"),
        Twist("intent", nil), Twist("status", "DONE"), Twist("status", nil), Twist("purchase_units", []),
        Twist("purchase_units", nil), Twist("purchase_units", [1, 2]), Twist("\(unit).amount.value", "12.35"),
        Twist("\(unit).amount.value", 12), Twist("\(unit).amount.value", "12.340"),
        Twist("\(unit).amount.currency_code", "EUR"), Twist("\(unit).amount", nil),
        Twist("\(unit).custom_id", "pay_other"), Twist("\(unit).custom_id", nil),
        Twist("\(unit).invoice_id", "att_other"), Twist("\(unit).invoice_id", nil),
    ]
    private static let captures: String = "\(unit).payments.captures"
    private static let captureTwists: [Twist] = [
        Twist(captures, nil), Twist(captures, []), Twist(captures, "none"),
        Twist(captures, [Say.capture(), Say.capture(id: "CAP2")]), Twist("\(captures).0.id", nil),
        Twist("\(captures).0.id", "cap 1"), Twist("\(captures).0.status", "WON"), Twist("\(captures).0.status", nil),
        Twist("\(captures).0.amount.value", "0.01"), Twist("\(captures).0.amount.currency_code", "JPY"),
        Twist("\(captures).0.amount", nil), Twist("\(captures).0.invoice_id", "att_other"),
        Twist("\(captures).0.invoice_id", nil), Twist("\(captures).0.custom_id", "pay_other"),
    ]

    @Test("are not applied to a charge", arguments: orderTwists + captureTwists) func charge(twist: Twist) async {
        let answer: JSONValue = twist.applied(to: Say.order("COMPLETED", captures: [Say.capture()]))
        let world = FakeWorld([.answer(201, answer)])
        await expectUnusable(twist) { () throws(ProviderFault) in try await world.adapter.charge(Ask.stored()) }
        let approved = FakeWorld([.answer(200, Say.order("APPROVED")), .answer(201, answer)])
        await expectUnusable(twist) { () throws(ProviderFault) in
            try await approved.adapter.outcome(of: Ask.charge().known(as: "ORDER1"))
        }
    }

    @Test(
        "are not applied to an authorization",
        arguments: [
            Twist("\(unit).payments.authorizations", []),
            Twist("\(unit).payments.authorizations.0.amount.value", "99.00"),
            Twist("\(unit).payments.authorizations.0.status", "OPEN"),
            Twist("\(unit).payments.authorizations.0.invoice_id", "att_other"),
            Twist("\(unit).payments.authorizations", [Say.authorization(), Say.authorization(id: "AUTH2")]),
        ])
    func authorization(twist: Twist) async {
        let good = Say.order("COMPLETED", intent: "AUTHORIZE", authorizations: [Say.authorization()])
        let world = FakeWorld([.answer(201, twist.applied(to: good))])
        await expectUnusable(twist) { () throws(ProviderFault) in
            try await world.adapter.charge(Ask.stored(capture: false))
        }
    }

    @Test(
        "send no payer anywhere",
        arguments: [
            Twist("links", []), Twist("links", nil), Twist("links.0.href", "javascript:alert(1)"),
            Twist("links.0.href", "https://x y"), Twist("links.0.href", ""), Twist("links.0.href", "ftp://paypal.com"),
            Twist("links.0.href", .string("https://" + String(repeating: "x", count: 4_000))),
        ])
    func payerLink(twist: Twist) async {
        let world = FakeWorld([.answer(201, twist.applied(to: Say.order("PAYER_ACTION_REQUIRED")))])
        await expectUnusable(twist) { () throws(ProviderFault) in try await world.adapter.charge(Ask.charge()) }
    }

    @Test(
        "are not applied to a capture",
        arguments: [
            Twist("id", nil), Twist("status", "WON"), Twist("amount.value", "5.01"),
            Twist("amount.currency_code", "EUR"),
            Twist("invoice_id", "cap_other"), Twist("invoice_id", nil),
            Twist("links.0.href", "https://api.paypal.com/v2/payments/authorizations/AUTH2"),
        ])
    func capture(twist: Twist) async {
        let world = FakeWorld([.answer(201, twist.applied(to: Say.part()))])
        await expectUnusable(twist) { () throws(ProviderFault) in try await world.adapter.capture(Ask.capture()) }
        let pending = FakeWorld([.answer(200, Say.part("PENDING")), .answer(200, twist.applied(to: Say.part()))])
        await expectUnusable(twist) { () throws(ProviderFault) in try await pending.adapter.capture(Ask.capture()) }
    }

    @Test(
        "are not applied to a refund",
        arguments: [
            Twist("id", nil), Twist("status", "GONE"), Twist("amount.value", "50.00"),
            Twist("amount.currency_code", "EUR"),
            Twist("invoice_id", "re_other"), Twist("invoice_id", nil),
            Twist("links.0.href", "https://api.paypal.com/v2/payments/captures/CAP2"),
        ])
    func refund(twist: Twist) async {
        let world = FakeWorld([.answer(201, twist.applied(to: Say.refund()))])
        await expectUnusable(twist) { () throws(ProviderFault) in try await world.adapter.refund(Ask.refund()) }
    }

    @Test("bring no text of their own into records") func strangeCodes() async throws {
        let bad: JSONValue = "<b> not a code </b>"
        let capture: JSONValue = Say.capture("DECLINED")
            .setting(["status_details"], to: ["reason": bad]).setting(
                ["processor_response"], to: ["response_code": bad])
        let world = FakeWorld([.answer(201, Say.order("COMPLETED", captures: [capture]))])
        let answer = try await world.adapter.charge(Ask.stored())
        #expect(answer == .declined(ProviderDecline(code: "DECLINED", reference: "CAP1")))
        let taken: JSONValue = Say.capture().setting(["network_transaction_reference"], to: ["id": bad])
        let second = FakeWorld([.answer(201, Say.order("COMPLETED", captures: [taken]))])
        #expect(try await second.adapter.charge(Ask.stored()) == .captured(ProviderCharge(reference: "CAP1")))
    }

    @Test("leave a good answer good: the twists are what fails") func control() async throws {
        let good = FakeWorld([.answer(201, Say.order("COMPLETED", captures: [Say.capture()]))])
        #expect(try await good.adapter.charge(Ask.stored()) == .captured(ProviderCharge(reference: "CAP1")))
    }
}
