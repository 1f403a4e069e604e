-- Methods besides cards: kept at a provider (a bank account, a wallet), or used once on a page of the provider's. What a
-- customer has to do for a payment is kept with it, and so is when its outcome is looked for next.
ALTER TABLE payment_methods
    DROP CONSTRAINT payment_methods_type_check,
    ADD CONSTRAINT payment_methods_type_check CHECK (type ~ '^[a-z0-9]+(_[a-z0-9]+)*$'),
    DROP CONSTRAINT payment_methods_last4_check,
    ADD CONSTRAINT payment_methods_last4_check CHECK (last4 ~ '^[0-9A-Za-z]{4}$'),
    ALTER COLUMN brand DROP NOT NULL,
    ALTER COLUMN last4 DROP NOT NULL,
    ALTER COLUMN exp_month DROP NOT NULL,
    ALTER COLUMN exp_year DROP NOT NULL,
    ADD COLUMN status text NOT NULL DEFAULT 'active'
        CHECK (status IN ('active', 'requires_action', 'pending', 'failed')),
    -- The provider's name of the saving, while that is not over; and why it failed.
    ADD COLUMN setup_reference text,
    ADD COLUMN setup_action jsonb,
    ADD COLUMN failure_code text,
    -- Used once, on the provider's page; not listed.
    ADD COLUMN single_use boolean NOT NULL DEFAULT false,
    ADD COLUMN return_url text,
    ADD COLUMN payer jsonb,
    -- What is wanted once the provider keeps it, and how the customer agreed.
    ADD COLUMN wants_default boolean NOT NULL DEFAULT false,
    ADD COLUMN accepted_ip text,
    ADD COLUMN accepted_agent text,
    ADD COLUMN stepped_at timestamptz NOT NULL DEFAULT now(),
    ADD CONSTRAINT payment_methods_default_usable CHECK (NOT is_default OR (status = 'active' AND NOT single_use));

CREATE INDEX payment_methods_open ON payment_methods (stepped_at) WHERE status = 'pending';

ALTER TABLE payments
    -- What the customer has to do, and until when, by the business clock.
    ADD COLUMN next_action jsonb,
    ADD COLUMN action_expires_at timestamptz,
    -- The risk is high: the customer is to authenticate.
    ADD COLUMN step_up boolean NOT NULL DEFAULT false,
    -- What the provider knows the current attempt by.
    ADD COLUMN provider_reference text,
    -- When the outcome is looked for next, in real time, and how often it was.
    ADD COLUMN look_at timestamptz,
    ADD COLUMN looks integer NOT NULL DEFAULT 0;
CREATE INDEX payments_attempt ON payments (attempt_id);
CREATE INDEX payments_looked_for ON payments (look_at) WHERE status = 'requires_action' AND look_at IS NOT NULL;

ALTER TABLE payment_attempts
    -- A refusal in the provider's own words.
    ADD COLUMN provider_code text,
    ADD COLUMN network_transaction_id text;

-- A refund that the provider has accepted and not made yet is asked about later, ever more rarely.
ALTER TABLE refunds
    ADD COLUMN look_at timestamptz,
    ADD COLUMN looks integer NOT NULL DEFAULT 0;

-- The settlements of the sandbox are those of its first acquirer, and tell of disputes too.
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
