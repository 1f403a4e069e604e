-- A booking that its provider has not reported is a case in each of its currencies: a dispute may cost a fee in another one.
DROP INDEX reconciliation_cases_entry;
CREATE UNIQUE INDEX reconciliation_cases_entry ON reconciliation_cases (entry_id, provider, currency)
    WHERE reason = 'not_at_provider';
-- What had one for all of them is looked for once more.
UPDATE settlement_cursors c SET checked_until = k.since
FROM (SELECT k.provider, min(e.occurred_at) AS since
      FROM reconciliation_cases k JOIN journal_entries e ON e.id = k.entry_id
      WHERE k.reason = 'not_at_provider' AND EXISTS (
          SELECT FROM journal_lines l WHERE l.entry_id = e.id AND l.account = 'assets:provider:' || k.provider
              AND l.currency <> k.currency)
      GROUP BY k.provider) AS k
WHERE c.provider = k.provider AND c.checked_until > k.since;

-- By how many hundredths of a percent less than by its rate a capture was booked: what its provider keeps for converting.
ALTER TABLE exchange_movements ADD COLUMN spread_basis_points integer NOT NULL DEFAULT 0;
