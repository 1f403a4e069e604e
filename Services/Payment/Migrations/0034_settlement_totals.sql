-- What a provider has reported of its account, by the day on which it happened, what of that waits for a partner, and what of
-- our books its lines stand for. The balance of any day is the sum of the days up to it. Totals move in the statement that
-- changes what they count, so that whoever reads sees both or neither; lines of a provider are written one transaction after
-- the other, under the lock of its cursor.
CREATE TABLE settlement_totals (
    provider text NOT NULL,
    currency text NOT NULL,
    -- In UTC.
    day date NOT NULL,
    -- Nets of all lines of the day, and of those that are open or unmatched. More than 64 bits may hold.
    reported numeric NOT NULL DEFAULT 0,
    waiting numeric NOT NULL DEFAULT 0,
    -- What was booked on the provider's account on the day and is confirmed by a line, of whatever day.
    confirmed numeric NOT NULL DEFAULT 0,
    PRIMARY KEY (provider, currency, day)
) WITH (fillfactor = 70);

CREATE FUNCTION add_settlement_lines() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO settlement_totals AS t (provider, currency, day, reported, waiting)
    SELECT provider, currency, (occurred_at AT TIME ZONE 'UTC')::date, sum(net),
        coalesce(sum(net) FILTER (WHERE state IN ('open', 'unmatched')), 0)
    FROM added GROUP BY 1, 2, 3 ORDER BY 1, 2, 3
    ON CONFLICT (provider, currency, day) DO UPDATE
    SET reported = t.reported + excluded.reported, waiting = t.waiting + excluded.waiting;
    RETURN NULL;
END $$;

-- A try at a match changes lines and no sum.
CREATE FUNCTION move_settlement_lines() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO settlement_totals AS t (provider, currency, day, reported, waiting)
    SELECT provider, currency, (occurred_at AT TIME ZONE 'UTC')::date, sum(net),
        coalesce(sum(net) FILTER (WHERE state IN ('open', 'unmatched')), 0)
    FROM (
        SELECT provider, currency, occurred_at, state, net::numeric FROM added
        UNION ALL SELECT provider, currency, occurred_at, state, -net::numeric FROM removed) AS c
    GROUP BY 1, 2, 3
    HAVING sum(net) <> 0 OR sum(net) FILTER (WHERE state IN ('open', 'unmatched')) <> 0 ORDER BY 1, 2, 3
    ON CONFLICT (provider, currency, day) DO UPDATE
    SET reported = t.reported + excluded.reported, waiting = t.waiting + excluded.waiting;
    RETURN NULL;
END $$;

-- By index and by nothing else, however small the ledger was when a session made its plan.
CREATE FUNCTION add_settlement_entries() RETURNS trigger LANGUAGE plpgsql
SET enable_seqscan = off SET enable_hashjoin = off SET enable_mergejoin = off AS $$
BEGIN
    INSERT INTO settlement_totals AS t (provider, currency, day, confirmed)
    SELECT substr(l.account, length('assets:provider:') + 1), l.currency, (l.occurred_at AT TIME ZONE 'UTC')::date,
        sum(l.amount)
    FROM added a JOIN journal_lines l ON l.entry_id = a.entry_id
    WHERE l.account LIKE 'assets:provider:%' GROUP BY 1, 2, 3 HAVING sum(l.amount) <> 0 ORDER BY 1, 2, 3
    ON CONFLICT (provider, currency, day) DO UPDATE SET confirmed = t.confirmed + excluded.confirmed;
    RETURN NULL;
END $$;

-- From here on nobody else writes lines, until the totals of those that are there are in place as well.
CREATE TRIGGER settlement_lines_added AFTER INSERT ON settlement_lines
    REFERENCING NEW TABLE AS added FOR EACH STATEMENT EXECUTE FUNCTION add_settlement_lines();
CREATE TRIGGER settlement_lines_moved AFTER UPDATE ON settlement_lines
    REFERENCING OLD TABLE AS removed NEW TABLE AS added FOR EACH STATEMENT EXECUTE FUNCTION move_settlement_lines();
CREATE TRIGGER settlement_entries_added AFTER INSERT ON settlement_entries
    REFERENCING NEW TABLE AS added FOR EACH STATEMENT EXECUTE FUNCTION add_settlement_entries();

INSERT INTO settlement_totals (provider, currency, day, reported, waiting, confirmed)
SELECT provider, currency, (occurred_at AT TIME ZONE 'UTC')::date, sum(reported), sum(waiting), sum(confirmed)
FROM (
    SELECT provider, currency, occurred_at, net AS reported,
        CASE WHEN state IN ('open', 'unmatched') THEN net ELSE 0 END AS waiting, 0 AS confirmed
    FROM settlement_lines
    UNION ALL
    SELECT substr(l.account, length('assets:provider:') + 1), l.currency, l.occurred_at, 0, 0, l.amount
    FROM settlement_entries s JOIN journal_lines l ON l.entry_id = s.entry_id
    WHERE l.account LIKE 'assets:provider:%') AS c
GROUP BY 1, 2, 3;
