-- Customers, plans, subscriptions with their schedule, and billings. Prices and amounts are minor units.

CREATE TABLE customers (
    id text PRIMARY KEY,
    email text NOT NULL,
    name text NOT NULL,
    country text NOT NULL CHECK (country ~ '^[A-Z]{2}$'),
    currency text,
    time_zone text NOT NULL,
    metadata jsonb NOT NULL DEFAULT '{}',
    created_at timestamptz NOT NULL
);
CREATE INDEX customers_newest ON customers (created_at, id);

-- A plan never changes: what a subscriber agreed to stays what it was. A new price is a new plan.
CREATE TABLE plans (
    id text PRIMARY KEY,
    name text NOT NULL,
    amount bigint NOT NULL CHECK (amount > 0),
    currency text NOT NULL,
    billing_interval text NOT NULL CHECK (billing_interval IN ('day', 'week', 'month', 'year')),
    interval_count integer NOT NULL CHECK (interval_count BETWEEN 1 AND 365),
    trial_days integer NOT NULL CHECK (trial_days BETWEEN 0 AND 730),
    active boolean NOT NULL DEFAULT true,
    metadata jsonb NOT NULL DEFAULT '{}',
    created_at timestamptz NOT NULL
);
CREATE INDEX plans_newest ON plans (created_at, id);

CREATE TABLE subscriptions (
    id text PRIMARY KEY,
    customer_id text NOT NULL REFERENCES customers,
    time_zone text NOT NULL,
    plan_id text NOT NULL REFERENCES plans,
    pending_plan_id text REFERENCES plans,
    status text NOT NULL CHECK (
        status IN ('incomplete', 'incomplete_expired', 'trialing', 'active', 'past_due', 'unpaid', 'canceled')),
    anchor_date date NOT NULL,
    anchor_seconds integer NOT NULL CHECK (anchor_seconds BETWEEN 0 AND 86399),
    period_index integer NOT NULL CHECK (period_index >= -1),
    period_start timestamptz NOT NULL,
    period_end timestamptz NOT NULL CHECK (period_end > period_start),
    trial_end timestamptz,
    cancel_at_period_end boolean NOT NULL DEFAULT false,
    canceled_at timestamptz,
    credit bigint NOT NULL DEFAULT 0 CHECK (credit >= 0),
    latest_billing_id text,
    -- When the scheduler has to look again; NULL while the outcome of an attempt is awaited, and after the end.
    next_action_at timestamptz,
    metadata jsonb NOT NULL DEFAULT '{}',
    created_at timestamptz NOT NULL,
    CHECK (status NOT IN ('canceled', 'incomplete_expired') OR next_action_at IS NULL)
) WITH (fillfactor = 80);
CREATE INDEX subscriptions_due ON subscriptions (next_action_at) WHERE next_action_at IS NOT NULL;
CREATE INDEX subscriptions_newest ON subscriptions (created_at, id);
CREATE INDEX subscriptions_by_customer ON subscriptions (customer_id, created_at, id);
CREATE INDEX subscriptions_by_status ON subscriptions (status, created_at, id);

CREATE TABLE billings (
    id text PRIMARY KEY,
    subscription_id text NOT NULL REFERENCES subscriptions,
    customer_id text NOT NULL,
    reason text NOT NULL CHECK (reason IN ('signup', 'cycle', 'trial_end', 'upgrade')),
    status text NOT NULL CHECK (status IN ('open', 'paid', 'withdrawn')),
    amount bigint NOT NULL CHECK (amount >= 0),
    currency text NOT NULL,
    lines jsonb NOT NULL,
    period_index integer NOT NULL,
    period_start timestamptz NOT NULL,
    period_end timestamptz NOT NULL,
    credit_applied bigint NOT NULL CHECK (credit_applied >= 0),
    credit_added bigint NOT NULL CHECK (credit_added >= 0),
    invoice_id text,
    attempts bigint NOT NULL CHECK (attempts >= 1),
    is_collecting boolean NOT NULL,
    requested_at timestamptz NOT NULL,
    first_failed_at timestamptz,
    last_decline text CHECK (last_decline IN ('soft', 'hard', 'fraud', 'action')),
    has_new_method boolean NOT NULL,
    -- What an unpaid upgrade goes back to.
    origin_plan_id text REFERENCES plans,
    origin_anchor_date date,
    origin_anchor_seconds integer,
    origin_period_index integer,
    origin_period_start timestamptz,
    origin_period_end timestamptz,
    billed_at timestamptz NOT NULL,
    settled_at timestamptz,
    is_paid_late boolean NOT NULL DEFAULT false,
    CHECK ((status = 'open') = (settled_at IS NULL)),
    CHECK ((reason = 'upgrade') = (origin_plan_id IS NOT NULL))
) WITH (fillfactor = 80);
-- A period is billed once, whoever tries and however often.
CREATE UNIQUE INDEX billings_once_per_period ON billings (subscription_id, period_start) WHERE reason <> 'upgrade';
-- The next billing waits until this one is settled.
CREATE UNIQUE INDEX billings_one_open ON billings (subscription_id) WHERE status = 'open';
