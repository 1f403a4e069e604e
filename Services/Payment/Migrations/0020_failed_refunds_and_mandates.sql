-- A refund of the sandbox's that it made and that came back: it counts no more.
ALTER TABLE sandbox_refunds ADD COLUMN failure_code text, ADD COLUMN failed_at timestamptz;

-- What the sandbox's settlements tell of one: the refund, and the same amount back.
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
SELECT 'txn_' || d.reference, 'dispute', c.currency, -d.amount, d.fee, NULL, d.reference, c.reference,
    d.opened_at, d.opened_at
FROM sandbox_disputes d JOIN sandbox_charges c ON c.idempotency_key = d.charge_key
WHERE c.provider = 'sandbox' AND d.status IN ('needs_response', 'under_review', 'won', 'lost')
UNION ALL
SELECT 'txn_' || d.reference || '_won', 'dispute_reversal', c.currency, d.amount, 0, NULL, d.reference, c.reference,
    d.changed_at, d.changed_at
FROM sandbox_disputes d JOIN sandbox_charges c ON c.idempotency_key = d.charge_key
WHERE c.provider = 'sandbox' AND d.status = 'won'
UNION ALL
SELECT 'txn_' || reference, 'payout', currency, -amount, 0, NULL, reference, NULL, occurred_at, arrives_at
FROM sandbox_payouts;

-- What customers agreed to when a method was kept for charges without them. It ends with the method.
ALTER TABLE payment_methods
    ADD COLUMN mandate_type text CHECK (mandate_type IN ('online', 'offline')),
    ADD COLUMN mandate_agent text,
    ADD COLUMN mandate_ended_at timestamptz,
    DROP CONSTRAINT payment_methods_status_check,
    ADD CONSTRAINT payment_methods_status_check
        CHECK (status IN ('active', 'requires_action', 'pending', 'failed', 'detached'));
-- Under which agreement a payment's current attempt was charged without its customer; none is recorded where it is NULL.
ALTER TABLE payments ADD COLUMN mandate_id text;
-- The sandbox keeps what it was told of it, and of the charge that the customer made.
ALTER TABLE sandbox_charges ADD COLUMN mandate_id text, ADD COLUMN network_transaction_id text;
