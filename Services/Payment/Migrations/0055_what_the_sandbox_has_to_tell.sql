-- What becomes of the sandbox's charges and refunds by itself. It is told once it is due, until it was heard.
ALTER TABLE sandbox_charges
    -- What becomes of its refunds; NULL: nothing.
    ADD COLUMN refund_course text CHECK (refund_course IN ('pends_first', 'fails_later')),
    -- The bank account that is debited, by its token; NULL for anything else.
    ADD COLUMN account text,
    -- When its bank answers; NULL: nothing is awaited, or the answer was heard.
    ADD COLUMN due_at timestamptz,
    -- When its customer authorized it on the page; NULL: not yet, or there is none.
    ADD COLUMN authorized_at timestamptz;
CREATE INDEX sandbox_charges_due ON sandbox_charges (due_at) WHERE due_at IS NOT NULL;
ALTER TABLE sandbox_refunds
    -- Asked for and not made: it has given nothing back.
    ADD COLUMN is_pending boolean NOT NULL DEFAULT false,
    -- When it is made, or comes back; NULL: neither is to come, or it was heard.
    ADD COLUMN due_at timestamptz,
    ADD CONSTRAINT sandbox_refunds_pending_check CHECK (NOT is_pending OR failure_code IS NULL);
CREATE INDEX sandbox_refunds_due ON sandbox_refunds (due_at) WHERE due_at IS NOT NULL;

-- Every acquirer of the sandbox settles, each for itself.
ALTER TABLE sandbox_payouts
    ADD COLUMN provider text NOT NULL DEFAULT 'sandbox',
    DROP CONSTRAINT sandbox_payouts_currency_day_key,
    ADD UNIQUE (provider, currency, day);
ALTER TABLE sandbox_payouts ALTER COLUMN provider DROP DEFAULT;
-- A row for each acquirer.
ALTER TABLE sandbox_paid_days
    ADD COLUMN provider text NOT NULL DEFAULT 'sandbox',
    ADD PRIMARY KEY (provider);
ALTER TABLE sandbox_paid_days ALTER COLUMN provider DROP DEFAULT;
CREATE OR REPLACE VIEW sandbox_settlement AS
SELECT 'txn_' || reference AS line_id, 'charge' AS kind, currency, amount AS gross,
    div(amount::numeric * 29 + 500, 1000)::bigint + 30 AS fee,
    idempotency_key AS own_reference, reference AS source, reference AS taken, occurred_at, occurred_at AS available_at,
    provider
FROM sandbox_charges WHERE outcome = 'succeeded'
UNION ALL
SELECT 'txn_' || p.reference, 'charge', c.currency, p.amount,
    div(p.amount::numeric * 29 + 500, 1000)::bigint + 30,
    p.idempotency_key, p.reference, c.reference, p.occurred_at, p.occurred_at, c.provider
FROM sandbox_captures p JOIN sandbox_charges c ON c.idempotency_key = p.charge_key
UNION ALL
SELECT 'txn_' || r.reference, 'refund', c.currency, -r.amount, 0,
    r.idempotency_key, r.reference, c.reference, r.occurred_at, r.occurred_at, c.provider
FROM sandbox_refunds r JOIN sandbox_charges c ON c.idempotency_key = r.charge_key
WHERE NOT r.is_pending
UNION ALL
SELECT 'txn_' || r.reference || '_failed', 'adjustment', c.currency, r.amount, 0,
    r.idempotency_key, r.reference, c.reference, r.failed_at, r.failed_at, c.provider
FROM sandbox_refunds r JOIN sandbox_charges c ON c.idempotency_key = r.charge_key
WHERE r.failure_code IS NOT NULL
UNION ALL
SELECT 'txn_' || d.reference, 'dispute', c.currency, -d.amount, CASE d.status WHEN 'won' THEN 1500 ELSE d.fee END, NULL,
    d.reference, c.reference,
    coalesce(d.escalated_at, d.opened_at), coalesce(d.escalated_at, d.opened_at), c.provider
FROM sandbox_disputes d JOIN sandbox_charges c ON c.idempotency_key = d.charge_key
WHERE d.status IN ('needs_response', 'under_review', 'won', 'lost')
UNION ALL
SELECT 'txn_' || d.reference || '_won', 'dispute_reversal', c.currency, d.amount, -1500, NULL, d.reference, c.reference,
    d.changed_at, d.changed_at, c.provider
FROM sandbox_disputes d JOIN sandbox_charges c ON c.idempotency_key = d.charge_key
WHERE d.status = 'won'
UNION ALL
SELECT 'txn_' || reference, 'payout', currency, -amount, 0, NULL, reference, NULL, occurred_at, arrives_at, provider
FROM sandbox_payouts;
-- What acquirers beside the first have done is read from its beginning: their reports have had nothing of it so far.
DELETE FROM settlement_cursors WHERE starts_with(provider, 'sandbox_');
