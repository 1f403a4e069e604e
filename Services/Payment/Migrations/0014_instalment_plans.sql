-- Terms under which plans were agreed, each set once: what was agreed holds, whatever the configuration says later.
CREATE TABLE instalment_terms (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    name text NOT NULL,
    currency text NOT NULL,
    count integer NOT NULL CHECK (count IN (3, 4, 6, 12)),
    interval text NOT NULL CHECK (interval IN ('month', 'two_weeks')),
    first_instalment text NOT NULL CHECK (first_instalment IN ('at_purchase', 'after_interval')),
    -- A nominal annual rate, or a flat fee, or neither.
    annual_rate text,
    fee bigint CHECK (fee > 0),
    -- A fixed late fee; with a share, the most that the share may come to.
    late_fee bigint CHECK (late_fee > 0),
    late_fee_share text,
    grace_days integer NOT NULL CHECK (grace_days >= 0),
    default_after_days integer NOT NULL CHECK (default_after_days > grace_days),
    retry_days integer[] NOT NULL,
    CHECK (annual_rate IS NULL OR fee IS NULL),
    UNIQUE NULLS NOT DISTINCT (name, currency, count, interval, first_instalment, annual_rate, fee, late_fee,
        late_fee_share, grace_days, default_after_days, retry_days)
);

CREATE TABLE instalment_plans (
    id text PRIMARY KEY,
    customer_id text NOT NULL,
    -- What is charged; NULL for the default of the day.
    payment_method_id text,
    terms_id bigint NOT NULL REFERENCES instalment_terms,
    status text NOT NULL CHECK (status IN
        ('pending', 'active', 'late', 'completed', 'settled', 'defaulted', 'canceled', 'failed')),
    amount bigint NOT NULL CHECK (amount > 0),
    currency text NOT NULL,
    down_payment bigint CHECK (down_payment > 0 AND down_payment < amount),
    started_on date NOT NULL,
    -- The last day that was counted. It stands still while a payment is under way: nobody is late because we are.
    day date NOT NULL CHECK (day >= started_on),
    purchase_left bigint NOT NULL CHECK (purchase_left BETWEEN 0 AND amount),
    -- What came in beyond what was owed, as when a customer confirms a payment while another one pays off the plan.
    -- It is given back.
    overpaid bigint NOT NULL DEFAULT 0 CHECK (overpaid >= 0),
    -- The payment whose outcome is waited for; nothing else happens to the plan until it is known.
    awaited_payment_id text,
    -- When there is something to do, by the business clock.
    next_step_at timestamptz,
    -- Journal entries so far: the number of the next one makes its reference.
    entries integer NOT NULL DEFAULT 0 CHECK (entries >= 0),
    description text,
    metadata jsonb NOT NULL DEFAULT '{}',
    created_at timestamptz NOT NULL
) WITH (fillfactor = 80);
CREATE INDEX instalment_plans_due ON instalment_plans (next_step_at) WHERE next_step_at IS NOT NULL;
CREATE INDEX instalment_plans_customer ON instalment_plans (customer_id, id);

CREATE TABLE instalments (
    id text PRIMARY KEY,
    plan_id text NOT NULL REFERENCES instalment_plans,
    -- 0 is the down payment.
    number integer NOT NULL CHECK (number BETWEEN 0 AND 12),
    due_on date NOT NULL,
    status text NOT NULL CHECK (status IN
        ('scheduled', 'due', 'late', 'paid', 'settled_early', 'defaulted', 'canceled')),
    principal bigint NOT NULL CHECK (principal >= 0),
    charge bigint NOT NULL CHECK (charge >= 0),
    late_fee bigint NOT NULL CHECK (late_fee >= 0),
    paid bigint NOT NULL CHECK (paid >= 0),
    -- The part of the charge earned before `earning_from`; the rest is earned by day until the due day.
    earned_before bigint NOT NULL CHECK (earned_before >= 0),
    earning_from date NOT NULL,
    -- The day of the next attempt to charge it; NULL when it waits for its day, an outcome or another method.
    next_attempt_on date,
    UNIQUE (plan_id, number),
    CHECK (paid <= principal + charge + late_fee)
) WITH (fillfactor = 80);

-- Paying off a plan in one payment. One at a time.
CREATE TABLE instalment_settlements (
    id text PRIMARY KEY,
    plan_id text NOT NULL REFERENCES instalment_plans,
    amount bigint NOT NULL CHECK (amount > 0),
    rebate bigint NOT NULL CHECK (rebate >= 0),
    status text NOT NULL CHECK (status IN ('processing', 'succeeded', 'failed')),
    created_at timestamptz NOT NULL
);
CREATE INDEX instalment_settlements_plan ON instalment_settlements (plan_id, id);
CREATE UNIQUE INDEX instalment_settlements_under_way ON instalment_settlements (plan_id) WHERE status = 'processing';

-- What a payment pays of a plan: an instalment, or its settlement. One payment for ever, whose attempts are counted.
ALTER TABLE payments ADD COLUMN instalment_id text;
CREATE UNIQUE INDEX payments_instalment ON payments (instalment_id) WHERE instalment_id IS NOT NULL;
