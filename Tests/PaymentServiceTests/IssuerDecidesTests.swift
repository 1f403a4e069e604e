import BillingCore
import HTTPKit
import JSON
import PaymentDomain
import PaymentRecords
import PaymentService
import Postgres
import PaymentThreeDS
import TestKit
import Testing

@Suite("Where 3-D Secure runs, the issuer decides") struct IssuerDecidesTests {
    private static let french = "4000002500000003"

    @Test("a card of a payment link's page is authenticated by its issuer") func linked() async throws {
        let directory = DirectoryDouble()
        try await withPayments(directory: directory.server(.lenient)) { world in
            let visit = Visit(world.code(try await world.link(await world.customer())))
            let payment: PaymentRecord = try await world.payNow(visit, InstalmentWorld.challenges)
            #expect(payment.status == .requiresAction)
            let code: String = try #require(payment.pageCode)
            #expect(
                try await world.look(visit)["payment"]?["next_action"]?["url"]?.stringValue == payment.challengeURL)
            let page: AuthenticateOnPage = try #require(world.work.authenticateOnPage)
            guard case .challenge? = try await page.advance(code, ChallengePageTests.browser)?.step else {
                Issue.record("no challenge")
                return
            }
            #expect(directory.asked.map { $0["acctNumber"] } == [.string(InstalmentWorld.challenges)])
            _ = try await #require(world.work.authenticate).result(directory.result("Y"))
            await world.decide(try await world.payment(payment.id))
            let paid: PaymentRecord = try await world.settled(payment.id)
            #expect(paid.status == .succeeded && paid.authentication?.liability == "issuer")
            let stored: [String] = try await world.texts(
                "SELECT encode(sealed, 'escape') FROM three_d_secure_cards UNION ALL SELECT body::text FROM outbox")
            #expect(stored.count > 1 && !stored.contains { $0.contains(InstalmentWorld.challenges) })
        }
    }

    @Test("nobody passes the challenge for the issuer: not the page, not the caller, not before it was asked")
    func notConfirmed() async throws {
        let directory = DirectoryDouble()
        try await withPayments(directory: directory.server) { world in
            let visit = Visit(world.code(try await world.link(await world.customer())))
            let payment: PaymentRecord = try await world.payNow(visit, InstalmentWorld.challenges)
            #expect(payment.status == .requiresAction && directory.asked.isEmpty)
            #expect(await world.refusal { try await world.answerChallenge(visit, "passed") } == "payment_state")
            await #expect(throws: ContinuePayment.Failure.elsewhere) {
                try await world.confirm(payment.id, passed: true)
            }
            let shown: JSONValue = try parseJSON(encodeString(PaymentResource(payment)))
            #expect(shown["next_action"]?["confirm_path"] == .null)
            let waiting: PaymentRecord = try await world.payment(payment.id)
            #expect(waiting.status == .requiresAction && waiting.attempts == 1 && !waiting.authenticated)
            // Nor after the time to come was over, nor for a charge that failed without its customer.
            world.clock.advance(by: .seconds(86_401))
            try await #require(world.work.authenticate).sweep()
            #expect(try await world.payment(payment.id).decline == .authenticationFailed)
            let customer: CustomerID = try await world.payer(InstalmentWorld.challenges)
            let renewal: PaymentRecord = try await world.collected(customer, PaymentWorld.price)
            #expect(renewal.status == .failed && renewal.decline == .authenticationRequired)
            for id in [payment.id, renewal.id] {
                await #expect(throws: ContinuePayment.Failure.elsewhere) { try await world.confirm(id, passed: true) }
            }
            #expect(try await world.number("SELECT count(*) FROM sandbox_charges WHERE outcome = 'succeeded'") == 0)
        }
    }

    @Test("after a failed authentication the next attempt is authenticated, whatever could be claimed") func again()
        async throws
    {
        try await withPayments { world in
            let customer: CustomerID = try await world.payer(Self.french)
            let payment: PaymentRecord = try await world.pay(customer, 2_000, "EUR", score: "0.7600")
            #expect(payment.status == .requiresAction && word(payment) == "required risk -")
            _ = try await world.confirm(payment.id, passed: false)
            #expect(try await world.payment(payment.id).decline == .authenticationFailed)
            _ = try await world.confirm(payment.id, passed: nil)
            await world.decide(try await world.payment(payment.id))
            let again: PaymentRecord = try await world.settled(payment.id)
            #expect(again.status == .requiresAction && word(again) == "required soft_decline -")
        }
    }

    @Test("so it is on a payment link's page, with another card, too") func againOnPage() async throws {
        try await withPayments { world in
            let visit = Visit(world.code(try await world.link(await world.customer())))
            let payment: PaymentRecord = try await world.payNow(visit, Self.french)
            #expect(payment.status == .requiresAction && word(payment) == "required regulation -")
            try await world.answerChallenge(visit, "failed")
            let card: String = try await world.card(visit, Self.french)
            try await world.execute("UPDATE payment_methods SET trusted_beneficiary = true")
            try await world.pay(visit, card)
            await world.decide(try await world.payment(payment.id))
            let again: PaymentRecord = try await world.settled(payment.id)
            #expect(again.attempts == 2 && again.status == .requiresAction)
            #expect(word(again) == "required soft_decline -")
            try await world.answerChallenge(visit, "passed")
            await world.decide(try await world.payment(payment.id))
            #expect(try await world.settled(payment.id).status == .succeeded)
        }
    }

    @Test("the challenge of any of the sandbox's acquirers is passed on a payment link's page") func atAnyAcquirer()
        async throws
    {
        try await withPayments { world in
            let visit = Visit(world.code(try await world.link(await world.customer())))
            let payment: PaymentRecord = try await world.payNow(visit, InstalmentWorld.challenges)
            #expect(payment.status == .requiresAction)
            try await world.execute("UPDATE payments SET provider = 'sandbox_b'")
            try await world.answerChallenge(visit, "passed")
            let again: PaymentRecord = try await world.payment(payment.id)
            #expect(again.attempts == 2 && again.authenticated)
        }
    }

    @Test("the issuer is told what the customer agrees to: a series, an agreement, a plan, or a payment alone")
    func purposes() async throws {
        let directory = DirectoryDouble()
        try await withPayments(directory: directory.server) { world in
            func asked(_ payment: PaymentID) async throws -> [String?] {
                _ = try await world.authenticate(payment)
                let message: JSONValue = try #require(directory.asked.last)
                return [
                    "threeDSRequestorAuthenticationInd", "recurringExpiry", "recurringFrequency", "purchaseInstalData",
                ].map { message[$0]?.stringValue }
            }
            let customer: CustomerID = try await world.payer(Self.french)
            let alone: PaymentRecord = try await world.pay(customer, 90_000, "EUR")
            #expect(try await asked(alone.id) == ["01", nil, nil, nil])
            let agreed: PaymentRecord = try await world.agreed(customer, 90_000, "EUR")
            #expect(try await asked(agreed.id) == ["07", nil, nil, nil])
            let price = Money(minor: 60_000, currency: .eur)
            let renewal: PaymentRecord = try await world.recalled(customer, .new(at: PaymentWorld.start), price)
            #expect(try await asked(renewal.id) == ["02", "20301231", "1", nil])
            // The last part is due on the 15th of March, and is tried no more sixty days later.
            let plans = try InstalmentWorld(world)
            let buyer: CustomerID = try await world.payer(InstalmentWorld.challenges)
            _ = try await plans.running(buyer, "pay_in_3", 10_000)
            let first: [String] = try await world.texts("SELECT id FROM payments WHERE customer_id = \(buyer)")
            #expect(try await asked(PaymentID(unchecked: first[0])) == ["03", "20270514", "28", "3"])
        }
    }
}
