import PaymentService
import Postgres
import Testing

@Suite("The ledger's guards") struct LedgerGuardTests {
    private static let forbidden: [SQL] = [
        "INSERT INTO journal_lines VALUES ('je_x', 1, 'a', 'USD', 100), ('je_x', 2, 'b', 'USD', -99)",
        "INSERT INTO journal_lines VALUES ('je_x', 1, 'a', 'USD', 100), ('je_x', 2, 'b', 'EUR', -100)",
        "INSERT INTO journal_lines VALUES ('je_x', 1, 'a', 'USD', 100)",
        "INSERT INTO journal_lines VALUES ('je_x', 1, 'a', 'USD', 0), ('je_x', 2, 'b', 'USD', 0)",
        "INSERT INTO journal_lines VALUES ('je_x', 2, 'a', 'USD', 5), ('je_x', 3, 'b', 'USD', -5)",
        "INSERT INTO journal_lines SELECT id, 3, 'a', 'USD', 5 FROM journal_entries WHERE kind = 'payment'",
        "INSERT INTO journal_lines SELECT id, n, 'a', 'USD', n FROM journal_entries, (VALUES (3), (-3)) v(n)",
        "UPDATE journal_lines SET amount = amount * 2",
        "UPDATE journal_lines SET account = 'mine' WHERE false",
        "UPDATE journal_entries SET occurred_at = now()",
        "DELETE FROM journal_lines",
        "DELETE FROM journal_entries WHERE kind = 'refund'",
        "TRUNCATE journal_lines",
        "TRUNCATE journal_entries CASCADE",
        "WITH moved AS (DELETE FROM journal_lines RETURNING *) SELECT 1 FROM moved",
    ]

    @Test("what does not balance, is not whole, or changes the past is refused") func refused() async throws {
        try await withPayments { world in
            _ = try await world.paid(world.payer())
            try await world.execute("INSERT INTO journal_entries VALUES ('je_x', 'refund', 'x', 'pay_x', now())")
            let before: [String] = try await world.balances()
            for statement in Self.forbidden {
                await #expect(throws: PostgresError.self, "\(statement)") { try await world.execute(statement) }
            }
            #expect(try await world.balances() == before)
            try await world.execute(
                "INSERT INTO journal_lines VALUES ('je_x', 1, 'a', 'USD', 100), ('je_x', 2, 'b', 'USD', -100)")
        }
    }

    @Test("nothing is booked twice") func once() async throws {
        try await withPayments { world in
            _ = try await world.paid(world.payer())
            await #expect(throws: PostgresError.self) {
                try await world.execute(
                    """
                    INSERT INTO journal_entries SELECT 'je_twin', kind, reference, payment_id, occurred_at
                    FROM journal_entries
                    """)
            }
        }
    }
}
