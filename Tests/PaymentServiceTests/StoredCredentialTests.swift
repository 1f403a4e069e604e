import BillingCore
import PaymentRecords
import Postgres
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
            let mandate = StoredCredential.Mandate(id: "mdt_1", acceptedAt: PaymentWorld.start, ip: "192.0.2.7")
            let found: [PaymentMethodID: StoredCredential] = try await world.database.transaction { db in
                try StoredCredentialStore.learn([(methods[0], "MCC123456789")], in: db)
                try StoredCredentialStore.learn(
                    [(methods[0], "MCC000000000"), (.new(at: PaymentWorld.start), "MCC999999999")], in: db)
                try StoredCredentialStore.agree(mandate, for: methods[0], in: db)
                return try StoredCredentialStore.find(methods + [.new(at: PaymentWorld.start)], in: db)
            }
            #expect(
                found == [
                    methods[0]: StoredCredential(networkTransactionID: "MCC123456789", mandate: mandate),
                    methods[1]: StoredCredential(networkTransactionID: nil, mandate: nil),
                ])
        }
    }
}
