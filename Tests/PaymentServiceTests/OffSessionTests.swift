import BillingCore
import HTTPKit
import JSON
import PaymentContract
import PaymentDomain
import PaymentRecords
import PaymentService
import Postgres
import Testing

@Suite("Charging while the customer is away") struct OffSessionTests {
    private static let away = #","off_session":true"#

    /// `POST /v1/payments`, and Fraud's approval.
    @discardableResult
    private func pay(
        _ world: PaymentWorld, _ customer: CustomerID, _ more: String = away
    ) async throws -> PaymentRecord {
        let body = #"{"amount":1299,"currency":"USD","customer_id":"\#(customer)"\#(more)}"#
        let input: CreatePaymentInput = try world.read(body)
        let reply: Reply<PaymentResource> = try await world.work.create(
            world.call("/v1/payments", body: body), input)
        let payment: PaymentRecord = try await world.payment(world.id(reply))
        await world.decide(payment)
        return try await world.settled(payment.id)
    }

    @Test("the bank is asked by the merchant, under the mandate and after the customer's own charge") func merchant()
        async throws
    {
        try await withPayments { world in
            let customer: CustomerID = try await world.payer()
            let first: PaymentRecord = try await pay(world, customer, #","acceptance":{"type":"offline"}"#)
            try await world.execute("UPDATE payment_methods SET network_transaction_id = 'MCC123456789'")
            let later: PaymentRecord = try await pay(world, customer)
            #expect(later.status == .succeeded && later.offSession && later.mandateID != nil)
            #expect(later.mandateID == first.mandateID)
            let asked: [ChargeRequest] = world.provider.asked
            #expect(
                asked.map(\.initiation) == [.customer, .merchant(networkTransactionID: "MCC123456789")])
            #expect(asked.last?.mandate == later.mandateID && asked.last?.keepsMethod == false)
            let shown: JSONValue = try parseJSON(encode(PaymentResource(later)))
            #expect(shown["off_session"] == true)
            let told: [String] = try await world.texts(
                "SELECT body::jsonb->>'off_session' FROM outbox WHERE type = 'payment.created.v1' ORDER BY seq")
            #expect(told == ["false", "true"], "Fraud knows that nobody is there")
            #expect(try await world.violations().isEmpty)
        }
    }

    @Test("a bank that asks for the customer has declined; they may confirm it when they are back")
    func asksForCustomer()
        async throws
    {
        try await withPayments { world in
            let payment: PaymentRecord = try await pay(world, world.payer("4000002500003155"))
            #expect(payment.status == .failed && payment.decline == .authenticationRequired)
            #expect(payment.nextAction == nil)
            #expect(try await world.published("payment.requires_action.v1") == 0)
            let again: PaymentRecord = try await world.confirm(payment.id, passed: nil)
            #expect(again.status == .created && !again.offSession)
            await world.decide(again)
            #expect(try await world.settled(payment.id).status == .requiresAction)
        }
    }

    @Test("what the card's network does not allow fails without anybody being asked, with the customer, too")
    func budget() async throws {
        try await withPayments { world in
            let customer: CustomerID = try await world.payer()
            world.provider.refuse(with: ProviderDecline(code: "stolen_card", networkCode: "43"))
            #expect(try await pay(world, customer).decline?.declineClass == .hard)
            world.provider.refuse(with: nil)
            for more in [Self.away, ""] {
                let refused: PaymentRecord = try await pay(world, customer, more)
                #expect(refused.status == .failed && refused.decline == .doNotTryAgain)
            }
            #expect(world.provider.charges == 1)
            try await world.attach("5555555555554444", to: customer)
            #expect(try await pay(world, customer, "").status == .succeeded)
        }
    }

    @Test(
        "it is refused by its name with a method that the customer is there for, and nothing is stored",
        arguments: [
            #","payment_method_type":"klarna","return_url":"https://shop.test/back""#,
            #","acceptance":{"type":"offline"}"#,
        ])
    func conflicts(more: String) async throws {
        try await withPayments(beside: [PagesProvider()]) { world in
            let customer: CustomerID = try await world.payer()
            let invalid: InvalidInput? = await #expect(throws: InvalidInput.self) {
                try await pay(world, customer, more + Self.away)
            }
            #expect(invalid?.faults.map(\.param) == ["off_session"])
            #expect(invalid?.faults.map(\.code) == ["conflicting_fields"])
            #expect(try await world.number("SELECT count(*) FROM payments") == 0)
        }
    }

    @Test("so it is with a wallet's card, and where the provider cannot charge without the customer") func unable()
        async throws
    {
        let tokens = WalletTokens()
        try await withPayments(beside: [PagesProvider()], wallets: tokens.reader()) { world in
            let customer: CustomerID = try await world.payer()
            let wallet: String = try await world.attachWallet(tokens.token(), to: customer)
            try await world.execute("UPDATE payment_methods SET provider = 'pages' WHERE id <> \(wallet)")
            for more in [#","payment_method_id":"\#(wallet)""#, ""] {
                let problem: Problem? = await #expect(throws: Problem.self) {
                    try await pay(world, customer, more + Self.away)
                }
                #expect(problem?.errors.map(\.param) == ["off_session"])
                #expect(problem?.errors.map(\.code) == ["unsupported_off_session"])
            }
            #expect(try await world.number("SELECT count(*) FROM payments") == 0)
        }
    }
}
