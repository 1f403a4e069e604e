import BillingCore
import JSON
import PaymentContract
import PaymentDomain
import PaymentRecords
import PaymentService
import PaymentThreeDS
import Postgres
import TestKit
import Testing

/// From 0.75 on the customer authenticates, or a person looks, or the payment fails: nothing is taken just so.
@Suite("A risk that wants the customer") struct RiskStepUpTests {
    private static let risky = "0.7600"

    @Test(
        "holds what no bank can ask for, until a person has looked; what cannot be held goes on, marked",
        arguments: [("klarna", true), ("sepa_debit", false)])
    func withoutAStepUp(type: String, isHeld: Bool) async throws {
        let pages = PagesProvider()
        let charge = ProviderCharge(reference: "pg_1")
        pages.begin(with: isHeld ? .authorized(charge) : .captured(charge))
        try await withPayments(beside: [pages]) { world in
            let customer: CustomerID = try await world.payer()
            try await world.execute("UPDATE payment_methods SET provider = 'pages', type = \(type)")
            try await world.execute("UPDATE customers SET country = 'DE'")
            let payment: PaymentRecord = try await world.pay(customer, 12_000, "EUR", score: Self.risky)
            #expect(pages.charges.map(\.capture) == [!isHeld] && pages.charges.allSatisfy { !$0.stepUp })
            #expect(payment.status == (isHeld ? .authorized : .succeeded))
            #expect(payment.reviewStatus == (isHeld ? .pending : nil))
        }
    }

    /// A method, a score, and what becomes of the payment where what cannot be held is blocked.
    private static let unheld: [(String, String, PaymentStatus)] = [
        ("sepa_debit", "0.7600", .failed), ("sepa_debit", "0.7499", .succeeded), ("klarna", "0.7600", .authorized),
    ]

    @Test(
        "fails what nobody can be asked about where the policy says so, and nothing else",
        arguments: 0..<unheld.count)
    func blocked(index: Int) async throws {
        let (type, score, status) = Self.unheld[index]
        let charge = ProviderCharge(reference: "pg_1")
        let pages = PagesProvider()
        pages.begin(with: status == .authorized ? .authorized(charge) : .captured(charge))
        let standard: RiskPolicy = .standard
        let risk = try RiskPolicy(
            reviewFrom: standard.reviewFrom, stepUpFrom: standard.stepUpFrom, blockFrom: standard.blockFrom,
            highRisk: .stepUp, review: .hold, unheld: .block)
        try await withPayments { base in
            let world = PaymentWorld(base.database, beside: [pages], risk: risk)
            let customer: CustomerID = try await world.payer()
            try await world.execute("UPDATE payment_methods SET provider = 'pages', type = \(type)")
            try await world.execute("UPDATE customers SET country = 'DE'")
            let payment: PaymentRecord = try await world.pay(customer, 12_000, "EUR", score: score)
            #expect(payment.status == status)
            #expect(pages.charges.count == (status == .failed ? 0 : 1))
            #expect(payment.decline == (status == .failed ? .blockedByRisk : nil))
        }
    }

    @Test("is found in the list of payments where it went on marked") func marked() async throws {
        let pages = PagesProvider()
        pages.begin(with: .captured(ProviderCharge(reference: "pg_1")))
        try await withPayments(beside: [pages]) { world in
            let customer: CustomerID = try await world.payer()
            _ = try await world.pay(customer, 1_299, "EUR")
            try await world.execute("UPDATE payment_methods SET provider = 'pages', type = 'sepa_debit'")
            let payment: PaymentRecord = try await world.created(customer, 12_000, "EUR")
            await world.decide(payment, "review", score: "0.6000")
            #expect(try await world.settled(payment.id).status == .succeeded)
            let found: [PaymentID] = try await world.database.transaction(readOnly: true) { db in
                try PaymentStore.list(status: .succeeded, risk: .review, after: nil, limit: 10, in: db).map(\.id)
            }
            #expect(found == [payment.id])
        }
    }

    @Test("stays where it was asked for in vain: the second try is declined like the first") func twice() async throws {
        let directory = DirectoryDouble()
        try await withPayments(directory: directory.server(.lenient)) { world in
            directory.answer("U")
            let customer: CustomerID = try await world.payer("4000000000000036")
            let payment: PaymentRecord = try await world.created(customer)
            for attempt in 1...2 {
                if attempt == 2 { _ = try await world.confirm(payment.id, passed: nil) }
                await world.decide(try await world.payment(payment.id), score: Self.risky)
                let waiting: PaymentRecord = try await world.settled(payment.id)
                #expect(waiting.attempts == attempt && word(waiting) == "required risk -")
                let page: AuthenticateOnPage = try #require(world.work.authenticateOnPage)
                _ = try await page.advance(try #require(waiting.pageCode), ChallengePageTests.browser)
                #expect(try await world.payment(payment.id).decline == .authenticationFailed)
            }
            #expect(try await world.number("SELECT count(*) FROM sandbox_charges WHERE outcome = 'succeeded'") == 0)
        }
    }

    @Test("has a person look where it comes up after nobody could be asked") func later() async throws {
        let directory = DirectoryDouble()
        try await withPayments(directory: directory.server(.lenient)) { world in
            directory.answer("U")
            let payment: PaymentRecord = try await world.created(try await world.payer("4000000000000036"))
            await world.decide(payment)
            let waiting: PaymentRecord = try await world.settled(payment.id)
            let page: AuthenticateOnPage = try #require(world.work.authenticateOnPage)
            _ = try await page.advance(try #require(waiting.pageCode), ChallengePageTests.browser)
            await world.decide(try await world.payment(payment.id), score: Self.risky)
            let held: PaymentRecord = try await world.settled(payment.id)
            #expect(held.status == .authorized && held.reviewStatus == .pending)
        }
    }

    @Test(
        "has what it wants of a wallet that authenticates; a card as it is printed is asked for",
        arguments: [(false, PaymentStatus.succeeded), (true, .requiresAction)])
    func wallets(isPrinted: Bool, status: PaymentStatus) async throws {
        let tokens = WalletTokens()
        let directory = DirectoryDouble()
        try await withPayments(wallets: tokens.reader(), directory: directory.server) { world in
            let customer: CustomerID = await world.customer()
            let method: String = try await world.attachWallet(tokens.token(isCard: isPrinted), to: customer)
            let payment: PaymentRecord = try await world.payment(world.id(world.pay(customer, with: method)))
            await world.decide(payment, score: Self.risky)
            let settled: PaymentRecord = try await world.settled(payment.id)
            #expect(settled.status == status && settled.reviewStatus == nil)
        }
    }
}
