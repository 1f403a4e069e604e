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

    /// The words of a network, and of providers, that want no card to be tried again: their reason, and the code beside it.
    private static let finalWords: [(String, String)] = [
        ("stolen_card", "43"), ("stolen_card", "9520"), ("do_not_try_again", "51"),
    ]

    @Test(
        "a card that its network wants back is not charged for another invoice, whoever's words say so; another card is",
        arguments: finalWords)
    func wantedBack(reason: String, code: String) async throws {
        try await withPayments { world in
            let customer: CustomerID = try await world.payer()
            world.provider.refuse(with: ProviderDecline(code: reason, networkCode: code))
            #expect(
                try await collected(world, customer, .new(at: PaymentWorld.start)).decline?.declineClass == .hard)
            world.provider.refuse(with: nil)
            let other = InvoiceID.new(at: PaymentWorld.start)
            let failed: PaymentRecord = try await collected(world, customer, other)
            #expect(failed.status == .failed && failed.decline == .doNotTryAgain)
            #expect(world.provider.charges == 1)
            #expect(try await told(world) == ["\(reason) hard", "do_not_try_again hard"])
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

    /// How the cardholder's order to stop comes: to Visa cards as a response code, to Mastercard's as an advice, and in a
    /// provider's own words without either.
    private static let orders: [(card: String, decline: ProviderDecline)] = [
        ("4242424242424242", ProviderDecline(code: "revocation_of_authorization", networkCode: "R1")),
        ("5555555555554444", ProviderDecline(code: "do_not_honor", networkCode: "05", networkAdvice: "21")),
        ("4242424242424242", ProviderDecline(code: "revocation_of_authorization")),
    ]
    private static let agreed = #","acceptance":{"type":"offline"}"#

    private func call(_ path: String, _ body: String, on day: Int64) -> Call {
        let now: Instant = Self.after(days: day)
        return Call(post: path, body: Array(body.utf8), key: nil, preferWait: .zero, now: now, receivedAt: now)
    }

    /// `POST /v1/payments`, and Fraud's approval.
    private func pay(
        _ world: PaymentWorld, _ customer: CustomerID, on day: Int64, _ more: String = ""
    ) async throws -> PaymentRecord {
        let body = #"{"amount":1299,"currency":"USD","customer_id":"\#(customer)"\#(more)}"#
        let input: CreatePaymentInput = try world.read(body)
        world.clock.set(Self.after(days: day))
        let payment: PaymentRecord = try await world.payment(
            world.id(try await world.work.create(call("/v1/payments", body, on: day), input)))
        await world.decide(payment)
        return try await world.settled(payment.id)
    }

    /// A card, entered anew.
    private func enter(
        _ world: PaymentWorld, _ card: String, of customer: CustomerID, on day: Int64, _ more: String = ""
    ) async throws {
        let body: String =
            #"{"customer_id":"\#(customer)","type":"card","card":{"number":"\#(card)","exp_month":12,"exp_year":2030,"#
            + #""cvc":"123"}\#(more)}"#
        let input: CreatePaymentMethodInput = try world.read(body)
        world.clock.set(Self.after(days: day))
        _ = try await world.work.attach(call("/v1/payment_methods", body, on: day), input)
    }

    /// An invoice whose charge comes back with the cardholder's order to stop.
    private func stop(
        _ world: PaymentWorld, _ customer: CustomerID, with order: ProviderDecline, on day: Int64
    ) async throws -> InvoiceID {
        let invoice = InvoiceID.new(at: PaymentWorld.start)
        world.clock.set(Self.after(days: day))
        world.provider.refuse(with: order)
        #expect(try await collected(world, customer, invoice).decline?.code == "revocation_of_authorization")
        world.provider.refuse(with: nil)
        return invoice
    }

    @Test(
        "an order to stop outlives an approval and ends what was agreed before; what is agreed afterwards it does not bind",
        arguments: 0..<orders.count)
    func agreedAnew(index: Int) async throws {
        let (card, order) = Self.orders[index]
        try await withPayments { world in
            let customer: CustomerID = try await world.payer(card)
            #expect(try await pay(world, customer, on: 1, Self.agreed).status == .succeeded)
            let invoice: InvoiceID = try await stop(world, customer, with: order, on: 2)
            #expect(try await pay(world, customer, on: 3).status == .succeeded)
            #expect(try await again(world, customer, invoice).decline == .doNotTryAgain)
            #expect(world.provider.charges == 3)
            #expect(try await pay(world, customer, on: 4, Self.agreed).status == .succeeded)
            #expect(try await again(world, customer, invoice).status == .succeeded)
            // One that nothing came between stays, with the proof of its time.
            #expect(try await pay(world, customer, on: 5, Self.agreed).status == .succeeded)
            #expect(
                try await world.number(
                    "SELECT count(*) FROM payment_methods WHERE mandate_accepted_at = \(Self.after(days: 4))") == 1)
            let stopped: InvoiceID = try await stop(world, customer, with: order, on: 6)
            #expect(try await again(world, customer, stopped).decline == .doNotTryAgain)
            #expect(try await world.violations() == [])
        }
    }

    @Test(
        "a card that is entered anew is charged again under what is agreed with it, and only there",
        arguments: 0..<orders.count)
    func agreedWithMethod(index: Int) async throws {
        let (card, order) = Self.orders[index]
        try await withPayments { world in
            let customer: CustomerID = try await world.payer(card)
            let first: String = try #require(try await world.texts("SELECT id FROM payment_methods").first)
            let invoice: InvoiceID = try await stop(world, customer, with: order, on: 1)
            try await enter(world, card, of: customer, on: 2)
            #expect(try await again(world, customer, invoice).decline == .doNotTryAgain)
            try await enter(world, card, of: customer, on: 3, Self.agreed)
            #expect(try await again(world, customer, invoice).status == .succeeded)
            let other: PaymentRecord = try await pay(
                world, customer, on: 4, #","payment_method_id":"\#(first)","off_session":true"#)
            #expect(other.decline == .doNotTryAgain)
            #expect(world.provider.charges == 2)
        }
    }

    /// A provider that keeps methods of a kind.
    private func keeper(of type: String) -> PagesProvider {
        PagesProvider(methods: [
            ProviderCapabilities.Method(
                type: type, separateCapture: true, partialCapture: true, multipleCapture: false, partialRefund: true,
                offSession: true)
        ])
    }

    @Test(
        "a card that its provider keeps for a wallet is bound by an order to stop, and freed by an agreement, like any other",
        arguments: Wallet.allCases)
    func keptForAWallet(wallet: Wallet) async throws {
        let pages: PagesProvider = keeper(of: wallet.rawValue)
        pages.begin(with: .captured(ProviderCharge(reference: "pg_1")))
        try await withPayments(beside: [pages]) { world in
            let customer: CustomerID = try await world.payer()
            try await world.execute("UPDATE payment_methods SET provider = 'pages', type = \(wallet.rawValue)")
            #expect(try await pay(world, customer, on: 1, Self.agreed).status == .succeeded)
            let invoice = InvoiceID.new(at: PaymentWorld.start)
            world.clock.set(Self.after(days: 2))
            pages.begin(with: .declined(ProviderDecline(code: "revocation_of_authorization", networkCode: "R1")))
            #expect(try await collected(world, customer, invoice).status == .failed)
            pages.begin(with: .captured(ProviderCharge(reference: "pg_2")))
            #expect(try await again(world, customer, invoice).decline == .doNotTryAgain)
            #expect(pages.charges.count == 2)
            #expect(try await pay(world, customer, on: 3, Self.agreed).status == .succeeded)
            #expect(try await again(world, customer, invoice).status == .succeeded)
        }
    }

    @Test("a card that is kept without a brand is counted by the one that its provider names with a decline")
    func namedWithADecline() async throws {
        let pages: PagesProvider = keeper(of: "card")
        pages.begin(with: .declined(ProviderDecline(code: "do_not_honor", brand: "mastercard")))
        try await withPayments(beside: [pages]) { world in
            let customer: CustomerID = try await world.payer()
            try await world.execute("UPDATE payment_methods SET provider = 'pages', brand = NULL")
            let invoice = InvoiceID.new(at: PaymentWorld.start)
            _ = try await collected(world, customer, invoice)
            #expect(try await world.texts("SELECT brand FROM payment_methods") == ["mastercard"])
            for _ in 2...10 { _ = try await again(world, customer, invoice) }
            #expect(pages.charges.count == 10)
            #expect(try await again(world, customer, invoice).decline == .tooManyAttempts)
            #expect(pages.charges.count == 10)
        }
    }
}
