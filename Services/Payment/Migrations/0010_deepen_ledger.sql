-- The chart of accounts. To add an account, add a line here (in a migration of its own once this one is merged); class and
-- normal side follow from the first word.
CREATE TABLE ledger_chart (
    -- `assets:provider:{name}`: a part in braces stands for any one word.
    pattern text PRIMARY KEY CHECK (
        pattern ~ '^(assets|liabilities|income|contra_income|expense|equity)(:([a-z0-9_]+|\{[a-z_]+\}))+$'),
    class text NOT NULL GENERATED ALWAYS AS (CASE split_part(pattern, ':', 1)
        WHEN 'assets' THEN 'asset' WHEN 'liabilities' THEN 'liability' ELSE split_part(pattern, ':', 1) END) STORED,
    matcher text NOT NULL GENERATED ALWAYS AS
        ('^' || regexp_replace(pattern, '\{[a-z_]+\}', '[A-Za-z0-9_-]+', 'g') || '$') STORED
);

-- Accounts in use. One of the chart is opened by the first line booked on it. The length leaves room for a currency in a
-- page's cursor.
CREATE TABLE ledger_accounts (
    name text PRIMARY KEY CHECK (length(name) <= 56),
    pattern text NOT NULL REFERENCES ledger_chart
);

-- An account without a part to fill in is open from the start.
CREATE FUNCTION open_plain_accounts() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO ledger_accounts SELECT pattern, pattern FROM inserted WHERE pattern !~ '\{';
    RETURN NULL;
END $$;
CREATE TRIGGER ledger_chart_open AFTER INSERT ON ledger_chart
    REFERENCING NEW TABLE AS inserted FOR EACH STATEMENT EXECUTE FUNCTION open_plain_accounts();

INSERT INTO ledger_chart (pattern) VALUES
    ('assets:provider:{name}'),
    ('assets:bank'),
    ('assets:payouts_in_transit'),
    ('assets:disputed_funds'),
    ('assets:exchange_position'),
    ('assets:instalments_receivable'),
    ('liabilities:instalments_unearned'),
    ('income:customer_payments'),
    ('income:exchange_gain'),
    ('income:instalment_interest'),
    ('income:instalment_fees'),
    ('income:instalment_late_fees'),
    ('contra_income:customer_refunds'),
    ('expense:provider_fees'),
    ('expense:dispute_fees'),
    ('expense:dispute_losses'),
    ('expense:reconciliation_differences'),
    ('expense:exchange_loss'),
    ('expense:instalment_write_off'),
    ('equity:opening_balance');

CREATE TRIGGER ledger_chart_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON ledger_chart
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();
CREATE TRIGGER ledger_accounts_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON ledger_accounts
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();

-- Order in which entries are summed up: by transaction, behind the snapshot horizon. What was booked before has 0.
ALTER TABLE journal_entries ADD COLUMN xid xid8 NOT NULL DEFAULT '0';
ALTER TABLE journal_entries ALTER COLUMN xid SET DEFAULT pg_current_xact_id();
CREATE INDEX journal_entries_order ON journal_entries (xid, id);

-- A line knows when its entry happened, so that an account can be read by time alone.
ALTER TABLE journal_lines ADD COLUMN occurred_at timestamptz;
ALTER TABLE journal_lines DISABLE TRIGGER journal_lines_append_only;
UPDATE journal_lines l SET occurred_at = e.occurred_at FROM journal_entries e WHERE e.id = l.entry_id;
ALTER TABLE journal_lines ENABLE TRIGGER journal_lines_append_only;
ALTER TABLE journal_lines ALTER COLUMN occurred_at SET NOT NULL;
DROP INDEX journal_lines_account;
CREATE INDEX journal_lines_account ON journal_lines (account, currency, occurred_at);
-- The trigger below sees to it, for all lines of a statement at once; entries are never deleted.
ALTER TABLE journal_lines DROP CONSTRAINT journal_lines_entry_id_fkey;

-- Who booked by hand, and why.
CREATE TABLE journal_notes (
    entry_id text PRIMARY KEY REFERENCES journal_entries,
    actor text NOT NULL,
    reason text NOT NULL CHECK (reason <> '')
);
CREATE TRIGGER journal_notes_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON journal_notes
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();

INSERT INTO ledger_accounts
SELECT DISTINCT ON (l.account) l.account, c.pattern
FROM (SELECT DISTINCT account FROM journal_lines) l JOIN ledger_chart c ON l.account ~ c.matcher
ON CONFLICT DO NOTHING;

-- The lines of an entry arrive in one statement, in the transaction of their entry; they sum to zero in every currency,
-- stand on accounts of the chart, and are the exact mirror of what they reverse. Sums of bigint are numeric: no overflow.
CREATE OR REPLACE FUNCTION check_entries_balance() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    unbalanced text;
    partial text;
    homeless text;
    reverses boolean;
    fault text;
BEGIN
    SELECT min(l.entry_id) FILTER (WHERE l.unbalanced), min(l.entry_id) FILTER (WHERE l.partial),
        min(l.entry_id) FILTER (WHERE e.id IS NULL), bool_or(e.kind = 'reversal')
    INTO unbalanced, partial, homeless, reverses
    FROM (
        SELECT entry_id, bool_or(total <> 0) AS unbalanced,
            min(first) <> 1 OR max(last) <> sum(lines) OR sum(lines) < 2 AS partial,
            min(earliest) AS earliest, max(latest) AS latest
        FROM (
            SELECT entry_id, sum(amount) AS total, min(position) AS first, max(position) AS last, count(*) AS lines,
                min(occurred_at) AS earliest, max(occurred_at) AS latest
            FROM inserted GROUP BY entry_id, currency) AS c
        GROUP BY entry_id) AS l
    LEFT JOIN journal_entries e ON e.id = l.entry_id AND e.xid = pg_current_xact_id()
        AND e.occurred_at = l.earliest AND e.occurred_at = l.latest;
    IF unbalanced IS NOT NULL THEN
        RAISE EXCEPTION 'journal entry % does not balance', unbalanced USING ERRCODE = 'check_violation';
    ELSIF partial IS NOT NULL THEN
        RAISE EXCEPTION 'journal entry % is not written whole', partial USING ERRCODE = 'check_violation';
    ELSIF homeless IS NOT NULL THEN
        RAISE EXCEPTION 'the lines of % do not come with their entry', homeless USING ERRCODE = 'check_violation';
    END IF;
    SELECT l.account INTO fault FROM (SELECT DISTINCT account FROM inserted) AS l
    LEFT JOIN ledger_accounts a ON a.name = l.account WHERE a.name IS NULL LIMIT 1;
    IF fault IS NOT NULL THEN
        INSERT INTO ledger_accounts
        SELECT DISTINCT ON (l.account) l.account, c.pattern FROM inserted l JOIN ledger_chart c ON l.account ~ c.matcher
        ON CONFLICT DO NOTHING;
        SELECT l.account INTO fault FROM inserted l
        LEFT JOIN ledger_accounts a ON a.name = l.account WHERE a.name IS NULL LIMIT 1;
        IF fault IS NOT NULL THEN
            RAISE EXCEPTION 'the chart has no account %', fault USING ERRCODE = 'check_violation';
        END IF;
    END IF;
    IF reverses THEN
        SELECT e.id INTO fault FROM journal_entries e
        WHERE e.kind = 'reversal' AND e.id IN (SELECT entry_id FROM inserted) AND EXISTS (
            SELECT FROM (SELECT position, account, currency, -amount AS amount FROM inserted WHERE entry_id = e.id) AS n
            FULL JOIN (SELECT position, account, currency, amount FROM journal_lines WHERE entry_id = e.reference) AS o
                USING (position, account, currency, amount)
            WHERE n.position IS NULL OR o.position IS NULL)
        LIMIT 1;
        IF fault IS NOT NULL THEN
            RAISE EXCEPTION 'journal entry % is no mirror of what it reverses', fault
                USING ERRCODE = 'check_violation';
        END IF;
    END IF;
    RETURN NULL;
END $$;

-- Entries summed up so far, in order. A seal's digest covers its entries and the seal before: who changes, removes, adds or
-- reorders anything under a seal must change it and all that follow.
CREATE TABLE ledger_seals (
    number bigint PRIMARY KEY,
    last_xid xid8 NOT NULL,
    last_id text NOT NULL,
    entries bigint NOT NULL,
    digest bytea NOT NULL,
    sealed_at timestamptz NOT NULL DEFAULT now()
);
CREATE TRIGGER ledger_seals_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON ledger_seals
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();

-- Sums of all sealed lines by the time their entries happened; moved on together with the seals.
CREATE TABLE ledger_rollups (
    account text NOT NULL,
    currency text NOT NULL,
    grain text NOT NULL CHECK (grain IN ('all', 'day', 'hour')),
    -- In UTC; the epoch for `all`.
    starts_at timestamptz NOT NULL,
    debits numeric NOT NULL,
    credits numeric NOT NULL,
    lines bigint NOT NULL,
    PRIMARY KEY (grain, account, currency, starts_at)
) WITH (fillfactor = 70);

-- Entries after one place in the order up to another (to the end when it is NULL), a row for each line. By index and by
-- nothing else, however little the planner knows of the newest transactions; in the caller's snapshot.
CREATE FUNCTION ledger_lines(after_xid xid8, after_id text, last_xid xid8, last_id text)
RETURNS TABLE (
    xid xid8, entry_id text, kind text, reference text, payment_id text, occurred_at timestamptz, line smallint,
    account text, currency text, amount bigint)
LANGUAGE sql STABLE SET enable_seqscan = off SET enable_hashjoin = off SET enable_mergejoin = off AS $$
    SELECT e.xid, e.id, e.kind, e.reference, e.payment_id, e.occurred_at, l.position, l.account, l.currency, l.amount
    FROM journal_entries e LEFT JOIN journal_lines l ON l.entry_id = e.id
    WHERE (e.xid, e.id) > ($1, $2)
        AND (e.xid, e.id) <= (coalesce($3, '18446744073709551615'), coalesce($4, ''))
$$;

-- The digest of a seal over these entries that follows another one.
CREATE FUNCTION ledger_digest(previous bytea, after_xid xid8, after_id text, last_xid xid8, last_id text)
RETURNS bytea LANGUAGE sql STABLE AS $$
    SELECT sha256($1 || convert_to(coalesce(string_agg(
        (l.entry_id, l.kind, l.reference, l.payment_id, (extract(epoch FROM l.occurred_at) * 1000000)::bigint, n.actor,
            n.reason, l.line, l.account, l.currency, l.amount)::text, E'\n' ORDER BY l.xid, l.entry_id, l.line), ''), 'UTF8'))
    FROM ledger_lines($2, $3, $4, $5) l LEFT JOIN journal_notes n ON n.entry_id = l.entry_id
$$;
