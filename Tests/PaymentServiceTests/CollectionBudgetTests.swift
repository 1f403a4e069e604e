import BillingCore
import PaymentContract
import PaymentDomain
import PaymentRecords
import PaymentService
import Postgres
import TestKit
import Testing

@Suite("What networks allow of charges without the customer") struct CollectionBudgetTests {
    private static let day: Int64 = 86_400

    private static func after(days: Int64) -> Instant { Instant(seconds: PaymentWorld.start.seconds + days * day) }

    /// The first attempt at an invoice.
    private func collected(
        _ world: PaymentWorld, _ customer: CustomerID, _ invoice: InvoiceID
    ) async throws -> PaymentRecord {
        await world.deliver([world.finalized(invoice, customer)])
        return try await decided(world, invoice)
    }

    /// A further one.
    private func again(
        _ world: PaymentWorld, _ customer: CustomerID, _ invoice: InvoiceID
    ) async throws -> PaymentRecord {
        await world.deliver([world.due(invoice, customer)])
        return try await decided(world, invoice)
    }

    private func decided(_ world: PaymentWorld, _ invoice: InvoiceID) async throws -> PaymentRecord {
        let payment: PaymentRecord = try await world.payment(of: invoice)
        await world.decide(payment)
        return try await world.settled(payment.id)
    }

    /// What was told of failures: code, class and the time before which nothing is to be tried.
    private func told(_ world: PaymentWorld) async throws -> [String] {
        try await world.texts(
            """
            SELECT concat_ws(' ', body::jsonb->>'decline_code', body::jsonb->>'decline_class', body::jsonb->>'retry_at')
            FROM outbox WHERE type = 'payment.failed.v1' ORDER BY seq
            """)
    }

    @Test("a card that is to be left alone for ten days is not asked for before they are over") func advised()
        async throws
    {
        try await withPayments { world in
            let customer: CustomerID = try await world.payer("5555555555554444")
            let invoice = InvoiceID.new(at: PaymentWorld.start)
            world.provider.refuse(
                with: ProviderDecline(code: "insufficient_funds", networkCode: "51", networkAdvice: "30"))
            #expect(try await collected(world, customer, invoice).decline == .insufficientFunds)
            world.provider.refuse(with: nil)
            world.clock.set(Self.after(days: 1))
            let early: PaymentRecord = try await again(world, customer, invoice)
            #expect(early.status == .failed && early.decline == .retryLater)
            #expect(world.provider.charges == 1)
            let until: String = Self.after(days: 10).rfc3339
            #expect(
                try await told(world) == ["insufficient_funds soft \(until)", "retry_later soft \(until)"])
            world.clock.set(Self.after(days: 10))
            #expect(try await again(world, customer, invoice).status == .succeeded)
            #expect(world.provider.charges == 2)
            #expect(try await world.violations() == [])
        }
    }

    @Test("a card that its network wants back is not charged for another invoice; another card is") func wantedBack()
        async throws
    {
        try await withPayments { world in
            let customer: CustomerID = try await world.payer()
            world.provider.refuse(with: ProviderDecline(code: "stolen_card", networkCode: "43"))
            #expect(
                try await collected(world, customer, .new(at: PaymentWorld.start)).decline?.declineClass == .hard)
            world.provider.refuse(with: nil)
            let other = InvoiceID.new(at: PaymentWorld.start)
            let failed: PaymentRecord = try await collected(world, customer, other)
            #expect(failed.status == .failed && failed.decline == .doNotTryAgain)
            #expect(world.provider.charges == 1)
            #expect(try await told(world) == ["stolen_card hard", "do_not_try_again hard"])
            try await world.attach("5555555555554444", to: customer)
            #expect(try await again(world, customer, other).status == .succeeded)
        }
    }

    @Test("Visa's count of attempts over one amount is kept; another amount and another customer are not touched by it")
    func counted() async throws {
        try await withPayments { world in
            let customer: CustomerID = try await world.payer()
            let invoice = InvoiceID.new(at: PaymentWorld.start)
            world.provider.refuse(with: ProviderDecline(code: "do_not_honor", networkCode: "05"))
            _ = try await collected(world, customer, invoice)
            for _ in 2...15 { _ = try await again(world, customer, invoice) }
            #expect(world.provider.charges == 15)
            world.provider.refuse(with: nil)
            for _ in 0..<2 {
                #expect(try await again(world, customer, invoice).decline == .tooManyAttempts)
            }
            #expect(world.provider.charges == 15)
            #expect(try await told(world).last == "too_many_attempts soft \(Self.after(days: 30).rfc3339)")
            let invoices: [InvoiceID] = (0..<2).map { _ in .new(at: PaymentWorld.start) }
            await world.deliver([
                world.finalized(invoices[0], customer, amount: Money(minor: 500, currency: .usd)),
                world.finalized(invoices[1], try await world.payer()),
            ])
            for other in invoices { #expect(try await decided(world, other).status == .succeeded) }
        }
    }

    @Test("a card that was to be entered again is charged once it is") func enteredAgain() async throws {
        try await withPayments { world in
            let customer: CustomerID = try await world.payer("5555555555554444")
            let invoice = InvoiceID.new(at: PaymentWorld.start)
            world.provider.refuse(
                with: ProviderDecline(code: "do_not_honor", networkCode: "05", networkAdvice: "04"))
            #expect(try await collected(world, customer, invoice).decline == .otherDataRequired)
            world.provider.refuse(with: nil)
            #expect(try await again(world, customer, invoice).decline == .doNotTryAgain)
            #expect(world.provider.charges == 1)
            try await world.attach("5555555555554444", to: customer)
            #expect(try await again(world, customer, invoice).status == .succeeded)
        }
    }
}
