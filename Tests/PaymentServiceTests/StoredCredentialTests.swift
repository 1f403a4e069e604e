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

@Suite("Stored credentials") struct StoredCredentialTests {
    @Test("the first network transaction id stays, an agreement is kept with its time and address") func kept()
        async throws
    {
        try await withPayments { world in
            let customer: CustomerID = try await world.payer()
            try await world.attach("4242424242424242", to: customer)
            let ids: [String] = try await world.texts("SELECT id FROM payment_methods ORDER BY id")
            let methods: [PaymentMethodID] = ids.map { PaymentMethodID(unchecked: $0) }
            let mandate = Mandate(
                id: "mdt_1", type: .online, acceptedAt: PaymentWorld.start, ip: "192.0.2.7", userAgent: "Mozilla/5.0")
            let kept: [Mandate?] = try await world.database.transaction { db in
                try StoredCredentialStore.learn([(methods[0], "MCC123456789")], in: db)
                try StoredCredentialStore.learn(
                    [(methods[0], "MCC000000000"), (.new(at: PaymentWorld.start), "MCC999999999")], in: db)
                try StoredCredentialStore.agree(mandate, for: methods[0], in: db)
                return try methods.map { try PaymentMethodStore.find($0, in: db)?.mandate }
            }
            #expect(kept == [mandate, nil])
            #expect(
                try await world.texts("SELECT coalesce(network_transaction_id, '') FROM payment_methods ORDER BY id")
                    == ["MCC123456789", ""])
        }
    }

    /// Attaches a sandbox card as a caller does.
    private func attach(
        _ world: PaymentWorld, _ customer: CustomerID, _ more: String = ""
    ) async throws -> JSONValue {
        let body: String =
            #"{"customer_id":"\#(customer)","type":"card","card":{"number":"4242424242424242","exp_month":12,"#
            + #""exp_year":2030,"cvc":"123"}\#(more)}"#
        return try parseJSON(
            try await world.work.attach(world.call("/v1/payment_methods", body: body), world.read(body)).body)
    }

    @Test("an agreement is kept with the method, shown, and handed over with each charge without the customer")
    func mandate() async throws {
        try await withPayments { world in
            let customer: CustomerID = await world.customer()
            let agreed: JSONValue = try await attach(
                world, customer, #","acceptance":{"ip_address":"192.0.2.7","user_agent":"Mozilla/5.0"}"#)
            let id: String = try #require(agreed["id"]?.stringValue)
            let reference = "mdt_" + id.dropFirst(3)
            #expect(agreed["mandate"]?["id"]?.stringValue == reference)
            #expect(agreed["mandate"]?["status"] == "active" && agreed["mandate"]?["type"] == "online")
            #expect(agreed["mandate"]?["ip_address"] == "192.0.2.7")
            #expect(agreed["mandate"]?["accepted_at"]?.stringValue == PaymentWorld.start.rfc3339)
            try await world.database.transaction { db in
                try StoredCredentialStore.learn([(PaymentMethodID(unchecked: id), "MCC123456789")], in: db)
            }
            let charged: PaymentRecord = try await renewal(world, customer)
            #expect(charged.mandateID == reference)
            #expect(
                try await world.texts(
                    "SELECT concat_ws('|', mandate_id, network_transaction_id) FROM sandbox_charges")
                    == ["\(reference)|MCC123456789"])
            // One that the customer is there for refers to nothing.
            let present: PaymentRecord = try await world.paid(customer)
            #expect(present.mandateID == nil)
        }
    }

    @Test("what is charged without an agreement goes through, and says so; with the method the agreement ends")
    func without() async throws {
        try await withPayments { world in
            let customer: CustomerID = await world.customer()
            let plain: JSONValue = try await attach(world, customer)
            #expect(plain["mandate"] == .null)
            let charged: PaymentRecord = try await renewal(world, customer)
            #expect(charged.status == .succeeded && charged.mandateID == nil)
            let offline: JSONValue = try await attach(world, customer, #","acceptance":{"type":"offline"}"#)
            let id = PaymentMethodID(unchecked: offline["id"]?.stringValue ?? "")
            #expect(offline["mandate"]?["type"] == "offline")
            for _ in 0..<2 {
                try await world.database.transaction { db in
                    try PaymentMethodStore.detach(id, at: PaymentWorld.start, in: db)
                }
            }
            let found: PaymentMethodRecord? = try await world.database.transaction { db in
                try PaymentMethodStore.find(id, in: db)
            }
            let method: PaymentMethodRecord = try #require(found)
            #expect(method.status == .detached && !method.isDefault)
            #expect(method.mandate?.endedAt == PaymentWorld.start)
            #expect(
                try await world.database.transaction { db in
                    try PaymentMethodStore.resolve([(customer, nil), (customer, id)], in: db).map(\.method)
                } == [nil, nil])
        }
    }

    @Test("what was agreed online needs its proof; each fault is named") func faults() async throws {
        try await withPayments { world in
            let customer: CustomerID = await world.customer()
            await #expect(throws: InvalidInput.self) {
                try await attach(world, customer, #","acceptance":{"ip_address":"192.0.2.7"}"#)
            }
            let stored: Int = try await world.number("SELECT count(*) FROM payment_methods")
            #expect(stored == 0)
        }
    }

    /// A card whose owner agreed from an address.
    private func agreed(from address: String, type: String = "online") throws -> CreatePaymentMethodInput {
        let body: String =
            #"{"customer_id":"\#(CustomerID.new(at: PaymentWorld.start))","type":"card","card":{"number":"#
            + #""4242424242424242","exp_month":12,"exp_year":2030,"cvc":"123"},"acceptance":{"type":"\#(type)","#
            + #""ip_address":"\#(address)","user_agent":"Mozilla/5.0"}}"#
        return try decode(CreatePaymentMethodInput.self, from: parseJSON(body))
    }

    @Test(
        "what is no address of IPv4 or IPv6 is no proof of where the customer agreed from",
        arguments: [
            "unknown", "localhost", "192.0.2", "192.0.2.256", "192.0.2.7:443", "10.0.0.1, 192.0.2.7", "2001:db8::g",
            "fe80::1%eth0", " 192.0.2.7",
        ])
    func noAddress(_ text: String) {
        for type in ["online", "offline"] {
            let invalid: InvalidInput? = #expect(throws: InvalidInput.self) { try agreed(from: text, type: type) }
            #expect(invalid?.faults.map(\.param) == ["acceptance.ip_address"])
        }
    }

    @Test(
        "both kinds of address are taken",
        arguments: ["192.0.2.7", "2001:db8::7", "::ffff:192.0.2.7", "2001:0db8:0000:0000:0000:0000:192.0.2.133"])
    func address(_ text: String) throws { _ = try agreed(from: text) }

    @Test("a payment with which the customer agrees gives its method the mandate that later charges refer to")
    func agreedWithPayment() async throws {
        try await withPayments { world in
            let customer: CustomerID = await world.customer()
            let method: String = try #require(try await attach(world, customer)["id"]?.stringValue)
            let agreed = #","acceptance":{"ip_address":"192.0.2.7","user_agent":"Mozilla/5.0"}"#
            let first: PaymentRecord = try await pay(world, customer, agreed)
            let reference = "mdt_" + method.dropFirst(3)
            #expect(first.status == .succeeded && first.mandateID == reference)
            world.clock.advance(by: .seconds(60))
            let again: PaymentRecord = try await pay(
                world, customer, #","acceptance":{"ip_address":"198.51.100.9","user_agent":"Another"}"#)
            #expect(again.mandateID == reference)
            // The first stays, with the proof of its time.
            let kept: PaymentMethodRecord? = try await world.database.transaction { db in
                try PaymentMethodStore.find(PaymentMethodID(unchecked: method), in: db)
            }
            #expect(kept?.mandate?.ip == "192.0.2.7" && kept?.mandate?.acceptedAt == PaymentWorld.start)
            #expect(try await renewal(world, customer).mandateID == reference)
            #expect(try await pay(world, customer, "").mandateID == nil)
            #expect(world.provider.asked.map(\.keepsMethod) == [true, true, false, false])
            #expect(world.provider.asked.map(\.mandate) == [reference, reference, reference, nil])
            #expect(try await world.violations() == [])
        }
    }

    @Test("the law asks for the customer when they agree to later charges, whatever it would spare them")
    func agreementIsAuthenticated() async throws {
        try await withPayments { world in
            let customer: CustomerID = try await world.payer("4000002500000003")
            let payment: PaymentRecord = try await pay(
                world, customer, #","acceptance":{"type":"offline"}"#, amount: #""amount":500,"currency":"EUR""#)
            #expect(payment.status == .requiresAction)
            #expect(payment.authentication?.decision == "required" && payment.authentication?.reason == "agreement")
        }
    }

    @Test("nothing can be agreed about a method that is used once, or that cannot be charged without the customer")
    func usedOnce() async throws {
        let tokens = WalletTokens()
        try await withPayments(beside: [PagesProvider()], wallets: tokens.reader()) { world in
            let customer: CustomerID = await world.customer()
            let offline = #","acceptance":{"type":"offline"}"#
            let paged = #","payment_method_type":"klarna","return_url":"https://shop.test/back""#
            await #expect(throws: InvalidInput.self) { try await pay(world, customer, offline + paged) }
            let wallet: String = try await world.attachWallet(tokens.token(), to: customer)
            let once: Problem? = await #expect(throws: Problem.self) {
                try await pay(world, customer, #","payment_method_id":"\#(wallet)"\#(offline)"#)
            }
            #expect(once?.errors.map(\.param) == ["acceptance"])
            let card: String = try #require(try await attach(world, customer)["id"]?.stringValue)
            try await world.execute("UPDATE payment_methods SET provider = 'pages' WHERE id = \(card)")
            let attended: Problem? = await #expect(throws: Problem.self) { try await pay(world, customer, offline) }
            #expect(attended?.errors.map(\.param) == ["acceptance"])
            #expect(
                try await world.number(
                    "SELECT (SELECT count(*) FROM payments) + (SELECT count(*) FROM payment_methods WHERE mandate_id IS NOT NULL)"
                ) == 0)
        }
    }

    /// A payment that the customer makes.
    @discardableResult
    private func pay(
        _ world: PaymentWorld, _ customer: CustomerID, _ more: String,
        amount: String = #""amount":1299,"currency":"USD""#
    ) async throws -> PaymentRecord {
        let body = #"{\#(amount),"customer_id":"\#(customer)"\#(more)}"#
        let input: CreatePaymentInput = try world.read(body)
        let payment: PaymentRecord = try await world.payment(
            world.id(try await world.work.create(world.call("/v1/payments", body: body), input)))
        await world.decide(payment)
        return try await world.settled(payment.id)
    }

    /// A charge without the customer that went through.
    private func renewal(_ world: PaymentWorld, _ customer: CustomerID) async throws -> PaymentRecord {
        try await pay(world, customer, #","off_session":true"#)
    }
}
