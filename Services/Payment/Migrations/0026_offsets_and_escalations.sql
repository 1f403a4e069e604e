-- Lines that cancel each other out: what a provider took and gave back before anybody here heard of it. Each names the
-- other.
ALTER TABLE settlement_lines ADD COLUMN offset_line_id text;
-- What is given back is looked for beside what was taken, by the provider's name of it.
CREATE INDEX settlement_lines_moved ON settlement_lines (provider, source) WHERE state IN ('open', 'unmatched');
-- In the order in which waiting lines are tried: of many new ones, none is read before its turn.
DROP INDEX settlement_lines_waiting;
CREATE INDEX settlement_lines_waiting ON settlement_lines (provider, tried_at NULLS FIRST, occurred_at, line_id)
    WHERE state IN ('open', 'unmatched');

-- When an inquiry became a dispute at the sandbox provider, and took the money; NULL for one that was a dispute from the
-- start.
ALTER TABLE sandbox_disputes ADD COLUMN escalated_at timestamptz;
-- The account's movements as they were when they happened: a dispute that was won has cost 15.00, and brought them back.
CREATE OR REPLACE VIEW sandbox_settlement AS
SELECT 'txn_' || reference AS line_id, 'charge' AS kind, currency, amount AS gross,
    div(amount::numeric * 29 + 500, 1000)::bigint + 30 AS fee,
    idempotency_key AS own_reference, reference AS source, reference AS taken, occurred_at, occurred_at AS available_at
FROM sandbox_charges WHERE outcome = 'succeeded' AND provider = 'sandbox'
UNION ALL
SELECT 'txn_' || p.reference, 'charge', c.currency, p.amount,
    div(p.amount::numeric * 29 + 500, 1000)::bigint + 30,
    p.idempotency_key, p.reference, c.reference, p.occurred_at, p.occurred_at
FROM sandbox_captures p JOIN sandbox_charges c ON c.idempotency_key = p.charge_key
WHERE c.provider = 'sandbox'
UNION ALL
SELECT 'txn_' || r.reference, 'refund', c.currency, -r.amount, 0,
    r.idempotency_key, r.reference, c.reference, r.occurred_at, r.occurred_at
FROM sandbox_refunds r JOIN sandbox_charges c ON c.idempotency_key = r.charge_key
WHERE c.provider = 'sandbox'
UNION ALL
SELECT 'txn_' || r.reference || '_failed', 'adjustment', c.currency, r.amount, 0,
    r.idempotency_key, r.reference, c.reference, r.failed_at, r.failed_at
FROM sandbox_refunds r JOIN sandbox_charges c ON c.idempotency_key = r.charge_key
WHERE c.provider = 'sandbox' AND r.failure_code IS NOT NULL
UNION ALL
SELECT 'txn_' || d.reference, 'dispute', c.currency, -d.amount, CASE d.status WHEN 'won' THEN 1500 ELSE d.fee END, NULL,
    d.reference, c.reference,
    coalesce(d.escalated_at, d.opened_at), coalesce(d.escalated_at, d.opened_at)
FROM sandbox_disputes d JOIN sandbox_charges c ON c.idempotency_key = d.charge_key
WHERE c.provider = 'sandbox' AND d.status IN ('needs_response', 'under_review', 'won', 'lost')
UNION ALL
SELECT 'txn_' || d.reference || '_won', 'dispute_reversal', c.currency, d.amount, -1500, NULL, d.reference, c.reference,
    d.changed_at, d.changed_at
FROM sandbox_disputes d JOIN sandbox_charges c ON c.idempotency_key = d.charge_key
WHERE c.provider = 'sandbox' AND d.status = 'won'
UNION ALL
SELECT 'txn_' || reference, 'payout', currency, -amount, 0, NULL, reference, NULL, occurred_at, arrives_at
FROM sandbox_payouts;
