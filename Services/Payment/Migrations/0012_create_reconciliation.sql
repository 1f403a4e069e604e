-- What providers report of our account with them, matched with what is booked here.

-- One import: a span of time read from a provider, or a file.
CREATE TABLE reconciliation_runs (
    id text PRIMARY KEY,
    provider text NOT NULL,
    source text NOT NULL CHECK (source IN ('provider', 'file')),
    started_at timestamptz NOT NULL
);
CREATE INDEX reconciliation_runs_provider ON reconciliation_runs (provider, id);

CREATE TABLE settlement_lines (
    provider text NOT NULL,
    -- The provider's id: a line that comes again is the same line.
    line_id text NOT NULL,
    run_id text NOT NULL REFERENCES reconciliation_runs,
    kind text NOT NULL CHECK (kind IN ('charge', 'refund', 'dispute', 'dispute_reversal', 'fee', 'payout',
        'payout_failure', 'adjustment')),
    currency text NOT NULL,
    -- Minor units; positive makes the account grow, a fee that is kept is positive.
    gross bigint NOT NULL,
    fee bigint NOT NULL,
    net bigint NOT NULL,
    own_reference text,
    source text,
    taken text,
    presentment_amount bigint,
    presentment_currency text,
    rate text,
    occurred_at timestamptz NOT NULL,
    available_at timestamptz,
    state text NOT NULL DEFAULT 'open' CHECK (state IN ('open', 'matched', 'different', 'unmatched', 'written_off')),
    rule text,
    -- Real time of the last try at a match.
    tried_at timestamptz,
    -- A payout's arrival is awaited, booked, or given up because the payout failed.
    arrival text CHECK (arrival IN ('awaited', 'booked', 'failed')),
    PRIMARY KEY (provider, line_id),
    CHECK (net = gross - fee),
    CHECK ((presentment_amount IS NULL) = (presentment_currency IS NULL))
);
CREATE INDEX settlement_lines_run ON settlement_lines (run_id);
CREATE INDEX settlement_lines_waiting ON settlement_lines (provider, tried_at NULLS FIRST)
    WHERE state IN ('open', 'unmatched');
CREATE INDEX settlement_lines_time ON settlement_lines (provider, occurred_at);
CREATE INDEX settlement_lines_payouts ON settlement_lines (provider, source) WHERE kind = 'payout';
CREATE INDEX settlement_lines_arrivals ON settlement_lines (available_at) WHERE arrival = 'awaited';

-- Which journal entries a line stands for. An entry belongs to one line at most, and a line has one entry of each role.
CREATE TABLE settlement_entries (
    entry_id text PRIMARY KEY,
    provider text NOT NULL,
    line_id text NOT NULL,
    role text NOT NULL CHECK (role IN ('booking', 'fee', 'exchange', 'arrival', 'write_off')),
    UNIQUE (provider, line_id, role),
    FOREIGN KEY (provider, line_id) REFERENCES settlement_lines
);

CREATE TABLE reconciliation_cases (
    id text PRIMARY KEY,
    provider text NOT NULL,
    reason text NOT NULL CHECK (reason IN ('not_booked', 'ambiguous', 'not_at_provider', 'amount', 'currency', 'fee')),
    line_id text,
    entry_id text,
    -- What the provider's account differs from ours by; of a currency case, in the settlement currency.
    currency text NOT NULL,
    amount bigint NOT NULL,
    state text NOT NULL DEFAULT 'open' CHECK (state IN ('open', 'explained', 'resolved', 'written_off')),
    opened_at timestamptz NOT NULL,
    closed_at timestamptz,
    note text,
    -- Who took the last step; 'reconciliation' when a partner was found.
    actor text,
    write_off_entry_id text,
    CHECK (line_id IS NOT NULL OR entry_id IS NOT NULL),
    CHECK ((state IN ('resolved', 'written_off')) = (closed_at IS NOT NULL)),
    FOREIGN KEY (provider, line_id) REFERENCES settlement_lines
);
CREATE UNIQUE INDEX reconciliation_cases_line ON reconciliation_cases (provider, line_id, reason)
    WHERE line_id IS NOT NULL;
CREATE UNIQUE INDEX reconciliation_cases_entry ON reconciliation_cases (entry_id) WHERE reason = 'not_at_provider';
CREATE INDEX reconciliation_cases_open ON reconciliation_cases (provider, id) WHERE state IN ('open', 'explained');

-- Where the reading of each provider stands. Its row is locked while lines of the provider are matched.
CREATE TABLE settlement_cursors (
    provider text PRIMARY KEY,
    window_from timestamptz NOT NULL,
    window_to timestamptz NOT NULL,
    page text,
    run_id text,
    -- Bookings up to here have been looked for at the provider.
    checked_until timestamptz NOT NULL
);

-- Accounts that lines are booked on, where the ledger has a chart.
DO $$ BEGIN
    IF to_regclass('ledger_chart') IS NOT NULL THEN
        INSERT INTO ledger_chart (pattern) VALUES
            ('assets:bank'), ('assets:payouts_in_transit'), ('expense:provider_fees'),
            ('expense:reconciliation_differences')
        ON CONFLICT DO NOTHING;
    END IF;
END $$;

-- Bookings are found by what the provider calls them, and by time.
CREATE INDEX IF NOT EXISTS payment_attempts_provider_reference ON payment_attempts (provider_reference)
    WHERE provider_reference IS NOT NULL;
CREATE INDEX IF NOT EXISTS captures_provider_reference ON captures (provider_reference)
    WHERE provider_reference IS NOT NULL;
CREATE INDEX IF NOT EXISTS refunds_provider_reference ON refunds (provider_reference)
    WHERE provider_reference IS NOT NULL;
CREATE INDEX journal_entries_time ON journal_entries USING brin (occurred_at);

-- When the sandbox provider's books say something happened, by the business clock.
ALTER TABLE sandbox_charges ADD COLUMN occurred_at timestamptz NOT NULL DEFAULT now();
ALTER TABLE sandbox_captures ADD COLUMN occurred_at timestamptz NOT NULL DEFAULT now();
ALTER TABLE sandbox_refunds ADD COLUMN occurred_at timestamptz NOT NULL DEFAULT now();
CREATE INDEX sandbox_charges_time ON sandbox_charges USING brin (occurred_at);
CREATE INDEX sandbox_captures_time ON sandbox_captures USING brin (occurred_at);
CREATE INDEX sandbox_refunds_time ON sandbox_refunds USING brin (occurred_at);

-- The sandbox provider pays out what a finished day has left in the account.
CREATE TABLE sandbox_payouts (
    reference text PRIMARY KEY,
    currency text NOT NULL,
    -- The day after whose end it is paid out.
    day date NOT NULL,
    amount bigint NOT NULL CHECK (amount > 0),
    occurred_at timestamptz NOT NULL,
    arrives_at timestamptz NOT NULL,
    UNIQUE (currency, day)
);
-- Up to which day payouts are made; one row, locked while more are.
CREATE TABLE sandbox_paid_days (day date NOT NULL);
INSERT INTO sandbox_paid_days VALUES ('1970-01-01');

-- The sandbox provider's account with us, movement by movement. It keeps 2.9 % and 30 minor units of what it takes.
CREATE VIEW sandbox_settlement AS
SELECT 'txn_' || reference AS line_id, 'charge' AS kind, currency, amount AS gross,
    div(amount::numeric * 29 + 500, 1000)::bigint + 30 AS fee,
    idempotency_key AS own_reference, reference AS source, reference AS taken, occurred_at, occurred_at AS available_at
FROM sandbox_charges WHERE outcome = 'succeeded'
UNION ALL
SELECT 'txn_' || p.reference, 'charge', c.currency, p.amount,
    div(p.amount::numeric * 29 + 500, 1000)::bigint + 30,
    p.idempotency_key, p.reference, c.reference, p.occurred_at, p.occurred_at
FROM sandbox_captures p JOIN sandbox_charges c ON c.idempotency_key = p.charge_key
UNION ALL
SELECT 'txn_' || r.reference, 'refund', c.currency, -r.amount, 0,
    r.idempotency_key, r.reference, c.reference, r.occurred_at, r.occurred_at
FROM sandbox_refunds r JOIN sandbox_charges c ON c.idempotency_key = r.charge_key
UNION ALL
SELECT 'txn_' || reference, 'payout', currency, -amount, 0, NULL, reference, NULL, occurred_at, arrives_at
FROM sandbox_payouts;
