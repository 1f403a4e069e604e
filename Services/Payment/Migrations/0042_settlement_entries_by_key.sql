-- Every entry that is added looks its lines up by their key, whatever the planner believes: without statistics, or by a plan
-- that was made while the ledger was small, it read the account's lines and looked through what was added for each of them,
-- which is the square of a batch.
CREATE OR REPLACE FUNCTION add_settlement_entries() RETURNS trigger LANGUAGE plpgsql SET enable_seqscan = off AS $$
BEGIN
    INSERT INTO settlement_totals AS t (provider, currency, day, confirmed)
    SELECT substr(l.account, length('assets:provider:') + 1), l.currency, (l.occurred_at AT TIME ZONE 'UTC')::date,
        sum(l.amount)
    FROM added a CROSS JOIN LATERAL (
        SELECT account, currency, occurred_at, amount FROM journal_lines WHERE entry_id = a.entry_id OFFSET 0) AS l
    WHERE l.account LIKE 'assets:provider:%' GROUP BY 1, 2, 3 HAVING sum(l.amount) <> 0 ORDER BY 1, 2, 3
    ON CONFLICT (provider, currency, day) DO UPDATE SET confirmed = t.confirmed + excluded.confirmed;
    RETURN NULL;
END $$;
