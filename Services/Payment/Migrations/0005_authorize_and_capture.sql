-- Authorization and capture may be apart; an authorization is captured in one or several parts, the rest is released.
ALTER TABLE payments
    ADD COLUMN capture_method text NOT NULL DEFAULT 'automatic' CHECK (capture_method IN ('automatic', 'manual')),
    ADD COLUMN amount_captured bigint NOT NULL DEFAULT 0,
    ADD COLUMN authorization_expires_at timestamptz,
    DROP CONSTRAINT payments_status_check,
    ADD CONSTRAINT payments_status_check CHECK (status IN
        ('created', 'processing', 'requires_action', 'authorized', 'canceling', 'succeeded', 'failed', 'canceled')),
    ADD CONSTRAINT payments_captured_check CHECK (amount_captured BETWEEN 0 AND amount);
UPDATE payments SET amount_captured = amount WHERE status = 'succeeded';
ALTER TABLE payments
    ADD CONSTRAINT payments_refunded_check CHECK (amount_refunded <= amount_captured);
DROP INDEX payments_in_flight;
CREATE INDEX payments_in_flight ON payments (stepped_at) WHERE status IN ('created', 'processing', 'canceling');
CREATE INDEX payments_authorized ON payments (authorization_expires_at) WHERE status = 'authorized';

ALTER TABLE payment_attempts
    DROP CONSTRAINT payment_attempts_status_check,
    ADD CONSTRAINT payment_attempts_status_check
        CHECK (status IN ('started', 'authorized', 'succeeded', 'failed', 'requires_action', 'canceled'));

CREATE TABLE captures (
    id text PRIMARY KEY,
    payment_id text NOT NULL REFERENCES payments,
    amount bigint NOT NULL CHECK (amount > 0),
    currency text NOT NULL,
    -- Nothing more will be captured: the provider releases the rest.
    is_final boolean NOT NULL,
    status text NOT NULL CHECK (status IN ('processing', 'succeeded', 'failed')),
    failure_code text,
    provider_reference text,
    amount_refunded bigint NOT NULL DEFAULT 0 CHECK (amount_refunded BETWEEN 0 AND amount),
    created_at timestamptz NOT NULL,
    stepped_at timestamptz NOT NULL DEFAULT now(),
    CHECK ((status = 'failed') = (failure_code IS NOT NULL))
);
CREATE INDEX captures_payment ON captures (payment_id, id);
-- One at a time: what is left is then known whenever another begins.
CREATE UNIQUE INDEX captures_in_flight ON captures (payment_id) WHERE status = 'processing';

-- The capture that a refund gives back from; NULL when the charge captured at once.
ALTER TABLE refunds ADD COLUMN capture_id text REFERENCES captures;

ALTER TABLE journal_entries
    DROP CONSTRAINT journal_entries_kind_check,
    ADD CONSTRAINT journal_entries_kind_check CHECK (kind IN ('payment', 'capture', 'refund'));

ALTER TABLE sandbox_charges
    DROP CONSTRAINT sandbox_charges_outcome_check,
    ADD CONSTRAINT sandbox_charges_outcome_check
        CHECK (outcome IN ('succeeded', 'authorized', 'declined', 'requires_action')),
    ADD COLUMN captured bigint NOT NULL DEFAULT 0 CHECK (captured BETWEEN 0 AND amount),
    -- Until when an authorization is held; NULL when nothing is, or no more.
    ADD COLUMN held_until timestamptz;
UPDATE sandbox_charges SET captured = amount WHERE outcome = 'succeeded';
-- What a refund was asked for by: a charge's or a capture's reference.
ALTER TABLE sandbox_refunds ADD COLUMN refunded_reference text;
CREATE TABLE sandbox_captures (
    idempotency_key text PRIMARY KEY,
    reference text NOT NULL UNIQUE,
    charge_key text NOT NULL REFERENCES sandbox_charges,
    amount bigint NOT NULL CHECK (amount > 0),
    created_at timestamptz NOT NULL DEFAULT now()
);
