import PaymentService
import Postgres
import Testing

@Suite("The ledger's guards") struct LedgerGuardTests {
    /// Lines that are refused although they come with their entry, `je_x`, which happened now.
    private static let faultyLines: [SQL] = [
        "('je_x', 1, 'assets:provider:a', 'USD', 100, now()), ('je_x', 2, 'assets:provider:b', 'USD', -99, now())",
        "('je_x', 1, 'assets:provider:a', 'USD', 100, now()), ('je_x', 2, 'assets:provider:b', 'EUR', -100, now())",
        "('je_x', 1, 'assets:provider:a', 'USD', 100, now())",
        "('je_x', 1, 'assets:provider:a', 'USD', 0, now()), ('je_x', 2, 'assets:provider:b', 'USD', 0, now())",
        "('je_x', 2, 'assets:provider:a', 'USD', 5, now()), ('je_x', 3, 'assets:provider:b', 'USD', -5, now())",
        "('je_x', 1, 'assets:provider:a', 'USD', 5, now()), ('je_x', 2, 'assets:provider:b', 'USD', -5, 'epoch')",
        "('je_x', 1, 'assets:provider:a', 'USD', 5, 'epoch'), ('je_x', 2, 'assets:provider:b', 'USD', -5, 'epoch')",
        "('je_y', 1, 'assets:provider:a', 'USD', 5, now()), ('je_y', 2, 'assets:provider:b', 'USD', -5, now())",
        "('je_x', 1, 'assets:provider:a', 'USD', 5, now()), ('je_x', 2, 'assets:nowhere', 'USD', -5, now())",
        "('je_x', 1, 'assets:provider:a', 'USD', 5, now()), ('je_x', 2, 'assets:provider:', 'USD', -5, now())",
        "('je_x', 1, 'assets:provider:a', 'USD', 5, now()), ('je_x', 2, 'assets:provider:b:c', 'USD', -5, now())",
        "('je_x', 1, 'assets:provider:a', 'USD', 5, now()), ('je_x', 2, 'income', 'USD', -5, now())",
    ]

    private static let forbidden: [SQL] = [
        "INSERT INTO journal_lines SELECT id, 3, 'assets:provider:a', 'USD', 5, occurred_at FROM journal_entries",
        "INSERT INTO journal_lines SELECT id, n, 'assets:provider:a', 'USD', n, occurred_at FROM journal_entries, (VALUES (3), (-3)) v(n)",
        "INSERT INTO journal_lines SELECT id, n + 4, 'assets:provider:a', 'USD', n, occurred_at FROM journal_entries, (VALUES (1), (-1)) v(n)",
        "UPDATE journal_lines SET amount = amount * 2",
        "UPDATE journal_lines SET account = 'mine' WHERE false",
        "UPDATE journal_entries SET occurred_at = now()",
        "UPDATE ledger_chart SET pattern = 'assets:mine'",
        "UPDATE ledger_accounts SET name = 'mine'",
        "DELETE FROM journal_lines",
        "DELETE FROM journal_entries WHERE kind = 'refund'",
        "DELETE FROM ledger_seals",
        "TRUNCATE journal_lines",
        "TRUNCATE journal_entries CASCADE",
        "WITH moved AS (DELETE FROM journal_lines RETURNING *) SELECT 1 FROM moved",
        "INSERT INTO ledger_chart (pattern) VALUES ('mine')",
        "INSERT INTO ledger_chart (pattern) VALUES ('assets:provider:.*')",
    ]

    private static func booking(_ lines: SQL) -> SQL {
        """
        WITH e AS (INSERT INTO journal_entries VALUES ('je_x', 'refund', 'x', 'pay_x', now()))
        INSERT INTO journal_lines VALUES \(lines)
        """
    }

    @Test("what does not balance, is not whole, stands on no account or changes the past is refused")
    func refused() async throws {
        try await withPayments { world in
            _ = try await world.paid(world.payer())
            let before: [String] = try await world.balances()
            for statement in Self.faultyLines.map(Self.booking) + Self.forbidden {
                await #expect(throws: PostgresError.self, "\(statement)") { try await world.execute(statement) }
            }
            #expect(try await world.balances() == before)
            try await world.execute(
                Self.booking(
                    "('je_x', 1, 'assets:provider:a', 'USD', 1, now()), ('je_x', 2, 'assets:provider:b', 'USD', -1, now())"
                ))
        }
    }

    @Test("lines that come later than their entry are refused: totals may have passed it") func late() async throws {
        try await withPayments { world in
            try await world.execute("INSERT INTO journal_entries VALUES ('je_x', 'refund', 'x', 'pay_x', 'epoch')")
            await #expect(throws: PostgresError.self) {
                try await world.execute(
                    """
                    INSERT INTO journal_lines VALUES ('je_x', 1, 'assets:provider:a', 'USD', 1, 'epoch'),
                        ('je_x', 2, 'assets:provider:b', 'USD', -1, 'epoch')
                    """)
            }
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
