-- Double entry, append only. An entry and its lines are written by one statement each and checked when written.
CREATE TABLE journal_entries (
    id text PRIMARY KEY,
    kind text NOT NULL CHECK (kind IN ('payment', 'refund')),
    -- What the entry books: a payment attempt or a refund. Nothing can be booked twice.
    reference text NOT NULL,
    payment_id text NOT NULL,
    occurred_at timestamptz NOT NULL,
    UNIQUE (kind, reference)
);
CREATE INDEX journal_entries_payment ON journal_entries (payment_id);

CREATE TABLE journal_lines (
    entry_id text NOT NULL REFERENCES journal_entries,
    position smallint NOT NULL,
    account text NOT NULL,
    currency text NOT NULL,
    -- Minor units; a debit is positive, a credit negative.
    amount bigint NOT NULL CHECK (amount <> 0),
    PRIMARY KEY (entry_id, position)
);
CREATE INDEX journal_lines_account ON journal_lines (account, currency);

-- The lines of an entry arrive in one statement and sum to zero in every currency. Summed as numeric: no overflow.
CREATE FUNCTION check_entries_balance() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    unbalanced text;
BEGIN
    SELECT l.entry_id INTO unbalanced
    FROM inserted l GROUP BY l.entry_id, l.currency HAVING sum(l.amount::numeric) <> 0 LIMIT 1;
    IF unbalanced IS NOT NULL THEN
        RAISE EXCEPTION 'journal entry % does not balance', unbalanced USING ERRCODE = 'check_violation';
    END IF;
    SELECT l.entry_id INTO unbalanced
    FROM inserted l GROUP BY l.entry_id HAVING min(l.position) <> 1 OR max(l.position) <> count(*) OR count(*) < 2
    LIMIT 1;
    IF unbalanced IS NOT NULL THEN
        RAISE EXCEPTION 'journal entry % is not written whole', unbalanced USING ERRCODE = 'check_violation';
    END IF;
    RETURN NULL;
END $$;
CREATE TRIGGER journal_lines_balance AFTER INSERT ON journal_lines
    REFERENCING NEW TABLE AS inserted FOR EACH STATEMENT EXECUTE FUNCTION check_entries_balance();

CREATE FUNCTION refuse_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION '% is append only', TG_TABLE_NAME USING ERRCODE = 'check_violation';
END $$;
CREATE TRIGGER journal_entries_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON journal_entries
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();
CREATE TRIGGER journal_lines_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON journal_lines
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();
