import BillingCore
import HTTPKit
import PaymentContract
import PaymentRecords
import PaymentRouting
import PaymentService
import Postgres
import TestKit
import Testing

@Suite("Methods at several providers, while others are at them") struct MethodTokenRaceTests {
    /// What happens to a method while a further provider keeps it.
    enum Meanwhile: Sendable { case detached, keptAsAnother, takenAway }

    @Test(
        "what a provider has kept in vain it is to remove, once",
        arguments: [
            (Meanwhile.detached, "payment_method_state"), (.keptAsAnother, "token_in_place"),
            (.takenAway, "removal_in_progress"),
        ])
    func inVain(meanwhile: Meanwhile, code: String) async throws {
        try await withPayments { world in
            let vaults = Vaults(world)
            let (_, id) = try await vaults.kept()
            vaults.second.whileKeeping {
                switch meanwhile {
                case .detached:
                    try await world.database.transaction { db in
                        _ = try vaults.work.remove.detach(id, at: PaymentWorld.start, in: db)
                    }
                case .keptAsAnother:
                    vaults.second.name(VaultedMethod(type: "card", card: Vaults.card), as: "pm_3")
                    vaults.second.save(as: Vaults.saved("pm_3", Vaults.card))
                    try await vaults.keep(id, "pm_3")
                case .takenAway:
                    try await vaults.keep(id)
                    try await vaults.detach(id, from: "second")
                }
            }
            #expect(await vaults.refusal(id)?.code == code)
            let leaving: [String] = try await world.texts(
                """
                SELECT m.provider_token FROM method_removals r JOIN payment_methods m ON m.id = r.payment_method_id
                WHERE r.status = 'processing' AND m.provider = 'second'
                """)
            #expect(leaving == ["pm_2"])
            try await vaults.removeAgain()
            #expect(vaults.second.forgotten.map(\.token) == ["pm_2"])
        }
    }

    /// Somebody waits for a row.
    private func waiting(in world: PaymentWorld) async throws {
        try await eventually(within: .seconds(8), "somebody waits for a row") {
            try await world.number(
                """
                SELECT count(*) FROM pg_stat_activity
                WHERE datname = current_database() AND wait_event_type = 'Lock'
                """) == 1
        }
    }

    @Test("a provider is not taken away beside a transaction that sends a charge there") func beside() async throws {
        try await withPayments { world in
            let vaults = Vaults(world)
            let (customer, id) = try await vaults.kept()
            try await vaults.keep(id)
            let payment: PaymentRecord = try await vaults.created(customer)
            let gate = Gate()
            let charging = Task {
                try await world.database.transaction { db in
                    _ = try MethodTokenStore.all(of: [id], in: db)
                    gate.pass()
                    _ = try db.execute(
                        "UPDATE payments SET status = 'processing', provider = 'second' WHERE id = \(payment.id)")
                }
            }
            try await gate.awaitVisitor()
            let taking = Task { try await vaults.detach(id, from: "second") }
            try await waiting(in: world)
            gate.open()
            try await charging.value
            let problem: Problem? = await #expect(throws: Problem.self) { try await taking.value }
            #expect(problem?.code == "payment_in_progress")
            #expect(try await vaults.providers(id) == ["first", "second"])
        }
    }

    @Test("who takes a provider away waits for the customer before locking what it knows the method by") func order()
        async throws
    {
        try await withPayments { world in
            let vaults = Vaults(world)
            let (customer, id) = try await vaults.kept()
            try await vaults.keep(id)
            let gate = Gate()
            let holding = Task {
                try await world.database.transaction { db in
                    _ = try PaymentMethodStore.lockCustomer(customer, in: db)
                    gate.pass()
                }
            }
            try await gate.awaitVisitor()
            let taking = Task { try await vaults.detach(id, from: "second") }
            try await waiting(in: world)
            let free: Int = try await world.number(
                "SELECT count(*) FROM (SELECT 1 FROM payment_method_tokens FOR UPDATE SKIP LOCKED) AS free")
            #expect(free == 1)
            gate.open()
            try await holding.value
            #expect(try await taking.value == ["first"])
        }
    }
}
