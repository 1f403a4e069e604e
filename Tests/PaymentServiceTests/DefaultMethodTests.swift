import BillingCore
import HTTPKit
import JSON
import PaymentContract
import PaymentRecords
import PaymentService
import Postgres
import TestKit
import Testing

@Suite("The method that renewals use") struct DefaultMethodTests {
    private func makeDefault(_ id: PaymentMethodID, in world: PaymentWorld) async throws -> PaymentMethodRecord {
        try await world.database.transaction { db in try MakeMethodDefault()(id, at: world.clock.now, in: db) }
    }

    private func id(_ json: JSONValue) -> PaymentMethodID { PaymentMethodID(unchecked: json["id"]?.stringValue ?? "") }

    private func defaults(_ world: PaymentWorld) async throws -> [String] {
        try await world.texts("SELECT id FROM payment_methods WHERE is_default")
    }

    @Test("a method that another took the place of becomes the default again, and is told of once") func back()
        async throws
    {
        try await withPayments { world in
            let customer: CustomerID = await world.customer()
            let first: PaymentMethodID = id(try await world.attach("4242424242424242", to: customer))
            let second: PaymentMethodID = id(try await world.attach("5555555555554444", to: customer))
            #expect(try await defaults(world) == [second.rawValue])
            #expect(try await makeDefault(first, in: world).isDefault)
            #expect(try await defaults(world) == [first.rawValue])
            #expect(try await world.published("payment_method.attached.v1") == 3)
            _ = try await makeDefault(first, in: world)
            #expect(try await world.published("payment_method.attached.v1") == 3, "it was the default already")
        }
    }

    private static let atBank = SaveMethodAnswer.actionRequired(
        reference: "seti_1", .redirect(url: "https://pages.example/3ds"))
    private static let saved = SaveMethodAnswer.saved(
        SavedMethod(
            token: "sepa_debit/pm_1/mandate_1", customer: "cus_p", brand: nil, last4: "3000", expMonth: nil,
            expYear: nil, fingerprint: "f1"))

    /// An account that is wanted as the default once its provider keeps it.
    private func keep(_ customer: CustomerID, in world: PaymentWorld) async throws -> PaymentMethodID {
        let body =
            #"{"customer_id":"\#(customer)","type":"sepa_debit","provider":"pages","token":"pm_1","#
            + #""acceptance":{"ip_address":"192.0.2.1","user_agent":"x"}}"#
        let reply: Reply<PaymentMethodResource> = try await world.work.attach(
            world.call("/v1/payment_methods", body: body), world.read(body))
        return id(try parseJSON(reply.body))
    }

    @Test(
        "the last word counts: what was to be the default is kept beside the one that was made it meanwhile",
        arguments: ["the default again", "one before", "a new card", "another account"])
    func lastWord(_ word: String) async throws {
        let pages = PagesProvider()
        pages.save(as: Self.atBank)
        try await withPayments(beside: [pages]) { world in
            let customer: CustomerID = await world.customer()
            let first: PaymentMethodID = id(try await world.attach("4242424242424242", to: customer))
            let second: PaymentMethodID = id(try await world.attach("5555555555554444", to: customer))
            let waiting: PaymentMethodID = try await keep(customer, in: world)
            if word == "another account" { pages.save(as: Self.saved) }
            let chosen: PaymentMethodID
            switch word {
            case "the default again": chosen = try await makeDefault(second, in: world).id
            case "one before": chosen = try await makeDefault(first, in: world).id
            case "a new card": chosen = id(try await world.attach("4012888888881881", to: customer))
            default: chosen = try await keep(customer, in: world)
            }
            pages.save(as: Self.saved)
            try await world.work.keep.finish(waiting)
            #expect(
                try await world.texts("SELECT status FROM payment_methods WHERE id = \(waiting)") == ["active"])
            #expect(try await defaults(world) == [chosen.rawValue])
            let told: [String] = try await world.texts(
                """
                SELECT body::jsonb->>'is_default' FROM outbox
                WHERE type = 'payment_method.attached.v1' AND body::jsonb->>'payment_method_id' = \(waiting.rawValue)
                """)
            #expect(told == ["false"])
        }
    }

    @Test(
        "of several that are to be kept as the default the one asked for last is it, whichever is kept last",
        arguments: [true, false])
    func lastAsked(isKeptLast: Bool) async throws {
        let pages = PagesProvider()
        pages.save(as: Self.atBank)
        try await withPayments(beside: [pages]) { world in
            let customer: CustomerID = await world.customer()
            let first: PaymentMethodID = try await keep(customer, in: world)
            let last: PaymentMethodID = try await keep(customer, in: world)
            pages.save(as: Self.saved)
            for id in isKeptLast ? [first, last] : [last, first] { try await world.work.keep.finish(id) }
            #expect(try await defaults(world) == [last.rawValue])
        }
    }

    @Test("one that is detached, or is used once, does not; the default stays", arguments: ["detached", "single_use"])
    func refused(_ kind: String) async throws {
        try await withPayments { world in
            let customer: CustomerID = await world.customer()
            let first: PaymentMethodID = id(try await world.attach("4242424242424242", to: customer))
            let second: PaymentMethodID = id(try await world.attach("5555555555554444", to: customer))
            if kind == "detached" {
                try await world.execute("UPDATE payment_methods SET status = 'detached' WHERE id = \(first)")
            } else {
                try await world.execute("UPDATE payment_methods SET single_use = true WHERE id = \(first)")
            }
            let problem: Problem? = await #expect(throws: Problem.self) { try await makeDefault(first, in: world) }
            #expect(problem?.status == 409 && problem?.code == "method_not_chargeable")
            #expect(try await defaults(world) == [second.rawValue])
        }
    }
}
