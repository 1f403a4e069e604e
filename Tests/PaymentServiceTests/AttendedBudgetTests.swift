import BillingCore
import HTTPKit
import JSON
import PaymentContract
import PaymentDomain
import PaymentRecords
import PaymentService
import Postgres
import TestKit
import Testing

@Suite("What networks allow while the customer is there") struct AttendedBudgetTests {
    private static let visa = "4242424242424242"
    private static let mastercard = "5555555555554444"

    /// What a first attempt ends with, and what another with the card does; `nil` where the bank is asked again.
    private static let words: [(card: String, first: ProviderDecline, next: Decline?)] = [
        (visa, ProviderDecline(code: "lost_card", networkCode: "41"), .doNotTryAgain),
        (visa, ProviderDecline(code: "do_not_honor", networkCode: "14"), .doNotTryAgain),
        (visa, ProviderDecline(code: "account_closed"), .doNotTryAgain),
        (mastercard, ProviderDecline(code: "do_not_honor", networkCode: "05", networkAdvice: "03"), .doNotTryAgain),
        // To wait is for who tries alone; details may have been put right; who pays goes back on an order to stop.
        (mastercard, ProviderDecline(code: "insufficient_funds", networkCode: "51", networkAdvice: "30"), nil),
        (mastercard, ProviderDecline(code: "do_not_honor", networkCode: "05", networkAdvice: "04"), nil),
        (mastercard, ProviderDecline(code: "do_not_honor", networkCode: "05", networkAdvice: "21"), nil),
        (visa, ProviderDecline(code: "revocation_of_authorization", networkCode: "R1"), nil),
        (visa, ProviderDecline(code: "do_not_honor", networkCode: "05"), nil),
    ]

    @Test("an end that the network has spoken binds, and only that", arguments: 0..<words.count)
    func spoken(index: Int) async throws {
        let (card, first, next) = Self.words[index]
        try await withPayments { world in
            let customer: CustomerID = try await world.payer(card)
            world.provider.refuse(with: first)
            #expect(try await world.paid(customer).status == .failed)
            world.provider.refuse(with: nil)
            let again: PaymentRecord = try await world.paid(customer, amount: 700)
            #expect(again.decline == next && again.status == (next == nil ? .succeeded : .failed))
            #expect(world.provider.charges == (next == nil ? 2 : 1))
            #expect(try await world.paid(world.payer(card)).status == .succeeded, "another customer's is another count")
            #expect(try await world.violations().isEmpty)
        }
    }

    /// How often a card was refused before its bank asks for the customer, in which words, and whether they are asked.
    private static let asks: [(card: String, refused: Int, word: ProviderDecline, follows: Bool)] = [
        (visa, 13, ProviderDecline(code: "authentication_required", networkCode: "1A"), true),
        (visa, 14, ProviderDecline(code: "authentication_required", networkCode: "1A"), false),
        (mastercard, 8, ProviderDecline(code: "authentication_required", networkCode: "65"), true),
        (mastercard, 9, ProviderDecline(code: "authentication_required", networkCode: "65"), false),
        (mastercard, 0, ProviderDecline(code: "authentication_required", networkAdvice: "03"), false),
        (mastercard, 0, ProviderDecline(code: "authentication_required", networkAdvice: "30"), true),
    ]

    @Test(
        "a bank that asks for its customer is answered only where its network allows one more attempt",
        arguments: 0..<asks.count)
    func asked(index: Int) async throws {
        let (card, refused, word, follows) = Self.asks[index]
        try await withPayments { world in
            let customer: CustomerID = try await world.payer(card)
            world.provider.refuse(with: ProviderDecline(code: "do_not_honor", networkCode: "05"))
            for _ in 0..<refused { #expect(try await world.paid(customer).status == .failed) }
            world.provider.refuse(with: word)
            let payment: PaymentRecord = try await world.paid(customer)
            #expect(payment.status == .failed && payment.attempts == (follows ? 2 : 1))
            // Who was asked with the customer, and asks again, has declined.
            #expect(payment.declineCode == (follows ? "do_not_honor" : "authentication_required"))
            #expect(world.provider.charges == refused + payment.attempts)
            #expect(try await world.violations().isEmpty)
        }
    }

    @Test(
        "a bank's wish for the customer that is heard late is not followed: they have left, or taken the card off",
        arguments: ["in time", "left", "taken off"])
    func heardLate(_ what: String) async throws {
        try await withPayments { world in
            let payment: PaymentRecord = try await world.created(try await world.payer(Self.visa))
            world.provider.turn(.away)
            await world.decide(payment)
            try await eventually(within: .seconds(10), "its outcome is not known") { world.provider.readInVain > 0 }
            // Ids of a process never go back in time, and this one's have seen other tests.
            let madeAt: Instant = max(PaymentWorld.start, try #require(payment.attemptID.madeAt))
            world.clock.set(madeAt.adding(.seconds(what == "left" ? 180 : 60)))
            if what == "taken off" {
                let method: PaymentMethodID = try #require(payment.paymentMethodID)
                _ = try await world.database.transaction { db in
                    try world.work.remove.detach(method, at: PaymentWorld.start, in: db)
                }
            }
            world.provider.refuse(with: ProviderDecline(code: "authentication_required"))
            world.provider.turn(.well)
            try await world.work.sweep.pass()
            let ended: PaymentRecord = try await world.settled(payment.id)
            #expect(ended.status == .failed && ended.attempts == (what == "in time" ? 2 : 1))
            #expect(what == "in time" || ended.decline == .authenticationRequired, "who comes back is authenticated")
            #expect(try await world.violations().isEmpty)
        }
    }

    @Test(
        "a number that is entered on a page again and again is asked for as often as its network allows; another pays")
    func entered() async throws {
        try await withPayments { world in
            let visit = Visit(world.code(try await world.link(await world.customer())))
            world.provider.refuse(with: ProviderDecline(code: "do_not_honor", networkCode: "05"))
            for _ in 1...10 { #expect(try await world.payNow(visit, Self.mastercard).decline?.code == "do_not_honor") }
            world.provider.refuse(with: nil)
            #expect(try await world.payNow(visit, Self.mastercard).decline == .tooManyAttempts)
            #expect(world.provider.charges == 10)
            #expect(
                try await world.number("SELECT count(*) FROM payment_attempts WHERE unsent AND retry_at IS NOT NULL")
                    == 1)
            #expect(try await world.payNow(visit, Self.visa).status == .succeeded)
        }
    }
}
