import BillingCore
import JSON
import PaymentDomain
import PaymentExchange
import PaymentLedger
import PaymentRecords
import Postgres
import TestKit
import Testing

@Suite("Entries by hand on the exchange account") struct ExchangeByHandTests {
    private static func movement(_ payment: PaymentID, _ reference: String) -> ExchangeMovement {
        ExchangeMovement(
            reference: reference, paymentID: payment, amount: Money(minor: 10_000, currency: .gbp), provider: "stripe")
    }

    private static func settlement(_ payment: PaymentID, _ sign: Int64, _ reference: String) -> ProviderSettlement {
        ProviderSettlement(
            reference: reference, paymentID: payment, provider: "stripe",
            given: Money(minor: sign * 10_000, currency: .gbp), settled: Money(minor: sign * 12_500, currency: .usd),
            rate: nil)
    }

    private static func reverse(_ world: ExchangeWorld, _ id: JournalEntryID) async throws {
        _ = try await world.database.transaction { db in
            try BookByHand.reverse(id, reason: "a slip", actor: "key_ada", at: ExchangeWorld.start, in: db)
        }
    }

    private static func entry(
        _ world: ExchangeWorld, _ kind: JournalEntry.Kind, _ reference: String
    ) async throws -> JournalEntryID {
        let found: JournalEntryID? = try await world.database.transaction { db in
            try db.first(
                "SELECT id FROM journal_entries WHERE kind = \(kind) AND reference = \(reference)"
            ) { row in try row.next() }
        }
        return try #require(found)
    }

    private static func violations(_ world: ExchangeWorld) async throws -> [String] {
        try await world.database.transaction { db in
            try LedgerChecks.violations(in: db) + ExchangeChecks.violations(in: db)
        }
    }

    @Test("an adjustment of it and the reversal of what stands on it leave the consistency check content")
    func consistent() async throws {
        try await withExchange { world in
            try await world.give("1.25", .gbp, .usd)
            let payment: PaymentID = try await world.payment(Money(minor: 10_000, currency: .gbp))
            _ = try await world.book(.capture, Self.movement(payment, "cap_1"), SettlementPolicy(["stripe": .usd]))
            let text = """
                {"reason":"a remainder","lines":[
                    {"account":"assets:exchange_position","amount":-40,"currency":"USD"},
                    {"account":"expense:exchange_loss","amount":40,"currency":"USD"}]}
                """
            let input: AdjustmentInput = try decode(AdjustmentInput.self, from: parseJSON(text))
            let adjusted: BookedEntry = try await world.database.transaction { db in
                try BookByHand.adjust(input, actor: "key_ada", at: ExchangeWorld.start, in: db)
            }
            #expect(try await Self.violations(world) == [])
            try await Self.reverse(world, adjusted.id)
            try await Self.reverse(world, Self.entry(world, .capture, "cap_1"))
            #expect(try await Self.violations(world) == [])
            #expect(try await world.balances().values.allSatisfy { $0 == 0 })
        }
    }

    @Test("so does a refund that fails after what its settlement came to was reversed") func failedLater() async throws
    {
        try await withExchange { world in
            let payment: PaymentID = try await world.payment(Money(minor: 10_000, currency: .gbp))
            // Without a rate both are booked in pounds.
            let policy = SettlementPolicy(["stripe": .usd])
            _ = try await world.book(.capture, Self.movement(payment, "cap_1"), policy)
            _ = try await world.book(.refund, Self.movement(payment, "re_1"), policy)
            _ = try await world.settle(Self.settlement(payment, 1, "cap_1"))
            _ = try await world.settle(Self.settlement(payment, -1, "re_1"))
            try await Self.reverse(world, Self.entry(world, .settlement, "re_1"))
            #expect(try await Self.violations(world) == [])
            try await world.database.transaction { db in
                #expect(try LedgerStore.undo(refund: "re_1", of: payment, at: ExchangeWorld.start, in: db))
                try BookExchange.undo(refund: "re_1", in: db)
            }
            #expect(try await Self.violations(world) == [])
            #expect(try await world.balances()["assets:provider:stripe USD"] == 12_500)
        }
    }
}
