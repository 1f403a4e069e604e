import BillingCore
import HTTPKit
import JSON
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
