import BillingCore
import HTTPKit
import PaymentContract
import PaymentDomain
import PaymentRecords
import PaymentService
import PaymentThreeDS
import Postgres
import TestKit
import Testing

@Suite("An authentication for which the customer was not asked") struct AttemptedAuthenticationTests {
    private let french = "4000002500000003"

    @Test(
        "what the issuer lets pass, or only notes, shifts who bears fraud and authenticates nobody: the count goes on",
        arguments: [("A", "attempted"), ("Y", "authenticated")])
    func frictionless(_ status: String, _ result: String) async throws {
        let directory = DirectoryDouble()
        directory.answer(status)
        try await withPayments(directory: directory.server) { world in
            let counted: SQL = "SELECT currency || total || 'x' || payments FROM sca_counters"
            let customer: CustomerID = try await world.payer(french)
            for _ in 0..<4 { #expect(try await world.pay(customer, 2_600, "EUR").status == .succeeded) }
            let asked: PaymentRecord = try await world.pay(customer, 100, "EUR")
            #expect(asked.status == .requiresAction && word(asked) == "required regulation -")
            _ = try await world.authenticate(asked.id)
            // It counts from when it is on its way, as one without an authentication does.
            world.provider.turn(.booksAndVanishes)
            let lost: Int = world.provider.lostAnswers
            await world.decide(try await world.payment(asked.id))
            try await eventually(within: .seconds(20), "the answer is lost") { world.provider.lostAnswers > lost }
            let cards: [String] = try await world.texts("SELECT fingerprint FROM payment_methods")
            let used: [Int64] = try await world.database.transaction { db in
                try db.query(SCACounterStore.used(by: cards)) { row in
                    _ = try row.next() as String
                    return try row.next()
                }
            }
            #expect(used == [10_500])
            #expect(try await world.texts(counted) == ["EUR10400x4"])
            world.provider.turn(.well)
            try await world.work.sweep.pass()
            let settled: PaymentRecord = try await world.settled(asked.id)
            #expect(settled.status == .succeeded && word(settled) == "required regulation issuer")
            #expect(settled.authentication?.result == result)
            #expect(try await world.texts(counted) == ["EUR10500x5"])
            #expect(
                try await world.number(
                    "SELECT count(*) FROM payment_methods WHERE agreement_authenticated_at IS NOT NULL") == 0)
            // Nobody has agreed to a charge without them, either.
            let agreed: PaymentRecord = try await world.agreed(customer, 100, "EUR")
            _ = try await world.authenticate(agreed.id)
            await world.decide(try await world.payment(agreed.id))
            #expect(try await world.settled(agreed.id).status == .succeeded)
            let collected: PaymentRecord = try await world.collected(customer, Money(minor: 90_000, currency: .eur))
            #expect(word(collected) == "required unproven_agreement merchant")
            // The customer who is really asked begins a new count.
            directory.answer("C")
            let again: PaymentRecord = try await world.pay(customer, 100, "EUR")
            #expect(again.status == .requiresAction && word(again) == "required regulation -")
            _ = try await world.authenticate(again.id)
            _ = try await #require(world.work.authenticate).result(directory.result("Y"))
            await world.decide(try await world.payment(again.id))
            #expect(try await world.settled(again.id).status == .succeeded)
            #expect(try await world.number("SELECT count(*) FROM sca_counters") == 0)
            #expect(try await world.violations() == [])
        }
    }

    @Test(
        "an agreement after the cardholder's order to stop is another: that the first was authenticated proves nothing of it"
    )
    func agreedAnew() async throws {
        let directory = DirectoryDouble()
        try await withPayments(directory: directory.server(.lenient)) { world in
            let customer: CustomerID = try await world.payer(french)
            let price = Money(minor: 90_000, currency: .eur)
            let first: PaymentRecord = try await world.agreed(customer, 100, "EUR")
            _ = try await world.authenticate(first.id)
            _ = try await #require(world.work.authenticate).result(directory.result("Y"))
            await world.decide(try await world.payment(first.id))
            #expect(try await world.settled(first.id).status == .succeeded)
            #expect(word(try await world.collected(customer, price)) == "out_of_scope merchant_initiated merchant")
            world.provider.refuse(with: ProviderDecline(code: "revocation_of_authorization", networkCode: "R1"))
            #expect(try await world.collected(customer, price).status == .failed)
            world.provider.refuse(with: nil)
            world.clock.advance(by: .seconds(60))
            let body =
                #"{"amount":100,"currency":"EUR","customer_id":"\#(customer)","acceptance":{"type":"offline"}}"#
            let later = Call(
                post: "/v1/payments", body: Array(body.utf8), key: nil, preferWait: .zero, now: world.clock.now,
                receivedAt: world.clock.now)
            let reply: Reply<PaymentResource> = try await world.work.create(later, world.read(body))
            let second: PaymentRecord = try await world.payment(world.id(reply))
            await world.decide(second)
            #expect(word(try await world.settled(second.id)) == "required agreement -")
            directory.answer("U")
            _ = try await world.authenticate(second.id)
            await world.decide(try await world.payment(second.id))
            #expect(try await world.settled(second.id).status == .succeeded)
            let collected: PaymentRecord = try await world.collected(customer, price)
            #expect(collected.status == .succeeded && word(collected) == "required unproven_agreement merchant")
        }
    }

    @Test("an amount that nobody was authenticated for is not the authenticated amount of a subscription")
    func attemptedSeries() async throws {
        let directory = DirectoryDouble()
        directory.answer("A")
        try await withPayments(directory: directory.server) { world in
            let customer: CustomerID = try await world.payer(french)
            let subscription = SubscriptionID.new(at: PaymentWorld.start)
            let price = Money(minor: 60_000, currency: .eur)
            for (status, expected) in [
                ("A", "required agreement -"), ("Y", "required agreement -"), ("C", "exempt recurring merchant"),
            ] {
                directory.answer(status)
                let asked: PaymentRecord = try await world.recalled(customer, subscription, price)
                #expect(asked.status == .requiresAction && word(asked) == "required agreement -")
                _ = try await world.authenticate(asked.id)
                if status == "C" { _ = try await #require(world.work.authenticate).result(directory.result("Y")) }
                await world.decide(try await world.payment(asked.id))
                #expect(try await world.settled(asked.id).status == .succeeded)
                #expect(word(try await world.recalled(customer, subscription, price)) == expected, "\(status)")
            }
        }
    }
}
