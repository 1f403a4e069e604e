package import Postgres

/// What must hold of plans, their payments and the ledger; and what of them is under way.
package enum InstalmentBooks {
    /// Plans with something to hear or to do by now, for the test clock.
    package static let dueNow: SQL = """
        SELECT (SELECT count(*) FROM plan_news) + (SELECT count(*) FROM instalment_plans WHERE next_step_at <=
            now() + (SELECT offset_microseconds FROM test_clock) * interval '1 microsecond')
        """

    private static let owed: SQL = """
        SELECT p.id, coalesce(sum(i.principal + i.charge + i.late_fee - i.paid)
                FILTER (WHERE i.status IN ('scheduled', 'due', 'late')), 0) AS owed,
            coalesce(sum(i.charge) FILTER (WHERE i.status = 'scheduled'), 0) AS unearned
        FROM instalment_plans p JOIN instalments i ON i.plan_id = p.id
        WHERE p.status NOT IN ('pending', 'failed') GROUP BY p.id
        """

    private static func booked(_ account: SQL) -> SQL {
        """
        SELECT split_part(e.reference, '/', 1) AS id, sum(l.amount) AS amount
        FROM journal_entries e JOIN journal_lines l ON l.entry_id = e.id
        WHERE e.kind LIKE 'instalment\\_%' AND l.account = \(account) GROUP BY 1
        """
    }

    /// Each counts what breaks a rule, and says which.
    package static let checks: [(SQL, String)] = [
        (
            "SELECT count(*) FROM (\(owed)) AS o FULL JOIN (\(booked("'assets:instalments_receivable'"))) AS b USING (id) WHERE coalesce(o.owed, 0) <> coalesce(b.amount, 0)",
            "instalment plans whose receivable in the ledger is not what is owed"
        ),
        (
            "SELECT count(*) FROM (\(owed)) AS o FULL JOIN (\(booked("'liabilities:instalments_unearned'"))) AS b USING (id) WHERE coalesce(o.unearned, 0) <> -coalesce(b.amount, 0)",
            "instalment plans whose unearned charges in the ledger are not those to come"
        ),
        (
            "SELECT count(*) FROM (SELECT i.plan_id, sum(i.paid) + p.overpaid AS paid FROM instalments i JOIN instalment_plans p ON p.id = i.plan_id GROUP BY i.plan_id, p.overpaid) AS i LEFT JOIN (SELECT q.plan_id, sum(y.amount_captured) AS paid FROM (SELECT id, plan_id FROM instalments UNION ALL SELECT id, plan_id FROM instalment_settlements) AS q JOIN payments y ON y.instalment_id = q.id WHERE y.status = 'succeeded' GROUP BY q.plan_id) AS y USING (plan_id) WHERE i.paid <> coalesce(y.paid, 0)",
            "instalment plans that were paid something else than their payments"
        ),
        (
            "SELECT count(*) FROM instalment_plans p WHERE p.status IN ('completed', 'settled', 'defaulted', 'canceled', 'failed') AND EXISTS (SELECT 1 FROM instalments i WHERE i.plan_id = p.id AND i.status IN ('scheduled', 'due', 'late'))",
            "instalment plans that have ended with an open instalment"
        ),
    ]
}
