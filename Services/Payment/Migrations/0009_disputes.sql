-- Disputes: what providers tell of them, what is answered, and what is still to be read.
ALTER TABLE payments
    -- Withheld or lost by disputes; it cannot be refunded as well.
    ADD COLUMN amount_disputed bigint NOT NULL DEFAULT 0,
    ADD CONSTRAINT payments_disputed_check CHECK (amount_disputed BETWEEN 0 AND amount_captured);

CREATE TABLE disputes (
    id text PRIMARY KEY,
    provider text NOT NULL,
    -- The provider's name of it.
    reference text NOT NULL,
    payment_id text NOT NULL REFERENCES payments,
    customer_id text NOT NULL,
    amount bigint NOT NULL CHECK (amount > 0),
    currency text NOT NULL,
    -- What the provider has charged for it so far; NULL while it does not tell.
    fee bigint,
    fee_currency text,
    reason text NOT NULL,
    status text NOT NULL CHECK (status IN ('inquiry', 'needs_response', 'under_review', 'won', 'lost', 'closed')),
    evidence jsonb NOT NULL DEFAULT '{}',
    evidence_due_by timestamptz,
    -- The provider's times.
    opened_at timestamptz NOT NULL,
    changed_at timestamptz,
    -- How many changes are booked; numbers its journal entries.
    changes integer NOT NULL DEFAULT 0,
    closed_at timestamptz,
    created_at timestamptz NOT NULL,
    UNIQUE (provider, reference),
    CHECK ((fee IS NULL) = (fee_currency IS NULL))
);
CREATE INDEX disputes_payment ON disputes (payment_id, id);
CREATE INDEX disputes_customer ON disputes (customer_id, id);

-- Evidence handed in, or giving in: stored first, then the provider is asked under the id.
CREATE TABLE dispute_responses (
    id text PRIMARY KEY,
    dispute_id text NOT NULL REFERENCES disputes,
    kind text NOT NULL CHECK (kind IN ('evidence', 'acceptance')),
    evidence jsonb NOT NULL,
    status text NOT NULL CHECK (status IN ('processing', 'succeeded', 'failed')),
    failure_code text,
    created_at timestamptz NOT NULL,
    -- Real time: when it is asked about next, unless its outcome is known by then.
    due_at timestamptz NOT NULL DEFAULT now(),
    CHECK ((status = 'failed') = (failure_code IS NOT NULL))
);
CREATE INDEX dispute_responses_dispute ON dispute_responses (dispute_id, id);
-- One at a time: what the provider is asked next depends on how the last one ended.
CREATE UNIQUE INDEX dispute_responses_in_flight ON dispute_responses (dispute_id) WHERE status = 'processing';

-- Disputes that a provider has told of and that are to be read from it.
CREATE TABLE dispute_readings (
    provider text NOT NULL,
    reference text NOT NULL,
    -- How often it was told of; one that is told of while it is read is read again.
    noted integer NOT NULL DEFAULT 1,
    tries integer NOT NULL DEFAULT 0,
    -- Real time.
    due_at timestamptz NOT NULL DEFAULT now(),
    -- Why the last try came to nothing; NULL before there is one.
    fault text,
    PRIMARY KEY (provider, reference)
);
CREATE INDEX dispute_readings_due ON dispute_readings (due_at);

-- How far each provider's news of disputes is read.
CREATE TABLE dispute_cursors (
    provider text PRIMARY KEY,
    cursor text,
    -- Real time.
    polled_at timestamptz NOT NULL
);

-- The sandbox provider's books of disputes.
ALTER TABLE sandbox_charges
    -- For cards that dispute: what the dispute is, whose, and when it is raised; NULL once it was.
    ADD COLUMN dispute_kind text,
    ADD COLUMN dispute_payment text,
    ADD COLUMN dispute_at timestamptz;
CREATE INDEX sandbox_charges_disputing ON sandbox_charges (dispute_at) WHERE dispute_at IS NOT NULL;
CREATE TABLE sandbox_disputes (
    reference text PRIMARY KEY,
    charge_key text NOT NULL UNIQUE REFERENCES sandbox_charges,
    payment_id text NOT NULL,
    amount bigint NOT NULL CHECK (amount > 0),
    fee bigint NOT NULL,
    reason text NOT NULL,
    status text NOT NULL CHECK (status IN ('inquiry', 'needs_response', 'under_review', 'won', 'lost', 'closed')),
    opened_at timestamptz NOT NULL,
    changed_at timestamptz NOT NULL,
    due_by timestamptz,
    -- What the bank will say, and when; NULL while it does not know.
    verdict text,
    verdict_at timestamptz,
    -- Numbers changes in the order in which they are committed.
    changed bigint NOT NULL
);
CREATE INDEX sandbox_disputes_changed ON sandbox_disputes (changed);
CREATE TABLE sandbox_dispute_responses (
    idempotency_key text PRIMARY KEY,
    reference text NOT NULL REFERENCES sandbox_disputes
);
CREATE TABLE sandbox_dispute_changes (last bigint NOT NULL);
INSERT INTO sandbox_dispute_changes VALUES (0);

-- Stored credentials: what a later charge without the customer refers to.
ALTER TABLE payment_methods
    ADD COLUMN network_transaction_id text,
    ADD COLUMN mandate_id text,
    ADD COLUMN mandate_accepted_at timestamptz,
    ADD COLUMN mandate_ip text,
    ADD CONSTRAINT payment_methods_mandate_whole CHECK ((mandate_id IS NULL) = (mandate_accepted_at IS NULL));
