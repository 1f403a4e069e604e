-- What a subscription was worth a month, and its status, from one instant to the next: a row for each change,
-- [valid_from, valid_to); the open row is the state now. Rows of no length (two changes at one instant) stay: they are
-- what happened, and no instant falls into them.
-- Changes follow one another in the order in which the owner recorded them: told_at, then arrival (seq). Each holds from
-- effective_at, but never before the one it follows; valid_from and valid_to are derived from that and set in one place.
CREATE TABLE subscription_values (
    subscription_id text NOT NULL,
    seq bigint GENERATED ALWAYS AS IDENTITY,
    told_at timestamptz NOT NULL,
    effective_at timestamptz NOT NULL,
    valid_from timestamptz NOT NULL,
    valid_to timestamptz,
    customer_id text NOT NULL,
    plan_id text NOT NULL,
    change text NOT NULL CHECK (change IN ('created', 'status', 'plan')),
    status text NOT NULL,
    amount_minor bigint NOT NULL,
    currency text NOT NULL,
    billing_interval text NOT NULL,
    interval_count bigint NOT NULL CHECK (interval_count > 0),
    mrr_minor bigint NOT NULL CHECK (mrr_minor >= 0),
    event_id text NOT NULL,
    PRIMARY KEY (subscription_id, seq),
    CHECK (valid_to >= valid_from)
);

-- Each subscription as it stands.
CREATE VIEW subscriptions AS
SELECT subscription_id, customer_id, plan_id, amount_minor, currency, billing_interval, interval_count, status,
    mrr_minor, valid_from AS since
FROM subscription_values
WHERE valid_to IS NULL;

-- One row for one purchase, however often it was attempted. progress orders the states a payment goes through, so that
-- whatever order its events arrive in, the row ends the same.
CREATE TABLE payments (
    payment_id text PRIMARY KEY,
    customer_id text NOT NULL,
    amount_minor bigint NOT NULL,
    currency text NOT NULL,
    attempts bigint NOT NULL,
    status text NOT NULL CHECK (status IN ('created', 'requires_action', 'succeeded', 'failed', 'canceled')),
    progress bigint NOT NULL,
    first_attempt text CHECK (first_attempt IN ('succeeded', 'failed')),
    first_outcome_at timestamptz,
    succeeded_at timestamptz
) WITH (fillfactor = 80);

CREATE TABLE refunds (
    refund_id text PRIMARY KEY,
    payment_id text NOT NULL,
    customer_id text NOT NULL,
    amount_minor bigint NOT NULL,
    currency text NOT NULL,
    refunded_at timestamptz NOT NULL
);

-- number and issued_at come with the finalized invoice alone, hence the nulls until it has been seen.
CREATE TABLE invoices (
    invoice_id text PRIMARY KEY,
    customer_id text NOT NULL,
    subscription_id text NOT NULL,
    number text,
    amount_minor bigint NOT NULL,
    currency text NOT NULL,
    status text NOT NULL CHECK (status IN ('finalized', 'paid', 'void')),
    issued_at timestamptz,
    paid_at timestamptz
) WITH (fillfactor = 80);
