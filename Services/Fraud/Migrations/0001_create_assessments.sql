-- One assessment per attempt, written once and never changed.
CREATE TABLE assessments (
    id text PRIMARY KEY,
    payment_id text NOT NULL,
    attempt integer NOT NULL CHECK (attempt > 0),
    attempt_id text NOT NULL,
    customer_id text NOT NULL,
    currency text NOT NULL CHECK (currency ~ '^[A-Z]{3}$'),
    amount bigint NOT NULL,
    score numeric(5, 4) NOT NULL CHECK (score BETWEEN 0 AND 1),
    decision text NOT NULL CHECK (decision IN ('approve', 'review', 'block')),
    risk_level text NOT NULL CHECK (risk_level IN ('low', 'elevated', 'high', 'critical')),
    reasons text[] NOT NULL,
    -- Attempts in the hour and the day up to this one; all four are NULL when Redis could not say.
    card_hour bigint,
    card_day bigint,
    customer_hour bigint,
    customer_day bigint,
    model text NOT NULL,
    created_at timestamptz NOT NULL,
    UNIQUE (payment_id, attempt),
    CONSTRAINT assessments_velocity_whole CHECK (num_nulls(card_hour, card_day, customer_hour, customer_day) IN (0, 4))
);
CREATE INDEX assessments_by_customer ON assessments (customer_id, id DESC);
