import BillingCore
import HTTPKit
import JSON
import PaymentContract
import PaymentDomain
import PaymentRecords
import PaymentService
import PaymentStripe
import Postgres
import Telemetry
import Testing

@Suite("What a provider must be told of who pays") struct PayerDetailTests {
    private struct Deaf: ProviderTransport {
        func send(_ request: ProviderHTTPRequest) async throws(ProviderFault) -> ProviderHTTPAnswer {
            throw .notSent("nobody is to be asked")
        }
    }

    private static var stripe: StripeAdapter {
        StripeAdapter(
            configuration: StripeConfiguration(secretKey: Secret("sk_test_x"), returnURL: "https://pay.example/"),
            transport: Deaf())
    }

    private static func body(_ customer: CustomerID, _ type: String, _ currency: String, _ payer: String?) -> String {
        #"{"amount":5000,"currency":"\#(currency)","customer_id":"\#(customer)","payment_method_type":"\#(type)","#
            + #""return_url":"https://shop.example/back"\#(payer.map { #","payer":\#($0)"# } ?? "")}"#
    }

    @Test(
        "each detail that is missing is named, and nothing is stored",
        arguments: [
            ("klarna", "EUR", nil, ["payer.country required"]),
            ("klarna", "EUR", #"{"country":"DE","email":"ada@example"}"#, ["payer.email invalid_email"]),
            (
                "afterpay_clearpay", "USD", nil,
                [
                    "payer.name required", "payer.email required", "payer.country required", "payer.line1 required",
                    "payer.city required", "payer.postal_code required",
                ]
            ),
            (
                "afterpay_clearpay", "USD", #"{"name":"Ada","line1":"1 Main St","city":"Reno","country":"US"}"#,
                ["payer.email required", "payer.postal_code required"]
            ),
        ] as [(String, String, String?, [String])])
    func missing(type: String, currency: String, payer: String?, faults: [String]) async throws {
        try await withPayments(beside: [Self.stripe]) { (world: PaymentWorld) async throws -> Void in
            let body: String = Self.body(await world.customer(), type, currency, payer)
            try await world.execute("UPDATE customers SET country = NULL")
            let input: CreatePaymentInput = try world.read(body)
            let problem: Problem? = await #expect(throws: Problem.self) {
                try await world.work.create(world.call("/v1/payments", body: body), input)
            }
            #expect(problem?.status == 422)
            #expect(problem?.errors.map { "\($0.param) \($0.code)" } == faults)
            #expect(try await world.number("SELECT count(*) FROM payments") == 0)
            #expect(try await world.number("SELECT count(*) FROM payment_methods") == 0)
        }
    }

    @Test(
        "a payment that says all that is asked for is taken",
        arguments: [
            ("klarna", "EUR", #"{"country":"DE"}"#),
            (
                "afterpay_clearpay", "USD",
                #"{"name":"Ada","email":"ada@example.com","line1":"1 Main St","city":"Reno","postal_code":"89501","#
                    + #""country":"US"}"#
            ),
            ("affirm", "USD", #"{"country":"US"}"#),
        ] as [(String, String, String?)])
    func complete(type: String, currency: String, payer: String?) async throws {
        try await withPayments(beside: [Self.stripe]) { (world: PaymentWorld) async throws -> Void in
            let body: String = Self.body(await world.customer(), type, currency, payer)
            let reply: Reply<PaymentResource> = try await world.work.create(
                world.call("/v1/payments", body: body), world.read(body))
            #expect(try await world.payment(world.id(reply)).status == .created)
        }
    }

    @Test(
        "where the payment does not say from where who pays is, the customer's country counts, if it is known",
        arguments: [
            (nil, nil), ("US", nil), ("DE", "payer.country unsupported_country"),
            ("CA", "currency unsupported_currency"),
        ] as [(String?, String?)])
    func customersCountry(country: String?, fault: String?) async throws {
        try await withPayments(beside: [Self.stripe]) { (world: PaymentWorld) async throws -> Void in
            let customer: CustomerID = await world.customer()
            try await world.execute("UPDATE customers SET country = \(country)")
            let body: String = Self.body(customer, "affirm", "USD", nil)
            let input: CreatePaymentInput = try world.read(body)
            guard let fault else {
                let reply: Reply<PaymentResource> = try await world.work.create(
                    world.call("/v1/payments", body: body), input)
                let made: PaymentRecord = try await world.payment(world.id(reply))
                #expect(made.status == .created)
                return
            }
            let problem: Problem? = await #expect(throws: Problem.self) {
                try await world.work.create(world.call("/v1/payments", body: body), input)
            }
            #expect(problem?.status == 422)
            #expect(problem?.errors.map { "\($0.param) \($0.code)" } == [fault])
            #expect(try await world.number("SELECT count(*) FROM payments") == 0)
            #expect(try await world.number("SELECT count(*) FROM payment_methods") == 0)
            // Who pays is somebody else.
            let payer: String = Self.body(customer, "affirm", "USD", #"{"country":"US"}"#)
            let reply: Reply<PaymentResource> = try await world.work.create(
                world.call("/v1/payments", body: payer), world.read(payer))
            let made: PaymentRecord = try await world.payment(world.id(reply))
            #expect(made.status == .created)
        }
    }

    @Test(
        "a method that has to be told the country is told the customer's where the payment does not say who pays",
        arguments: [
            ("klarna", "EUR", "DE", []), ("klarna", "EUR", "JP", ["payer.country unsupported_country"]),
            (
                "afterpay_clearpay", "USD", "US",
                [
                    "payer.name required", "payer.email required", "payer.line1 required", "payer.city required",
                    "payer.postal_code required",
                ]
            ),
        ] as [(String, String, String, [String])])
    func toldTheCustomersCountry(type: String, currency: String, country: String, faults: [String]) async throws {
        try await withPayments(beside: [Self.stripe]) { (world: PaymentWorld) async throws -> Void in
            let customer: CustomerID = await world.customer()
            try await world.execute("UPDATE customers SET country = \(country)")
            let body: String = Self.body(customer, type, currency, nil)
            let input: CreatePaymentInput = try world.read(body)
            guard faults.isEmpty else {
                let problem: Problem? = await #expect(throws: Problem.self) {
                    try await world.work.create(world.call("/v1/payments", body: body), input)
                }
                #expect(problem?.errors.map { "\($0.param) \($0.code)" } == faults)
                #expect(try await world.number("SELECT count(*) FROM payments") == 0)
                return
            }
            let reply: Reply<PaymentResource> = try await world.work.create(
                world.call("/v1/payments", body: body), input)
            #expect(try await world.payment(world.id(reply)).status == .created)
            let told: [String] = try await world.texts("SELECT payer->>'country' FROM payment_methods")
            #expect(told == [country])
        }
    }

    @Test("who pays is said of a payment on a page alone: otherwise it is refused, not passed over") func stray() throws
    {
        let customer = CustomerID.new(at: PaymentWorld.start)
        for method: String in ["", #","payment_method_id":"\#(PaymentMethodID.new(at: PaymentWorld.start))""#] {
            let body: String =
                #"{"amount":5000,"currency":"EUR","customer_id":"\#(customer)","payer":{"country":"DE"}\#(method)}"#
            let json: JSONValue = try parseJSON(body)
            let invalid: InvalidInput? = #expect(throws: InvalidInput.self) {
                try decode(CreatePaymentInput.self, from: json)
            }
            #expect(invalid?.faults.map { "\($0.param) \($0.code)" } == ["payer conflicting_fields"])
        }
    }

    @Test("a repeat gets its payment though no provider has the method any more, and a new request does not")
    func repeatedWithoutProvider() async throws {
        try await withPayments(beside: [Self.stripe]) { (world: PaymentWorld) async throws -> Void in
            let body: String = Self.body(await world.customer(), "klarna", "EUR", #"{"country":"DE"}"#)
            func create(by world: PaymentWorld, _ key: String) async throws -> Reply<PaymentResource> {
                try await world.work.create(world.call("/v1/payments", key: key, body: body), world.read(body))
            }
            let first: Reply<PaymentResource> = try await create(by: world, "once")
            let other = PaymentWorld(world.database)
            let again: Reply<PaymentResource> = try await create(by: other, "once")
            #expect(try other.id(again) == world.id(first) && again.status == first.status)
            #expect(await other.refusal { try await create(by: other, "other") } == "invalid_request")
            #expect(try await world.number("SELECT count(*) FROM payments") == 1)
            #expect(try await world.number("SELECT count(*) FROM idempotency_keys") == 1, "the refused key is free")
        }
    }
}
